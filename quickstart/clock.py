"""A Postgres in which it is another time, so that months pass in a minute."""

from __future__ import annotations

from datetime import timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    import psycopg


def set_clock(connection: psycopg.Connection, now: datetime) -> None:
    """Let `now()` be another time in every session that begins after this one.

    A function of this name is found before Postgres's own.

    Args:
        connection: To the database, with autocommit.
        now: The time, in UTC.
    """
    moment = now.replace(tzinfo=timezone.utc).isoformat()
    connection.execute("create schema if not exists clock")
    connection.execute(
        "create or replace function clock.now() returns timestamptz stable language sql as "
        f"$$ select timestamptz '{moment}' $$".encode()
    )
    path = "clock, pg_catalog, public"
    connection.execute(f"alter database {connection.info.dbname} set search_path = {path}".encode())
