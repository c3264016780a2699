"""What docs/targets.md says of other targets, each in an environment of its own."""

from __future__ import annotations

import ast
import csv
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import jsonschema
import pytest
import yaml

from emulator import Emulator, Pool
from tests.support.documents import blocks, shell
from tests.support.messages import messages_of
from tests.support.paths import ROOT
from tests.support.programs import TIMEOUT, emulator_config, load, run_tap
from tests.support.tables import Database, wire_row

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DOCUMENT = (ROOT / "docs" / "targets.md").read_text(encoding="utf-8")
(FLATTENED,) = (json.loads(block) for block in blocks("docs/targets.md", "json"))
IN_NEW_YORK = {"TZ": "America/New_York", "PGTZ": "America/New_York"}
Row = tuple[Any, ...]


class Target(NamedTuple):
    """A target and how to see what it has loaded."""

    packages: tuple[str, ...]
    config: dict[str, Any]
    read: Callable[[Path, Path], list[Row]]
    """Return the rows, from the target's Python and the folder that it ran in."""
    command: tuple[str, ...]


def read_jsonl(_: Path, folder: Path) -> list[Row]:
    """Return the lines of target-jsonl."""
    lines = (folder / "users.jsonl").read_text(encoding="utf-8").splitlines()
    return [tuple(json.loads(line).values()) for line in lines]


def read_csv(_: Path, folder: Path) -> list[Row]:
    """Return the rows of target-csv, with text where it has no types."""
    with (folder / "users.csv").open(encoding="utf-8", newline="") as file:
        return [tuple(line.values()) for line in csv.DictReader(file)]


def read_sqlite(_: Path, folder: Path) -> list[Row]:
    """Return the rows of target-sqlite."""
    with closing(sqlite3.connect(folder / "users.db")) as connection:
        return connection.execute(SELECT).fetchall()


def read_duckdb(python: Path, folder: Path) -> list[Row]:
    """Return the rows of target-duckdb, and see that their types are the table's."""
    script = f"import duckdb; print(duckdb.connect('users.db').execute('{SELECT}').fetchall())"
    shown = subprocess.run(
        [python, "-c", script], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    return [
        (*values[:-1], json.loads(values[-1]))
        for values in eval(shown, {"datetime": __import__("datetime")})  # noqa: S307 - our own
    ]


SELECT = "select username, email, status, enabled, created_at, updated_at, attributes from users"
# It imports a name that Python 3.10 has removed.
_OLD = (
    "import collections, collections.abc as abc, sys; collections.MutableMapping = "
    "abc.MutableMapping; import target_sqlite; target_sqlite.main()"
)
TARGETS = {
    "target-jsonl": Target(
        ("target-jsonl==0.1.4", "setuptools<81"),
        {"do_timestamp_file": False},
        read_jsonl,
        ("target-jsonl",),
    ),
    "target-csv": Target(("meltanolabs-target-csv==0.5.0",), {}, read_csv, ("target-csv",)),
    "target-duckdb": Target(
        ("target-duckdb==0.8.0", "duckdb==1.1.3", "setuptools<81"),
        {"filepath": "users.db", "default_target_schema": "main", "add_metadata_columns": False},
        read_duckdb,
        ("target-duckdb",),
    ),
    "target-sqlite": Target(
        ("target-sqlite==0.2.0", "setuptools<81"),
        {"database": "users.db"},
        read_sqlite,
        ("python", "-c", _OLD),
    ),
}


class Runs(NamedTuple):
    """What two runs of a mirror have written, before and after a change and a deletion."""

    messages: tuple[str, str]
    users: tuple[dict[str, Row], dict[str, Row]]


def make_runs(**settings: Any) -> Runs:
    """Run the tap twice."""
    pool = Pool(130)
    messages, users = [], []
    with Emulator(pool) as emulator:
        config = emulator_config(emulator, emit_activate_version_messages=True, **settings)
        for _ in range(2):
            run = run_tap(config, env=IN_NEW_YORK)
            assert run.returncode == 0, run.stderr
            messages.append(run.stdout)
            users.append({values[0]: values for values in map(wire_row, pool.users())})
            gone, changed = pool.username(0), pool.username(5)
            if len(users) == 1:
                pool.delete(gone)
                pool.change(changed, {"name": 'tab\there, line\nthere, "quotes" and a \\'})
    return Runs((messages[0], messages[1]), (users[0], users[1]))


@pytest.fixture(scope="module")
def runs() -> Runs:
    """Two runs of the tap as it is."""
    return make_runs()


def install(target: Target, folder: Path) -> Path:
    """Install a target; return the folder of its programs."""
    uv = [sys.executable, "-m", "uv"]
    to = ["--quiet", "--python"]
    for step in (
        ["venv", "--no-project", *to, sys.executable, str(folder)],
        ["pip", "install", *to, str(folder), *target.packages],
    ):
        subprocess.run([*uv, *step], check=True, timeout=TIMEOUT)
    return folder / "bin"


def write(target: Target, programs: Path, folder: Path, messages: str) -> dict[str, Any]:
    """Load messages; return the last state that the target has passed on."""
    config = folder / "config.json"
    config.write_text(json.dumps(target.config))
    program, *arguments = target.command
    run = subprocess.run(
        [programs / program, *arguments, "--config", config],
        input=messages,
        cwd=folder,
        env={**os.environ, **IN_NEW_YORK},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=TIMEOUT,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    state: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return state


def last_state(messages: str) -> Any:
    """Return the value of the last STATE message."""
    return json.loads([line for line in messages.splitlines() if '"STATE"' in line][-1])["value"]


def as_loaded(name: str, values: Row) -> Row:
    """Return how a target shows a user."""
    *texts, enabled, created, updated, attributes = values
    if name == "target-duckdb":
        return values
    if name == "target-csv":
        texts = [text or "" for text in texts]
        dates = [moment.isoformat(" ") for moment in (created, updated)]
        enabled = str(enabled)
    else:
        dates = [moment.isoformat(timespec="milliseconds") for moment in (created, updated)]
    return (*texts, enabled, *dates, attributes)


def comparable(name: str, values: Row) -> Row:
    """Read objects that are shown as Python shows them."""
    if name in {"target-csv", "target-sqlite"}:
        return (*values[:-1], ast.literal_eval(values[-1]))
    return values


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_a_target_loads_what_the_table_says(name: str, runs: Runs, tmp_path: Path) -> None:
    """Types, rows of changed and of deleted users, and the state are what the document says."""
    target = TARGETS[name]
    programs = install(target, tmp_path / "environment")
    for messages in runs.messages:
        assert write(target, programs, tmp_path, messages) == last_state(messages)
    before, after = runs.users
    found = [comparable(name, values) for values in target.read(programs / "python", tmp_path)]
    kept = {user: values for user, values in before.items() if user not in after}
    assert len(kept) == 1
    expected = [as_loaded(name, values) for values in after.values()]
    if name != "target-csv":  # its file is a new one
        expected += [as_loaded(name, values) for values in kept.values()]
    if name == "target-jsonl":  # it has every line of both runs
        found = [*{values[0]: values for values in found}.values()]
    assert sorted(found, key=lambda values: values[0]) == sorted(
        expected, key=lambda values: values[0]
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["target-csv", "target-sqlite"])
def test_flattened_attributes_are_json(name: str, tmp_path: Path) -> None:
    """With the settings of the document, targets without objects get text that a parser reads."""
    target, runs = TARGETS[name], make_runs(**FLATTENED)
    programs = install(target, tmp_path / "environment")
    write(target, programs, tmp_path, runs.messages[1])
    found = target.read(programs / "python", tmp_path)
    assert {user: (*values, json.loads(text)) for user, *values, text in found} == {
        user: as_loaded(name, values)[1:] for user, values in runs.users[1].items()
    }


@pytest.mark.parametrize("use_copy", [True, False])
def test_target_postgres_needs_no_time_zone(use_copy: bool, database: Database) -> None:
    """With COPY and with INSERT, in a database in New York: UTC, and deletions arrive."""
    with database.connect() as connection:
        connection.execute(
            f"alter database {database.name} set timezone to 'America/New_York'".encode()
        )
    mirror = {"add_record_metadata": True, "activate_version": True, "hard_delete": True}
    target = {**database.target_config, **mirror, "use_copy": use_copy}
    pool = Pool(130)
    with Emulator(pool) as emulator:
        config = emulator_config(emulator, emit_activate_version_messages=True)
        load(config, target, env=IN_NEW_YORK)
        pool.delete(pool.username(0))
        load(config, target, env=IN_NEW_YORK)
        expected = sorted(wire_row(user) for user in pool.users())
    assert sorted(database.rows(SELECT.replace("users", "cognito.users"))) == expected
    assert len(expected) == 129


@pytest.mark.programs
def test_a_strict_check_of_formats_refuses_timestamps_without_offset() -> None:
    """A record is valid by its schema; checked for formats, just its timestamps are refused."""
    with Emulator(Pool(1)) as emulator:
        written = messages_of(run_tap(emulator_config(emulator)).stdout)
        messages = {message["type"]: message for message in written}
    schema, record = messages["SCHEMA"]["schema"], messages["RECORD"]["record"]
    jsonschema.validate(record, schema)
    assert datetime.fromisoformat(record["created_at"]).tzinfo is None
    checker = jsonschema.FormatChecker()
    strict = "date-time" in checker.checkers  # only if rfc3339-validator is installed
    errors = jsonschema.Draft7Validator(schema, format_checker=checker).iter_errors(record)
    refused = {error.path[0] for error in errors}
    assert refused == ({"created_at", "updated_at"} if strict else set())


def test_the_table_has_the_versions_that_are_tried() -> None:
    """Each target that the tests install is in the document with its version, and no other."""
    rows = re.findall(r"(?m)^\| .*?\| (\S+ [\d.]+(?:, \S+ [\d.]+)*) \|", DOCUMENT)
    tried = {
        ", ".join(package.replace("==", " ") for package in target.packages if "==" in package)
        for target in TARGETS.values()
    }
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (postgres,) = re.findall(r'"(meltanolabs-target-postgres==[\d.]+)"', project)
    assert set(rows) == tried | {postgres.replace("==", " ")}


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / "tap_cognito").is_dir(), reason="it installs the source tree")
def test_meltano_loads_into_files_with_the_documented_blocks(tmp_path: Path) -> None:
    """A second run appends to the same file of target-jsonl, and updates target-duckdb's table."""
    (text,) = blocks("docs/own-project.md", "yaml")
    project = yaml.safe_load(text.replace("/path/to/tap-cognito", str(ROOT)))
    (loaders,) = blocks("docs/targets.md", "yaml")
    project["plugins"] |= yaml.safe_load(loaders)
    project["project_id"] = "targets"
    (tmp_path / "meltano.yml").write_text(yaml.safe_dump(project, sort_keys=False))
    with Emulator(Pool(130)) as emulator:
        config = emulator_config(emulator)
        variables = {f"TAP_COGNITO_{name.upper()}": str(value) for name, value in config.items()}
        for command in (
            "install",
            "run tap-cognito target-jsonl",
            "run tap-cognito target-jsonl",
            "run tap-cognito target-duckdb",
            "run tap-cognito target-duckdb",
        ):
            shell(f"meltano {command}", tmp_path, variables)
    assert len(read_jsonl(tmp_path, tmp_path)) == 2 * 130
    python = tmp_path / ".meltano" / "loaders" / "target-duckdb" / "venv" / "bin" / "python"
    shutil.move(tmp_path / "users.duckdb", tmp_path / "users.db")
    assert len(read_duckdb(python, tmp_path)) == 130
