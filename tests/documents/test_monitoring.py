"""docs/monitoring.md shows what a run logs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from emulator import Emulator, Pool
from tests.support.documents import blocks, shell
from tests.support.paths import ROOT
from tests.support.programs import emulator_config, load, run_tap

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.tables import Database

DOCUMENT = "docs/monitoring.md"
TEXT = (ROOT / DOCUMENT).read_text(encoding="utf-8")
(LOGGING,) = blocks(DOCUMENT, "yaml", "JSON")
*_, AS_JSON = blocks(DOCUMENT, "sh", "JSON")
(AGE,) = blocks(DOCUMENT, "sql")


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """A pool of three pages."""
    with Emulator(Pool(130)) as serving:
        yield serving


@pytest.mark.programs
def test_the_lines_of_a_run_are_those_that_are_shown(emulator: Emulator) -> None:
    """Numbers apart, a run writes the line of its end and both metrics as the document does."""
    written = run_tap(emulator_config(emulator)).stderr
    shown = re.findall(r"(?m)^\| `((?:Read |METRIC: ).+?)` \|", TEXT)
    assert len(shown) == 3
    for line in shown:
        pattern = re.sub(r"[\d,.]*\d", r"[\\d,.]+", re.escape(line).replace("\\.", "."))
        pattern = re.sub(r"\\?…", ".*", pattern)
        assert re.search(pattern, written), line


@pytest.mark.programs
def test_logs_are_json_without_meltano(emulator: Emulator, tmp_path: Path) -> None:
    """With the file that is shown, each line on stderr is an object, and metrics have numbers."""
    (tmp_path / "logging.yaml").write_text(LOGGING)
    (tmp_path / "config.json").write_text(json.dumps(emulator_config(emulator)))
    shell(AS_JSON, tmp_path, {})
    lines: list[dict[str, Any]] = [
        json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()
    ]
    metrics = {
        line["metric_info"]["metric"]: line["metric_info"]
        for line in lines
        if "metric_info" in line
    }
    assert metrics["record_count"]["value"] == 130
    assert metrics["sync_duration"]["tags"]["status"] == "succeeded"
    assert all(line["message"] and line["level"] == "info" for line in lines)


def test_a_mirror_tells_its_age(emulator: Emulator, database: Database) -> None:
    """The documented query returns the time since the last run, and how many users there are."""
    mirror = {"add_record_metadata": True, "activate_version": True, "hard_delete": True}
    config = emulator_config(emulator, emit_activate_version_messages=True)
    load(config, {**database.target_config, **mirror})
    ((age, users),) = database.rows(AGE)
    assert 0 <= age.total_seconds() < 600
    assert users == 130


@pytest.mark.programs
@pytest.mark.parametrize(
    ("arguments", "pool_id", "status"),
    [
        ([], "us-east-1_Emulated1", 0),
        ([], "us-east-1_NotThere", 1),
        (["--nonsense"], "us-east-1_Emulated1", 2),
        (["--catalog", "missing"], "us-east-1_Emulated1", 2),
    ],
)
def test_the_exit_status_is_documented(
    arguments: list[str], pool_id: str, status: int, emulator: Emulator
) -> None:
    """A run, a failure and a wrong command line have the status of the table."""
    config = emulator_config(emulator, user_pool_id=pool_id)
    assert run_tap(config, *arguments).returncode == status
    assert f"\n| {status} | " in TEXT
