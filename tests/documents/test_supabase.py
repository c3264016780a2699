"""docs/supabase.md: its SQL finds what it says, and its address is one that the target takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url

from tests.support.documents import blocks

if TYPE_CHECKING:
    from tests.support.tables import Database

DOCUMENT = "docs/supabase.md"
(DEPENDENTS,) = blocks(DOCUMENT, "sql")
(ADDRESS,) = blocks(DOCUMENT, "")
FUNCTION = """
create function find() returns bigint language sql as 'select count(*) from cognito.users'
"""


def test_what_depends_on_the_foreign_table_is_found(database: Database) -> None:
    """The query lists views, views on views, and functions, with what makes them again."""
    with database.connect() as connection:
        for statement in (
            "create schema cognito",
            "create table cognito.users (username text)",
            "create table cognito.others (username text)",
            "create view active as select * from cognito.users",
            "create view several as select * from active",
            "create view other as select * from cognito.others",
            "create materialized view counted as select count(*) from cognito.users",
            FUNCTION,
        ):
            connection.execute(statement.encode())
    found = dict(database.rows(DEPENDENTS))
    assert sorted(found) == ["active", "counted", "find()", "several"]
    assert found["several"].split() == ["SELECT", "username", "FROM", "active;"]
    assert found["find()"].startswith("CREATE OR REPLACE FUNCTION public.find()")


def test_the_address_asks_for_tls_of_the_driver_that_is_installed() -> None:
    """The variable is the target's, its URL parses, and no connection is made in the clear."""
    name, _, value = ADDRESS.strip().partition("=")
    url = make_url(value)
    assert name == "TARGET_POSTGRES_SQLALCHEMY_URL"
    assert (url.drivername, url.port, url.query["sslmode"]) == (
        "postgresql+psycopg",
        5432,
        "require",
    )
