"""docs/erasure.md: one statement erases a person, and some pipelines remove rows by themselves."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import yaml

from emulator import Emulator, Pool
from tap_cognito.config.settings import PERSONAL_COLUMNS
from tap_cognito.streams import NAMES
from tests.support.catalogs import selected
from tests.support.documents import blocks
from tests.support.paths import ROOT
from tests.support.programs import emulator_config, load

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.tables import Database

TEXT = (ROOT / "docs" / "erasure.md").read_text(encoding="utf-8")
ERASE = blocks("docs/erasure.md", "sql", "The statement")[0]
HISTORY = blocks("docs/history.md", "sql", "Without dbt")[0]
POOLS = ("us-east-1_Emulated1", "us-east-1_Emulated3")
"""Their users have the same names."""
PERSONAL_TABLES = set(re.findall(r"`(\w+)`", TEXT.split("\n## ")[2])) & set(NAMES)


def texts(value: Any) -> list[str]:
    """Return every text in a JSON value."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value] if isinstance(value, str) else []


def own_texts(pool: Pool, person: str) -> set[str]:
    """Return what is said of a user, and of no other: name, attributes, addresses, ids."""
    said: dict[str, set[str]] = {}
    for user in pool.users():
        name = user["Username"]
        details = (pool.sessions[name], pool.auth_events[name], pool.devices[name])
        said[name] = {*texts([user, *details])}
    count = Counter(text for each in said.values() for text in each)
    return {text for text in said[person] if count[text] == 1 and len(text) > 7}


def rows(database: Database, words: set[str], pool: str) -> Counter[str]:
    """Count each table's rows of a pool in which one of the words is, in whichever column."""
    tables = database.rows(
        "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname ^@ 'cognito'"
    )
    pattern = "|".join(map(re.escape, words))
    found: Counter[str] = Counter()
    with database.connect() as connection:
        for (table,) in tables:
            where = "row::text ~ %s and user_pool_id = %s"
            query = f"select count(*) from {table} as row where {where}"  # noqa: S608 - our tables
            (found[table],) = connection.execute(query.encode(), [pattern, pool]).fetchone() or ()
    return found


@pytest.mark.programs
def test_a_person_is_erased_from_every_table(database: Database, tmp_path: Path) -> None:
    """Of all streams and the history nothing stays of the person, and everything of all others."""
    first, second = pools = [Pool(70, 3, pool_id) for pool_id in POOLS]
    with Emulator(pools=pools) as emulator:
        config = emulator_config(
            emulator, user_pool_ids=list(POOLS), personal_columns=list(PERSONAL_COLUMNS)
        )
        catalog = tmp_path / "catalog.json"
        catalog.write_text(json.dumps(selected(*NAMES, config=config)))
        load(config, database.target_config, "--catalog", catalog)
    everywhere = " intersect ".join(
        f"select username from cognito.{table}"  # noqa: S608 - our tables
        for table in sorted(PERSONAL_TABLES)
    )
    person = min(name for (name,) in database.rows(everywhere))
    words = own_texts(first, person)
    with database.connect() as connection:
        connection.execute(HISTORY.replace("-- several pools: ", "").encode())
    theirs, all_rows = rows(database, words, first.id), rows(database, {""}, first.id)
    others = rows(database, {""}, second.id)
    assert {table for table, count in theirs.items() if count} == {
        f"cognito.{table}" for table in {*PERSONAL_TABLES, "users_history"}
    }
    statement = ERASE.replace("ada.0", person).replace("us-east-1_AbCdEf123", first.id)
    shown: list[Any] = []
    with database.connect() as connection:
        connection.add_notice_handler(lambda notice: shown.append(notice.message_primary))
        connection.execute(statement.encode())
    assert not +rows(database, words, first.id)
    assert rows(database, {""}, first.id) == all_rows - theirs
    assert rows(database, {""}, second.id) == others
    assert sorted(shown) == sorted(f"{theirs[table]} rows of {table}" for table in +theirs)


def test_schemas_without_users_are_reported(database: Database) -> None:
    """With a schema that isn't there, or is misspelt, nobody believes that the person is gone."""
    with database.connect() as connection, pytest.raises(psycopg.errors.RaiseException):
        connection.execute(ERASE.encode())


def environments(project: str) -> dict[str, bool]:
    """Return of each environment of a Meltano project whether deleted users' rows leave in it."""
    content = yaml.safe_load((ROOT / project).read_text(encoding="utf-8"))
    settings = {"extractors": "emit_activate_version_messages", "loaders": "hard_delete"}
    found = {}
    for environment in content["environments"]:
        changed = environment.get("config", {}).get("plugins", {})
        answers = set()
        for kind, setting in settings.items():
            plugin = content["plugins"][kind][0]
            values = {each["name"]: each.get("value") for each in plugin["settings"]}
            for each in changed.get(kind, ()):
                values |= each.get("config", {})
            answers.add(values.get(setting) is True)
        (found[environment["name"]],) = answers  # the tap and the target agree
    return found


def test_each_pipeline_is_in_the_row_of_its_settings() -> None:
    """What removes the rows of deleted users, and what keeps them for ever, is what it says."""
    leave, versions, stay = re.findall(r"(?m)^\| (.+) \| (?:leave|stay) .+\|$", TEXT)
    own = environments("meltano.yml")
    for row, mirrors in ((leave, True), (stay, False)):
        shown = set(re.findall(r"`(\w+)`", row))
        assert shown == {name for name, removes in own.items() if removes is mirrors}
    for project, row in (("several-pools", stay), ("dbt", versions)):
        path = f"examples/{project}/meltano.yml"
        assert f"({'../'}{path})" in row
        assert set(environments(path).values()) == {row is versions}
    for path, row in (
        ("docker/Dockerfile", stay),
        ("kubernetes-cronjob.yaml", stay),
        ("dagster/definitions.py", leave),
    ):
        text = (ROOT / "examples" / path).read_text(encoding="utf-8")
        (name,) = re.findall(r"(?:MELTANO_ENVIRONMENT(?:=|, value: )|--environment=)(\w+)", text)
        assert f"(../examples/{path})" in row
        assert own[name] is (row is leave)
    workflow = (ROOT / "examples" / "github-actions.yml").read_text(encoding="utf-8")
    assert 'EMIT_ACTIVATE_VERSION_MESSAGES: "true"' in workflow
