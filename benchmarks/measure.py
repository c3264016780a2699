"""Measures how one program reads one pool."""

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
    """An emulated pool.

    Attributes:
        users: The number of users.
        latency_ms: Added to each response.
        quota: Requests a second; 0 for no limit.
    """

    users: int
    latency_ms: int
    quota: int

    @property
    def limit(self) -> float:
        """The fewest seconds that the quota allows; 0 without one."""
        return -(-self.users // PAGE_SIZE) / self.quota if self.quota else 0


@dataclass(frozen=True)
class Run:
    """The cost of reading a pool once.

    Attributes:
        program: Its name.
        users: How many users it read.
        latency_ms: Added to each response.
        limit_seconds: The fewest seconds that the quota allows; 0 without one.
        seconds: From the first request to the last response, as the emulator saw them.
        requests: How many there were.
        throttled: How many of them were refused.
        cpu: User and system seconds for 1,000 users, by process.
        peak_mb: The largest resident size, by process.
    """

    program: str
    users: int
    latency_ms: int
    limit_seconds: float
    seconds: float
    requests: int
    throttled: int
    cpu: dict[str, float]
    peak_mb: dict[str, float]


class IncompleteError(Exception):
    """A program failed, or didn't read every user once."""


def measure(contender: Contender, emulation: Emulation) -> Run:
    """Let a program read a pool that another process serves.

    Args:
        contender: The program.
        emulation: The pool.

    Raises:
        IncompleteError: If it failed, or didn't read every user once.
    """
    with ExitStack() as stack:
        url, pool_id = _serve(stack, emulation)
        task = Task(url, pool_id, stopping.folder(stack))
        usages = _run(stack, contender.commands(task), task)
        with urlopen(f"{url}/_stats") as answer:  # noqa: S310 - our own server
            stats = json.load(answer)
        users = contender.count(task)
    if users != emulation.users:
        raise IncompleteError(f"{contender.title} read {users} of {emulation.users} users")
    outcomes = stats["requests"]["ListUsers"]
    return Run(
        contender.title,
        users,
        emulation.latency_ms,
        emulation.limit,
        round(stats["seconds"], 3),
        sum(outcomes.values()),
        outcomes.get("throttled", 0),
        {name: round(1000 * usage["cpu"] / users, 4) for name, usage in usages.items()},
        {name: round(usage["peak"] / 1e6, 1) for name, usage in usages.items()},
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


def _run(
    stack: ExitStack, commands: dict[str, list[str]], task: Task
) -> dict[str, dict[str, float]]:
    """Run a pipeline to its end; return what each command used."""
    log = stack.enter_context((task.folder / "log").open("w+", encoding="utf-8"))
    options: dict[str, Any] = {"cwd": ROOT, "env": {**os.environ, **ENVIRONMENT}, "stderr": log}
    usages = {name: task.folder / f"usage-{number}" for number, name in enumerate(commands)}
    processes: list[subprocess.Popen[bytes]] = []
    source = None
    for name, command in commands.items():
        is_last = name == list(commands)[-1]
        sink = stack.enter_context(task.output.open("wb")) if is_last else subprocess.PIPE
        measured = [sys.executable, "-S", "-m", "benchmarks.usage", str(usages[name]), *command]
        processes.append(stopping.start(stack, measured, stdin=source, stdout=sink, **options))
        if source:
            source.close()
        source = processes[-1].stdout
    codes = {name: process.wait() for name, process in zip(commands, processes, strict=True)}
    if failed := [name for name, code in codes.items() if code]:
        log.seek(0)
        raise IncompleteError(f"{' and '.join(failed)} failed: {log.read()[-2000:]}")
    return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in usages.items()}
