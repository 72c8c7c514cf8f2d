from __future__ import annotations

import logging
import threading
import time
from collections import deque
from datetime import datetime, timezone
from typing import Any, Callable, Deque, Dict, List, Mapping, Optional

from ._client import dump
from ._json import depth

LOG = logging.getLogger("taskqueue_client")
DEFAULT_LEASE = 15.0
MAX_PROGRESS = 4096  # characters of JSON
MAX_DEPTH = 60  # of progress; the server reads a heartbeat of 64 levels
MAX_LINES = 100  # of a heartbeat or report of an attempt
MAX_LOG_BYTES = 64 * 1024
MAX_MESSAGE_BYTES = 8 * 1024
LEVELS = ("debug", "info", "warning", "error")


class TaskContext:
    """A task that a handler runs."""

    def __init__(self, claimed: Mapping[str, Any], lease: Optional[float], wake: Callable[[], None]) -> None:
        self.id: str = claimed["id"]
        #: Greater than that of every earlier attempt: pass it to the systems you write to, as a fencing token.
        self.attempt: int = claimed["attempt"]
        self.max_attempts: int = claimed.get("max_attempts", 0)
        self.queue: str = claimed["queue"]
        self.tier: int = claimed.get("tier", 0)
        self.name: Optional[str] = claimed.get("name")
        self.priority: Optional[str] = claimed.get("priority")
        self.tags: List[str] = claimed.get("tags") or []
        self.ordering_key: Optional[str] = claimed.get("ordering_key")
        #: W3C trace context of the submission.
        self.traceparent: Optional[str] = claimed.get("traceparent")
        self.tracestate: Optional[str] = claimed.get("tracestate")
        #: All that the producer's API stored.
        self.payload: Any = claimed.get("payload")
        #: What the producer gave: the member ``data`` of the payload, or all of it if there is none.
        self.data: Any = self.payload["data"] if isinstance(self.payload, dict) and "data" in self.payload else self.payload
        #: Set when the outcome does not count any more: the server said that the task was cancelled or is another attempt's, or the
        #: worker's drain is over.
        self.cancelled = threading.Event()

        self._wake = wake
        self._lock = threading.Lock()
        self._lease: float = lease or claimed.get("lease_seconds") or DEFAULT_LEASE
        self._renewed_at = time.monotonic()
        self._lost = self._expired = False
        self._outcome: Optional[Dict[str, Any]] = None
        self._result: Optional[bytes] = None
        self._last_logs: Optional[List[Dict[str, str]]] = None
        self._progress: Optional[bytes] = None
        self._urgent = False
        self._log = PendingLog()

    @property
    def lease_lost(self) -> bool:
        """
        Whether the task is lost, or its lease could not be renewed in time: then another worker may run it, until a heartbeat
        arrives and the server says whose it is. After an outage the server lets leases start over, so most tasks go on.
        """
        return self._lost or self._expired

    def progress(self, value: Any) -> None:
        """
        Shows a JSON value, at most 4,096 characters and 60 levels, to readers of the task. Sent soon; a newer value replaces one that
        waits.
        """
        text = dump(value)
        if len(text) > MAX_PROGRESS:
            raise ValueError(f"progress may have {MAX_PROGRESS} characters of JSON, not {len(text)}")
        if depth(text) > MAX_DEPTH:
            raise ValueError(f"progress may be nested {MAX_DEPTH} levels deep, not {depth(text)}")
        with self._lock:
            if self._is_over():
                return
            self._progress = text
            self._urgent = True
        self._wake()

    def log(self, message: str, level: str = "info") -> None:
        """
        Logs a line with the task, which the next heartbeat or report carries. ``level`` is debug, info, warning or error. Between
        two heartbeats the newest 100 lines and 64 kB are kept; a message is cut to 8 kB.
        """
        if level not in LEVELS:
            raise ValueError(f"level must be one of {', '.join(LEVELS)}")
        if not message:
            return
        line = {"at": datetime.now(timezone.utc).isoformat(), "level": level, "message": cut_bytes(message, MAX_MESSAGE_BYTES)}
        with self._lock:
            if self._is_over():
                return
            self._log.add(line)
            if not self._log.is_half_full:
                return
            self._urgent = True
        self._wake()

    # What follows is the worker's.

    def _is_over(self) -> bool:
        return self._lost or self._outcome is not None

    def _settle(self, outcome: Dict[str, Any], result: Optional[bytes] = None) -> bool:
        """The first outcome wins."""
        with self._lock:
            if self._is_over():
                return False
            self._outcome, self._result = outcome, result
            return True

    def _lose(self) -> bool:
        with self._lock:
            if self._is_over():
                return False
            self._lost = True
        self.cancelled.set()
        return True

    def _expire(self) -> bool:
        """The lease was not renewed in time. Whether the task is lost is the server's verdict, so the handler goes on."""
        with self._lock:
            if self._is_over() or self._expired:
                return False
            self._expired = True
        return True

    def _renew(self, sent_at: float) -> None:
        """The server has answered a heartbeat that was sent then, and knows the task as this worker's."""
        with self._lock:
            self._renewed_at = sent_at
            self._expired = False

    def _heartbeat(self, everything: bool, lease: Optional[float]) -> Optional["Beat"]:
        """What the next heartbeat says about it; None if only what is urgent is sent, and nothing is."""
        with self._lock:
            if not everything and not self._urgent:
                return None
            self._urgent = False
            beat = Beat(self, self._progress, self._log.take() if self._outcome is None else [], lease)
            self._progress = None
            return beat

    def _put_back(self, beat: "Beat") -> None:
        """Keeps what a failed heartbeat carried for the next one."""
        with self._lock:
            if self._progress is None:
                self._progress = beat.progress
            self._log.put_back(beat.logs)

    def _report(self, bare: bool = False) -> bytes:
        """The entry of a report; it may be asked for again. Bare: without log and stack."""
        with self._lock:
            if self._last_logs is None:
                self._last_logs = self._log.take()
            entry: Dict[str, Any] = {"id": self.id, "attempt": self.attempt, **(self._outcome or {})}
            if bare:
                entry.pop("stack", None)
            elif self._last_logs:
                entry["logs"] = self._last_logs
            text = dump(entry)
            return text if self._result is None else text[:-1] + b',"result":' + self._result + b"}"

    def _has_extras(self) -> bool:
        return bool(self._last_logs) or "stack" in (self._outcome or {})

    def _refuse(self, why: str) -> None:
        """Replaces an outcome that cannot be sent, or that the server does not accept."""
        with self._lock:
            self._outcome = {"outcome": "failed", "error": cut_bytes(why, MAX_MESSAGE_BYTES), "retryable": False}
            self._result, self._last_logs = None, []


class Beat:
    """A task's part of a heartbeat."""

    def __init__(self, task: TaskContext, progress: Optional[bytes], logs: List[Dict[str, str]], lease: Optional[float]) -> None:
        self.task, self.progress, self.logs, self._lease = task, progress, logs, lease
        entry: Dict[str, Any] = {"id": task.id, "attempt": task.attempt}
        if lease is not None:
            entry["lease_seconds"] = lease
        if logs:
            entry["logs"] = logs
        text = dump(entry)
        self.text = text if progress is None else text[:-1] + b',"progress":' + progress + b"}"

    @property
    def has_extras(self) -> bool:
        return self.progress is not None or bool(self.logs)

    def bare(self) -> "Beat":
        return Beat(self.task, None, [], self._lease)


class PendingLog:
    """Lines that wait; the oldest are dropped when there are too many."""

    def __init__(self) -> None:
        self._lines: Deque[Dict[str, str]] = deque()
        self._bytes = 0

    @property
    def is_half_full(self) -> bool:
        return len(self._lines) >= MAX_LINES / 2 or self._bytes >= MAX_LOG_BYTES / 2

    def add(self, line: Dict[str, str]) -> None:
        self._lines.append(line)
        self._bytes += _size(line)
        while len(self._lines) > MAX_LINES or self._bytes > MAX_LOG_BYTES:
            self._bytes -= _size(self._lines.popleft())

    def take(self) -> List[Dict[str, str]]:
        taken = list(self._lines)
        self._lines.clear()
        self._bytes = 0
        return taken

    def put_back(self, older: List[Dict[str, str]]) -> None:
        for line in older + self.take():
            self.add(line)


def cut_bytes(text: str, most: int) -> str:
    """The beginning of a text whose UTF-8 form fits."""
    return text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")


def _size(line: Dict[str, str]) -> int:
    return len(line["message"].encode("utf-8", "replace"))
