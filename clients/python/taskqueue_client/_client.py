from __future__ import annotations

import json
import math
import os
import ssl
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, TypedDict, TypeVar, Union
from urllib.parse import quote

from ._backoff import Backoff
from ._errors import TaskQueueError
from ._http import Http

_T = TypeVar("_T")
_TRIES = 5
_MOST_AT_ONCE = 1000
_LONGEST_WAIT = 30.0
_GRACE = 10.0  # seconds for the answer of a read that waited
_ENDED = ("completed", "failed", "cancelled", "expired")


class RetryPolicy(TypedDict, total=False):
    """A list of intervals in seconds, or exponential backoff."""

    intervals: Sequence[float]
    first: float
    factor: float
    cap: float
    jitter: float


class Task(TypedDict, total=False):
    """A task as ``GET /tasks/{id}`` answers it. Times are texts in ISO 8601."""

    id: str
    queue: str
    tier: int
    name: Optional[str]
    priority: str
    status: str
    attempt: int
    max_attempts: int
    dedupe_key: Optional[str]
    ordering_key: Optional[str]
    tags: List[str]
    dead_letter: bool
    payload: Any
    result: Any
    error: Optional[str]
    progress: Any
    worker: Optional[str]
    owner: Optional[str]
    created_at: str
    due_at: str
    expires_at: Optional[str]
    started_at: Optional[str]
    lease_until: Optional[str]
    finished_at: Optional[str]
    timeline: List[Dict[str, Any]]


class Enqueued(NamedTuple):
    """An accepted task."""

    id: str
    #: ``queued``, ``duplicate`` (``id`` is the task that has the dedupe key) or ``updated``.
    status: str


@dataclass
class NewTask:
    """A task to enqueue. Only queue and name are needed; the API's documentation describes the rest."""

    queue: str
    name: str
    data: Any = None
    priority: Optional[str] = None
    scheduled_at: Union[datetime, str, None] = None
    expires_at: Union[datetime, str, None] = None
    max_attempts: Optional[int] = None
    dedupe_key: Optional[str] = None
    overwrite: Optional[Sequence[str]] = None
    ordering_key: Optional[str] = None
    lease_seconds: Optional[float] = None
    retry: Optional[RetryPolicy] = None
    callback_url: Optional[str] = None
    tags: Optional[Sequence[str]] = None
    #: Chosen here, so that a request that was not answered can be repeated.
    id: str = field(default_factory=lambda: new_id())

    def to_body(self) -> Dict[str, Any]:
        body = {
            "id": str(self.id),
            "queue": self.queue,
            "action": self.name,
            "data": self.data,
            "priority": self.priority,
            "scheduled_at": _time(self.scheduled_at),
            "expires_at": _time(self.expires_at),
            "max_attempts": self.max_attempts,
            "dedupe_key": self.dedupe_key,
            "overwrite": _list(self.overwrite),
            "ordering_key": self.ordering_key,
            "lease_seconds": self.lease_seconds,
            "retry": self.retry,
            "callback_url": self.callback_url,
            "tags": _list(self.tags),
        }
        return {name: value for name, value in body.items() if value is not None}


class Client:
    """Enqueues and reads tasks. Thread-safe; keeps its connections until it is closed."""

    def __init__(self, url: str, *, key: Optional[str] = None, tls: Optional[ssl.SSLContext] = None) -> None:
        """
        :param url: of the server, with its path base if it has one: ``https://example.org/queue``.
        :param key: an API key or a token; None where the server wants none.
        :param tls: for https, such as one with an own CA or a client certificate; None: the system's.
        """
        self._http = Http(url, key, tls)

    def enqueue(self, queue: str, name: str, data: Any = None, **options: Any) -> Enqueued:
        """Enqueues a task. ``options`` are those of :class:`NewTask`. When it returns, the task is stored."""
        task = NewTask(queue, name, data, **options)
        body = dump(task.to_body())

        def send(tries: int) -> Enqueued:
            answer = self._http.send("POST", "/tasks", body, ("id", "status"))
            return _enqueued(task, answer["id"], answer["status"], tries)

        return self._repeat(send)

    def enqueue_many(self, tasks: Iterable[NewTask]) -> List[Enqueued]:
        """Enqueues tasks in transactions of up to 1,000; the answers are in the same order."""
        answers: List[Enqueued] = []
        source = iter(tasks)
        while True:
            chunk = list(islice(source, _MOST_AT_ONCE))
            if not chunk:
                return answers
            body = dump({"tasks": [task.to_body() for task in chunk]})

            def send(tries: int, chunk: List[NewTask] = chunk, body: bytes = body) -> List[Enqueued]:
                answer = self._http.send("POST", "/tasks/bulk", body, ("ids", "results"))
                return [_enqueued(*each, tries) for each in zip(chunk, answer["ids"], answer["results"])]

            answers.extend(self._repeat(send))

    def get(self, id: str) -> Optional[Task]:
        """A task with its timeline; None if there is none, or this key may not read it."""
        return self._get(id)

    def wait(self, id: str, timeout: float = 60) -> Task:
        """
        Waits until a task has ended, whether it completed or not: look at its ``status``.

        :raises TaskQueueError: there is no such task (404), or it did not end in time (code ``timeout``).
        """
        end = time.monotonic() + timeout
        pause = 0.1
        while True:
            asked = time.monotonic()
            wait = min(max(end - asked, 0), _LONGEST_WAIT)
            try:
                task = self._get(id, end)
            except TaskQueueError as fault:
                if not fault.is_transient or time.monotonic() < end:
                    raise
                raise TaskQueueError(f"task {id} was not seen to end in {timeout} s: {fault}", 0, "timeout") from fault
            if task is None:
                raise TaskQueueError(f"there is no task {id}", 404, "not_found")
            if task["status"] in _ENDED:
                return task
            now = time.monotonic()
            if now >= end:
                raise TaskQueueError(f"task {id} is {task['status']} after {timeout} s", 0, "timeout")
            if now - asked < wait:  # a server that stops, or that cannot wait, answers early
                time.sleep(min(pause, end - now))
                pause = min(pause * 2, 2)

    def cancel(self, id: str) -> None:
        """
        Cancels a task that has not ended. A worker that runs it learns of it with its next heartbeat.

        :raises TaskQueueError: there is no such task (404), or it has ended in another way (409).
        """
        self._http.send("POST", f"/tasks/{quote(str(id), safe='')}/cancel")

    def close(self) -> None:
        """Closes the connections that are not in use."""
        self._http.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _get(self, id: str, end: Optional[float] = None) -> Optional[Task]:
        """Waits for the end of the task until then, but not longer than one request should."""
        path = f"/tasks/{quote(str(id), safe='')}"

        def send(_: int) -> Task:
            wait = 0.0 if end is None else min(end - time.monotonic(), _LONGEST_WAIT)
            query = f"?wait_seconds={wait:.3f}" if wait > 0 else ""
            task: Task = self._http.send("GET", path + query, needs=("status",), timeout=60 if end is None else max(wait, 0) + _GRACE)
            return task

        try:
            return self._repeat(send, end)
        except TaskQueueError as fault:
            if fault.status == 404:
                return None
            raise

    @staticmethod
    def _repeat(send: Callable[[int], _T], end: Optional[float] = None) -> _T:
        """Sends up to five times, or until then; the argument counts from 1."""
        backoff = Backoff()
        for tries in range(1, _TRIES):
            try:
                return send(tries)
            except TaskQueueError as fault:
                left = math.inf if end is None else end - time.monotonic()
                if not fault.is_transient or left <= 0:
                    raise
                time.sleep(min(backoff.pause(fault.retry_after), left))
        return send(_TRIES)


def dump(value: Any) -> bytes:
    """JSON; values that JSON does not have are an error here, not at the server."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def new_id() -> str:
    """A UUID of version 7: ids in order of time keep the server's indexes small."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 7 << 76
    return str(uuid.UUID(int=value & ~(0x3 << 62) | 2 << 62))


def _enqueued(task: NewTask, id: str, status: str, tries: int) -> Enqueued:
    """A duplicate with the id of this task is what an earlier try enqueued."""
    return Enqueued(id, "queued" if status == "duplicate" and tries > 1 and id == str(task.id).lower() else status)


def _time(at: Union[datetime, str, None]) -> Optional[str]:
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise ValueError("a time needs a time zone: datetime.now(timezone.utc)")
        return at.isoformat()
    return at


def _list(items: Optional[Sequence[str]]) -> Optional[List[str]]:
    if isinstance(items, str):
        raise TypeError("tags and overwrite are lists of texts")
    return None if items is None else list(items)
