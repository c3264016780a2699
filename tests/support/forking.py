"""Programs without the time of their imports: forks of a process that has these.

As a program, this is that process. It has no threads, so that it may fork; pytest's own has some.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
from types import ModuleType
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from typing_extensions import Self

FORKED = "tests.forked"
"""The audit event of a program that is started here."""
_IMPORTS = (
    *("psycopg", "rich.progress", "tap_cognito.tap", "tap_cognito.singer.writer"),
    "target_postgres.target",
)
LONGEST = 1 << 18
"""Bytes of what a fork is told."""


class Forked:
    """A program under way, with the part of `subprocess.Popen` that the tests need.

    Only the start of Python itself isn't its own: what Python reads then (`PYTHON...`), and
    warnings of imports.
    """

    def __init__(  # noqa: PLR0913 - those of Popen
        self,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        stdin: IO[Any],
        stdout: IO[Any],
        stderr: IO[Any],
        cwd: str | Path | None = None,
        imports: tuple[str, ...] = (),
    ) -> None:
        """Start it.

        Args:
            command: A script, or Python with `-m` and a module or `-c` and code; its arguments.
            env: Its environment.
            stdin: The file that it reads.
            stdout: The file that it writes to.
            stderr: The file that it logs to.
            cwd: Its folder; if not given, this process's.
            imports: The modules that it has at once, beside those of the tap and the target.
        """
        self.args = [str(part) for part in command]
        sys.audit(FORKED, self.args)
        report, reported = os.pipe()
        request = json.dumps([self.args, dict(env), str(cwd or os.getcwd())])  # noqa: PTH109
        streams = [stream.fileno() for stream in (stdin, stdout, stderr)]
        socket.send_fds(_server(*imports), [request.encode()], [*streams, reported])
        os.close(reported)
        self._report = os.fdopen(report)
        self._pid = int(self._report.readline())
        self._status: int | None = None

    def __enter__(self) -> Self:
        """Let its end be waited for."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for its end."""
        self.wait()

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; return the exit status.

        Raises:
            subprocess.TimeoutExpired: If it hasn't ended in time.
        """
        if self._status is None:
            if not self._has_ended(timeout):
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self._status = int(self._report.readline())
            self._report.close()
        return self._status

    def kill(self) -> None:
        """End it at once, unless it has ended."""
        self.send_signal(signal.SIGKILL)

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self._status is None and not self._has_ended(0):
            os.kill(self._pid, number)

    def _has_ended(self, timeout: float | None) -> bool:
        return bool(select.select([self._report], [], [], timeout)[0])


@functools.cache
def _server(*imports: str) -> socket.socket:
    """Start a process that forks, with these imports too."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno()), *imports],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    atexit.register(process.wait)
    atexit.register(ours.close)  # this first
    return ours


def _serve(requests: socket.socket) -> Any:
    """Fork for each request, report the fork's end; return the request, in the fork."""
    forks: dict[int, tuple[int, int]] = {}
    while True:
        # Not by a handler of SIGCHLD: Python runs none for a signal that comes just before a call.
        ready, _, _ = select.select([requests.fileno(), *forks], [], [])
        for fork in forks.keys() & set(ready):
            pid, reported = forks.pop(fork)
            _, status = os.waitpid(pid, 0)
            os.close(fork)
            with os.fdopen(reported, "w") as file:
                file.write(f"{os.waitstatus_to_exitcode(status)}\n")
        if requests.fileno() not in ready:
            continue
        request, descriptors, _, _ = socket.recv_fds(requests, LONGEST, 4)
        if not request:
            sys.exit()
        *streams, reported = descriptors
        pid = os.fork()
        if pid:
            os.write(reported, f"{pid}\n".encode())
            forks[os.pidfd_open(pid)] = pid, reported
        else:
            os.close(reported)
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
        for stream in streams:
            os.close(stream)
        if not pid:
            return json.loads(request)


def _describe_services() -> None:
    """Let botocore read its descriptions of AWS now: for each fork they are a tenth of a second."""
    support: Any = importlib.import_module("tests.support.botocore_once")
    support.prepare_botocore()
    session: Any = importlib.import_module("botocore.session")
    no_keys = {"aws_access_key_id": "", "aws_secret_access_key": ""}
    for service in ("cognito-idp", "secretsmanager", "ssm", "sts"):
        session.Session().create_client(service, "us-east-1", **no_keys)


def main() -> None:
    """Be the process that forks; in a fork, be the program."""
    sys.path[0] = os.getcwd()  # noqa: PTH109 - as for `python -m`
    for module in (*_IMPORTS, *sys.argv[2:]):
        importlib.import_module(module)
    _describe_services()
    gc.collect()
    gc.freeze()  # so that no fork's collector touches, and copies, what all have
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        command, environment, folder = _serve(requests)
    become(command, environment, folder)


def become(command: list[str], environment: Mapping[str, str], folder: str) -> None:
    """Be a program, in a fork, to its end.

    Args:
        command: What it is, as for `Forked`.
        environment: Its environment.
        folder: Its folder.
    """
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    if command[0] == sys.executable:
        del command[0]
    if command[0] == "-m":
        sys.argv = command[1:]
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    elif command[0] == "-c":
        sys.argv = ["-c", *command[2:]]
        module = sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(command[1], "<string>", "exec"), module.__dict__)  # noqa: S102 - as Python does
    else:
        sys.argv = command
        runpy.run_path(command[0], run_name="__main__")


if __name__ == "__main__":
    main()
