import json
import os
import threading
import time
import unittest
import uuid
from datetime import datetime, timezone
from unittest import mock

from taskqueue_client import Client, NewTask, Snooze, TaskQueueError, Worker
from taskqueue_client._client import new_id
from taskqueue_client._http import _has_data
from taskqueue_client._json import _decode, depth, loads
from taskqueue_client._task import MAX_LINES, MAX_LOG_BYTES, PendingLog, cut_bytes

from .fake import DROP, FakeServer, until


class ClientTests(unittest.TestCase):
    def setUp(self):
        self.server = FakeServer()
        self.addCleanup(self.server.close)
        self.client = Client(self.server.url)
        self.addCleanup(self.client.close)

    def test_a_task_whose_answer_was_lost_is_sent_again_with_its_id_and_is_no_duplicate(self):
        self.server.queued["/tasks"] = [DROP, (503, b"<html>busy</html>"), lambda body: (202, {"id": body["id"], "status": "duplicate"})]
        enqueued = self.client.enqueue("mail", "send", {"to": "ann"}, tags=["eu"], scheduled_at=datetime(2030, 1, 1, tzinfo=timezone.utc))
        bodies = self.server.bodies("/tasks")
        self.assertEqual(enqueued, (bodies[0]["id"], "queued"))
        self.assertEqual(bodies, [bodies[0]] * 3)
        self.assertEqual({k: v for k, v in bodies[0].items() if k != "id"}, {
            "queue": "mail", "action": "send", "data": {"to": "ann"}, "tags": ["eu"], "scheduled_at": "2030-01-01T00:00:00+00:00"})

    def test_a_duplicate_of_another_task_or_of_the_first_try_stays_one(self):
        self.server.queued["/tasks"] = [DROP, (202, {"id": "other", "status": "duplicate"})]
        self.assertEqual(self.client.enqueue("mail", "send"), ("other", "duplicate"))
        self.server.queued["/tasks"] = [(202, {"id": "mine", "status": "duplicate"})]
        self.assertEqual(self.client.enqueue("mail", "send", id="mine").status, "duplicate")

    def test_a_refusal_is_not_repeated_and_has_status_code_and_message(self):
        self.server.queued["/tasks"] = [(409, {"title": "Conflict", "detail": "no room", "code": "quota_exceeded"})]
        with self.assertRaises(TaskQueueError) as caught:
            self.client.enqueue("mail", "send")
        fault = caught.exception
        self.assertEqual((fault.status, fault.code, fault.message, fault.retry_after, fault.is_transient),
                         (409, "quota_exceeded", "no room", None, False))
        self.server.queued["/tasks"] = [(400, {"error": "no action"})]
        with self.assertRaisesRegex(TaskQueueError, "no action"):
            self.client.enqueue("mail", "send")
        self.assertEqual(len(self.server.requests), 2)

    def test_five_tries_wait_longer_each_time_and_as_long_as_the_server_asks(self):
        self.server.defaults["/tasks"] = (429, {"error": "slower"}, {"Retry-After": "7"})
        with mock.patch("taskqueue_client._client.time.sleep") as sleep, self.assertRaises(TaskQueueError) as caught:
            self.client.enqueue("mail", "send")
        self.assertEqual([call.args[0] for call in sleep.call_args_list], [7.0] * 4)
        self.assertEqual((caught.exception.status, caught.exception.retry_after), (429, 7.0))
        self.server.queued["/tasks"] = [(503, {}, {"Retry-After": "99999"}), (202, {"id": "a", "status": "queued"})]
        with mock.patch("taskqueue_client._client.time.sleep") as sleep:
            self.client.enqueue("mail", "send")
        self.assertEqual([call.args[0] for call in sleep.call_args_list], [30.0])
        self.server.defaults["/tasks"] = DROP
        with mock.patch("taskqueue_client._client.time.sleep") as sleep, self.assertRaises(TaskQueueError) as caught:
            self.client.enqueue("mail", "send")
        for call, longest in zip(sleep.call_args_list, (0.2, 0.4, 0.8, 1.6)):
            self.assertTrue(longest / 2 <= call.args[0] <= longest, call)
        self.assertEqual((caught.exception.status, caught.exception.is_transient), (0, True))

    def test_connections_are_kept_and_one_that_the_server_closed_is_not_used(self):
        self.server.defaults["/tasks/1"] = (200, {"id": "1", "status": "pending"})
        for _ in range(5):
            self.client.get("1")
        self.assertEqual(self.server.connections, 1)
        self.server.queued["/tasks/1"] = [(200, {"id": "1", "status": "pending"}, {"Connection": "close"})]
        self.client.get("1")
        with mock.patch("taskqueue_client._client.time.sleep") as sleep:
            self.client.get("1")
        self.assertEqual((self.server.connections, sleep.call_count), (2, 0))
        self.server.queued["/tasks/1"] = [(200, {"id": "1", "status": "pending"}, {"X-Unannounced": "close"})]
        self.client.get("1")
        (_, idle), = self.client._http._idle
        until(lambda: _has_data(idle.sock), "the end of the connection arrives")
        with mock.patch("taskqueue_client._client.time.sleep") as sleep:
            self.client.get("1")
        self.assertEqual((self.server.connections, sleep.call_count), (3, 0))

    def test_the_path_base_and_the_key_are_sent(self):
        self.server.defaults["/base/tasks/a%2Fb"] = (200, {"id": "a/b", "status": "failed"})
        with Client(self.server.url + "/base/", key="secret") as client:
            self.assertEqual(client.wait("a/b")["status"], "failed")
        _, path, _, headers = self.server.requests[0]
        self.assertTrue(path.startswith("/base/tasks/a%2Fb?wait_seconds=30"), path)
        self.assertEqual(headers["Authorization"], "Bearer secret")

    def test_a_wait_that_takes_too_long_says_so(self):
        self.server.defaults["/tasks/1"] = (200, {"id": "1", "status": "running"})
        with self.assertRaises(TaskQueueError) as caught:
            self.client.wait("1", timeout=0.3)
        self.assertEqual(caught.exception.code, "timeout")

    def test_a_wait_ends_in_time_though_the_server_is_away_or_asks_for_patience(self):
        for answer in (503, {"error": "later"}, {"Retry-After": "20"}), DROP:
            self.server.defaults["/tasks/1"] = answer
            start = time.monotonic()
            with self.assertRaises(TaskQueueError) as caught:
                self.client.wait("1", timeout=0.1)
            self.assertLess(time.monotonic() - start, 10)
            self.assertEqual((caught.exception.status, caught.exception.code), (0, "timeout"))

    def test_many_tasks_are_sent_a_thousand_at_a_time(self):
        self.server.defaults["/tasks/bulk"] = lambda body: (
            202, {"ids": [t["id"] for t in body["tasks"]], "results": ["queued"] * len(body["tasks"])})
        tasks = [NewTask("mail", "send", i) for i in range(2001)]
        answers = self.client.enqueue_many(iter(tasks))
        self.assertEqual([a.id for a in answers], [t.id for t in tasks])
        self.assertEqual([len(b["tasks"]) for b in self.server.bodies("/tasks/bulk")], [1000, 1000, 1])

    def test_what_cannot_be_right_is_refused_here(self):
        for url in ("localhost:8080", "ftp://host", "http://", "http://host?x=1", "http://user@host"):
            with self.assertRaises(ValueError, msg=url):
                Client(url)
        for url in ("http://ann:secret@host", "http://host?key=secret", "http://host#secret", "ann:secret@host", "http://ann:secret@[host"):
            with self.assertRaises(ValueError) as caught:
                Client(url)
            self.assertNotIn("secret", str(caught.exception))
            self.assertNotIn("ann", str(caught.exception))
            self.assertTrue(caught.exception.__suppress_context__ or caught.exception.__context__ is None)
        for key in ("", "a b", "é"):
            with self.assertRaises(ValueError, msg=key):
                Client("http://host", key=key)
        with self.assertRaises(ValueError):
            self.client.enqueue("mail", "send", scheduled_at=datetime(2030, 1, 1))
        with self.assertRaises(ValueError):
            self.client.enqueue("mail", "send", float("nan"))
        with self.assertRaises(TypeError):
            self.client.enqueue("mail", "send", tags="eu")
        with self.assertRaises(TypeError):
            self.client.enqueue("mail", "send", tag=["eu"])
        with self.assertRaises(ValueError):
            Snooze(-1)
        self.assertEqual(self.server.requests, [])


class PartsTests(unittest.TestCase):
    def test_ids_are_of_version_7_and_in_order_of_time(self):
        first = new_id()
        time.sleep(0.002)
        second = new_id()
        self.assertEqual((uuid.UUID(first).version, uuid.UUID(first).variant), (7, uuid.RFC_4122))
        self.assertLess(first, second)

    def test_a_log_keeps_the_newest_lines_within_its_bounds(self):
        log = PendingLog()
        for i in range(250):
            log.add({"message": str(i)})
        lines = log.take()
        self.assertEqual((len(lines), lines[-1]["message"]), (MAX_LINES, "249"))
        for _ in range(20):
            log.add({"message": "x" * 8000})
        self.assertLessEqual(sum(len(line["message"]) for line in log.take()), MAX_LOG_BYTES)
        log.add({"message": "newer"})
        log.put_back([{"message": "older"}])
        self.assertEqual([line["message"] for line in log.take()], ["older", "newer"])

    def test_json_is_read_however_deep_it_is_and_however_long_its_numbers_are(self):
        value = loads(b'{"a":' + b"[" * 100_000 + b"1" + b"]" * 100_000 + b"}")["a"]
        for _ in range(100_000):
            value, = value
        self.assertEqual(value, 1)
        self.assertEqual(str(loads(b"[-" + b"7" * 5000 + b"]")[0]), "-" + "7" * 5000)
        some = {"a": [1, -2.5, 1e9, True, False, None, [], {}, "ä\n\\\"]}"], "b": {"c": {"": [[0]]}}, "": "\U0001f600"}
        for indent in (None, 1):
            self.assertEqual(_decode(json.dumps(some, indent=indent)), some)
        deep = b"[" * 100_000
        for wrong in (b"", b"<html>", b"[1", b"[1,", b"[1,]", b"{", b'{"a"', b'{"a":', b'{"a":1,}', b"{1:2}", b"[1}", b'"a', b"1 2", b"tru",
                      b"01", b"\xff", deep, deep + b"<"):
            with self.assertRaises(ValueError, msg=wrong[:10]):
                loads(wrong)

    def test_depth_counts_what_is_not_in_quotes(self):
        for value, levels in ((1, 0), ([], 1), ({"a": [[]], "b": []}, 3), (["[[[", '"[[', "\\"], 1)):
            self.assertEqual(depth(json.dumps(value).encode()), levels, value)

    def test_texts_are_cut_between_characters(self):
        self.assertEqual(cut_bytes("äää", 5), "ää")
        self.assertEqual(cut_bytes("a\ud800", 5), "a?")


@unittest.skipUnless(os.environ.get("TASKQUEUE_URL"), "TASKQUEUE_URL names no server")
class ServerTests(unittest.TestCase):
    def setUp(self):
        self.client = Client(os.environ["TASKQUEUE_URL"], key=os.environ.get("TASKQUEUE_KEY"))
        self.addCleanup(self.client.close)
        self.queue = f"p{uuid.uuid4().hex}"

    def test_tasks_are_enqueued_read_waited_for_and_cancelled(self):
        one = self.client.enqueue(self.queue, "send", {"to": "änn"}, priority="high", max_attempts=2, tags=["eu"],
                                  retry={"intervals": [1, 2]}, scheduled_at=datetime(2030, 1, 1, tzinfo=timezone.utc))
        self.assertEqual(one.status, "queued")
        task = self.client.get(one.id)
        self.assertEqual((task["status"], task["priority"], task["max_attempts"], task["tags"], task["payload"]["data"]),
                         ("pending", "high", 2, ["eu"], {"to": "änn"}))
        with self.assertRaises(TaskQueueError) as caught:
            self.client.wait(one.id, timeout=0.2)
        self.assertEqual(caught.exception.code, "timeout")
        self.client.cancel(one.id)
        self.assertEqual(self.client.wait(one.id)["status"], "cancelled")
        self.client.cancel(one.id)  # changes nothing

    def test_a_task_that_has_completed_cannot_be_cancelled(self):
        one = self.client.enqueue(self.queue, "send")
        worker = Worker(self.client, [self.queue])
        worker.handler("send")(lambda task: "sent")
        working = threading.Thread(target=worker.run)
        working.start()
        self.assertEqual(self.client.wait(one.id)["result"], "sent")
        worker.stop()
        working.join()
        with self.assertRaises(TaskQueueError) as caught:
            self.client.cancel(one.id)
        self.assertEqual(caught.exception.status, 409)

    def test_duplicates_and_many(self):
        first = self.client.enqueue(self.queue, "send", dedupe_key="k")
        self.assertEqual(self.client.enqueue(self.queue, "send", dedupe_key="k"), (first.id, "duplicate"))
        many = self.client.enqueue_many([NewTask(self.queue, "send", i) for i in range(3)] + [NewTask(self.queue, "send", dedupe_key="k")])
        self.assertEqual([each.status for each in many], ["queued"] * 3 + ["duplicate"])
        self.assertEqual(self.client.get(many[2].id)["payload"]["data"], 2)

    def test_what_is_not_there_and_what_is_wrong(self):
        nobody = str(uuid.uuid4())
        self.assertIsNone(self.client.get(nobody))
        for call in (self.client.cancel, self.client.wait):
            with self.assertRaises(TaskQueueError) as caught:
                call(nobody)
            self.assertEqual(caught.exception.status, 404)
        with self.assertRaises(TaskQueueError) as caught:
            self.client.enqueue(self.queue, "send", max_attempts=0)
        self.assertEqual(caught.exception.status, 400)
        self.assertIn("max_attempts", json.dumps(caught.exception.message))
