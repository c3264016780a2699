"""Runs the command line a hundred times as fast: a process that has imported all, and forks.

Started as a program, it reads one run a line from stdin, as JSON, and answers with the exit status.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

_LIMIT = 60
"""Seconds that a run may take."""


class Run(NamedTuple):
    """What came out of a run."""

    status: int
    stdout: str
    stderr: str


class WarmTap:
    """The command line, between entry and exit of its context."""

    def __enter__(self) -> Self:
        """Import everything."""
        self._folder = tempfile.TemporaryDirectory(prefix="tap-")
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self._process.communicate()
        self._folder.cleanup()

    def run(
        self,
        config: Any,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        **files: Any,
    ) -> Run:
        """Run it to its end.

        Args:
            config: Its settings, or the content of their file.
            arguments: Further arguments.
            env: The environment.
            files: The content of further files by option: `catalog`, `state`.
        """
        folder = Path(self._folder.name)
        given = [*arguments]
        for option, content in {"config": config, **files}.items():
            if content is not None:
                path = folder / f"{option}.json"
                path.write_bytes(
                    content if isinstance(content, bytes) else json.dumps(content).encode()
                )
                given += [f"--{option}", str(path)]
        outputs = [folder / "stdout", folder / "stderr"]
        order = {"arguments": given, "env": dict(env or {}), "outputs": list(map(str, outputs))}
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        return Run(status, *(path.read_text("utf-8", "replace") for path in outputs))


def _serve() -> None:
    import boto3  # noqa: PLC0415 - in the process that forks
    import botocore.session  # noqa: PLC0415

    import tap_cognito.about  # noqa: F401, PLC0415
    from tap_cognito import tap  # noqa: F401, PLC0415

    # What botocore reads from its own files is read once.
    botocore.session.create_loader = functools.cache(botocore.session.create_loader)
    for service in ("cognito-idp", "sts", "secretsmanager", "ssm"):
        session = boto3.Session("key", "secret", region_name="us-east-1")
        session.client(service)
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            _become(json.loads(line))
        sys.stdout.write(f"{_wait(pid)}\n")
        sys.stdout.flush()


def _become(order: dict[str, Any]) -> None:
    from tap_cognito import cli  # noqa: PLC0415

    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in enumerate(order["outputs"], start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.clear()
    os.environ.update(order["env"])
    sys.argv = ["tap-cognito", *order["arguments"]]
    cli.main()


def _wait(pid: int) -> int:
    deadline = time.monotonic() + _LIMIT
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return -signal.SIGKILL


if __name__ == "__main__":
    _serve()
