"""As a program: cognito-to-postgres, whose programs are forks from before it began."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from tap_cognito import load
from tests.support.forking import become

_PROGRAMS = 3
"""What it starts: the tap's test, the tap and the target."""
_PIPES = slice(10, 16)
"""The ends of the pipes among what a Popen starts a program with."""
_LONGEST = 1 << 18
"""Bytes of what a fork is told."""


def _fork() -> tuple[int, socket.socket]:
    """Make a fork that waits for the program that it is to be."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if pid := os.fork():
        theirs.close()
        return pid, ours
    ours.close()
    told, streams, _, _ = socket.recv_fds(theirs, _LONGEST, 3)
    theirs.close()
    if not told:
        os._exit(0)  # it isn't needed
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.setsid()
    become(*json.loads(told))
    sys.exit()


class _Forked(subprocess.Popen[Any]):
    """A program that is one of the forks."""

    forks: list[tuple[int, socket.socket]]

    def _execute_child(self, args: list[str], *more: Any) -> None:
        pipes = (args, *more)[_PIPES]
        given = enumerate(pipes[number] for number in (0, 3, 5))
        streams = [standard if pipe < 0 else pipe for standard, pipe in given]
        self.pid, ours = self.forks.pop()
        socket.send_fds(
            ours, [json.dumps([args, dict(os.environ), str(Path.cwd())]).encode()], streams
        )
        ours.close()
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]


if __name__ == "__main__":
    if sys.platform == "linux":
        _Forked.forks = [_fork() for _ in range(_PROGRAMS)]
        subprocess.Popen = _Forked  # type: ignore[misc]
    load.main()
