"""The programs that are compared: their commands, and how many users each of them read."""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tap_cognito.config.settings import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from quickstart.postgres import Postgres

KEYS = {"aws_access_key_id": "benchmark", "aws_secret_access_key": "benchmark"}

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "benchmark",
    "AWS_SECRET_ACCESS_KEY": "benchmark",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_PAGER": "",
}
"""Replaces the AWS and Postgres settings of whoever runs the benchmark."""

_SCRIPTS = Path(sysconfig.get_path("scripts"))
_DEFAULT_RATE = SCHEMA["properties"]["max_requests_per_second"]["default"]


@dataclass(frozen=True)
class Task:
    """A pool to read once, and a folder for the files."""

    url: str
    pool_id: str
    folder: Path

    @property
    def output(self) -> Path:
        """The file that the last command writes to."""
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
    """A pipeline: the commands by name, each reading the output of the one before."""
    count: Callable[[Task], int]
    """Counts the users that were read.

    Raises:
        ValueError: If a user was read more than once.
    """


def tap(rate: int | None = None) -> Contender:
    """tap-cognito into a file.

    Args:
        rate: Requests a second; by default the tap's own.
    """
    shown = f"{rate or _DEFAULT_RATE}/s" + ("" if rate else " (default)")
    return Contender(
        f"tap at {shown}",
        lambda task: {"tap-cognito": _tap_command(task, rate)},
        _count_records,
    )


def tap_to_postgres(server: Postgres, rate: int) -> Contender:
    """tap-cognito into target-postgres, each run into a new database.

    Args:
        server: Where the databases are created.
        rate: Requests a second.
    """
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
        return {"tap-cognito": _tap_command(task, rate), "target-postgres": target}

    def count(task: Task) -> int:
        with server.connect(databases[task]) as connection:
            return _count_once(
                row[0] for row in connection.execute("select username from cognito.users")
            )

    return Contender(f"tap at {rate}/s to Postgres", commands, count)


def serial() -> Contender:
    """A loop over boto3's paginator that only counts."""
    return Contender(
        "boto3 loop",
        lambda task: {
            "boto3 loop": [sys.executable, "-m", "benchmarks.serial", task.url, task.pool_id]
        },
        lambda task: int(task.output.read_text(encoding="utf-8")),
    )


def aws() -> Contender:
    """The AWS CLI into a file."""
    request = ["aws", "cognito-idp", "list-users", "--output", "json"]
    return Contender(
        "AWS CLI",
        lambda task: {
            "AWS CLI": [*request, "--endpoint-url", task.url, "--user-pool-id", task.pool_id]
        },
        lambda task: _count_once(
            user["Username"]
            for user in json.loads(task.output.read_text(encoding="utf-8"))["Users"]
        ),
    )


def runs(program: str) -> bool:
    """Return whether a program is installed and works."""
    with contextlib.suppress(OSError):
        done = subprocess.run([program, "--version"], capture_output=True, check=False)
        return done.returncode == 0
    return False


def _tap_command(task: Task, rate: int | None) -> list[str]:
    settings: dict[str, object] = {"user_pool_id": task.pool_id, "endpoint_url": task.url, **KEYS}
    if rate:
        settings["max_requests_per_second"] = rate
    config = task.config("tap", settings)
    return [sys.executable, "-m", "tap_cognito", "--config", config]


def _count_records(task: Task) -> int:
    with task.output.open("rb") as lines:
        messages = map(json.loads, lines)
        return _count_once(
            message["record"]["username"] for message in messages if message["type"] == "RECORD"
        )


def _count_once(names: Iterable[str]) -> int:
    found = list(names)
    if len(set(found)) < len(found):
        raise ValueError(f"{len(found) - len(set(found))} users were read twice")
    return len(found)
