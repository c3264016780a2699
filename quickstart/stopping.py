"""Signals that ask to stop, and programs and folders that must not outlive us."""

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
"""Seconds that a program has for its own cleaning up."""


class Stopped(BaseException):
    """Somebody wants us to stop. No `Exception`, as nothing else than the end may handle it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def on_signals() -> None:
    """Raise `Stopped` in the main thread when a signal asks to stop."""

    def stop(number: int, _: object) -> None:
        raise Stopped(number)

    for number in _SIGNALS:
        signal.signal(number, stop)


@contextmanager
def held() -> Iterator[None]:
    """Let a signal that comes in between take effect only at the end."""
    came: list[int] = []
    handlers = [
        (number, signal.signal(number, lambda number, _: came.append(number)))
        for number in _SIGNALS
    ]
    try:
        yield
    finally:
        for number, handler in handlers:
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def folder(stack: ExitStack) -> Path:
    """Make a folder of the system's temporary ones that is removed when the stack closes."""
    with held():
        made = Path(tempfile.mkdtemp(prefix="tap-cognito-"))
        stack.callback(held()(shutil.rmtree), made, ignore_errors=True)
    return made.resolve()


def start(
    stack: ExitStack,
    command: Sequence[str | Path],
    *,
    stop_by: int = signal.SIGTERM,
    **options: Any,
) -> subprocess.Popen[bytes]:
    """Start a program that has ended, with all that it started, when the stack closes.

    Args:
        stack: What decides how long it may live.
        command: The program and its arguments.
        stop_by: The signal that asks it to end.
        options: Options of `subprocess.Popen`.

    Returns:
        The program, in a process group of its own: Ctrl-C reaches us alone.
    """
    with held():
        process = subprocess.Popen(command, start_new_session=True, **options)
        stack.callback(_end, process, stop_by)
    return process


@held()
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
        with suppress(ProcessLookupError):  # if it left nobody behind
            os.killpg(process.pid, signal.SIGKILL)
