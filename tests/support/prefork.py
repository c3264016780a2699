"""As a program: a program whose own programs in Python are forks from before it began.

Its arguments are the program, as for `Forked`.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.forking import LONGEST, become

_FORKS = 3
"""What cognito-to-postgres starts, and `meltano run`: the tap twice, and the target."""
_MELTANO = "meltano"
_PYTHON = {Path(sys.executable).name, "tap-cognito", "target-postgres", _MELTANO}
"""The names of what may be a fork."""
_PIPES = slice(10, 16)
"""The ends of the pipes among what a Popen starts a program with."""


def _fork() -> tuple[int, socket.socket]:
    """Make a fork that waits for the program that it is to be."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if pid := os.fork():
        theirs.close()
        return pid, ours
    ours.close()
    told, streams, _, _ = socket.recv_fds(theirs, LONGEST, 3)
    theirs.close()
    if not told:
        os._exit(0)  # it isn't needed
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.setsid()
    command, environment, folder = json.loads(told)
    if Path(command[0]).name == _MELTANO:  # as a schedule's: it starts some of its own
        command = [__file__, *command]
    become(command, environment, folder)
    sys.exit()


class _Forked(subprocess.Popen[Any]):
    """A program that is one of the forks, while there are any, if it is in Python."""

    forks: list[tuple[int, socket.socket]]

    def _execute_child(self, args: Any, *more: Any) -> None:
        command = [args] if isinstance(args, str) else [os.fsdecode(part) for part in args]
        if not self.forks or Path(command[0]).name not in _PYTHON:
            super()._execute_child(args, *more)  # type: ignore[misc]
            return
        _, _, _, _, folder, environment, *_ = more
        pipes = (args, *more)[_PIPES]
        given = enumerate(pipes[number] for number in (0, 3, 5))
        streams = [standard if pipe < 0 else pipe for standard, pipe in given]
        self.pid, ours = self.forks.pop()
        told = [command, dict(environment or os.environ), str(folder or Path.cwd())]
        socket.send_fds(ours, [json.dumps(told).encode()], streams)
        ours.close()
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]


if __name__ == "__main__":
    if sys.platform == "linux":
        _Forked.forks = [_fork() for _ in range(_FORKS)]
        subprocess.Popen = _Forked  # type: ignore[misc]
    become(sys.argv[1:], dict(os.environ), str(Path.cwd()))
