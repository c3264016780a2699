"""Large responses, one at a time: sixteen of the largest at once would take gigabytes.

A response that grows beyond `LARGE_BYTES` while another large one is under way is given up, and the
request sent again when that one's records are written. A pool's pages are much smaller, so nothing
waits; whatever an endpoint sends, one of them is in memory.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from tap_cognito.cognito.rate_limiter import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LARGE_BYTES = 1 << 20
"""60 users of more than 17,000 bytes each, say."""

_WAIT = 0.1
"""Seconds after which a waiting thread looks whether it was cancelled."""


class AnotherIsUnderWayError(Exception):
    """A response has turned out to be large, and it isn't its turn."""


class Turn:
    """What the threads that read listings side by side share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def taken_by_this_thread(self) -> Iterator[None]:
        """Let the responses that this thread receives take turns with those of others."""
        _thread.turn = self
        try:
            yield
        finally:
            done()
            _thread.turn = None

    def take(self, cancel: threading.Event | None = None) -> bool:
        """Take the turn for this thread, at once or when it is free.

        Args:
            cancel: Ends the wait when it is set; `None` not to wait.

        Returns:
            Whether it is taken.

        Raises:
            Cancelled: If `cancel` was set.
        """
        while not self._lock.acquire(timeout=_WAIT if cancel else 0):
            if cancel is None:
                return False
            if cancel.is_set():
                raise Cancelled
        _thread.is_mine = True
        return True

    def end(self) -> None:
        """Let the next one have the turn."""
        self._lock.release()


class _Thread(threading.local):
    turn: Turn | None = None
    is_mine = False


_thread = _Thread()


def check(size: int) -> None:
    """Take the turn for a response of this thread, if so many bytes of it make it a large one.

    Raises:
        AnotherIsUnderWayError: If another response has it.
    """
    turn = _thread.turn
    if turn and size > LARGE_BYTES and not _thread.is_mine and not turn.take():
        raise AnotherIsUnderWayError


def wait(cancel: threading.Event) -> None:
    """Take the turn for this thread's next response, when it is free.

    Raises:
        Cancelled: If `cancel` was set.
    """
    if _thread.turn:
        _thread.turn.take(cancel)


def done() -> None:
    """End this thread's turn, if it has it: its last response isn't needed any more."""
    hand_over()()


def hand_over() -> Callable[[], None]:
    """Return what ends this thread's turn, if it has it, for who needs its response longer."""
    turn, is_mine = _thread.turn, _thread.is_mine
    _thread.is_mine = False
    return turn.end if turn and is_mine else lambda: None
