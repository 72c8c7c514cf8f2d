from __future__ import annotations

from typing import Optional

MAX_SNOOZE = 30 * 86_400
REFUSED = (400, 413, 422)  # statuses of an outcome, a log line or a progress that the server does not accept


class TaskQueueError(Exception):
    """The server refused a request, did not answer, or a wait took too long."""

    def __init__(self, message: str, status: int = 0, code: Optional[str] = None, retry_after: Optional[float] = None) -> None:
        super().__init__(message)
        self.message = message
        #: HTTP status; 0 if there was no answer.
        self.status = status
        #: Stable code such as ``not_found``; ``timeout`` if the task of ``Client.wait`` did not end in time; None if there is none.
        self.code = code
        #: Seconds that the server asks to wait; None if it did not say.
        self.retry_after = retry_after

    @property
    def is_transient(self) -> bool:
        """Whether the same request may succeed later: no answer, 408, 429 or 5xx."""
        return self.status in (0, 408, 429) or self.status >= 500


class PermanentFailure(Exception):
    """Raised by a handler: the task fails for good, whatever attempts are left."""


class Snooze(Exception):
    """Raised by a handler: the task runs again after ``seconds``, at most 30 days, and no attempt is counted."""

    def __init__(self, seconds: float) -> None:
        if not 0 <= seconds <= MAX_SNOOZE:
            raise ValueError(f"a task can be snoozed for 0 to {MAX_SNOOZE} seconds")
        super().__init__(f"snoozed for {seconds} s")
        self.seconds = float(seconds)  # JSON has no Decimal and no Fraction
