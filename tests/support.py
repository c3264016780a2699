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
from typing import IO, TYPE_CHECKING, Any

from forking import Forked
from quickstart import pool

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import psycopg

    from emulator import Emulator
    from quickstart.postgres import Postgres

COLUMNS = ("username", "email", "status", "enabled", "created_at", "updated_at", "attributes")
TIMEOUT = 120
"""Seconds after which a program is taken to hang."""
TAP = (sys.executable, "-m", "tap_cognito")
IMPATIENT_TAP = (sys.executable, str(Path(__file__).with_name("impatient_tap.py")))
"""The tap, but it gives up after 0.3 s without an answer, not after a minute."""
TARGET = Path(sysconfig.get_path("scripts")) / "target-postgres"


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
        "user_mfa_requests_per_second": 500,
        **pool.KEYS,
        **more,
    }


def run_tap(
    config: Mapping[str, Any],
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
    program: Sequence[str] = TAP,
) -> subprocess.CompletedProcess[str]:
    """Run tap-cognito to its end, with a configuration file and nothing of the machine's AWS."""
    with ExitStack() as stack:
        command = [*program, *_config(stack, config), *arguments]
        nothing = stack.enter_context(Path(os.devnull).open())
        stdout, stderr = (stack.enter_context(_scratch()) for _ in range(2))
        run = start(stack, command, env, nothing, stdout, stderr)
        status = run.wait(TIMEOUT)
        return subprocess.CompletedProcess(command, status, _content(stdout), _content(stderr))


def load(
    config: Mapping[str, Any],
    target: Mapping[str, Any],
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
) -> str:
    """Pipe tap-cognito into target-postgres; both must end well. Return what they logged."""
    with ExitStack() as stack:
        reader = [*TAP, *_config(stack, config), *arguments]
        loader: list[str | Path] = [TARGET, *_config(stack, target)]
        nothing = stack.enter_context(Path(os.devnull).open("r+"))
        log = stack.enter_context(_scratch())
        read, write = os.pipe()
        # Closed when the programs have them: each is told of the other's end.
        with os.fdopen(read) as source, os.fdopen(write, "w") as sink:
            tap = start(stack, reader, env, nothing, sink, log)
            postgres = start(stack, loader, env, source, nothing, log)
        statuses = tap.wait(TIMEOUT), postgres.wait(TIMEOUT)
        logged = _content(log)
        assert statuses == (0, 0), logged
        return logged


def pour(messages: str, target: Mapping[str, Any]) -> None:
    """Let target-postgres load what a tap has written; it must end well."""
    with ExitStack() as stack:
        nothing = stack.enter_context(Path(os.devnull).open("w"))
        source, log = (stack.enter_context(_scratch()) for _ in range(2))
        source.write(messages)
        source.seek(0)
        command: list[str | Path] = [TARGET, *_config(stack, target)]
        status = start(stack, command, None, source, nothing, log).wait(TIMEOUT)
        assert status == 0, _content(log)


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


def start(
    stack: ExitStack,
    command: Sequence[str | Path],
    env: Mapping[str, str] | None,
    *streams: IO[Any],
) -> Forked | subprocess.Popen[bytes]:
    """Start a program, with its three streams, that ends with the stack, at the latest."""
    # Elsewhere libraries of the system may not survive a fork.
    make = Forked if sys.platform == "linux" else subprocess.Popen
    stdin, stdout, stderr = streams
    program = make(command, env=_environment(env), stdin=stdin, stdout=stdout, stderr=stderr)
    stack.enter_context(program)
    stack.callback(program.kill)
    return program


def _scratch() -> IO[str]:
    return tempfile.TemporaryFile("w+", encoding="utf-8")


def _content(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def _config(stack: ExitStack, content: Mapping[str, Any]) -> tuple[str, Path]:
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    path = Path(folder) / "config.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return "--config", path


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    return {
        **os.environ,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        **(more or {}),
    }
