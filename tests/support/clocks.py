"""A clock for rate limiters that only moves while something waits."""

from __future__ import annotations

import threading
from itertools import pairwise, repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_cognito.cognito.rate_limiter import RateLimiter

PATIENCE = 10
"""Seconds after which a thread is taken to hang."""


class Clock(threading.Event):
    """A clock that only moves during a wait: the `stop` of a wait that takes no time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.waiters: list[threading.Thread] = []
        self.oversleeps: Iterator[float] = repeat(0.0)
        self.runs = threading.Event()
        self.runs.set()

    def monotonic(self) -> float:
        """Seconds of this clock."""
        return self.now

    def wait(self, timeout: float | None = None) -> bool:
        """Let the time pass."""
        assert timeout is not None
        self.runs.wait(PATIENCE)
        self.waiters.append(threading.current_thread())
        self.now += timeout + next(self.oversleeps)
        return self.is_set()


def slots(limiter: RateLimiter, clock: Clock, count: int) -> list[float]:
    """Take slots as fast as they come, and return when that was."""
    taken = []
    for _ in range(count):
        limiter.acquire(clock)
        taken.append(clock.now)
    return taken


def gaps(taken: list[float]) -> list[float]:
    """Seconds from each slot to the next."""
    return [later - earlier for earlier, later in pairwise(taken)]
