"""Which tests are fast, in which order all begin, and what stays in one process."""

from __future__ import annotations

import functools
import inspect
import subprocess
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from tests.support.forking import Forked
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

MELTANO = "_plugins"
"""The fixture of what runs Meltano."""
_TESTS = ROOT / "tests"
_SERVERS = {"postgres", "moto_url"}
_WHOLE_POOLS = {"faults", "increments", "proven_segments", "resume", "user_listings", "user_mfa"}
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


def is_in_process(item: pytest.Function) -> bool:
    """Tell whether a test needs no other process, no Postgres, no Meltano and no minutes."""
    if item.get_closest_marker("slow"):
        return False
    return _SERVERS.isdisjoint(item.fixturenames) and not _starts_programs(item)


def reads_whole_pools(item: pytest.Function) -> bool:
    """Tell whether a test is of a file that reads thousands of users again and again."""
    return item.path.stem.removeprefix("test_") in _WHOLE_POOLS


def turn(item: pytest.Function) -> int:
    """Return the place of a test: Meltano's are the first, then those of the longest files."""
    if group(item.path) == "meltano":
        return -1
    name = item.path.stem.removeprefix("test_")
    return _LONGEST.index(name) if name in _LONGEST else len(_LONGEST)


def _starts_programs(item: pytest.Function) -> bool:
    """Tell whether a test, its fixtures, or what these call of ours, name what starts programs."""
    fixtures = item._fixtureinfo.name2fixturedefs.values()  # noqa: SLF001 - nothing public has it
    pending = [item.function, *(fixture.func for *_, fixture in fixtures)]
    seen = set()
    while pending:
        value = inspect.unwrap(pending.pop())
        if value in (subprocess, Forked):
            return True
        if inspect.isfunction(value) and value not in seen:
            seen.add(value)
            if _TESTS in Path(value.__code__.co_filename).parents:
                pending += map(value.__globals__.get, _names(value.__code__))
    return False


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
