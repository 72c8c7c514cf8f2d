import json
import logging
import threading
import time
import unittest
from decimal import Decimal
from fractions import Fraction
from unittest import mock

from taskqueue_client import Client, PermanentFailure, Snooze, TaskQueueError, Worker
from taskqueue_client._heartbeats import Heartbeats
from taskqueue_client._in_flight import InFlight
from taskqueue_client._reporter import Reporter
from taskqueue_client._task import TaskContext

from .fake import DROP, FakeServer, until


def claimed(number, **more):
    task = {"id": f"t{number}", "attempt": 1, "queue": "q", "tier": 0, "name": "a", "payload": {"data": number}, "lease_seconds": 15}
    return {**task, **more}


def ok(body):
    return 200, {"tasks": [{"id": t["id"], "attempt": t["attempt"], "code": "ok"} for t in body["tasks"]]}


def empty(_):
    time.sleep(0.05)
    return 200, {"tasks": []}


class WorkerTests(unittest.TestCase):
    def setUp(self):
        logging.getLogger("taskqueue_client").setLevel(logging.CRITICAL)
        self.server = FakeServer()
        self.addCleanup(self.server.close)
        self.server.defaults.update({
            "/workers/claim": empty, "/workers/heartbeat": ok, "/workers/report": ok, "/workers/stopped": (204, b"")})

    def give(self, *tasks):
        self.server.queued["/workers/claim"] = [(200, {"tasks": list(tasks)})]

    def start(self, handler, **options):
        worker = Worker(Client(self.server.url), ["q"], **options)
        worker.handler("a")(handler)
        thread = threading.Thread(target=worker.run, daemon=True)
        thread.start()

        def end():
            worker.stop()
            thread.join(20)
            self.assertFalse(thread.is_alive(), "the worker ends")

        self.end = end
        self.addCleanup(end)
        return worker

    def reports(self):
        return [task for body in self.server.bodies("/workers/report") for task in body["tasks"]]

    def test_an_outcome_is_reported_until_it_arrives(self):
        self.give(claimed(1))
        self.server.queued["/workers/report"] = [DROP, (503, b"busy"), (401, {"detail": "who?"})]
        self.start(lambda task: task.data)
        until(lambda: len(self.server.bodies("/workers/report")) == 4, "the fourth try")
        self.assertEqual(self.reports(), [{"id": "t1", "attempt": 1, "outcome": "completed", "result": 1}] * 4)

    def test_claims_come_back_after_an_outage(self):
        self.server.queued["/workers/claim"] = [DROP, (429, {"detail": "slower"}, {"Retry-After": "1"}), (200, b"<html>"), (200, {})]
        start = time.monotonic()
        self.start(lambda task: None)
        until(lambda: len(self.server.bodies("/workers/claim")) > 5, "claims after the outage")
        self.assertGreater(time.monotonic() - start, 1)

    def test_a_refused_log_or_stack_does_not_fail_its_task_nor_another(self):
        self.give(claimed(1), claimed(2))

        def refuse(body):
            return (400, {"detail": "logs are bad"}) if any("logs" in t for t in body["tasks"]) else ok(body)

        self.server.defaults["/workers/report"] = refuse

        def handler(task):
            if task.data == 1:
                task.log("bad")
            return task.data

        self.start(handler)
        until(lambda: {t["id"] for t in self.reports() if "logs" not in t} == {"t1", "t2"}, "both are reported")
        self.assertTrue(all(t["outcome"] == "completed" for t in self.reports()))

    def test_a_refused_result_fails_its_task_for_good(self):
        self.give(claimed(1))
        self.server.defaults["/workers/report"] = lambda body: (
            (413, {"detail": "too large"}) if any("result" in t for t in body["tasks"]) else ok(body))
        self.start(lambda task: "large")
        until(lambda: any(t["outcome"] == "failed" for t in self.reports()), "the failure is reported")
        last = self.reports()[-1]
        self.assertEqual((last["error"], last["retryable"]), ("the server refused the outcome: too large", False))

    def test_a_failure_has_type_and_stack_and_a_result_that_is_no_json_is_one(self):
        self.give(claimed(1))
        self.start(lambda task: {1, 2})
        until(self.reports, "the report")
        report = self.reports()[0]
        self.assertEqual((report["outcome"], report["retryable"], report["error_type"]), ("failed", True, "TypeError"))
        self.assertIn("Traceback", report["stack"])

    def test_a_failure_for_good_has_its_own_type_or_that_of_its_class(self):
        class NoSuchAddress(PermanentFailure):
            pass

        NoSuchAddress.__module__, NoSuchAddress.__qualname__ = "mail", "NoSuchAddress"
        self.give(claimed(1), claimed(2))

        def handler(task):
            raise (PermanentFailure if task.data == 1 else NoSuchAddress)("nobody")

        self.start(handler, slots=1)
        until(lambda: len(self.reports()) == 2, "the reports")
        self.assertEqual([(r["error_type"], r["retryable"]) for r in self.reports()],
                         [("taskqueue_client.PermanentFailure", False), ("mail.NoSuchAddress", False)])

    def test_heartbeats_that_fail_keep_progress_and_log_for_the_next(self):
        self.give(claimed(1))
        self.server.queued["/workers/heartbeat"] = [DROP]
        go_on = threading.Event()
        self.addCleanup(go_on.set)

        def handler(task):
            task.progress({"done": 0.5})
            task.log("begun")
            go_on.wait(20)

        self.start(handler, lease=1)
        until(lambda: len(self.server.bodies("/workers/heartbeat")) >= 2, "two heartbeats")
        told = [task for body in self.server.bodies("/workers/heartbeat")[1:] for task in body["tasks"]]

        def later(what):
            return any(what in t for b in self.server.bodies("/workers/heartbeat")[1:] for t in b["tasks"])

        until(lambda: later("progress") and later("logs"), "progress and log arrive")
        self.assertEqual(told[0]["lease_seconds"], 1)
        go_on.set()

    def test_progress_in_a_loop_is_sent_a_few_times_a_second(self):
        self.give(claimed(1))

        def handler(task):
            end = time.monotonic() + 1
            number = 0
            while time.monotonic() < end:
                number += 1
                task.progress(number)
                time.sleep(0.001)

        self.start(handler)
        until(self.reports, "the report")
        self.assertTrue(2 < len(self.server.bodies("/workers/heartbeat")) < 15, len(self.server.bodies("/workers/heartbeat")))

    def test_a_worker_ends_though_the_server_is_gone(self):
        self.give(claimed(1))
        done = threading.Event()
        with mock.patch("taskqueue_client._worker._LAST_REPORTS", 0.5):
            self.server.defaults["/workers/report"] = DROP
            self.start(lambda task: done.set())
            done.wait(20)
            start = time.monotonic()
            self.end()
            self.assertLess(time.monotonic() - start, 10)

    def test_a_handler_that_exits_fails_its_task_only(self):
        self.give(claimed(1), claimed(2))

        def handler(task):
            if task.data == 1:
                raise SystemExit(3)

        self.start(handler, slots=1)
        until(lambda: len({t["id"] for t in self.reports()}) == 2, "both are reported")

    def test_one_payload_that_python_cannot_read_at_once_hinders_no_other_task(self):
        def text(number, data):
            return json.dumps(claimed(number)).replace(f'"data": {number}', f'"data": {data}')

        tasks = [text(1, "[" * 100_000 + "]" * 100_000), text(2, "7" * 5000), text(3, "3")]
        self.server.queued["/workers/claim"] = [(200, ('{"tasks":[' + ",".join(tasks) + "]}").encode())]
        self.start(lambda task: task.data if task.id == "t1" else len(str(task.data)))
        until(lambda: len(self.reports()) == 3, "all are reported")
        reports = {t["id"]: t for t in self.reports()}
        self.assertEqual((reports["t1"]["outcome"], reports["t1"]["error_type"]), ("failed", "RecursionError"))
        self.assertEqual((reports["t2"]["result"], reports["t3"]["result"]), (5000, 1))

    def test_a_lost_task_has_its_slot_until_its_handler_ends(self):
        self.give(claimed(1))
        self.server.defaults["/workers/heartbeat"] = lambda body: (
            200, {"tasks": [{"id": t["id"], "attempt": t["attempt"], "code": "finished"} for t in body["tasks"]]})
        lost, go_on = threading.Event(), threading.Event()
        self.addCleanup(go_on.set)

        def handler(task):
            if task.data == 1:
                task.cancelled.wait(20)
                lost.set()
                go_on.wait(20)

        worker = self.start(handler, slots=1, prefetch=0, lease=1)
        self.assertTrue(lost.wait(20))
        until(lambda: not worker._in_flight.held, "it is not held any more")
        claims = len(self.server.bodies("/workers/claim"))
        self.server.queued["/workers/claim"] = [(200, {"tasks": [claimed(2)]})]
        time.sleep(0.2)  # time for a claim that must not come
        self.assertEqual(len(self.server.bodies("/workers/claim")), claims)
        go_on.set()
        until(lambda: [t["id"] for t in self.reports()] == ["t2"], "the next task runs")

    def test_a_refused_progress_costs_no_lease_and_no_log_of_another_task(self):
        self.give(*(claimed(number) for number in range(5)))
        self.server.defaults["/workers/heartbeat"] = lambda body: (
            (400, {"detail": "too bad"}) if any("progress" in t for t in body["tasks"]) else ok(body))
        go_on = threading.Event()
        self.addCleanup(go_on.set)

        def handler(task):
            if task.data == 2:
                task.progress("bad")
            else:
                task.log("good")
            go_on.wait(20)

        self.start(handler, slots=5, lease=3)

        def accepted():
            return [t for b in self.server.bodies("/workers/heartbeat") if not any("progress" in t for t in b["tasks"]) for t in b["tasks"]]

        until(lambda: {t["id"] for t in accepted() if "logs" in t} == {"t0", "t1", "t3", "t4"}, "the logs of the others arrive")
        until(lambda: "t2" in {t["id"] for t in accepted()}, "its lease is renewed")

        def refused():
            return [len(b["tasks"]) for b in self.server.bodies("/workers/heartbeat") if any("progress" in t for t in b["tasks"])]

        until(lambda: 1 in refused(), "it was sent alone")
        before, beats = refused(), len(accepted())
        until(lambda: len(accepted()) > beats + 5, "further heartbeats")
        self.assertEqual(refused(), before, "it is not sent again")
        go_on.set()

    def test_what_is_refused_alone_is_not_sent_again_and_its_lease_is_renewed(self):
        self.give(*(claimed(number) for number in range(3)))

        def judge(body):
            codes = ["invalid" if "progress" in t else "ok" for t in body["tasks"]]
            if "ok" not in codes:
                return 400, {"detail": "too bad"}
            return 200, {"tasks": [{"id": t["id"], "attempt": t["attempt"], "code": code, "error": "too bad"}
                                   for t, code in zip(body["tasks"], codes)]}

        self.server.defaults["/workers/heartbeat"] = judge
        go_on = threading.Event()
        self.addCleanup(go_on.set)

        def handler(task):
            (task.progress if task.data == 1 else task.log)("said")
            go_on.wait(20)

        self.start(handler, slots=3, lease=3)

        def beats(what):
            return [t["id"] for b in self.server.bodies("/workers/heartbeat") for t in b["tasks"] if what(t)]

        until(lambda: "t1" in beats(lambda t: "progress" in t), "it is refused")
        until(lambda: "t1" in beats(lambda t: "progress" not in t), "its lease is renewed")
        until(lambda: len(beats(lambda t: True)) > 12, "further heartbeats")
        self.assertEqual(beats(lambda t: "progress" in t), ["t1"], "it is not sent again")
        self.assertEqual(sorted(beats(lambda t: "logs" in t)), ["t0", "t2"], "nor what was accepted")
        go_on.set()

    def report(self, answer):
        """A reporter that has three outcomes, of which the second has a log, and what it sends to a server of the test."""
        in_flight = InFlight(3, 0)
        for number in (1, 2, 3):
            task = TaskContext(claimed(number), None, in_flight.wake)
            if number == 2:
                task.log("bad")
            in_flight.take(task)
            in_flight.begin()
            in_flight.end(task, {"outcome": "completed"}, None)
        in_flight.release_all()
        sent = []

        class Server:
            def report(self, texts):
                sent.append([json.loads(text) for text in texts])
                return answer(sent[-1], len(sent))

            def failed(self, why):
                pass

        Reporter(in_flight, Server(), lambda: None).run()
        self.assertFalse(in_flight.held, "all are reported")
        return [[f"{t['id']} with its log" if "logs" in t else t["id"] for t in entries] for entries in sent]

    def test_only_what_is_refused_of_a_report_is_sent_again(self):
        def answer(entries, number):
            if number == 2:
                raise TaskQueueError("slower", 429)
            if all("logs" in t for t in entries):
                raise TaskQueueError("too bad", 400)
            return [TaskQueueError("too bad", 400) if "logs" in t else None for t in entries]

        self.assertEqual(self.report(answer), [["t1", "t2 with its log", "t3"], ["t2"], ["t2 with its log"], ["t2"]])

    def test_what_has_arrived_of_a_report_that_is_refused_as_a_whole_is_not_sent_again(self):
        def answer(entries, number):
            if number == 3:
                raise TaskQueueError("connection lost")
            if any("logs" in t for t in entries):
                raise TaskQueueError("too bad", 413)
            return [None for _ in entries]

        self.assertEqual(self.report(answer), [
            ["t1", "t2 with its log", "t3"], ["t1"], ["t2 with its log"],
            ["t2 with its log", "t3"], ["t2 with its log"], ["t2"], ["t3"]])

    def test_the_answer_of_the_server_names_what_is_refused_of_a_report(self):
        self.give(claimed(1), claimed(2))

        def judge(body):
            codes = ["invalid" if "logs" in t else "ok" for t in body["tasks"]]
            if "ok" not in codes:
                return 400, {"detail": "logs are bad"}
            return 200, {"tasks": [{"id": t["id"], "attempt": t["attempt"], "code": code} for t, code in zip(body["tasks"], codes)]}

        self.server.defaults["/workers/report"] = judge

        def handler(task):
            if task.data == 1:
                task.log("bad")
            return task.data

        self.start(handler)
        until(lambda: {t["id"] for t in self.reports() if "logs" not in t} == {"t1", "t2"}, "both are reported")
        self.assertTrue(all(t["outcome"] == "completed" for t in self.reports()))
        self.assertEqual([t["id"] for t in self.reports()].count("t2"), 1, "what was accepted is not sent again")

    def test_a_handler_learns_that_its_lease_cannot_be_renewed_and_its_outcome_is_reported(self):
        self.give(claimed(1))
        self.server.defaults["/workers/heartbeat"] = DROP

        def handler(task):
            until(lambda: task.lease_lost, "the lease is not renewed")
            return task.cancelled.is_set()

        self.start(handler, lease=1)
        until(self.reports, "the outcome")
        self.assertEqual((self.reports()[0]["outcome"], self.reports()[0]["result"]), ("completed", False))

    def test_an_outage_longer_than_the_lease_cancels_no_handler(self):
        self.give(claimed(1))
        begun = time.monotonic()
        self.server.defaults["/workers/heartbeat"] = lambda body: ok(body) if time.monotonic() > begun + 2 else (503, b"no database")

        def handler(task):
            until(lambda: task.lease_lost, "the lease is not renewed")
            until(lambda: not task.lease_lost, "the server knows the task as this worker's")
            return task.cancelled.is_set()

        self.start(handler, lease=1)
        until(self.reports, "the outcome")
        self.assertEqual((self.reports()[0]["outcome"], self.reports()[0]["result"]), ("completed", False))

    def test_a_task_that_another_worker_got_in_an_outage_is_cancelled_after_it(self):
        self.give(claimed(1))
        self.server.queued["/workers/heartbeat"] = [DROP] * 5
        self.server.defaults["/workers/heartbeat"] = lambda body: (
            200, {"tasks": [{"id": t["id"], "attempt": t["attempt"], "code": "stale_attempt"} for t in body["tasks"]]})
        seen = []

        def handler(task):
            seen.append([task.cancelled.wait(20), task.lease_lost])

        self.start(handler, lease=1)
        until(lambda: seen, "it is cancelled")
        self.assertEqual((seen, self.reports()), ([[True, True]], []))

    def test_what_is_refused_is_looked_for_until_leases_must_be_renewed(self):
        clock = [0.0]
        sent = []

        class Slow:
            def heartbeat(self, entries):
                clock[0] += 1
                sent.append([json.loads(entry) for entry in entries])
                if any("progress" in entry for entry in sent[-1]):
                    raise TaskQueueError("too bad", 400)
                return [{"code": "ok"} for _ in sent[-1]]

        in_flight = InFlight(16, 0)
        heartbeats = Heartbeats(in_flight, Slow(), None, lambda: None)
        tasks = [TaskContext(claimed(number), None, in_flight.wake) for number in range(16)]
        for task in tasks:
            task.progress("bad")
        for room in (12, 0, 0):  # seconds until the next regular heartbeat
            begun, before = clock[0], sum(1 for task in tasks if task._progress)
            with mock.patch("taskqueue_client._heartbeats.time", mock.Mock(monotonic=lambda: clock[0])):
                heartbeats._send([task._heartbeat(True, None) for task in tasks], begun + room)
            self.assertLessEqual(clock[0], begun + room + 4, "at most one is tried when the heartbeat is due")
            left = sum(1 for task in tasks if task._progress)
            self.assertTrue(0 < left < before, f"{left} of {before} wait for the next")

    def test_progress_has_bounds(self):
        task = TaskContext(claimed(1), None, lambda: None)
        for value in ("x" * 4095, float("nan"), {1}, json.loads("[" * 61 + "]" * 61)):
            with self.assertRaises((ValueError, TypeError)):
                task.progress(value)
        task.progress(json.loads("[" * 60 + "]" * 60))

    def test_an_outcome_that_is_no_json_fails_its_task_only(self):
        self.give(*(claimed(number) for number in range(4)))

        def handler(task):
            if task.data < 2:
                raise Snooze((Decimal("1.5"), Fraction(5, 2))[task.data])
            if task.data == 2:
                wish = Snooze(1)
                wish.seconds = {1}  # a set
                raise wish

        self.start(handler, slots=1)
        until(lambda: len(self.reports()) == 4, "all are reported")
        reports = {t["id"]: t for t in self.reports()}
        self.assertEqual([reports[f"t{n}"]["outcome"] for n in range(4)], ["snoozed", "snoozed", "failed", "completed"])
        self.assertEqual([reports[f"t{n}"]["delay_seconds"] for n in range(2)], [1.5, 2.5])
        self.assertIn("cannot be sent", reports["t2"]["error"])

    def test_options_are_checked(self):
        client = Client(self.server.url)
        for queues, options in (([], {}), ("q", {}), (["q"], {"slots": 0}), (["q"], {"prefetch": 501}), (["q"], {"lease": 0.5}),
                                (["q"], {"drain_timeout": -1}), (["q"], {"unknown_names": "echo"}), (["q"], {"name": "n" * 201})):
            with self.assertRaises(ValueError, msg=f"{queues} {options}"):
                Worker(client, queues, **options)
