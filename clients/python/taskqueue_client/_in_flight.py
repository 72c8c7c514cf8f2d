from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any, Deque, Dict, List, Optional, Set

from ._task import LOG, TaskContext


class InFlight:
    """
    The tasks that a worker holds, at most slots plus prefetch: those that wait, those that run, and those whose outcome is being
    reported. Each thread of the worker waits for ``changed``.
    """

    def __init__(self, slots: int, prefetch: int) -> None:
        self._slots, self._prefetch = slots, prefetch
        self.changed = threading.Condition()  # guards all that follows
        self.held: Dict[str, TaskContext] = {}  # claimed and not reported
        self.ended: Deque[TaskContext] = deque()
        self.running: Set[TaskContext] = set()  # in a handler, whether they are held or not
        self.complete = False  # no further task will end
        self.wants_heartbeat = False
        self._waiting: Deque[TaskContext] = deque()
        self._closed = False

    def wait_for_room(self) -> int:
        """Waits until a claim is worthwhile; 0: no more is claimed."""
        with self.changed:
            while not self._closed:
                lost = sum(1 for task in self.running if self.held.get(task.id) is not task)  # they still have their slots
                room = self._slots + self._prefetch - len(self.held) - lost
                if room > 0 and len(self._waiting) <= self._prefetch // 2:
                    return room
                self.changed.wait()
            return 0

    def sleep_unless_closed(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        with self.changed:
            while not self._closed and time.monotonic() < end:
                self.changed.wait(end - time.monotonic())

    def take(self, task: TaskContext) -> None:
        """Accepts a task. An older attempt at it that is still held has lost its lease."""
        with self.changed:
            older = self.held.get(task.id)
            if older is not None and older.attempt >= task.attempt:
                return
            if older is not None:
                older._lose()
            self.held[task.id] = task
            if self._closed:
                self._release(task)
            else:
                self._waiting.append(task)
            self.changed.notify_all()

    def begin(self) -> Optional[TaskContext]:
        """The next task to run, when there is one; None: no more is run."""
        with self.changed:
            while True:
                while not self._waiting and not self._closed:
                    self.changed.wait()
                if not self._waiting:
                    return None
                task = self._waiting.popleft()
                self.changed.notify_all()
                if not task._is_over():
                    self.running.add(task)
                    return task

    def end(self, task: TaskContext, outcome: Dict[str, Any], result: Optional[bytes]) -> None:
        """The handler of a task that has begun has returned."""
        with self.changed:
            self.running.discard(task)
            self._settle(task, outcome, result)
            self.changed.notify_all()

    def close(self) -> None:
        """Takes no more tasks, and releases those that wait."""
        with self.changed:
            self._closed = True
            while self._waiting:
                self._release(self._waiting.popleft())
            self.changed.notify_all()

    def release_all(self) -> None:
        """Releases what still runs: its outcome does not count any more. No further task will end."""
        with self.changed:
            late = [task for task in self.held.values() if self._release(task)]
            self.complete = True
            self.changed.notify_all()
        for task in late:
            task.cancelled.set()

    def lose(self, task: TaskContext) -> bool:
        if not task._lose():
            return False
        self.remove([task])
        return True

    def expire(self, tasks: List[TaskContext]) -> None:
        """
        Tells handlers whose leases could not be renewed in time that others may run the tasks by now. It cancels none: the server
        lets leases start over after an outage, and decides whether what the handlers answer counts.
        """
        now = time.monotonic()
        with self.changed:
            late = [task for task in tasks if task in self.running and now - task._renewed_at > task._lease]
        for task in late:
            if task._expire():
                LOG.warning("the lease of task %s attempt %d could not be renewed in time", task.id, task.attempt)

    def remove(self, tasks: List[TaskContext]) -> None:
        """They are reported or lost."""
        with self.changed:
            for task in tasks:
                if self.held.get(task.id) is task:
                    del self.held[task.id]
            self.changed.notify_all()

    def is_idle(self) -> bool:
        with self.changed:
            return self._closed and not self.running and not self.held

    def wake(self) -> None:
        """There is something that should not wait for the next regular heartbeat."""
        with self.changed:
            self.wants_heartbeat = True
            self.changed.notify_all()

    def _release(self, task: TaskContext) -> bool:
        return self._settle(task, {"outcome": "snoozed", "delay_seconds": 0})

    def _settle(self, task: TaskContext, outcome: Dict[str, Any], result: Optional[bytes] = None) -> bool:
        if not task._settle(outcome, result):
            return False
        self.ended.append(task)
        return True
