"""Which tests are fast, in which order all begin, and what stays in one process."""

from __future__ import annotations

import inspect
import subprocess
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadGroupScheduling  # type: ignore[import-untyped]

from forking import Forked

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = Path(__file__).parent
_SERVERS = {"postgres", "moto_url"}
_LONGEST = (
    "deletions",
    "replication",
    "user_listings",
    "streams",
    "end_to_end",
    "shutdown",
    "faults",
)


class Scheduling(LoadGroupScheduling):  # type: ignore[misc]
    """A group stays in one process, and otherwise a file."""

    def _split_scope(self, nodeid: str) -> str:
        return str(super()._split_scope(nodeid)).split("::")[0]


def arrange(items: list[pytest.Function]) -> None:
    """Mark what is fast and what is Meltano's; begin with Meltano, then with the longest files."""
    for item in items:
        if "_plugins" in item.fixturenames:
            item.add_marker(pytest.mark.xdist_group("meltano"))
        elif _SERVERS.isdisjoint(item.fixturenames) and not _starts_programs(item):
            item.add_marker(pytest.mark.fast)
    items.sort(key=_turn)


def _turn(item: pytest.Function) -> int:
    if item.get_closest_marker("xdist_group"):
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
            if Path(value.__code__.co_filename).parent == _HERE:
                pending += map(value.__globals__.get, _names(value.__code__))
    return False


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
