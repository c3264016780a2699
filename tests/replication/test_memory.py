"""What a run needs doesn't grow with the pool."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from quickstart import pool
from tests.support.paths import ROOT
from tests.support.programs import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MANY = 2_000_000


class Outcome(NamedTuple):
    """What came out of a run."""

    peak: int
    """The highest resident size, in the system's unit."""
    records: int
    state: Any
    """The last one."""


@contextmanager
def served(users: int) -> Iterator[dict[str, Any]]:
    """Serve a pool in another process; gives the settings of the tap."""
    emulator = [sys.executable, "-m", "emulator", "--users", str(users)]
    with subprocess.Popen(emulator, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            ready = json.loads(process.stdout.readline())
            yield {
                "user_pool_id": ready["pool_id"],
                "endpoint_url": ready["url"],
                "max_requests_per_second": 1_000,
                **pool.KEYS,
            }
        finally:
            process.terminate()
            process.wait(TIMEOUT)


def run(
    folder: Path, config: dict[str, Any], state: Any = None, kill_after: int | None = None
) -> Outcome:
    """Run the tap to its end, or kill it after so many records."""
    command = [sys.executable, "-m", "tap_cognito"]
    for option, content in {"config": config, "state": state or {}}.items():
        path = folder / f"{option}.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        command += [f"--{option}", str(path)]
    records = 0
    last = b"{}"
    with subprocess.Popen(command, stdout=subprocess.PIPE) as tap:
        assert tap.stdout
        for line in tap.stdout:
            if line.startswith(b'{"type":"RECORD"'):
                records += 1
                if records == kill_after:
                    tap.kill()
            elif line.startswith(b'{"type":"STATE"') and line.endswith(b"\n"):
                last = line
        _, status, usage = os.wait4(tap.pid, 0)
        tap.returncode = os.waitstatus_to_exitcode(status)
    assert (tap.returncode == 0) == (kill_after is None)
    return Outcome(usage.ru_maxrss, records, json.loads(last).get("value"))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the system doesn't measure it")
def test_two_million_users_need_no_more_memory_than_ten_thousand(tmp_path: Path) -> None:
    """The peak at 2,000,000 users is within 10% of that at 10,000, resumed from the middle too."""
    with served(10_000) as config:
        few = run(tmp_path, config)
    assert few.records == 10_000
    with served(MANY) as config:
        first = run(tmp_path, config, kill_after=MANY // 2)
        second = run(tmp_path, config, first.state)
    # Sixteen segments of 256 were under way.
    assert MANY <= first.records + second.records <= MANY * (1 + 16 / 256 + 0.01)
    assert second.state["bookmarks"]["users"]["scan"] is None
    for part in (first, second):
        assert part.peak <= 1.1 * few.peak, f"{part.peak:,} after {few.peak:,}"
