"""How far a scan is, in the log."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from tap_cognito.errors import TapCognitoError
from tap_cognito.pace import Stopped

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable, Iterator
    from typing import Any

    from tap_cognito.user_pool import UserPool

_INTERVAL = 5.0
"""Seconds between two lines."""


def logged(
    pages: Iterable[list[Any]],
    logger: logging.Logger,
    pool: UserPool,
    *,
    is_whole_pool: bool,
) -> Iterator[list[Any]]:
    """Pass pages of users on, and say in the log how far they are.

    Args:
        pages: The pages.
        logger: Where to say it.
        pool: Where they come from.
        is_whole_pool: Whether to ask the pool, once a scan has taken a few seconds, about how
            many users it has; without the permission the log does without.

    Yields:
        The pages, unchanged.
    """
    start = said = time.monotonic()
    pace = pool.user_pace
    requests, throttled = pace.requests, pace.throttled_requests
    count = 0
    totals: list[int | None] = []
    stop = threading.Event()
    ask = threading.Thread(target=_ask, args=(pool, totals, stop), name="estimate", daemon=True)
    try:
        for page in pages:
            count += len(page)
            yield page
            now = time.monotonic()
            if is_whole_pool and not ask.ident and now - start >= _INTERVAL / 2:
                ask.start()
            if now - said >= _INTERVAL:
                said = now
                logger.info("%s", line(count, totals[0] if totals else None, now - start))
    finally:
        stop.set()
    seconds = time.monotonic() - start
    logger.info(
        "Read %s users with %s requests (%s throttled) in %.1f s, %s users/s",
        f"{count:,}",
        f"{pace.requests - requests:,}",
        f"{pace.throttled_requests - throttled:,}",
        seconds,
        f"{count / max(seconds, 0.001):,.0f}",
    )


def _ask(pool: UserPool, totals: list[int | None], stop: threading.Event) -> None:
    """Ask how many users there are, beside the scan: it does not wait for the answer."""
    with contextlib.suppress(TapCognitoError, Stopped):
        totals.append(pool.estimated_users(stop))


def line(count: int, total: int | None, seconds: float) -> str:
    """One line of progress.

    Args:
        count: Users so far.
        total: Users in the pool, an estimate; `None` if unknown.
        seconds: Since the start.

    Returns:
        Such as `12,345 of about 60,000 users (21%), 1,430 users/s, about 33 s left`.
    """
    speed = count / seconds
    if not total or count > total:
        return f"{count:,} users, {speed:,.0f} users/s"
    left = f", about {(total - count) / speed:,.0f} s left" if count else ""
    return f"{count:,} of about {total:,} users ({count / total:.0%}), {speed:,.0f} users/s{left}"
