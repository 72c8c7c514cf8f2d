from __future__ import annotations

import time
from typing import Callable, Iterable, Iterator, List, Optional

from ._errors import REFUSED, TaskQueueError
from ._in_flight import InFlight
from ._server import LOG, Server
from ._task import Beat

_GONE = ("finished", "stale_attempt", "not_found")
_LONGEST, _SHORTEST, _URGENT = 5.0, 0.25, 0.1  # seconds between heartbeats
_MOST_ENTRIES, _MOST_BYTES = 1000, 512 * 1024


class Heartbeats:
    """Renews the leases of held tasks every third of the shortest lease; sends progress sooner."""

    def __init__(self, in_flight: InFlight, server: Server, lease: Optional[float], removed: Callable[[], None]) -> None:
        self._in_flight, self._server, self._lease, self._removed = in_flight, server, lease, removed
        self._is_over = False

    def end(self) -> None:
        with self._in_flight.changed:
            self._is_over = True
            self._in_flight.changed.notify_all()

    def run(self) -> None:
        last = urgent = time.monotonic()
        while True:
            with self._in_flight.changed:
                while not self._is_over:
                    now, period = time.monotonic(), self._period()
                    regular = last + period
                    due = min(regular, urgent + _URGENT) if self._in_flight.wants_heartbeat else regular
                    if now >= due:
                        break
                    self._in_flight.changed.wait(due - now)
                if self._is_over:
                    return
                self._in_flight.wants_heartbeat = False
                held = list(self._in_flight.held.values())
            urgent = now
            if now >= regular:
                last = now
            beats = (task._heartbeat(now >= regular, self._lease) for task in held)
            for some in _requests(beat for beat in beats if beat is not None):
                self._send(some, last + period)

    def _period(self) -> float:
        return max(min((task._lease / 3 for task in self._in_flight.held.values()), default=_LONGEST), _SHORTEST)

    def _send(self, beats: List[Beat], due: float) -> bool:
        """Whether the server knows now that the tasks are held. ``due``: when the next regular heartbeat is."""
        sent_at = time.monotonic()
        try:
            answers = self._server.heartbeat(beat.text for beat in beats)
        except TaskQueueError as fault:
            if fault.status in REFUSED and any(beat.has_extras for beat in beats):
                return self._send_refused(beats, fault, due)
            _put_back(beats)
            self._server.failed(f"the heartbeat of {len(beats)} tasks failed: {fault}")
            self._in_flight.expire([beat.task for beat in beats])
            return False
        refused: List[Beat] = []
        for beat, answer in zip(beats, answers):
            if answer["code"] == "invalid":
                refused.append(beat)
                LOG.warning("the progress or log of task %s was refused: %s", beat.task.id, answer.get("error"))
            elif answer["code"] not in _GONE:
                beat.task._renew(sent_at)
            elif self._in_flight.lose(beat.task):
                LOG.info("task %s attempt %d is not this worker's any more: %s", beat.task.id, beat.task.attempt, answer["code"])
                self._removed()
        return not refused or self._renew_refused(refused, due)

    def _renew_refused(self, beats: List[Beat], due: float) -> bool:
        """Renews the tasks of heartbeats that the server has refused among others, without what they say."""
        some = [beat.bare() for beat in beats if beat.has_extras]
        self._in_flight.expire([beat.task for beat in beats if not beat.has_extras])
        return bool(some) and self._send(some, due) and len(some) == len(beats)

    def _send_refused(self, beats: List[Beat], fault: TaskQueueError, due: float) -> bool:
        """
        One refused progress or log line must not cost the leases of all: they are renewed first, without any. Then halves are sent
        until what is refused stands alone. When the next regular heartbeat is due, one more is tried alone, so that each heartbeat
        gets further, and the rest waits for it.
        """
        renewed = self._send([beat.bare() for beat in beats], due)
        some = [beat for beat in beats if beat.has_extras]
        if not renewed:
            _put_back(some)
        elif len(some) == 1:  # it must not fail the next heartbeat too
            LOG.warning("the progress or log of task %s was refused: %s", some[0].task.id, fault)
        else:
            half = len(some) // 2 if time.monotonic() < due else 1
            self._send(some[:half], due)
            if time.monotonic() < due:
                self._send(some[half:], due)
            else:
                _put_back(some[half:])
        return renewed


def _put_back(beats: Iterable[Beat]) -> None:
    for beat in beats:
        beat.task._put_back(beat)


def _requests(beats: Iterable[Beat]) -> Iterator[List[Beat]]:
    """Parts that one request should hold."""
    some: List[Beat] = []
    size = 0
    for beat in beats:
        if some and (len(some) == _MOST_ENTRIES or size + len(beat.text) > _MOST_BYTES):
            yield some
            some, size = [], 0
        some.append(beat)
        size += len(beat.text)
    if some:
        yield some
