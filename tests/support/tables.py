"""What the target has loaded, and what it must have loaded."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quickstart import pool

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

    from quickstart.postgres import Postgres

_SPACE = 1 << 30
"""Bytes that the databases of all processes of the tests may take."""
COLUMNS = ("username", "email", "status", "enabled", "created_at", "updated_at", "attributes")


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


def memory() -> Path | None:
    """Return a folder in memory with space for databases: each is hundreds of files."""
    folder = Path("/dev/shm")  # noqa: S108 - for a folder of our own, by `mkdtemp`
    if not os.access(folder, os.W_OK) or shutil.disk_usage(folder).free < _SPACE:
        return None
    return folder


def wire_row(user: Mapping[str, Any], *, attributes_as_list: bool = False) -> tuple[Any, ...]:
    """Return what the table must hold for a user as the emulator sends it."""
    dates = {
        name: datetime.fromtimestamp(user[name], timezone.utc)
        for name in ("UserCreateDate", "UserLastModifiedDate")
    }
    return pool.row({**user, **dates}, attributes_as_list=attributes_as_list)
