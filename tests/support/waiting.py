"""Waiting for what other threads and programs do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def wait_until(
    condition: Callable[[], bool], *, seconds: float = 120, every: float = 0.002
) -> None:
    """Wait until a condition holds.

    Args:
        condition: What must come true.
        seconds: How long it may take.
        every: Seconds between two looks at it.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(every)
