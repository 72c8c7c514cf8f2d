from __future__ import annotations

import time
from typing import Callable, List, Optional, Tuple

from ._backoff import Backoff
from ._errors import REFUSED, TaskQueueError
from ._in_flight import InFlight
from ._server import LOG, Server
from ._task import TaskContext

_MOST_ENTRIES, _MOST_BYTES = 200, 1024 * 1024

Entry = Tuple[TaskContext, bytes]


class Reporter:
    """Reports outcomes until they arrive; each request carries what became ready during the previous one."""

    def __init__(self, in_flight: InFlight, server: Server, removed: Callable[[], None]) -> None:
        self._in_flight, self._server, self._removed = in_flight, server, removed
        self._give_up_at: Optional[float] = None

    def end(self, seconds: float) -> None:
        """What is not reported by then is given up: the tasks run again when their leases expire."""
        with self._in_flight.changed:
            self._give_up_at = time.monotonic() + seconds
            self._in_flight.changed.notify_all()

    def run(self) -> None:
        backoff = Backoff()
        while True:
            entries = self._next()
            if not entries:
                return
            while entries:
                some = _first(entries)
                try:
                    self._send(some, entries)
                except TaskQueueError as fault:
                    self._server.failed(f"reporting {len(some)} tasks failed: {fault}")
                    if not self._pause(backoff.pause(fault.retry_after)):
                        LOG.error("the outcomes of %d tasks were not reported before the worker stopped; the tasks run again when their "
                                  "leases expire", len(entries))
                        return
                    continue
                backoff.reset()

    def _next(self) -> List[Entry]:
        """Waits for tasks that have ended; none: no further one will end."""
        with self._in_flight.changed:
            ended = self._in_flight.ended
            while not ended and not self._in_flight.complete:
                self._in_flight.changed.wait()
            tasks = [ended.popleft() for _ in range(min(len(ended), _MOST_ENTRIES))]
        return [(task, _text(task)) for task in tasks]

    def _pause(self, seconds: float) -> bool:
        """False: there is no time for another try."""
        end = time.monotonic() + seconds
        with self._in_flight.changed:
            while True:
                now = time.monotonic()
                if self._give_up_at is not None and now >= self._give_up_at:
                    return False
                if now >= end:
                    return True
                self._in_flight.changed.wait((end if self._give_up_at is None else min(end, self._give_up_at)) - now)

    def _send(self, some: List[Entry], entries: List[Entry]) -> None:
        """Drops what has arrived from ``entries``: a fault that follows does not have it sent again."""
        try:
            refusals = self._server.report(text for _, text in some)
        except TaskQueueError as fault:
            if fault.status not in REFUSED:
                raise
            if len(some) > 1:  # which of them, it does not say
                for entry in some:
                    self._send([entry], entries)
                return
            refusals = [fault]
        refused = [(entry, refusal) for entry, refusal in zip(some, refusals) if refusal is not None]
        suspects = {id(entry) for entry, _ in refused}
        self._arrived([entry for entry in some if id(entry) not in suspects], entries)
        for entry, refusal in refused:
            self._send_refused(entry[0], refusal)
            self._arrived([entry], entries)

    def _arrived(self, some: List[Entry], entries: List[Entry]) -> None:
        gone = {id(entry) for entry in some}
        entries[:] = [entry for entry in entries if id(entry) not in gone]
        self._in_flight.remove([task for task, _ in some])
        self._removed()

    def _send_refused(self, task: TaskContext, fault: TaskQueueError) -> None:
        if task._has_extras():  # a log or a stack must not fail the task
            try:
                self._send_one(task._report(bare=True))
                return
            except TaskQueueError as again:
                if again.status not in REFUSED:
                    raise
        LOG.error("the outcome of task %s was refused: %s", task.id, fault)
        task._refuse(f"the server refused the outcome: {fault.message}")
        self._send_one(task._report())

    def _send_one(self, text: bytes) -> None:
        for refusal in self._server.report([text]):
            if refusal is not None:
                raise refusal


def _text(task: TaskContext) -> bytes:
    """The entry of a report. An outcome that is no JSON fails its task, not the worker."""
    try:
        return task._report()
    except Exception as fault:
        LOG.error("the outcome of task %s cannot be sent: %s", task.id, fault)
        task._refuse(f"the outcome cannot be sent: {fault}")
        return task._report()


def _first(entries: List[Entry]) -> List[Entry]:
    """As many as one request should hold, at least one."""
    size = 0
    for count, (_, text) in enumerate(entries):
        size += len(text)
        if count and size > _MOST_BYTES:
            return entries[:count]
    return entries[:]
