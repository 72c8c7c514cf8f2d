"""A server for what a real one cannot be made to do."""
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DROP = "drop"  # the connection, without an answer


class FakeServer:
    """Answers each path with what is queued for it, then with its default."""

    def __init__(self):
        self.queued = {}
        self.defaults = {}
        self.requests = []  # (method, path, body, headers)
        self.connections = 0
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                fake.connections += 1

            def handle_any(self):
                text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                body = json.loads(text) if text else None
                path = self.path.split("?")[0]
                fake.requests.append((self.command, self.path, body, dict(self.headers)))
                waiting = fake.queued.get(path)
                answer = waiting.pop(0) if waiting else fake.defaults.get(path, (404, {"detail": "nothing here", "code": "not_found"}))
                if callable(answer):
                    answer = answer(body)
                if answer == DROP:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                status, content, *headers = answer
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                for name, value in (headers[0] if headers else {}).items():
                    self.send_header(name, value)
                    self.close_connection |= value == "close"  # of Connection, or of a header that the client does not know
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = handle_any

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a client that went away

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def bodies(self, path):
        return [body for _, at, body, _ in self.requests if at.split("?")[0] == path]

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def until(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.01)
