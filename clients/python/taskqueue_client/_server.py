from __future__ import annotations

import threading
from typing import Any, Callable, Dict, Iterable, List, Optional

from ._client import Client, dump
from ._errors import TaskQueueError
from ._http import Call
from ._task import LOG

LONGEST_POLL = 20.0
_HEARTBEAT_TIMEOUT = 5.0
_GOODBYE_TIMEOUT = 1.0


class Server:
    """The routes of workers. An outage is one line when it begins and one when it ends."""

    def __init__(self, client: Client, obey: Callable[[], None]) -> None:
        """:param obey: called whenever an answer asks the worker to drain."""
        self._http = client._http
        self._obey = obey
        self._lock = threading.Lock()
        self._is_away = False

    def claim(self, body: Dict[str, Any], call: Call) -> List[Dict[str, Any]]:
        answer = self._http.send("POST", "/workers/claim", dump(body), ("tasks",), LONGEST_POLL + 20, call)
        return self._heard(answer)

    def heartbeat(self, entries: Iterable[bytes]) -> List[Dict[str, Any]]:
        return self._heard(self._http.send("POST", "/workers/heartbeat", _body(entries), ("tasks",), _HEARTBEAT_TIMEOUT))

    def report(self, entries: Iterable[bytes]) -> List[Optional[TaskQueueError]]:
        """Why each outcome was refused, or None: the others have arrived."""
        answers = self._heard(self._http.send("POST", "/workers/report", _body(entries), ("tasks",)))
        return [_refusal(answer) for answer in answers]

    def say_goodbye(self, name: str) -> None:
        try:
            self._http.send("POST", "/workers/stopped", dump({"worker": name}), timeout=_GOODBYE_TIMEOUT)
        except TaskQueueError as fault:
            LOG.debug("the server was not told that the worker stops: %s", fault)

    def failed(self, why: str) -> None:
        with self._lock:
            if self._is_away:
                return
            self._is_away = True
        LOG.warning("the server is away or overloaded, trying again: %s", why)

    def _heard(self, answer: Dict[str, Any]) -> List[Dict[str, Any]]:
        with self._lock:
            was_away, self._is_away = self._is_away, False
        if was_away:
            LOG.warning("the server is back")
        if answer.get("drain"):
            self._obey()
        tasks: List[Dict[str, Any]] = answer["tasks"]
        return tasks


def _body(entries: Iterable[bytes]) -> bytes:
    return b'{"tasks":[' + b",".join(entries) + b"]}"


def _refusal(answer: Dict[str, Any]) -> Optional[TaskQueueError]:
    if answer.get("code") != "invalid":
        return None
    return TaskQueueError(answer.get("error") or "an outcome is invalid", 400, "invalid_request")
