"""docs/history.md, followed by a new user: the demonstration and its answers, then a pool."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from emulator import Emulator, Pool
from quickstart.history import answer, play, questions
from quickstart.pipeline import WITH_HISTORY, Meltano
from tests.support.documents import blocks, shell
from tests.support.paths import ROOT
from tests.support.programs import emulator_config
from tests.support.tables import Database, wire_row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from quickstart.postgres import Postgres

DOCUMENT = "docs/history.md"
ERASE, ACCOUNTS = blocks("docs/erasure.md", "sql", "The statement")
(COMMANDS,) = blocks(DOCUMENT, "sh", "Your pool")


def test_every_question_has_its_answer() -> None:
    """No query of the document stands without its question and its answer."""
    assert len(questions()) == len(blocks(DOCUMENT, "sql", "Questions"))


@pytest.fixture(scope="module")
def played(postgres: Postgres, dbt_plugins: Path) -> Iterator[Database]:
    """The demonstration, over."""
    assert dbt_plugins.exists()
    database = Database("demonstration", postgres)
    with postgres.connect() as connection:
        connection.execute(f"create database {database.name}".encode())
    with ExitStack() as stack:
        assert play(stack, postgres, database.name) == 0
        yield database


@pytest.mark.slow
def test_the_answers_are_those_of_the_demonstration(played: Database) -> None:
    """Each query of the document returns what is shown below it."""
    with played.connect() as connection:
        for question, query, shown in questions():
            assert (question, answer(connection, query)) == (question, shown)


@pytest.mark.slow
def test_a_person_is_erased_by_one_statement(played: Database) -> None:
    """Nothing of any of the person's accounts stays anywhere, and all others are there."""
    person = ("yamada.49", "google_149")
    ((pool_id,),) = played.rows("select distinct user_pool_id from cognito.group_memberships")
    tables = played.rows(
        "select format('%I.%I', table_schema, table_name) from information_schema.tables "
        "where table_schema like 'cognito%'"
    )

    def count(condition: str) -> dict[str, int]:
        return {
            table: played.rows(f"select count(*) from {table} as row where {condition}")[0][0]  # noqa: S608
            for (table,) in tables
        }

    whose = " or ".join(f"row::text like '%{name}%'" for name in person)
    before, theirs = count("true"), count(whose)
    assert theirs["cognito_history.users_snapshot"] > 1
    assert theirs["cognito.users"] == 2
    with played.connect() as connection:
        accounts = connection.execute(ACCOUNTS.replace("ada.0", person[0]).encode()).fetchall()
        assert {name for (name,) in accounts} == set(person)
        statement = ERASE.replace("ada.0", "', '".join(person))
        connection.execute(statement.replace("us-east-1_AbCdEf123", pool_id).encode())
    assert set(count(whose).values()) == {0}
    assert count("true") == {table: before[table] - theirs[table] for table in before}


@pytest.mark.slow
def test_two_commands_lead_to_the_models(database: Database, dbt_plugins: Path) -> None:
    """With a pool and a database in the environment the document's commands build the models."""
    assert dbt_plugins.exists()
    with ExitStack() as stack:
        emulator = stack.enter_context(Emulator(Pool(70)))
        config = {key: str(value) for key, value in emulator_config(emulator).items()}
        meltano = Meltano(stack, config, database.server, database.name, WITH_HISTORY)
        for name in ("UV_BUILD_CONSTRAINT", "UV_CONSTRAINT"):
            del meltano.environment[name]
        shown = shell(COMMANDS, ROOT, meltano.environment)
        assert "ERROR=0" in shown
        users = {user["Username"]: wire_row(user) for user in emulator.pool.users()}
    found = database.rows("select username, email, status from cognito_marts.users_history")
    assert {row[0]: row for row in found} == {name: row[:3] for name, row in users.items()}
