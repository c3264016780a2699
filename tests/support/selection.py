"""Which tests start no program and are fast, in which order all begin, and what runs together."""

from __future__ import annotations

import functools
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from tests.support.forking import FORKED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MELTANO = "_plugins"
"""The fixture of what runs Meltano."""
_SERVERS = {"postgres", "moto_url"}
"""The fixtures of what runs in other processes."""
_STARTS = {
    FORKED,
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
    "os.startfile",
    "os.system",
    "subprocess.Popen",
}
"""Python's audit events for programs that are started, and ours."""
_started: list[str] = []
_LONGEST = (
    "secrets_stay_secret",
    "user_listings",
    "resume",
    "increments",
    "faults",
    "deletions",
    "every_stream",
    "shutdown",
)


class Scheduling(LoadFileScheduling):  # type: ignore[misc]
    """Gives each process a group of tests, then the next."""

    def _split_scope(self, nodeid: str) -> str:
        return group(self.config.rootpath / nodeid.split("::", maxsplit=1)[0])


@functools.cache
def group(file: Path) -> str:
    """Return the group of a file: what runs Meltano is one, as Meltano's runs share a folder."""
    return "meltano" if MELTANO in file.read_text(encoding="utf-8") else file.stem


def mark(item: pytest.Function) -> None:
    """Mark a test `in_process` and `fast` if it is, by its own marks and its fixtures."""
    servers = _SERVERS.intersection(item.fixturenames)
    if not (servers or item.get_closest_marker("programs") or item.get_closest_marker("slow")):
        item.add_marker("in_process")
        if not item.get_closest_marker("whole_pools"):
            item.add_marker("fast")


def note_programs() -> None:
    """Let Python note each program that this process starts, from now on."""
    sys.addaudithook(_note)


@contextmanager
def stays_in_process(item: pytest.Item) -> Iterator[None]:
    """Fail a test that starts a program and isn't marked so."""
    before = len(_started)
    yield
    if len(_started) > before and item.get_closest_marker("in_process"):
        pytest.fail(f"it starts a program ({_started[before]}): mark it `programs`", pytrace=False)


def turn(item: pytest.Function) -> int:
    """Return the place of a test: Meltano's are the first, then those of the longest files."""
    if group(item.path) == "meltano":
        return -1
    name = item.path.stem.removeprefix("test_")
    return _LONGEST.index(name) if name in _LONGEST else len(_LONGEST)


def _note(event: str, _: object) -> None:
    if event in _STARTS:
        _started.append(event)
