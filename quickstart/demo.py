"""The demonstration, step by step."""

from __future__ import annotations

import shutil
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from quickstart import pool, postgres
from quickstart.pipeline import Meltano, forget_settings
from quickstart.tables import as_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg

USERS = 300

_SHOWN = ("username", "email", "status", "enabled")
"""The columns of the sample: a terminal is narrow."""

_MIN_WIDTH = 150
"""Columns of text for a table: where the terminal has fewer, it wraps the lines."""

_NEXT = """
To load a real pool into your database, put this into `.env` or the environment,

    TAP_COGNITO_USER_POOL_ID=us-east-1_AbCdEf123
    TAP_COGNITO_AWS_ACCESS_KEY_ID=...          # leave both out to use the credentials
    TAP_COGNITO_AWS_SECRET_ACCESS_KEY=...      # that the AWS CLI uses
    TARGET_POSTGRES_HOST=...
    TARGET_POSTGRES_PORT=5432
    TARGET_POSTGRES_USER=...
    TARGET_POSTGRES_PASSWORD=...
    TARGET_POSTGRES_DATABASE=...

then, with the Meltano that is in `.venv/bin`:

    meltano install
    meltano run tap-cognito target-postgres

Behind a TLS proxy set UV_SYSTEM_CERTS=true too, as dev.py does: Meltano installs with uv.
"""


def run() -> int:
    """Load an emulated pool into an embedded Postgres; return 0 if every user arrived."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace", line_buffering=True)  # type: ignore[union-attr]
    forget_settings()
    with ExitStack() as stack:
        _say(f"Creating {USERS} users in an emulated user pool, and a Postgres server")
        source = pool.create(stack.enter_context(pool.serve()))
        pool.populate(source, USERS)
        try:
            server = stack.enter_context(postgres.serve())
        except postgres.PostgresError as error:
            sys.stderr.write(f"\n{error}\n")
            return 1
        meltano = Meltano(stack, source.config, server)
        _say("meltano run tap-cognito target-postgres")
        if code := meltano("run", "tap-cognito", "target-postgres"):
            sys.stderr.write("\nThe run failed, see above.\n")
            return code
        with server.connect() as connection:
            _show(connection)
            return _check(connection, source)


def _check(connection: psycopg.Connection, source: pool.Pool) -> int:
    expected = sorted(pool.row(user) for user in source.users())
    found = sorted(connection.execute("select * from cognito.users").fetchall())
    missing = {row[0] for row in expected} - {row[0] for row in found}
    different = sum(row not in expected for row in found)
    if missing or different or len(found) != USERS:
        sys.stderr.write(
            f"\n{USERS} users were created and {len(found)} rows loaded: {len(missing)} users "
            f"are missing and {different} rows differ from the API's\n"
        )
        return 1
    print(f"\nAll {USERS} users arrived, and each row equals the API's.\n{_NEXT}")
    return 0


def _show(connection: psycopg.Connection) -> None:
    columns = connection.execute(
        "select column_name, data_type from information_schema.columns "
        "where table_schema = 'cognito' and table_name = 'users' order by ordinal_position"
    ).fetchall()
    _say("Columns of cognito.users")
    _print_table(("column", "type"), columns)
    query = "select {} from cognito.users order by created_at limit 5"
    _say(query.format(", ".join(_SHOWN)))
    texts = ", ".join(f"{name}::text" for name in _SHOWN)
    _print_table(_SHOWN, connection.execute(query.format(texts).encode()).fetchall())


def _print_table(header: Sequence[str], rows: Iterable[Sequence[str | None]]) -> None:
    """Print a table as psql does, with the last column cut to the terminal's width."""
    width = max(_MIN_WIDTH, shutil.get_terminal_size().columns)
    print(as_text(header, rows, width), end="")


def _say(message: str) -> None:
    print(f"\n=== {message}")
