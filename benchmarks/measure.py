"""One contender, one pool, one latency: what it took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.request import urlopen

from benchmarks.contenders import ENVIRONMENT, Task
from quickstart import stopping

if TYPE_CHECKING:
    from benchmarks.contenders import Contender

PAGE_SIZE = 60
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Emulation:
    """What everybody reads.

    Attributes:
        users: How many users the pool has.
        latency_ms: What is added to each answer.
        quota: Requests a second; 0 for no limit.
        rate: tap-cognito's `max_requests_per_second`.
    """

    users: int
    latency_ms: int
    quota: int
    rate: int

    @property
    def limit(self) -> float | None:
        """Seconds in which nobody can be faster."""
        return -(-self.users // PAGE_SIZE) / self.quota if self.quota else None


@dataclass(frozen=True)
class Run:
    """What reading the pool once took.

    Attributes:
        contender: Who read it.
        latency_ms: What was added to each answer.
        seconds: From the first request to the last answer, as the emulator saw it.
        ratio: Seconds divided by the limit that the quota sets.
        requests: How many were made.
        throttled: How many of them were refused.
        cpu: User and system seconds for 1,000 users, by process.
    """

    contender: str
    latency_ms: int
    seconds: float
    ratio: float | None
    requests: int
    throttled: int
    cpu: dict[str, float]


class IncompleteError(Exception):
    """A contender did not read what is in the pool; the message says how that shows."""


def measure(contender: Contender, emulation: Emulation) -> Run:
    """Let a contender read a pool of its own process.

    Raises:
        IncompleteError: If it failed, or did not read every user once.
    """
    with ExitStack() as stack:
        url, pool_id = _serve(stack, emulation)
        task = Task(url, pool_id, emulation.rate, stopping.folder(stack))
        cpu = _run(stack, contender.commands(task), task)
        with urlopen(f"{url}/_stats") as answer:  # noqa: S310 - our own server
            stats = json.load(answer)
        users = contender.count(task)
    if users != emulation.users:
        raise IncompleteError(f"{contender.title} read {users} of {emulation.users} users")
    outcomes = stats["requests"]["ListUsers"]
    limit = emulation.limit
    return Run(
        contender.title,
        emulation.latency_ms,
        round(stats["seconds"], 3),
        round(stats["seconds"] / limit, 4) if limit else None,
        sum(outcomes.values()),
        outcomes.get("throttled", 0),
        {name: round(1000 * seconds / users, 4) for name, seconds in cpu.items()},
    )


def _serve(stack: ExitStack, emulation: Emulation) -> tuple[str, str]:
    options = ["--users", str(emulation.users), "--latency-ms", str(emulation.latency_ms)]
    if emulation.quota:
        options += ["--quota", str(emulation.quota)]
    command = [sys.executable, "-m", "emulator", *options]
    emulator = stopping.start(stack, command, cwd=ROOT, stdout=subprocess.PIPE)
    with cast("IO[bytes]", emulator.stdout) as output:
        ready = json.loads(output.readline())
    return ready["url"], ready["pool_id"]


def _run(stack: ExitStack, commands: dict[str, list[str]], task: Task) -> dict[str, float]:
    """Run a pipe of commands to its end; return the CPU seconds of each."""
    log = stack.enter_context((task.folder / "log").open("w+", encoding="utf-8"))
    options: dict[str, Any] = {"cwd": ROOT, "env": {**os.environ, **ENVIRONMENT}, "stderr": log}
    processes: dict[str, subprocess.Popen[bytes]] = {}
    source = None
    for name, command in commands.items():
        is_last = name == list(commands)[-1]
        sink = stack.enter_context(task.output.open("wb")) if is_last else subprocess.PIPE
        processes[name] = stopping.start(stack, command, stdin=source, stdout=sink, **options)
        if source:
            source.close()
        source = processes[name].stdout
    cpu = {name: _wait(process) for name, process in processes.items()}
    if failed := [name for name, process in processes.items() if process.returncode]:
        log.seek(0)
        raise IncompleteError(f"{' and '.join(failed)} failed: {log.read()[-2000:]}")
    return cpu


def _wait(process: subprocess.Popen[bytes]) -> float:
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime
