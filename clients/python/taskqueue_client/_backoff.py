from __future__ import annotations

import random
from typing import Optional

FIRST = 0.2
MOST = 30.0  # seconds, whatever the server asks for


class Backoff:
    """Doubles up to a maximum; jitter shortens each pause by up to half."""

    def __init__(self, longest: float = 10.0) -> None:
        self._longest = longest
        self._next = FIRST

    def reset(self) -> None:
        self._next = FIRST

    def pause(self, at_least: Optional[float] = None) -> float:
        """Seconds to wait, at least as long as the server asked for, but at most 30 s."""
        wait = self._next * (1 - random.random() / 2)
        self._next = min(self._next * 2, self._longest)
        return min(max(wait, at_least or 0.0), MOST)
