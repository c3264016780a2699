"""The tap and the target, as programs that the tests run."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from quickstart import pool
from tests.support.forking import Forked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from emulator import Emulator

TIMEOUT = 120
"""Seconds after which a program is taken to hang."""
TAP = (sys.executable, "-m", "tap_cognito")
IMPATIENT_TAP = (sys.executable, str(Path(__file__).with_name("impatient_tap.py")))
"""The tap, but it gives up after 0.3 s without an answer, not after a minute."""
PREFORK = (sys.executable, str(Path(__file__).with_name("prefork.py")))
"""What runs a program whose own ones are forks."""
COGNITO_TO_POSTGRES = (*PREFORK, "-c", "from tap_cognito.load import main; main()")
TARGET = Path(sysconfig.get_path("scripts")) / "target-postgres"


def emulator_config(emulator: Emulator, **more: Any) -> dict[str, Any]:
    """The settings that read an emulated pool, or `user_pool_ids`, as fast as it answers."""
    which = {} if "user_pool_ids" in more else {"user_pool_id": emulator.pool.id}
    return {
        **which,
        "endpoint_url": emulator.url,
        "max_requests_per_second": 500,
        "user_details_requests_per_second": 500,
        "user_mfa_requests_per_second": 500,
        **pool.KEYS,
        **more,
    }


def run_program(command: Sequence[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; `options` are those of `subprocess.run`."""
    return subprocess.run(
        command,
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=TIMEOUT,
        **options,
    )


def run_tap(
    config: Mapping[str, Any],
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
    program: Sequence[str] = TAP,
) -> subprocess.CompletedProcess[str]:
    """Run tap-cognito to its end, with a configuration file and nothing of the machine's AWS."""
    with ExitStack() as stack:
        return run_forked([*program, *_config(stack, config), *arguments], env)


def run_forked(
    command: Sequence[str | Path],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    imports: tuple[str, ...] = (),
) -> subprocess.CompletedProcess[str]:
    """Run a Python program to its end, with nothing of the machine's AWS; `imports` as `Forked`."""
    with ExitStack() as stack:
        nothing = stack.enter_context(Path(os.devnull).open())
        stdout, stderr = (stack.enter_context(_scratch()) for _ in range(2))
        run = start(stack, command, env, nothing, stdout, stderr, cwd=cwd, imports=imports)
        status = run.wait(TIMEOUT)
        return subprocess.CompletedProcess(command, status, _content(stdout), _content(stderr))


def load(
    config: Mapping[str, Any],
    target: Mapping[str, Any],
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
) -> str:
    """Pipe tap-cognito into target-postgres; both must end well. Return what they logged."""
    with ExitStack() as stack:
        reader = [*TAP, *_config(stack, config), *arguments]
        loader: list[str | Path] = [TARGET, *_config(stack, target)]
        nothing = stack.enter_context(Path(os.devnull).open("r+"))
        log = stack.enter_context(_scratch())
        read, write = os.pipe()
        # Closed when the programs have them, so that each sees the other's end.
        with os.fdopen(read) as source, os.fdopen(write, "w") as sink:
            tap = start(stack, reader, env, nothing, sink, log)
            postgres = start(stack, loader, env, source, nothing, log)
        statuses = tap.wait(TIMEOUT), postgres.wait(TIMEOUT)
        logged = _content(log)
        assert statuses == (0, 0), logged
        return logged


def pour(messages: str, target: Mapping[str, Any]) -> None:
    """Let target-postgres load what a tap has written; it must end well."""
    with ExitStack() as stack:
        nothing = stack.enter_context(Path(os.devnull).open("w"))
        source, log = (stack.enter_context(_scratch()) for _ in range(2))
        source.write(messages)
        source.seek(0)
        command: list[str | Path] = [TARGET, *_config(stack, target)]
        status = start(stack, command, None, source, nothing, log).wait(TIMEOUT)
        assert status == 0, _content(log)


def start(
    stack: ExitStack,
    command: Sequence[str | Path],
    env: Mapping[str, str] | None,
    *streams: IO[Any],
    cwd: Path | None = None,
    imports: tuple[str, ...] = (),
) -> Forked | subprocess.Popen[bytes]:
    """Start a program, with its three streams, that ends with the stack, at the latest.

    `imports` are those that a fork is to have beside those of the tap and the target.
    """
    # Elsewhere libraries of the system may not survive a fork.
    is_linux = sys.platform == "linux"
    make = functools.partial(Forked, imports=imports) if is_linux else subprocess.Popen
    stdin, stdout, stderr = streams
    program = make(
        command, env=_environment(env), stdin=stdin, stdout=stdout, stderr=stderr, cwd=cwd
    )
    stack.enter_context(program)
    stack.callback(program.kill)
    return program


def _scratch() -> IO[str]:
    return tempfile.TemporaryFile("w+", encoding="utf-8")


def _content(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def _config(stack: ExitStack, content: Mapping[str, Any]) -> tuple[str, Path]:
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    path = Path(folder) / "config.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return "--config", path


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    return {
        **os.environ,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        **(more or {}),
    }
