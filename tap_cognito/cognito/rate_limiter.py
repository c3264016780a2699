"""How fast requests may follow each other: even spacing, AIMD, and AWS's quotas."""

from __future__ import annotations

import threading
import time
from collections import deque

_DECREASE_FACTOR = 0.7
"""The rate is multiplied by this when a request is throttled."""

_INCREASE_PER_SECOND = 0.5
"""Requests/s that the rate gains in a second without throttling."""

_MIN_RATE = 1.0
"""Requests/s below which the rate never falls."""

_DECREASE_INTERVAL = 1.0
"""Seconds between decreases: requests under way at one say nothing about the rate after it."""

_MAX_LATENESS = 0.25
"""Seconds by which a slot may be used late without delaying the next ones."""


class Cancelled(Exception):  # noqa: N818 - not an error: it was asked for
    """The reader was told to stop before it was done."""


class RateLimiter:
    """Spaces requests evenly, and slows down while AWS throttles. Threads share it.

    Every request takes the next slot, first come, first served; slots are `1 / rate` seconds
    apart. Unused slots don't accumulate, so there is no burst; slots missed by a late wake-up (up
    to 0.25 s) are made up. Throttling multiplies the rate, time without it adds to it (additive
    increase, multiplicative decrease).

    Args:
        limit: Requests per second at most.

    Attributes:
        requests: The number of slots taken.
        throttled_requests: The number of requests that AWS throttled.
    """

    def __init__(self, limit: float) -> None:
        self.requests = 0
        self.throttled_requests = 0
        self._limit = self._rate = limit
        self._lock = threading.Lock()
        self._queue: deque[threading.Event] = deque()
        self._next_slot = self._rated_at = time.monotonic()
        self._decreased_at = self._rated_at - _DECREASE_INTERVAL

    @property
    def is_idle(self) -> bool:
        """Whether a new limiter would do the same: nobody waits, and the rate is the limit."""
        is_free = not self._queue and self._next_slot <= time.monotonic()
        return is_free and self._rate == self._limit

    def acquire(self, cancel: threading.Event) -> None:
        """Wait for the next slot and take it.

        Args:
            cancel: When it is set, the wait ends as soon as nobody is ahead in the queue.

        Raises:
            Cancelled: If `cancel` was set; no slot was taken.
        """
        arrived = time.monotonic()
        turn = threading.Event()
        with self._lock:
            self._queue.append(turn)
            self._queue[0].set()
        try:
            turn.wait()
            while (delay := self._next_slot - time.monotonic()) > 0 and not cancel.wait(delay):
                pass
            if cancel.is_set():
                raise Cancelled
            self._take(max(arrived, self._next_slot, time.monotonic() - _MAX_LATENESS))
        finally:
            with self._lock:
                self._queue.remove(turn)
                if self._queue:
                    self._queue[0].set()

    def _take(self, slot: float) -> None:
        with self._lock:
            increase = _INCREASE_PER_SECOND * (slot - self._rated_at)
            self._rate = min(self._limit, self._rate + max(0.0, increase))
            self._rated_at = slot
            self._next_slot = slot + 1 / self._rate
            self.requests += 1

    def on_throttled(self) -> float | None:
        """Record that AWS throttled a request.

        Returns:
            The new rate in requests per second, if it was lowered.
        """
        with self._lock:
            self.throttled_requests += 1
            now = time.monotonic()
            if now - self._decreased_at < _DECREASE_INTERVAL:
                return None
            self._decreased_at = self._rated_at = now
            if self._rate <= _MIN_RATE:
                return None
            self._rate = max(_MIN_RATE, self._rate * _DECREASE_FACTOR)
            self._next_slot = now + 1 / self._rate
            return self._rate
