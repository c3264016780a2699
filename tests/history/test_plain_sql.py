"""The history that needs nothing but Postgres, as docs/history.md shows it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.history.expected import as_of, versions
from tests.history.oracle import KINDS, Oracle
from tests.support.documents import blocks

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.tables import Database

SETUP, AS_OF = blocks("docs/history.md", "sql", "Without dbt")
ERASE, _ = blocks("docs/erasure.md", "sql", "The statement")
HISTORY = "cognito.users_history"


def set_up(oracle: Oracle) -> None:
    """Run the document's statements, with the lines for this kind of table."""
    text, count = re.subn(f"-- {oracle.kind}: ", "", SETUP)
    assert (count > 0) is (oracle.kind != "mirror")
    with oracle.database.connect() as connection:
        connection.execute(text.encode())


def play(oracle: Oracle, runs: int) -> None:
    """Play, with a backup, a run that fails, and a pool that is restored."""
    with oracle.emulator:
        oracle.run(0)
        set_up(oracle)
        for number in range(1, runs):
            if number == runs // 3:
                oracle.plays[0].save()
            if number == 2 * runs // 3:
                oracle.plays[0].restore()
            oracle.run(number, fails=number == runs // 2)


def check(oracle: Oracle) -> None:
    """Compare the history with each run's photo, and with what happened in between."""
    for at, photo in oracle.photos:
        assert oracle.as_of(at, HISTORY) == photo
    expected = versions(oracle.photos)
    for at, photo in oracle.photos:
        assert as_of(expected, at) == photo
    changes = {version.change for history in expected.values() for version in history}
    assert changes == {"created", "edited", "deleted", "returned"}
    found: dict[str, list[tuple[Any, ...]]] = {}
    key = "user_pool_id || '/' || username" if oracle.several else "username"
    for name, *version in oracle.database.rows(
        f"select {key}, valid_from, valid_to, is_deleted, is_current from {HISTORY} "  # noqa: S608
        "where valid_to is distinct from valid_from order by valid_from"
    ):
        found.setdefault(name, []).append(tuple(version))
    assert found == {
        name: [(one.begin, one.end, one.change == "deleted", one.end is None) for one in history]
        for name, history in expected.items()
    }


def test_the_table_as_of_every_run_is_in_the_history(database: Database, tmp_path: Path) -> None:
    """A trigger keeps what COPY and INSERT change, also in a run that fails."""
    oracle = Oracle(database, tmp_path, seed=1, users=70)
    play(oracle, 6)
    check(oracle)


def test_a_user_is_erased_by_one_statement(database: Database) -> None:
    """Nothing of one user stays, and nothing of another is lost; the document's query shows it."""
    with database.connect() as connection:
        connection.execute(
            """
            create schema cognito;
            create table cognito.users (
              username text primary key, email text, status text, enabled boolean,
              created_at timestamp, updated_at timestamp, attributes jsonb
            );
            insert into cognito.users (username) values ('ada.0'), ('grace.1');
            """
        )
        connection.execute(SETUP.encode())
        connection.execute("update cognito.users set email = username || '@example.com'")
        connection.execute("update cognito.users set enabled = true where username = 'grace.1'")
        connection.execute("update cognito.users set enabled = true where username = 'grace.1'")
        connection.execute(ERASE.encode())
    assert database.rows(f"select distinct username from {HISTORY}") == [("grace.1",)]  # noqa: S608
    assert len(database.rows(f"select * from {HISTORY}")) == 3  # noqa: S608
    later = AS_OF.replace("2026-04-15", "2999-01-01")
    assert database.rows(later) == [
        ("grace.1", "grace.1@example.com", None, True, None, None, None)
    ]
    assert later != AS_OF
    assert database.rows(AS_OF) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_so_in_thirty_runs(kind: str, seed: int, database: Database, tmp_path: Path) -> None:
    """The same for 500 users, in each kind of table."""
    oracle = Oracle(database, tmp_path, seed, 500, kind)
    play(oracle, 30)
    check(oracle)
