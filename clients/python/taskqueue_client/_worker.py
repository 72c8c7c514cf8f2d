from __future__ import annotations

import os
import queue
import signal
import socket
import threading
import time
import traceback
import uuid
from typing import Any, Callable, Dict, Optional, Sequence

from ._backoff import Backoff
from ._client import Client, dump
from ._errors import PermanentFailure, Snooze, TaskQueueError
from ._heartbeats import Heartbeats
from ._http import Call
from ._in_flight import InFlight
from ._reporter import Reporter
from ._server import LOG, LONGEST_POLL, Server
from ._task import TaskContext, cut_bytes

Handler = Callable[[TaskContext], Any]

_LAST_CLAIM = 1.0  # seconds of a claim in flight when the worker stops: if abandoned at once, what it gets waits for its lease
_LAST_REPORTS = 5.0  # seconds for outcomes that are not reported when the drain is over
_REFUSED_PAUSE = 15.0  # seconds; a refused claim cannot succeed until its cause is mended
_UNKNOWN_DELAY = 10.0  # seconds
_MOST_NAMES = 10
_MOST_ERROR_BYTES, _MOST_TYPE, _MOST_STACK_BYTES = 8 * 1024, 200, 16 * 1024


class Worker:
    """
    Claims tasks, runs them in threads, renews their leases and reports their outcomes::

        worker = Worker(client, ["mail"], slots=4)

        @worker.handler("send")
        def send(task):
            return {"sent": deliver(task.data["to"])}

        worker.run()

    A handler's value is the task's result. An exception fails the attempt, which is retried while attempts are left;
    :class:`PermanentFailure` fails the task for good, :class:`Snooze` lets it run again later.
    """

    def __init__(
        self,
        client: Client,
        queues: Sequence[str],
        *,
        slots: int = 2,
        prefetch: int = 5,
        lease: Optional[float] = None,
        drain_timeout: float = 25.0,
        unknown_names: str = "fail",
        name: Optional[str] = None,
        version: Optional[str] = None,
    ) -> None:
        """
        :param queues: 1 to 100, ``name`` or ``name:tier``, most urgent first.
        :param slots: tasks that run at once, 1 to 500.
        :param prefetch: further tasks that wait in the worker, 0 to 500.
        :param lease: seconds without a heartbeat after which the server gives a task to another worker, 1 to 86,400; None: as set
            for the task or its queue, else 15. Heartbeats come every third of it.
        :param drain_timeout: seconds that running tasks may continue when the worker stops.
        :param unknown_names: what happens to a task whose name has no handler: ``fail`` for good, or ``release`` it for 10 s.
        :param name: unique, at most 200 characters; None: machine, process and a random text.
        :param version: of your program, shown in the server's list of workers.
        """
        if isinstance(queues, str) or not 1 <= len(queues) <= 100:
            raise ValueError("queues must be a list of 1 to 100 names")
        if not 1 <= slots <= 500 or not 0 <= prefetch <= 500:
            raise ValueError("slots must be 1 to 500, and prefetch 0 to 500")
        if lease is not None and not 1 <= lease <= 86_400:
            raise ValueError("lease must be 1 to 86,400 seconds")
        if not 0 <= drain_timeout <= 86_400:
            raise ValueError("drain_timeout must be 0 to 86,400 seconds")
        if unknown_names not in ("fail", "release"):
            raise ValueError("unknown_names must be fail or release")
        if name is not None and not 1 <= len(name) <= 200:
            raise ValueError("name must have 1 to 200 characters")
        self.name = name or f"{socket.gethostname()[:150]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._queues = list(queues)
        self._slots, self._lease, self._drain_timeout = slots, lease, drain_timeout
        self._unknown_names = unknown_names
        self._handlers: Dict[str, Handler] = {}
        info = {"version": version and version[:100], "host": socket.gethostname()[:200], "slots": slots, "instance": uuid.uuid4().hex}
        self._info = {key: value for key, value in info.items() if value is not None}
        self._started = False
        self._draining = False
        self._events: "queue.SimpleQueue[str]" = queue.SimpleQueue()  # a signal handler may put into it, whatever its thread holds
        self._in_flight = InFlight(slots, prefetch)
        self._server = Server(client, self._drain)
        self._reporter = Reporter(self._in_flight, self._server, self._look)
        self._heartbeats = Heartbeats(self._in_flight, self._server, lease, self._look)

    @property
    def draining(self) -> bool:
        """Whether the server has asked the worker to finish its tasks and claim no more."""
        return self._draining

    def handler(self, name: str) -> Callable[[Handler], Handler]:
        """Decorates the function that runs tasks of exactly this name; the last one for a name wins."""
        if not name:
            raise ValueError("a handler needs the name of its tasks")

        def add(function: Handler) -> Handler:
            self._handlers[name] = function
            return function

        return add

    def stop(self) -> None:
        """Begins the drain, as SIGTERM does; ``run`` returns when it is over. For any thread."""
        self._events.put("stop")

    def run(self, *, signals: bool = True) -> None:
        """
        Works until ``stop`` is called, or SIGTERM or SIGINT comes; a second one ends the drain. A worker that an operator drains
        finishes its tasks and then waits for the stop.

        :param signals: False leaves signals to the program, as in any thread but the main one.
        """
        if self._started:
            raise RuntimeError("a worker runs once")
        self._started = True
        before = {}
        if signals and threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                before[number] = signal.signal(number, lambda *_: self.stop())
        try:
            self._run()
        finally:
            for number, old in before.items():
                signal.signal(number, signal.SIG_DFL if old is None else old)

    def _run(self) -> None:
        LOG.info("worker %s works on %s", self.name, ", ".join(self._queues))
        last_claim = Call()
        claiming = self._thread("claims", lambda: self._claim(last_claim))
        reporting = self._thread("reports", self._reporter.run)
        beating = self._thread("heartbeats", self._heartbeats.run)
        for number in range(self._slots):
            self._thread(f"slot {number}", self._work)

        said_goodbye = False
        while self._events.get() != "stop":
            if self._draining and not said_goodbye and self._in_flight.is_idle():
                said_goodbye = True
                self._server.say_goodbye(self.name)

        self._in_flight.close()
        claiming.join(_LAST_CLAIM)
        last_claim.abort()
        self._wait_for_tasks(time.monotonic() + self._drain_timeout)
        self._in_flight.release_all()
        self._reporter.end(_LAST_REPORTS)
        reporting.join(_LAST_REPORTS + 1)
        self._heartbeats.end()
        beating.join(_LAST_CLAIM)
        if not said_goodbye:
            self._server.say_goodbye(self.name)
        LOG.info("worker %s has stopped", self.name)

    def _thread(self, what: str, run: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                run()
            except BaseException:
                LOG.exception("the %s of worker %s ended", what, self.name)
                self.stop()  # a worker that only seems to work helps nobody

        thread = threading.Thread(target=guarded, name=f"taskqueue {what}", daemon=True)
        thread.start()
        return thread

    def _look(self) -> None:
        """A drained worker may have become idle."""
        if self._draining:
            self._events.put("look")

    def _drain(self) -> None:
        if self._draining:
            return
        self._draining = True
        LOG.warning("worker %s was asked to drain: it finishes its tasks and claims no more until it is restarted", self.name)
        self._in_flight.close()
        self._look()

    def _wait_for_tasks(self, end: float) -> None:
        """Until none runs, or the drain is over: after its time, or at a second signal."""
        while self._in_flight.running and time.monotonic() < end:
            try:
                if self._events.get(timeout=max(0.0, min(0.1, end - time.monotonic()))) == "stop":
                    return
            except queue.Empty:
                pass

    def _claim(self, call: Call) -> None:
        backoff = Backoff()
        refused = None
        while True:
            room = self._in_flight.wait_for_room()
            if room == 0:
                return
            body: Dict[str, Any] = {
                "queues": self._queues, "worker": self.name, "max": room, "wait_seconds": LONGEST_POLL, "info": self._info,
            }
            if self._lease is not None:
                body["lease_seconds"] = self._lease
            try:
                tasks = self._server.claim(body, call)
            except TaskQueueError as fault:
                if call.aborted:
                    return
                if fault.is_transient:
                    self._server.failed(str(fault))
                    self._in_flight.sleep_unless_closed(backoff.pause(fault.retry_after))
                    continue
                if refused != fault.message:
                    LOG.error("cannot claim tasks from %s, trying again every %d s: %s", ", ".join(self._queues), _REFUSED_PAUSE,
                              _advice(fault))
                refused = fault.message
                self._in_flight.sleep_unless_closed(_REFUSED_PAUSE)
                continue
            backoff.reset()
            refused = None
            for claimed in tasks:
                self._in_flight.take(TaskContext(claimed, self._lease, self._in_flight.wake))

    def _work(self) -> None:
        while True:
            task = self._in_flight.begin()
            if task is None:
                return
            self._run_task(task)
            self._look()

    def _run_task(self, task: TaskContext) -> None:
        outcome: Dict[str, Any]
        result = None
        try:
            handler = self._handlers.get(task.name) if task.name is not None else None
            if handler is not None:
                value = handler(task)
                result = None if value is None else dump(value)
                outcome = {"outcome": "completed"}
            elif self._unknown_names == "release":
                outcome = {"outcome": "snoozed", "delay_seconds": _UNKNOWN_DELAY}
            else:
                outcome = {"outcome": "failed", "retryable": False, "error": self._unknown(task.name)}
        except Snooze as wish:
            outcome = {"outcome": "snoozed", "delay_seconds": wish.seconds}
        except PermanentFailure as fault:
            outcome = {"outcome": "failed", "retryable": False, **_describe(fault)}
        except BaseException as fault:  # SystemExit too: a handler cannot end the worker
            if task.cancelled.is_set():
                outcome = {"outcome": "snoozed", "delay_seconds": 0}
            else:
                LOG.warning("the handler of %s failed, task %s attempt %d", task.name, task.id, task.attempt, exc_info=True)
                outcome = {"outcome": "failed", "retryable": True, **_describe(fault)}
        self._in_flight.end(task, outcome, result)

    def _unknown(self, name: Optional[str]) -> str:
        names = sorted(self._handlers)
        known = ", ".join(names[:_MOST_NAMES] + ["…"] * (len(names) > _MOST_NAMES)) or "none at all"
        return f"worker {self.name} has no handler for '{name}'; it has {known}"


def _describe(fault: BaseException) -> Dict[str, str]:
    kind = type(fault)
    name = kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    try:
        message = str(fault)
    except Exception:
        message = ""
    stack = "".join(traceback.format_exception(kind, fault, fault.__traceback__)).encode("utf-8", "replace")
    return {
        "error": cut_bytes(message or kind.__name__, _MOST_ERROR_BYTES),
        "error_type": name[:_MOST_TYPE],
        "stack": stack[-_MOST_STACK_BYTES:].decode("utf-8", "ignore"),  # the most recent call is last
    }


def _advice(fault: TaskQueueError) -> str:
    if fault.status == 401:
        return f"the server wants a valid key: give the client one ({fault.message})"
    if fault.status == 403:
        return f"the key may not work on the queue ({fault.message})"
    if fault.code == "push_queue":
        return f"{fault.message}; this worker needs a pull queue"
    return fault.message
