"""However a run ends: soon, with whole lines, a status and a last line that says so."""

from __future__ import annotations

import json
import os
import random
import re
import select
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

from emulator import Emulator, Faults, Pool
from tests.support.interruption import at_rest
from tests.support.programs import TAP, TIMEOUT, emulator_config, run_forked, start
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.forking import Forked

pytestmark = pytest.mark.programs

SOON = 2.0
"""Seconds that a run may take to end; the document promises it."""


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """A pool whose scan takes some seconds."""
    with Emulator(Pool(6_000, seed=1), latency=0.05) as served:
        yield served


@contextmanager
def running(
    emulator: Emulator, folder: Path, stdout: IO[bytes], rate: int = 40
) -> Iterator[Forked | subprocess.Popen[bytes]]:
    """A run of the tap under way, with its log in `folder`."""
    config = folder / "config.json"
    config.write_text(json.dumps(emulator_config(emulator, max_requests_per_second=rate)))
    with ExitStack() as stack:
        nothing = stack.enter_context(Path(os.devnull).open("rb"))
        log = stack.enter_context((folder / "log").open("wb"))
        yield start(stack, [*TAP, "--config", config], None, nothing, stdout, log)


@contextmanager
def pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """The two ends of a pipe, that of the target and that of the tap."""
    read, write = os.pipe()
    with os.fdopen(read, "rb") as source, os.fdopen(write, "wb") as sink:
        yield source, sink


def ended(process: Forked | subprocess.Popen[bytes], folder: Path) -> tuple[int, str]:
    """The exit status of a run that has to end now, and the last line of its log."""
    status = process.wait(SOON)
    log = (folder / "log").read_text(encoding="utf-8")
    assert "Traceback" not in log
    return status, log.splitlines()[-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("seed", range(3))
def test_a_signal_at_any_moment_leaves_whole_lines(
    emulator: Emulator, tmp_path: Path, number: signal.Signals, seed: int
) -> None:
    """SIGINT, SIGTERM and SIGHUP end a run soon, with 128 + number, after a whole line."""
    output = tmp_path / "output"
    with output.open("wb") as stdout, running(emulator, tmp_path, stdout) as process:
        wait_until(lambda: b"RECORD" in output.read_bytes())
        time.sleep(random.Random(seed).uniform(0, 1.5))  # noqa: S311 - a moment
        process.send_signal(number)
        status, last = ended(process, tmp_path)
    assert status == 128 + number
    assert f"stopped by {number.name}" in last
    lines = output.read_text(encoding="utf-8").splitlines(keepends=True)
    assert lines[-1].endswith("\n")
    assert {json.loads(line)["type"] for line in lines} == {"SCHEMA", "STATE", "RECORD"}


def test_a_target_that_goes_away_ends_the_run(emulator: Emulator, tmp_path: Path) -> None:
    """A closed pipe is one line in the log and status 1."""
    with pipe() as (target, stdout), running(emulator, tmp_path, stdout) as process:
        target.readline()
        target.close()
        status, last = ended(process, tmp_path)
    assert status == 1
    assert "the target has closed its input" in last


def test_a_blocked_target_holds_the_readers_back(emulator: Emulator, tmp_path: Path) -> None:
    """While the target takes nothing no more is read, and a signal ends the run."""
    before = emulator.log.count()
    with pipe() as (target, stdout), running(emulator, tmp_path, stdout, rate=500) as process:
        target.readline()
        wait_until(lambda: emulator.log.count() - before > 16)
        read = at_rest(emulator) - before
        # 16 pages ahead, one in the hands of each reader, and what buffer and pipe hold
        assert read < 16 + 16 + 10
        process.send_signal(signal.SIGTERM)
        status, _ = ended(process, tmp_path)
    assert status == 128 + signal.SIGTERM


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_ends_the_run(emulator: Emulator, tmp_path: Path) -> None:
    """A record that can't be written is a failure that names the reason."""
    with Path("/dev/full").open("wb") as full, running(emulator, tmp_path, full) as process:
        process.wait(30)
        status, last = ended(process, tmp_path)
    assert status == 1
    assert os.strerror(28) in last


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
@pytest.mark.parametrize("option", ["--discover", "--about", "--help"])
def test_a_full_disk_is_no_catalog(emulator: Emulator, tmp_path: Path, option: str) -> None:
    """A catalog that can't be written is a failure that names the reason."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps(emulator_config(emulator)))
    with ExitStack() as stack:
        nothing = stack.enter_context(Path(os.devnull).open("rb"))
        full = stack.enter_context(Path("/dev/full").open("wb"))
        log = stack.enter_context((tmp_path / "log").open("wb"))
        run = start(stack, [*TAP, "--config", config, option], None, nothing, full, log)
        run.wait(TIMEOUT)
        status, last = ended(run, tmp_path)
    assert status == 1
    assert os.strerror(28) in last


def test_a_signal_after_a_failure_ends_the_last_write_too() -> None:
    """A run that has failed before a blocked target can be stopped, without a traceback."""
    code = (
        "import sys; from tap_cognito import cli; from tap_cognito.singer import writer; "
        "writer.buffer_stdout(); "
        "cli._run = lambda: sys.stdout.write('x' * 10**6) and print('now', file=sys.stderr) or 1; "
        "cli.main()"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert process.stderr.readline() == b"now\n"
        # What is there was written by the last write, which is too large for the pipe.
        assert select.select([process.stdout], [], [], TIMEOUT)[0]
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 128 + signal.SIGTERM
        assert b"Traceback" not in log


def run_code(code: str) -> subprocess.CompletedProcess[str]:
    """Run the command line with something in it replaced."""
    code = f"import logging, os, signal\nfrom tap_cognito import cli\n{code}"
    return run_forked([sys.executable, "-c", code])


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("outcome", ["0", "1", "1 / 0"])
def test_a_signal_during_the_exit_does_not_change_it(name: str, outcome: str) -> None:
    """A signal that arrives once the status is known changes nothing."""
    run = run_code(
        f"logging.shutdown = lambda: os.kill(os.getpid(), signal.{name})\n"
        f"cli._command = lambda: {outcome}\ncli.main()"
    )
    assert run.returncode == int(outcome != "0")
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_that_leads_to_an_error_is_told_as_a_signal(name: str) -> None:
    """A signal that breaks a lock's release ends the run as any signal does."""
    run = run_code(
        "def command():\n"
        "    try:\n"
        "        try:\n"
        f"            os.kill(os.getpid(), signal.{name})\n"
        "        finally:\n"
        "            raise RuntimeError('release unlocked lock')\n"
        "    finally:\n"
        "        raise ValueError\n"
        "cli._command = command\ncli.main()"
    )
    assert run.returncode == 128 + signal.Signals[name]
    assert run.stderr.splitlines() == [f"stopped by {name}: the run isn't complete"]


def test_a_command_of_nohup_outlives_its_terminal() -> None:
    """A run started with SIGHUP ignored goes on after a SIGHUP."""
    run = run_code(
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "cli._command = lambda: os.kill(os.getpid(), signal.SIGHUP) or 0\ncli.main()"
    )
    assert (run.returncode, run.stderr) == (0, "")


def test_each_stream_that_failed_has_its_line() -> None:
    """Failed streams are named in the order of their failures, with status 1."""
    run = run_code(
        "from tap_cognito.errors import AccessDeniedError, StreamsFailedError, TapCognitoError\n"
        "def fail():\n"
        "    logging.basicConfig(format='%(levelname)s %(message)s')\n"
        "    raise StreamsFailedError([AccessDeniedError('first'), TapCognitoError('second')])\n"
        "cli._command.__globals__['logs'].quiet_libraries = fail\n"
        "cli.main()"
    )
    assert run.returncode == 1
    assert [line for line in run.stderr.splitlines() if "first" in line or "second" in line][-2:]
    assert run.stderr.index("first") < run.stderr.index("second")


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_a_bug_is_one_line_without_its_text(tmp_path: Path, level: str) -> None:
    """An unexpected exception ends with status 1 and its place, without its text."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"user_pool_id": "us-east-1_AbCdEf"}))
    code = (
        "from tap_cognito import cli, tap; "
        "tap.TapCognito.discover_streams = lambda self: {}['plan' + 'ted']; cli.main()"
    )
    run = run_forked(
        [sys.executable, "-c", code, "--config", str(config), "--discover"],
        {"TAP_COGNITO_LOGLEVEL": level},
    )
    assert run.returncode == 1
    assert "a bug: KeyError in <lambda>, line 1 of <string>" in run.stderr
    assert "planted" not in run.stdout + run.stderr


def test_no_thread_outlives_a_failure(tmp_path: Path) -> None:
    """A segment that fails ends the process although others still wait for their answers."""
    with (
        Emulator(Pool(6_000, seed=1), latency=0.3, slow_seconds=8) as emulator,
        Path(os.devnull).open("wb") as nothing,
        running(emulator, tmp_path, nothing, rate=500) as process,
    ):
        wait_until(lambda: emulator.log.count() >= 20)
        emulator.faults = Faults(("slow",), rate=0.5, seed=1)
        emulator.denied = {"cognito-idp:ListUsers"}
        status, last = ended(process, tmp_path)
    assert status == 1
    assert re.search("may not call cognito-idp:ListUsers", last)
