"""How far a scan is, in the log."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from tap_cognito.cognito.parallel import Batch
    from tap_cognito.cognito.pools import Region

_SHORTEST, _LONGEST = 5.0, 60.0
"""Seconds between two lines: a twelfth of the time so far, within these limits."""


@dataclass(frozen=True)
class Outcome:
    """What came of a stream."""

    name: str
    read: int = 0
    sent: int = 0
    requests: int = 0
    throttled: int = 0
    seconds: float = 0.0
    is_complete: bool = False


class Progress:
    """Logs how far a scan is: every few seconds, later every minute, and at its end.

    Args:
        name: What is read, such as `users`.
        logger: Where to log.
        regions: Where it is read.
        sent: Returns how many records were sent.
        before: Pools that an earlier run has read, and items of pools that aren't complete.
    """

    def __init__(
        self,
        name: str,
        logger: logging.Logger,
        regions: Sequence[Region],
        sent: Callable[[], int],
        before: tuple[int, int] = (0, 0),
    ) -> None:
        self._name = name
        self._logger = logger
        self._sent = sent
        self._quotas = [region.client.quotas for region in regions]
        self._pools = sum(len(region.pool_ids) for region in regions)
        self._are_many = self._pools > 1
        self._pools -= before[0]
        self._count_before = before[1]
        self._pools_done = self._pools_failed = 0
        self._count = 0

    def __enter__(self) -> Self:
        """Begin."""
        self._began = time.monotonic()
        self._next_line = self._began + _SHORTEST
        self._outcome: Outcome | None = None
        self._requests, self._throttled = self._requests_so_far()
        return self

    def update(self, batch: Batch) -> None:
        """Count a batch, and log if it is time."""
        self._count += batch.item_count
        self._pools_done += batch.is_last
        self._pools_failed += batch.error is not None
        now = time.monotonic()
        if now < self._next_line:
            return
        seconds = now - self._began
        self._next_line = now + min(_LONGEST, max(_SHORTEST, seconds / 12))
        if self._are_many:
            requests = self._requests_so_far()[0] - self._requests
            line = format_pools(
                self._name, self._count, self._pools_done, self._pools, requests / seconds, seconds
            )
        else:
            total = batch.source.checkpoint.estimate
            line = format_progress(self._name, self._count, total, seconds, self._count_before)
        self._logger.info("%s", line)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Log the end."""
        end = self._outcome = self.outcome()
        self._logger.info(
            "Read %s %s%s, sent %s, with %s requests (%s throttled) in %.1f s, %s %s/s",
            f"{end.read:,}",
            self._name,
            self._format_pools_read() if self._are_many else "",
            f"{end.sent:,}",
            f"{end.requests:,}",
            f"{end.throttled:,}",
            end.seconds,
            f"{end.read / max(end.seconds, 0.001):,.0f}",
            self._name,
        )

    def outcome(self) -> Outcome:
        """Return what was read so far, or in all once the scan has ended."""
        if self._outcome:
            return self._outcome
        requests, throttled = self._requests_so_far()
        return Outcome(
            self._name,
            self._count,
            self._sent(),
            requests - self._requests,
            throttled - self._throttled,
            time.monotonic() - self._began,
        )

    def _format_pools_read(self) -> str:
        count = self._pools_done - self._pools_failed
        read = f" of {count:,} {'pool' if count == 1 else 'pools'}"
        return f"{read} ({self._pools_failed:,} failed)" if self._pools_failed else read

    def _requests_so_far(self) -> tuple[int, int]:
        counts = [quotas.count() for quotas in self._quotas]
        return sum(count[0] for count in counts), sum(count[1] for count in counts)


def format_outcomes(outcomes: Sequence[Outcome]) -> str:
    """Return the result of a run, in one line.

    Args:
        outcomes: Those of all its streams.

    Returns:
        Such as `Complete: 2,000 users read, 1,035 sent; 37 requests (0 throttled) in 1.9 s`.
    """
    title = "Complete" if all(end.is_complete for end in outcomes) else "Not complete"
    parts = [
        f"{end.read:,} {end.name} read, {end.sent:,} sent{'' if end.is_complete else ', not all'}"
        for end in outcomes
    ]
    requests = sum(end.requests for end in outcomes)
    throttled = sum(end.throttled for end in outcomes)
    seconds = sum(end.seconds for end in outcomes)
    parts.append(f"{requests:,} requests ({throttled:,} throttled) in {seconds:.1f} s")
    return f"{title}: {'; '.join(parts)}"


def format_progress(
    name: str, count: int, total: int | None, seconds: float, before: int = 0
) -> str:
    """Return a line about one pool.

    Args:
        name: What is read, such as `users`.
        count: How many so far, in this run.
        total: How many there are, an estimate; `None` if unknown.
        seconds: Since the start.
        before: How many an earlier run has read.

    Returns:
        Such as `12,345 of about 60,000 users (21%), 1,430 users/s, about 33 s left`.
    """
    speed = count / seconds
    done = before + count
    if not total or done > total:
        return f"{done:,} {name}, {speed:,.0f} {name}/s"
    left = f", about {(total - done) / speed:,.0f} s left" if count else ""
    return f"{done:,} of about {total:,} {name} ({done / total:.0%}), {speed:,.0f} {name}/s{left}"


def format_pools(  # noqa: PLR0913, PLR0917 - a line of six figures
    name: str, count: int, done: int, pools: int, rate: float, seconds: float
) -> str:
    """Return a line about many pools.

    Args:
        name: What is read, such as `users`.
        count: How many so far.
        done: Pools that were read.
        pools: Pools to read.
        rate: Requests per second.
        seconds: Since the start.

    Returns:
        Such as `40 of 200 pools, 1,200 users, 24.0 requests/s, about 27 s left`.
    """
    left = f", about {seconds / done * (pools - done):,.0f} s left" if done else ""
    return f"{done:,} of {pools:,} pools, {count:,} {name}, {rate:.1f} requests/s{left}"
