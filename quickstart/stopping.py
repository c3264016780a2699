"""Programs and folders that don't outlive this process, whenever a signal ends it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import ExitStack

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
_PATIENCE = 5
"""Seconds that a program has to clean up."""


class Interrupted(BaseException):
    """A signal asks to stop. Not an `Exception`: only the outermost function may handle it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def raise_on_signals() -> None:
    """Raise `Interrupted` in the main thread when a signal asks to stop."""

    def stop(number: int, _: object) -> None:
        raise Interrupted(number)

    for number in _SIGNALS:
        signal.signal(number, stop)


@contextmanager
def defer_signals() -> Iterator[None]:
    """Let a signal that arrives in between take effect at the end."""
    pending: list[int] = []
    handlers = [
        (number, signal.signal(number, lambda number, _: pending.append(number)))
        for number in _SIGNALS
    ]
    try:
        yield
    finally:
        for number, handler in handlers:
            signal.signal(number, handler)
        if pending:
            signal.raise_signal(pending[0])


def folder(stack: ExitStack, parent: Path | None = None) -> Path:
    """Make a temporary folder, in the usual place or another, that goes when the stack closes."""
    with defer_signals():
        made = Path(tempfile.mkdtemp(prefix="tap-cognito-", dir=parent))
        stack.callback(defer_signals()(shutil.rmtree), made, ignore_errors=True)
    return made.resolve()


def start(
    stack: ExitStack,
    command: Sequence[str | Path],
    *,
    stop_by: int = signal.SIGTERM,
    **options: Any,
) -> subprocess.Popen[bytes]:
    """Start a program that is ended, with all that it started, when the stack closes.

    Args:
        stack: Ends it when it closes.
        command: The program and its arguments.
        stop_by: The signal that asks it to end.
        options: Options of `subprocess.Popen`.

    Returns:
        The program, in its own process group: Ctrl-C doesn't reach it.
    """
    with defer_signals():
        process = subprocess.Popen(command, start_new_session=True, **options)
        stack.callback(_end, process, stop_by)
    return process


@defer_signals()
def _end(process: subprocess.Popen[bytes], stop_by: int) -> None:
    if process.poll() is not None:
        return
    process.send_signal(stop_by)
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if os.name != "nt":
        with suppress(ProcessLookupError):  # if it left nothing behind
            os.killpg(process.pid, signal.SIGKILL)
