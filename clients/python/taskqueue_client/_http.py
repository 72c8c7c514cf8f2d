"""HTTP with connections that are kept."""
from __future__ import annotations

import http.client
import re
import selectors
import socket
import ssl
import threading
import time
from typing import Any, List, Mapping, Optional, Sequence, Tuple
from urllib.parse import urlsplit

from ._errors import TaskQueueError
from ._json import loads

_CONNECT_TIMEOUT = 10.0
_MOST_IDLE = 8
_LONGEST_IDLE = 50.0  # seconds; proxies close after 60
_MOST_ERROR_BYTES = 64 * 1024


class Call:
    """A request that another thread may abort."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: Optional[http.client.HTTPConnection] = None
        self.aborted = False

    def enter(self, connection: Optional[http.client.HTTPConnection]) -> None:
        with self._lock:
            self._connection = connection
            if self.aborted and connection is not None:
                raise OSError("the request was aborted")

    def abort(self) -> None:
        with self._lock:
            self.aborted = True
            sock = self._connection.sock if self._connection is not None else None
            if sock is not None:
                try:
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not that of SSLSocket, which another thread reads
                except OSError:
                    pass


class Http:
    """Connections to one server; thread-safe."""

    def __init__(self, url: str, key: Optional[str], tls: Optional[ssl.SSLContext]) -> None:
        try:
            parts = urlsplit(url)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
            seen = f"{parts.scheme}://{parts.hostname} with more" if parts.hostname else "a text without a host"  # the rest may be secret
            raise ValueError("the URL of the server must be like http://localhost:8080 or https://host/base, without user, password, "
                             f"query and fragment, not {seen}")
        if key is not None and not re.fullmatch(r"[!-~]+", key):
            raise ValueError("the key must be printable ASCII without spaces")
        self._address = f"{parts.scheme}://{parts.netloc}"
        self._host, self._port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
        self._base = parts.path.rstrip("/")
        self._tls = (tls or ssl.create_default_context()) if parts.scheme == "https" else None
        self._headers = {"Accept": "application/json"}
        if key is not None:
            self._headers["Authorization"] = f"Bearer {key}"
        self._lock = threading.Lock()
        self._idle: List[Tuple[float, http.client.HTTPConnection]] = []
        self._closed = False

    def send(
        self,
        method: str,
        path: str,
        body: Optional[bytes] = None,
        needs: Sequence[str] = (),
        timeout: float = 60,
        call: Optional[Call] = None,
    ) -> Any:
        """The JSON of the answer, an object with the members that it needs; None if it is empty and needs none."""
        connection = self._take(min(timeout, _CONNECT_TIMEOUT))
        keep = False
        try:
            if connection.sock is None:
                connection.connect()
            connection.sock.settimeout(timeout)
            if call is not None:
                call.enter(connection)
            headers = self._headers if body is None else {**self._headers, "Content-Type": "application/json"}
            connection.request(method, self._base + path, body, headers)
            response = connection.getresponse()
            if not 200 <= response.status < 300:
                text = response.read(_MOST_ERROR_BYTES)
                keep = response.isclosed() and not response.will_close
                raise _error(response.status, text, response.headers)
            text = response.read()
            keep = not response.will_close
        except (OSError, http.client.HTTPException) as fault:
            keep = False
            why = "no answer in time" if isinstance(fault, (socket.timeout, TimeoutError)) else str(fault) or type(fault).__name__
            raise TaskQueueError(f"{self._address} cannot be reached: {why}") from fault
        finally:
            if call is not None:
                call.enter(None)
            self._give_back(connection, keep)
        if not text and not needs:
            return None
        try:
            answer = loads(text)
        except ValueError as fault:
            raise TaskQueueError(f"{self._address} answered {path} with something that is not JSON") from fault
        if not isinstance(answer, dict) or not all(name in answer for name in needs):
            raise TaskQueueError(f"{self._address} answered {path} with an unexpected response: is it TaskQueue?")
        return answer

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def _take(self, connect_timeout: float) -> http.client.HTTPConnection:
        while True:
            with self._lock:
                if not self._idle:
                    break
                since, connection = self._idle.pop()
            if time.monotonic() - since < _LONGEST_IDLE and connection.sock is not None and not _has_data(connection.sock):
                return connection
            connection.close()
        if self._tls is not None:
            return http.client.HTTPSConnection(self._host, self._port, timeout=connect_timeout, context=self._tls)
        return http.client.HTTPConnection(self._host, self._port, timeout=connect_timeout)

    def _give_back(self, connection: http.client.HTTPConnection, keep: bool) -> None:
        if keep and connection.sock is not None:
            with self._lock:
                if not self._closed and len(self._idle) < _MOST_IDLE:
                    self._idle.append((time.monotonic(), connection))
                    return
        connection.close()


def _has_data(sock: socket.socket) -> bool:
    """An idle connection that can be read has been closed by the server."""
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(sock, selectors.EVENT_READ)
            return bool(selector.select(0))
    except (OSError, ValueError):
        return True


def _error(status: int, text: bytes, headers: Mapping[str, str]) -> TaskQueueError:
    try:
        body = loads(text)
    except ValueError:
        body = None  # of a proxy
    if not isinstance(body, dict):
        body = {}
    message = next((body[k] for k in ("detail", "error", "title") if isinstance(body.get(k), str)), f"the server answered {status}")
    code = body.get("code")
    wait = headers.get("Retry-After", "").strip()
    seconds = float(wait) if re.fullmatch("[0-9]{1,9}", wait) else None
    return TaskQueueError(message, status, code if isinstance(code, str) else None, seconds)
