"""Who reads the pool: as which commands, and how many users came of it."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from quickstart.postgres import Postgres

KEYS = {"aws_access_key_id": "benchmark", "aws_secret_access_key": "benchmark"}

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "benchmark",
    "AWS_SECRET_ACCESS_KEY": "benchmark",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_PAGER": "",
    "PGTZ": "UTC",
}
"""Beside it nothing of the user's AWS and Postgres settings is left."""

_SCRIPTS = Path(sysconfig.get_path("scripts"))


@dataclass(frozen=True)
class Task:
    """One pool to read once, with a folder for it."""

    url: str
    pool_id: str
    rate: int
    folder: Path

    @property
    def output(self) -> Path:
        """What the last command writes."""
        return self.folder / "output"

    def config(self, name: str, settings: dict[str, object]) -> str:
        """Write a configuration file."""
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(settings), encoding="utf-8")
        return str(path)


class Contender(NamedTuple):
    """A way to read a pool."""

    title: str
    commands: Callable[[Task], dict[str, list[str]]]
    """By name; each one's output is the input of the next."""
    count: Callable[[Task], int]
    """How many users came of it, each counted once."""


def tap() -> Contender:
    """tap-cognito into a file."""
    return Contender("tap-cognito", _tap_commands, _count_records)


def tap_to_postgres(server: Postgres) -> Contender:
    """tap-cognito into target-postgres, into a database of its own for each run."""
    names = (f"benchmark_{number}" for number in itertools.count(1))
    databases: dict[Task, str] = {}

    def commands(task: Task) -> dict[str, list[str]]:
        name = databases[task] = next(names)
        with server.connect() as connection:
            connection.execute(f"create database {name}".encode())
        settings = {
            "host": server.host,
            "port": server.port,
            "user": server.user,
            "password": server.password,
            "database": name,
            "default_target_schema": "cognito",
            "use_copy": True,
            "add_record_metadata": False,
            "activate_version": False,
        }
        target = [str(_SCRIPTS / "target-postgres"), "--config", task.config("target", settings)]
        return {**_tap_commands(task), "target-postgres": target}

    def count(task: Task) -> int:
        with server.connect(databases[task]) as connection:
            return _once(row[0] for row in connection.execute("select username from cognito.users"))

    return Contender("tap-cognito to Postgres", commands, count)


def serial() -> Contender:
    """A loop over boto3's paginator that only counts."""
    return Contender(
        "boto3 loop",
        lambda task: {
            "boto3 loop": [sys.executable, "-m", "benchmarks.serial", task.url, task.pool_id]
        },
        lambda task: int(task.output.read_text(encoding="utf-8")),
    )


def aws() -> Contender | None:
    """The AWS CLI into a file; `None` where it is neither installed nor can be had through uv."""
    program = _aws_program()
    if not program:
        return None
    request = ["cognito-idp", "list-users", "--output", "json"]
    return Contender(
        "AWS CLI",
        lambda task: {
            "AWS CLI": [
                *(*program, *request),
                *("--endpoint-url", task.url, "--user-pool-id", task.pool_id),
            ]
        },
        lambda task: _once(
            user["Username"]
            for user in json.loads(task.output.read_text(encoding="utf-8"))["Users"]
        ),
    )


def _aws_program() -> list[str] | None:
    uvx = shutil.which("uvx", path=str(_SCRIPTS)) or shutil.which("uvx")
    # The second one installs it, before anything is measured.
    programs = [["aws"], *([[uvx, "--from", "awscli", "aws"]] if uvx else [])]
    return next(filter(runs, programs), None)


def runs(program: list[str]) -> bool:
    """Whether a program is there and can tell its version."""
    with contextlib.suppress(OSError):
        done = subprocess.run([*program, "--version"], capture_output=True, check=False)
        return done.returncode == 0
    return False


def _tap_commands(task: Task) -> dict[str, list[str]]:
    settings = {
        "user_pool_id": task.pool_id,
        "endpoint_url": task.url,
        "max_requests_per_second": task.rate,
        **KEYS,
    }
    config = task.config("tap", settings)
    return {"tap-cognito": [sys.executable, "-m", "tap_cognito", "--config", config]}


def _count_records(task: Task) -> int:
    with task.output.open("rb") as lines:
        messages = map(json.loads, lines)
        return _once(each["record"]["username"] for each in messages if each["type"] == "RECORD")


def _once(names: Iterable[str]) -> int:
    found = list(names)
    if len(set(found)) < len(found):
        raise ValueError(f"{len(found) - len(set(found))} users came twice")
    return len(found)
