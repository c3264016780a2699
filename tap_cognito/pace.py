"""How fast requests may follow each other."""

from __future__ import annotations

import threading
import time
from collections import deque

_CUT = 0.7
"""What a throttled request leaves of the rate."""

_RECOVERY = 0.5
"""Requests/s that the rate gains in a second without throttling."""

_SLOWEST = 1.0
"""Requests/s below which the rate is never cut."""

_CUT_APART = 1.0
"""Seconds between two cuts: requests under way at a cut say nothing about the rate after it."""

_LATE = 0.25
"""Seconds by which a slot may be used too late without moving those after it."""


class Stopped(Exception):  # noqa: N818 - no error: somebody asked for it
    """The reader was told to stop before it came to the end."""


class Pace:
    """Spaces requests evenly, at most so many a second, and slows down while it is throttled.

    Every request takes the next slot, in the order in which they come; slots are `1 / rate`
    seconds apart. Those that nobody waited for are lost, so there is no burst; those that a
    busy machine woke a waiting request too late for are made up for. Throttling cuts the rate by a
    factor, time without it gives it back little by little (additive increase, multiplicative
    decrease). Threads share it.

    Args:
        limit: Requests a second at the most.

    Attributes:
        requests: How many slots were taken.
        throttled_requests: How many requests were refused for coming too soon.
    """

    def __init__(self, limit: float) -> None:
        self.requests = 0
        self.throttled_requests = 0
        self._limit = self._rate = limit
        self._lock = threading.Lock()
        self._queue: deque[threading.Event] = deque()
        self._next_slot = self._rated_at = time.monotonic()
        self._cut_at = self._rated_at - _CUT_APART

    def wait(self, stop: threading.Event | None = None) -> None:
        """Wait for the next slot and take it.

        Args:
            stop: When it is set, the wait ends.

        Raises:
            Stopped: If `stop` was set; no slot was taken.
        """
        came = time.monotonic()
        stop = stop or threading.Event()
        turn = threading.Event()
        with self._lock:
            self._queue.append(turn)
            self._queue[0].set()
        try:
            turn.wait()
            while (delay := self._next_slot - time.monotonic()) > 0 and not stop.wait(delay):
                pass
            if stop.is_set():
                raise Stopped
            self._take(max(came, self._next_slot, time.monotonic() - _LATE))
        finally:
            with self._lock:
                self._queue.remove(turn)
                if self._queue:
                    self._queue[0].set()

    def _take(self, slot: float) -> None:
        with self._lock:
            recovered = _RECOVERY * (slot - self._rated_at)
            self._rate = min(self._limit, self._rate + max(0.0, recovered))
            self._rated_at = slot
            self._next_slot = slot + 1 / self._rate
            self.requests += 1

    def throttled(self) -> float | None:
        """Take note that a request was refused for coming too soon.

        Returns:
            The new rate in requests a second, if this cut it.
        """
        with self._lock:
            self.throttled_requests += 1
            now = time.monotonic()
            if now - self._cut_at < _CUT_APART:
                return None
            self._cut_at = self._rated_at = now
            if self._rate <= _SLOWEST:
                return None
            self._rate = max(_SLOWEST, self._rate * _CUT)
            self._next_slot = max(self._next_slot, now + 1 / self._rate)
            return self._rate
