"""A clock for rate limiters that only moves while something waits, and quotas without a wait."""

from __future__ import annotations

import threading
from itertools import pairwise, repeat
from typing import TYPE_CHECKING

from tap_cognito.cognito import quotas

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_cognito.cognito.rate_limiter import RateLimiter

PATIENCE = 10
"""Seconds after which a thread is taken to hang."""

UNLIMITED = {
    "_LIMITS": dict.fromkeys(quotas._LIMITS, 10_000.0),  # noqa: SLF001 - AWS's are for AWS
    "_LIMIT_OF_A_POOL": 10_000.0,
}
"""For `quotas`: no pace but that of the settings, where none is tested."""


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
