"""What the documents show is true: their SQL runs, and their tables are those of the code."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from emulator import Emulator, Pool
from tap_cognito.config import validation
from tap_cognito.config.settings import SCHEMA
from tap_cognito.errors import TapCognitoError
from tap_cognito.tap import TapCognito
from tests.support.catalogs import ANY_POOL, selected
from tests.support.documents import blocks
from tests.support.in_process import answer_in_process
from tests.support.paths import ROOT
from tests.support.programs import emulator_config, load
from tests.support.tables import Database, wire_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emulator.wire import Wire
    from quickstart.postgres import Postgres

DOCS = ROOT / "docs"
STREAMS = (DOCS / "streams.md").read_text(encoding="utf-8")
MIGRATING = (DOCS / "migrating.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"(?ms)^## (\S+)\n(.*?)(?=^## |\Z)", STREAMS))
"""The sections of docs/streams.md whose title is one word: the streams', and `Filters`."""

TAP = TapCognito(config=ANY_POOL)
each_stream = pytest.mark.parametrize("stream", sorted(TAP.streams))


def tables(text: str) -> list[list[list[str]]]:
    """The tables of a document, without their headers, as cells."""
    found = re.findall(r"^\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [
        [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
        for table in found
    ]


def item(stream: str, title: str) -> list[str]:
    """What is set as code in the first sentence of a point of a stream's section."""
    (sentence,) = re.findall(rf"(?m)^- \*\*{title}:\*\* (.*?)\.", SECTIONS[stream])
    return re.findall(r"`([\w:-]+)`", sentence)


def named(cell: str) -> str:
    """The first thing in a cell that is set as code."""
    match = re.search(r"`([^`]+)`", cell)
    return match[1] if match else ""


QUERIES = [
    pytest.param(query, id=f"{stream}-{number}")
    for stream in sorted(TAP.streams)
    for number, query in enumerate(blocks("docs/streams.md", "sql", stream), 1)
]


def inhabited_pool() -> Pool:
    """A pool in which each query of the documents finds a user."""
    pool = Pool(400)
    users = list(pool.users())
    for user, group in zip(users, ["admins", "admins", "Köche"] * 5, strict=False):
        pool.join(user["Username"], group)
    disabled = next(user for user in users if not user["Enabled"])
    pool.join(disabled["Username"], "admins")
    one, other = users[:2]
    pool.change(one["Username"], {"email": "Shared@example.com"})
    pool.change(other["Username"], {"email": "shared@example.com"})
    identity = json.dumps([{"providerName": "Corporate", "userId": "1", "issuer": None}])
    pool.create(federated(identity), at=time.time())
    pool.create(at=time.time())
    pool.providers["Unused"] = pool.providers["Corporate"] | {"ProviderName": "Unused"}
    pool.description["MfaConfiguration"] = "OFF"
    pool.domains[pool.description["Domain"]]["ManagedLoginVersion"] = 1
    return pool


def federated(identities: str) -> Wire:
    """A user who signed up through a provider."""
    attributes = {"sub": "00000000-0000-4000-8000-000000000000", "identities": identities}
    return {
        "Username": "Corporate_1",
        "UserStatus": "EXTERNAL_PROVIDER",
        "Enabled": True,
        "Attributes": [{"Name": name, "Value": value} for name, value in attributes.items()],
    }


def database(postgres: Postgres, name: str) -> Database:
    """An empty database."""
    with postgres.connect() as connection:
        connection.execute(f"create database {name}".encode())
    return Database(name, postgres)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """A pool in which each query of the documents finds a user, served."""
    with Emulator(inhabited_pool()) as serving:
        yield serving


@pytest.fixture(scope="module")
def loaded(
    postgres: Postgres, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Database:
    """All streams of the pool, loaded."""
    catalog = tmp_path_factory.mktemp("docs") / "catalog.json"
    catalog.write_text(json.dumps(selected(*TAP.streams)))
    target = database(postgres, "documented_streams")
    load(emulator_config(emulator), target.target_config, "--catalog", catalog)
    return target


# docs/streams.md


@pytest.mark.parametrize("query", QUERIES)
def test_a_documented_query_finds_something(loaded: Database, query: str) -> None:
    """Each query runs as it is shown, and returns rows."""
    with loaded.connect() as connection:
        result = connection.execute(query.encode())
        assert result.description is None or result.fetchall()


def test_people_are_counted_once(loaded: Database, emulator: Emulator) -> None:
    """A provider's user that is linked to a local one is no further person."""
    holders: dict[tuple[str, str], set[bool]] = {}
    users = list(emulator.pool.users())
    for user in users:
        attributes = {each["Name"]: each.get("Value") for each in user.get("Attributes", ())}
        for identity in json.loads(attributes.get("identities") or "[]"):
            key = identity["providerName"], identity["userId"]
            holders.setdefault(key, set()).add(user["UserStatus"] == "EXTERNAL_PROVIDER")
    linked = [key for key, kinds in holders.items() if len(kinds) == 2]
    (query,) = (
        text
        for text in blocks("docs/streams.md", "sql", "users")
        if "as people\nfrom" in text and "with" in text
    )
    assert loaded.rows(query) == [(len(users) - len(linked),)]
    assert linked


@each_stream
def test_each_stream_has_three_queries(stream: str) -> None:
    """Each section has at least three queries, each under the question that it answers."""
    asked = re.findall(
        r"(?m)^([A-Z].*\?)(?: .+)?\n(?:[^`\n].*\n)*\n```sql\nselect", SECTIONS[stream]
    )
    assert len(set(asked)) >= 3


@each_stream
def test_the_column_tables_are_the_schema(loaded: Database, stream: str) -> None:
    """Names, order, JSON types and key of the columns are the code's, their types Postgres's."""
    shown, *_ = tables(SECTIONS[stream])
    schema = TAP.streams[stream].schema["properties"]
    types = loaded.rows(
        "select column_name, data_type, table_name from information_schema.columns "
        "where table_schema = 'cognito' order by ordinal_position"
    )
    assert [(named(name), kind) for name, kind, *_ in shown] == [
        (name, ", ".join(filter(None, [kind["type"][0], kind.get("format")])))
        for name, kind in schema.items()
    ]
    assert [(named(name), kind) for name, _, kind, _ in shown] == [
        (name, kind) for name, kind, table in types if table == stream
    ]
    assert item(stream, "Primary key") == list(TAP.streams[stream].primary_keys)


@each_stream
def test_the_documented_actions_are_the_ones_that_are_called(
    emulator: Emulator,
    stream: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The section and the overview name the IAM action of each request, and no other."""
    answer_in_process(emulator, monkeypatch)
    emulator.log.requests.clear()
    TapCognito(config=emulator_config(emulator), catalog=selected(stream)).sync_all()
    called = {f"cognito-idp:{operation}" for operation in emulator.log.by_operation()}
    (row,) = (row for row in tables(STREAMS)[0] if f"[`{stream}`]" in row[0])
    assert set(item(stream, "IAM actions?")) == called
    assert set(re.findall(r"`([\w:-]+)`", row[2])) == called
    assert f'"stream":"{stream}"' in capfd.readouterr().out


@each_stream
def test_the_documented_replication_methods_are_accepted(stream: str) -> None:
    """INCREMENTAL is named for just the streams that can be replicated by it."""
    (methods,) = re.findall(r"(?m)^- \*\*Replication:\*\* (.*?)\.", SECTIONS[stream])
    accepted = [one for one in ("FULL_TABLE", "INCREMENTAL", "LOG_BASED") if accepts(stream, one)]
    assert methods.split(", ") == accepted


def accepts(stream: str, method: str) -> bool:
    """Whether a catalog may ask for a replication method."""
    catalog = selected(stream)
    for entry in catalog["streams"]:
        if entry["stream"] == stream:
            entry["replication_method"] = method
    try:
        tap = TapCognito(config=ANY_POOL, catalog=catalog)
        return tap.streams[stream].replication_method == method
    except TapCognitoError:
        return False


def test_the_documented_filters_are_valid() -> None:
    """Each filter that is shown is accepted, and the searchable attributes are all named."""
    shown = re.findall(r"`(\w[\w:]* \^?= \".+?\")`", SECTIONS["Filters"])
    templates = {'attribute = "value"', 'attribute ^= "start"'}
    assert templates < set(shown)
    for one in set(shown) - templates:
        config = {"user_pool_id": "us-east-1_Any", "user_filter": one.replace("…", "a")}
        assert validation.validate(config, SCHEMA) == []
    (searchable,) = re.findall(r"Searchable are (.*?);", SECTIONS["Filters"], re.DOTALL)
    assert tuple(re.findall(r"`([\w:]+)`", searchable)) == validation.SEARCHABLE


# docs/migrating.md


def test_every_option_has_its_setting() -> None:
    """Each option of the foreign table is mapped, and to a setting that there is."""
    options, _ = tables(MIGRATING)
    pairs = {named(option).split()[0]: named(setting) for option, setting, _ in options}
    assert pairs == {
        name: name
        for name in (
            *("aws_access_key_id", "aws_secret_access_key", "api_key_id"),
            *("region", "user_pool_id", "endpoint_url"),
        )
    } | {"object": ""}
    assert set(filter(None, pairs.values())) <= SCHEMA["properties"].keys()


def test_the_environment_of_the_migration_is_valid() -> None:
    """The variables that are shown are a configuration that the tap accepts."""
    variables = dict(
        line.split("=", 1) for line in blocks("docs/migrating.md", "sh")[0].splitlines()
    )
    assert variables.pop("TAP_COGNITO__LOAD_SCHEMA") == "cognito_pool"
    config = {name.removeprefix("TAP_COGNITO_").lower(): one for name, one in variables.items()}
    assert validation.validate(config, SCHEMA) == []


BEFORE, MOVE, AS_LIST, NARROW, GRANTS, *QUERIES_AFTER, DROP = blocks("docs/migrating.md", "sql")
"""The steps of docs/migrating.md."""


@pytest.fixture(scope="module")
def migrated(postgres: Postgres, emulator: Emulator) -> Database:
    """A database with the foreign table, moved over as the document says."""
    target = database(postgres, "migrated")
    with target.connect() as connection:
        # Without its handler the wrapper reads nothing; all else about it is Postgres's own.
        connection.execute("create foreign data wrapper cognito_wrapper")
        connection.execute(BEFORE.encode())
        load(emulator_config(emulator), in_its_own_schema(target))
        for step in (MOVE, NARROW, GRANTS):
            connection.execute(step.encode())
    return target


@pytest.fixture(scope="module")
def migrated_as_list(postgres: Postgres, emulator: Emulator) -> Database:
    """A database whose table has the foreign table's own form of attributes."""
    target = database(postgres, "migrated_as_list")
    load(emulator_config(emulator, attributes_format="list"), in_its_own_schema(target))
    with target.connect() as connection:
        connection.execute("create schema cognito")
        connection.execute(AS_LIST.encode())
    return target


def in_its_own_schema(target: Database) -> dict[str, Any]:
    """The settings of target-postgres that leave the foreign table's schema alone."""
    return {**target.target_config, "default_target_schema": "cognito_pool"}


def test_the_table_cannot_be_loaded_into_the_foreign_tables_place(
    postgres: Postgres,
) -> None:
    """The target fails where the foreign table is: the table needs a schema of its own."""
    target = database(postgres, "not_migrated")
    with target.connect() as connection:
        connection.execute("create foreign data wrapper cognito_wrapper")
        connection.execute(BEFORE.encode())
    with Emulator(Pool(1)) as emulator, pytest.raises(AssertionError, match="Could not reflect"):
        load(emulator_config(emulator), target.target_config)


def test_the_view_has_the_foreign_tables_columns(migrated: Database) -> None:
    """Names, order and types of the view's columns are those of the foreign table."""
    foreign = re.findall(r"^  (\w+) (text|boolean|timestamp|jsonb),?$", BEFORE, re.MULTILINE)
    kinds = {"timestamp": "timestamp without time zone"}
    assert migrated.columns() == [(name, kinds.get(kind, kind)) for name, kind in foreign]
    shown = [(named(name), old, new) for name, old, new, _ in tables(MIGRATING)[1]]
    assert shown == [(name, kind, kind) for name, kind in foreign]


def test_the_view_serves_the_old_rows(
    migrated: Database, migrated_as_list: Database, emulator: Emulator
) -> None:
    """Its rows equal those of `attributes_format: list`, but for the order of the attributes."""
    found, as_list = (sorted(one.rows()) for one in (migrated, migrated_as_list))
    expected = (wire_row(user, attributes_as_list=True) for user in emulator.pool.users())
    assert as_list == sorted(expected)
    assert [(*row[:6], by_name(row[6])) for row in found] == [
        (*row[:6], by_name(row[6])) for row in as_list
    ]
    assert {next(iter(row[6][0])) for row in found} == {"sub"}


@pytest.mark.parametrize("query", QUERIES_AFTER)
def test_queries_of_the_migration_run(migrated: Database, query: str) -> None:
    """Old queries see every user, and so do the new ones."""
    with migrated.connect() as connection:
        result = connection.execute(query.encode())
        assert result.description is None or result.rowcount == 402


def test_old_queries_by_place_and_by_name_find_the_same(migrated: Database) -> None:
    """The list's `sub` is found by its name and, because it comes first, by its place."""
    by_place = migrated.rows("select username, attributes -> 0 ->> 'sub' from cognito.users")
    old, new = (migrated.rows(query) for query in QUERIES_AFTER if " as sub" in query)
    assert sorted(by_place) == sorted(old) == sorted(new)


def test_readers_of_the_view_need_no_right_on_the_table(migrated: Database) -> None:
    """A role with the granted rights reads the view, and can't read the table."""
    with migrated.connect() as connection:
        connection.execute("set role reporting")
        assert connection.execute("select from cognito.users").rowcount == 402
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select from cognito_pool.users")


def test_the_wrapper_can_go(migrated: Database) -> None:
    """After the move nothing depends on the wrapper, and the view still serves."""
    with migrated.connect() as connection:
        connection.execute(DROP.encode())
    assert len(migrated.rows()) == 402


def by_name(attributes: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    """A list of one-key objects in the order of the keys."""
    return sorted(pair for one in attributes for pair in one.items())
