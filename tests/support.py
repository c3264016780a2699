"""What the tests share: programs to run, and what must come out of them."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quickstart import pool

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import psycopg

    from emulator import Emulator
    from quickstart.postgres import Postgres

COLUMNS = ("username", "email", "status", "enabled", "created_at", "updated_at", "attributes")
TIMEOUT = 120
"""Seconds after which a program is taken to hang."""


@dataclass(frozen=True)
class Database:
    """A fresh database on the test session's server."""

    name: str
    server: Postgres

    @property
    def target_config(self) -> dict[str, Any]:
        """The settings of target-postgres that load into it, otherwise those of meltano.yml."""
        return {
            "host": self.server.host,
            "port": self.server.port,
            "user": self.server.user,
            "password": self.server.password,
            "database": self.name,
            "default_target_schema": "cognito",
            "use_copy": True,
            "add_record_metadata": False,
            "activate_version": False,
        }

    @property
    def sqlalchemy_url(self) -> str:
        """The database for SQLAlchemy."""
        return self.server.url(self.name).replace("postgresql:", "postgresql+psycopg:", 1)

    def connect(self) -> psycopg.Connection:
        """Open a connection that commits each statement."""
        return self.server.connect(self.name)

    def rows(self, query: str = "select * from cognito.users") -> list[tuple[Any, ...]]:
        """Run a query."""
        with self.connect() as connection:
            return connection.execute(query.encode()).fetchall()

    def columns(self) -> list[tuple[str, str]]:
        """List the columns of cognito.users with their types, in the table's order."""
        return [
            (name, kind)
            for name, kind in self.rows(
                "select column_name, data_type from information_schema.columns where table_schema "
                "= 'cognito' and table_name = 'users' order by ordinal_position"
            )
        ]


def emulator_config(emulator: Emulator, **more: Any) -> dict[str, Any]:
    """The settings of tap-cognito that read an emulated pool, as fast as it answers."""
    return {
        "user_pool_id": emulator.pool.id,
        "endpoint_url": emulator.url,
        "max_requests_per_second": 500,
        **pool.KEYS,
        **more,
    }


def run_tap(
    config: Mapping[str, Any], *arguments: str | Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run tap-cognito to its end, with a configuration file and nothing of the machine's AWS."""
    with ExitStack() as stack:
        return subprocess.run(
            [*_tap(stack, config), *arguments],
            env=_environment(env),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=TIMEOUT,
            check=False,
        )


def load(
    config: Mapping[str, Any],
    target: Mapping[str, Any],
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
) -> str:
    """Pipe tap-cognito into target-postgres; both must end well. Return what they logged."""
    with ExitStack() as stack:
        log = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8"))
        environment = _environment(env)
        tap = stack.enter_context(
            subprocess.Popen(
                [*_tap(stack, config), *arguments],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        )
        stack.callback(tap.kill)
        target_command = Path(sysconfig.get_path("scripts")) / "target-postgres"
        code = subprocess.run(
            [target_command, "--config", _file(stack, target)],
            env=environment,
            stdin=tap.stdout,
            stdout=subprocess.DEVNULL,
            stderr=log,
            timeout=TIMEOUT,
            check=False,
        ).returncode
        assert tap.stdout
        tap.stdout.close()  # so that a tap whose target has died is told
        codes = (tap.wait(TIMEOUT), code)
        log.seek(0)
        logged = log.read()
        assert codes == (0, 0), logged
        return logged


def only(catalog: Mapping[str, Any], columns: Iterable[str]) -> dict[str, Any]:
    """Select these columns of `users` in a catalog, and no other stream."""
    selected: dict[str, Any] = copy.deepcopy(dict(catalog))
    for stream in selected["streams"]:
        for entry in stream["metadata"]:
            if entry["breadcrumb"]:
                entry["metadata"]["selected"] = entry["breadcrumb"][-1] in columns
            else:
                entry["metadata"]["selected"] = stream["stream"] == "users"
    return selected


def wire_row(user: Mapping[str, Any], *, attributes_as_list: bool = False) -> tuple[Any, ...]:
    """Say what the table must hold for a user as the emulator sends it."""
    dates = {
        name: datetime.fromtimestamp(user[name], timezone.utc)
        for name in ("UserCreateDate", "UserLastModifiedDate")
    }
    return pool.row({**user, **dates}, attributes_as_list=attributes_as_list)


def _tap(stack: ExitStack, config: Mapping[str, Any]) -> list[str | Path]:
    return [sys.executable, "-m", "tap_cognito", "--config", _file(stack, config)]


def _file(stack: ExitStack, content: Mapping[str, Any]) -> Path:
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    path = Path(folder) / "config.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    return {
        **os.environ,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "PGTZ": "UTC",
        **(more or {}),
    }
