"""Waiting for what other threads and programs do."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.wire import Wire


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


def readers() -> list[threading.Thread]:
    """Return the threads that read listings in this process."""
    return [thread for thread in threading.enumerate() if thread.name == "listing"]


def wait_for_readers() -> None:
    """Wait until those of a run that has failed have ended: they send no more requests then."""
    wait_until(lambda: not readers())


def side_by_side(
    operation: str, count: int, *, seconds: float = 20
) -> Callable[[str, Wire, Callable[[], str]], str]:
    """Hold an emulator's answers back until so many requests of an operation wait for theirs.

    It is for `respond`. A reader that doesn't send as many at a time doesn't get on.

    Args:
        operation: The operation; others are answered at once.
        count: How many requests; their number must be a multiple of it.
        seconds: How long one waits for the others before it fails.
    """
    gate = threading.Barrier(count, timeout=seconds)

    def respond(asked: str, _: Wire, carry_out: Callable[[], str]) -> str:
        if asked == operation:
            gate.wait()
        return carry_out()

    return respond
