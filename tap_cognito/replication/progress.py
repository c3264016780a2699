"""How far a scan is, in the log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Sequence
    from types import TracebackType

    from typing_extensions import Self

    from tap_cognito.cognito.parallel import Batch
    from tap_cognito.cognito.pools import Region

_INTERVAL = 5.0
"""Seconds between two lines."""


class Progress:
    """Logs how far a scan is: every few seconds, and at its end.

    Args:
        name: What is read, such as `users`.
        logger: Where to log.
        regions: Where it is read.
        pools_before: Pools of these that an earlier run has read.
        count_before: What it has read of a pool that isn't complete.
    """

    def __init__(
        self,
        name: str,
        logger: logging.Logger,
        regions: Sequence[Region],
        pools_before: int = 0,
        count_before: int = 0,
    ) -> None:
        self._name = name
        self._logger = logger
        self._quotas = [region.client.quotas for region in regions]
        self._pools = sum(len(region.pool_ids) for region in regions)
        self._are_many = self._pools > 1
        self._pools -= pools_before
        self._count_before = count_before
        self._pools_done = self._pools_failed = 0
        self._count = 0

    def __enter__(self) -> Self:
        """Begin."""
        self._began = self._logged_at = time.monotonic()
        self._requests, self._throttled = self._requests_so_far()
        return self

    def update(self, batch: Batch) -> None:
        """Count a batch, and log if it is time."""
        self._count += batch.item_count
        self._pools_done += batch.is_last
        self._pools_failed += batch.error is not None
        now = time.monotonic()
        if now - self._logged_at < _INTERVAL:
            return
        self._logged_at = now
        seconds = now - self._began
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
        seconds = time.monotonic() - self._began
        requests, throttled = self._requests_so_far()
        self._logger.info(
            "Read %s %s%s with %s requests (%s throttled) in %.1f s, %s %s/s",
            f"{self._count:,}",
            self._name,
            self._format_pools_read() if self._are_many else "",
            f"{requests - self._requests:,}",
            f"{throttled - self._throttled:,}",
            seconds,
            f"{self._count / max(seconds, 0.001):,.0f}",
            self._name,
        )

    def _format_pools_read(self) -> str:
        count = self._pools_done - self._pools_failed
        read = f" of {count:,} {'pool' if count == 1 else 'pools'}"
        return f"{read} ({self._pools_failed:,} failed)" if self._pools_failed else read

    def _requests_so_far(self) -> tuple[int, int]:
        counts = [quotas.count() for quotas in self._quotas]
        return sum(count[0] for count in counts), sum(count[1] for count in counts)


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
