"""From the pool's API through the real target into a real Postgres."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import pytest

from emulator import Emulator, Pool
from quickstart import pool
from tap_cognito.tap import TapCognito
from tests.support.catalogs import selected
from tests.support.in_process import answer_in_process
from tests.support.messages import messages_of, of_type
from tests.support.programs import emulator_config, load
from tests.support.tables import COLUMNS, Database, wire_row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TYPES = [
    ("username", "text"),
    ("email", "text"),
    ("status", "text"),
    ("enabled", "boolean"),
    ("created_at", "timestamp without time zone"),
    ("updated_at", "timestamp without time zone"),
    ("attributes", "jsonb"),
]
FORMATS = pytest.mark.parametrize("attributes_format", ["object", "list"])


@pytest.fixture(scope="module")
def small() -> Iterator[Emulator]:
    """An emulated pool of 200 users that no test changes."""
    with Emulator(Pool(200)) as emulator:
        yield emulator


@FORMATS
def test_the_table_is_the_foreign_table(
    moto_pool: pool.Pool, database: Database, attributes_format: str
) -> None:
    """The table has exactly the foreign table's columns, and each row equals the API's answer."""
    load({**moto_pool.config, "attributes_format": attributes_format}, database.target_config)
    as_list = attributes_format == "list"
    expected = [pool.row(user, attributes_as_list=as_list) for user in moto_pool.users()]
    assert database.columns() == TYPES
    assert _by_username(database.rows()) == _by_username(expected)
    assert len(database.rows()) == len(expected) == 130


@pytest.mark.parametrize(
    ("use_copy", "zone"), [(False, "America/New_York"), (True, "America/St_Johns")]
)
def test_no_time_zone_shifts_a_timestamp(
    small: Emulator, database: Database, *, use_copy: bool, zone: str
) -> None:
    """By COPY or INSERT, wherever the database and the machine are, UTC is what is stored."""
    with database.connect() as connection:
        connection.execute(f"alter database {database.name} set timezone to '{zone}'".encode())
    elsewhere = {"PGTZ": zone, "TZ": "Asia/Tokyo"}
    target = {**database.target_config, "use_copy": use_copy}
    load(emulator_config(small), target, env=elsewhere)
    expected = [wire_row(user) for user in small.pool.users()]
    assert _by_username(database.rows()) == _by_username(expected)


def test_ten_thousand_users_arrive(database: Database) -> None:
    """A pool of 10,000 users arrives complete, each row equal to the API's answer."""
    with Emulator(Pool(10_000)) as emulator:
        load(emulator_config(emulator), database.target_config)
        expected = [wire_row(user) for user in emulator.pool.users()]
    found = database.rows()
    assert len(found) == len(expected) == 10_000
    assert _by_username(found) == _by_username(expected)


@pytest.mark.parametrize(
    "columns",
    [
        ("username",),
        ("username", "enabled", "created_at"),
        ("username", "status", "attributes"),
        tuple(name for name in COLUMNS if name != "attributes"),
    ],
    ids="-".join,
)
def test_a_table_has_only_the_selected_columns(
    small: Emulator, database: Database, tmp_path: Path, columns: tuple[str, ...]
) -> None:
    """Columns that aren't selected are not in the table; the others are unchanged."""
    config = emulator_config(small)
    catalog = tmp_path / "catalog.json"
    catalog.write_text(json.dumps(selected("users", columns=columns)))
    load(config, database.target_config, "--catalog", catalog)
    places = [COLUMNS.index(name) for name in columns]
    rows = [wire_row(user) for user in small.pool.users()]
    assert database.columns() == [TYPES[place] for place in places]
    assert _by_username(database.rows()) == _by_username(
        [tuple(row[place] for place in places) for row in rows]
    )


def test_every_subset_of_the_columns_can_be_selected(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each subset that has the key, schema and records have just these columns, in order."""
    emulator = Emulator(Pool(3))
    answer_in_process(emulator, monkeypatch)
    config = emulator_config(emulator)
    catalog = TapCognito(config=config).catalog_dict
    for size in range(len(COLUMNS)):
        for others in itertools.combinations(COLUMNS[1:], size):
            columns = ["username", *others]
            TapCognito(
                config=config, catalog=selected("users", columns=columns, catalog=catalog)
            ).sync_all()
            messages = messages_of(capfdbinary.readouterr().out)
            (schema,) = [each["schema"] for each in of_type(messages, "SCHEMA")]
            records = [each["record"] for each in of_type(messages, "RECORD")]
            assert list(schema["properties"]) == columns
            assert [list(record) for record in records] == [columns] * 3


def _by_username(rows: list[tuple[object, ...]]) -> dict[object, tuple[object, ...]]:
    return {row[0]: row for row in rows}
