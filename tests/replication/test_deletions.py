"""Users that are gone from the pool leave the table, and no others do."""

from __future__ import annotations

import json
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.singerlib import RecordMessage

from emulator import Emulator, Faults, Pool
from emulator.errors import ApiError
from tap_cognito.cli import Terminated
from tap_cognito.errors import TapCognitoError
from tap_cognito.tap import TapCognito
from tests.support.catalogs import selected
from tests.support.in_process import answer_in_process
from tests.support.interruption import load_while
from tests.support.messages import messages_of, of_type
from tests.support.programs import IMPATIENT_TAP, emulator_config, load, pour, run_tap
from tests.support.tables import Database
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from emulator.filters import Condition
    from quickstart.postgres import Postgres
    from tests.support.interruption import Process

    Capture = pytest.CaptureFixture[bytes]
    Messages = list[dict[str, Any]]

MIRROR = {"emit_activate_version_messages": True}
SIZE = 1800
"""Users in 16 segments of 2 or 3 pages each, beside the first page of all."""
HALF = 20
"""Pages."""


def target(database: Database, *, hard_delete: bool) -> dict[str, Any]:
    """The settings of target-postgres for a mirror."""
    own = {"add_record_metadata": True, "activate_version": True, "hard_delete": hard_delete}
    return {**database.target_config, **own}


def names(pool: Pool) -> set[str]:
    """Who is in the pool."""
    return {user["Username"] for user in pool.users()}


def delete_every_third(pool: Pool) -> set[str]:
    """Delete users, and return their names."""
    gone = set(sorted(names(pool))[::3])
    for name in gone:
        pool.delete(name)
    return gone


def rows(database: Database, where: str = "true") -> set[str]:
    """Who is in the table."""
    found = database.rows(f"select username from cognito.users where {where}")  # noqa: S608
    return {name for (name,) in found}


@contextmanager
def reader(database: Database, where: str) -> Iterator[list[int]]:
    """Somebody who counts the rows all the time."""
    counts: list[int] = []
    stop = threading.Event()
    query = f"select count(*) from cognito.users where {where}".encode()  # noqa: S608

    def read() -> None:
        with database.connect() as connection:
            while not stop.wait(0.005):
                counts.extend(connection.execute(query).fetchone() or ())

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield counts
    finally:
        stop.set()
        thread.join()


# Through the target


@pytest.mark.parametrize(
    ("before", "hard_delete"),
    [("mirror", True), ("mirror", False), ("exact table", True)],
    ids=["hard", "soft", "from-an-exact-table"],
)
def test_who_is_gone_from_the_pool_leaves_the_table(
    database: Database, before: str, hard_delete: bool
) -> None:
    """Deleted users are removed or marked; no other user is, not even for a moment."""
    mirror = target(database, hard_delete=hard_delete)
    live = "true" if hard_delete else "_sdc_deleted_at is null"
    with Emulator(Pool(SIZE)) as emulator:
        if before == "mirror":
            load(emulator_config(emulator, **MIRROR), mirror)
        else:
            load(emulator_config(emulator), database.target_config)
        gone = delete_every_third(emulator.pool)
        stays = names(emulator.pool)
        with reader(database, live) as counts:
            load(emulator_config(emulator, **MIRROR), mirror)
    assert rows(database, live) == stays
    assert rows(database) == (stays if hard_delete else stays | gone)
    assert set(counts) == {SIZE, len(stays)}


def test_who_comes_back_is_live_again(database: Database) -> None:
    """A user that was marked as deleted and is created again has no mark."""
    mirror = target(database, hard_delete=False)
    with Emulator(Pool(3)) as emulator:
        config = emulator_config(emulator, **MIRROR)
        load(config, mirror)
        user = next(emulator.pool.users())
        emulator.pool.delete(user["Username"])
        load(config, mirror)
        assert rows(database, "_sdc_deleted_at is not null") == {user["Username"]}
        emulator.pool.create(user)
        load(config, mirror)
        assert rows(database, "_sdc_deleted_at is null") == names(emulator.pool)


def test_one_mirror_of_two_pools_keeps_both_and_two_mirrors_need_a_schema_each(
    database: Database,
) -> None:
    """Two mirrors into one schema remove each other's rows, as docs/streams.md says."""
    mirror = target(database, hard_delete=True)
    pools = [Pool(3, seed=1, pool_id="us-east-1_A1"), Pool(4, seed=2, pool_id="us-east-1_B1")]
    pool_ids = [pool.id for pool in pools]
    with Emulator(pools=pools) as emulator:
        load(emulator_config(emulator, **MIRROR, user_pool_ids=pool_ids), mirror)
        assert rows(database) == names(pools[0]) | names(pools[1])
        for pool in pools:
            load(emulator_config(emulator, **MIRROR, user_pool_ids=[pool.id]), mirror)
            assert rows(database) == names(pool)


@pytest.fixture(scope="module")
def mirrored(postgres: Postgres) -> Iterator[tuple[Emulator, Database, dict[str, Any]]]:
    """A mirror of a pool that has lost users since."""
    database = Database("mirrored", postgres)
    with postgres.connect() as connection:
        connection.execute(f"create database {database.name}".encode())
    mirror = target(database, hard_delete=True)
    with Emulator(Pool(SIZE)) as emulator:
        load(emulator_config(emulator, **MIRROR), mirror)
        delete_every_third(emulator.pool)
        yield emulator, database, mirror


@pytest.mark.parametrize(
    ("death", "status"),
    [
        (signal.SIGKILL, -signal.SIGKILL),
        (signal.SIGTERM, 128 + signal.SIGTERM),
        (None, 1),
    ],
    ids=["SIGKILL", "SIGTERM", "outage"],
)
def test_a_run_that_dies_half_way_keeps_every_row(
    mirrored: tuple[Emulator, Database, dict[str, Any]],
    tmp_path: Path,
    death: signal.Signals | None,
    status: int,
) -> None:
    """Neither a failing server nor a killed or stopped tap costs the table a row."""
    emulator, database, mirror = mirrored
    emulator.log.requests.clear()
    emulator.latency = 0.1
    emulator.faults = None if death else Faults(("error-500",), skip=HALF)

    def die(tap: Process) -> None:
        wait_until(lambda: emulator.log.count("ListUsers") >= HALF)
        if death:
            tap.send_signal(death)

    config = emulator_config(emulator, **MIRROR)
    found = load_while(die, tmp_path, config, mirror, program=IMPATIENT_TAP)
    emulator.latency, emulator.faults = 0, None
    assert found == status
    assert len(rows(database)) == SIZE


def test_an_empty_answer_does_not_empty_the_table(database: Database) -> None:
    """Rows go only when the pool itself says that it is empty; else there is one clear line."""
    mirror = target(database, hard_delete=True)
    with Emulator(Pool(70)) as emulator:
        config = emulator_config(emulator, **MIRROR)
        load(config, mirror)
        for name in names(emulator.pool):
            emulator.pool.delete(name)
        estimate = {"EstimatedNumberOfUsers": 70}
        for denied, description in ((), estimate), ({"cognito-idp:DescribeUserPool"}, {}):
            emulator.denied = denied
            emulator.pool.description |= description
            run = run_tap(config)
            assert run.returncode == 1
            pour(run.stdout, mirror)
            last = run.stderr.splitlines()[-1]
            assert "`users`: Cognito returned no user, but" in last
            assert "The rows of the table were kept" in last
            assert [name for name in denied if name not in last] == []
            assert len(rows(database)) == 70
        emulator.denied = ()
        del emulator.pool.description["EstimatedNumberOfUsers"]
        load(config, mirror)
        assert rows(database) == set()


def test_groups_are_mirrored_too(database: Database, tmp_path: Path) -> None:
    """A group that is gone from the pool leaves its table."""
    mirror = target(database, hard_delete=True)
    with Emulator(Pool(3)) as emulator:
        config = emulator_config(emulator, **MIRROR)
        catalog = tmp_path / "catalog.json"
        catalog.write_text(json.dumps(selected("groups", config=config)))
        load(config, mirror, "--catalog", catalog)
        del emulator.pool.groups["nobody"]
        load(config, mirror, "--catalog", catalog)
    found = database.rows("select group_name from cognito.groups")
    assert {name for (name,) in found} == {"admins", "Köche"}


# As messages


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """A pool that is read in sixteen segments, in this process."""
    emulator = Emulator(Pool(SIZE))
    answer_in_process(emulator, monkeypatch)
    return emulator


@pytest.mark.parametrize("stream", ["users", "groups", "user_pool"])
def test_the_version_is_switched_after_the_last_record(
    emulator: Emulator, capfdbinary: Capture, stream: str
) -> None:
    """A complete scan ends with one ACTIVATE_VERSION, of the version that every record has."""
    config = emulator_config(emulator, **MIRROR)
    started = int(time.time() * 1000)
    TapCognito(config=config, catalog=selected(stream, config=config)).sync_all()
    messages = messages_of(capfdbinary.readouterr().out)
    schema, *records, switch, state = [
        message for message in messages if message["type"] != "STATE" or message is messages[-1]
    ]
    kinds = [schema["type"], switch["type"], state["type"]]
    assert kinds == ["SCHEMA", "ACTIVATE_VERSION", "STATE"]
    assert {(each["type"], each["stream"]) for each in records} == {("RECORD", stream)}
    assert {each["version"] for each in records} == {switch["version"]}
    assert started <= switch["version"] <= time.time() * 1000
    assert state["value"] == {"bookmarks": {stream: {"scan": None, "version": switch["version"]}}}


def test_without_the_setting_there_are_no_versions(
    emulator: Emulator, capfdbinary: Capture
) -> None:
    """By default no record has a version, and none is switched."""
    TapCognito(config=emulator_config(emulator)).sync_all()
    messages = messages_of(capfdbinary.readouterr().out)
    assert {each.get("version") for each in of_type(messages, "RECORD")} == {None}
    assert of_type(messages, "ACTIVATE_VERSION") == []


@pytest.mark.parametrize("limit", [1, 100, SIZE - 1])
def test_a_record_limit_switches_no_version(
    emulator: Emulator, capfdbinary: Capture, limit: int
) -> None:
    """A run that ends after so many records leaves the other rows alone."""
    tap = TapCognito(config=emulator_config(emulator, **MIRROR))
    tap.run_sync_dry_run(limit, streams=[tap.streams["users"]])
    messages = messages_of(capfdbinary.readouterr().out)
    assert len(of_type(messages, "RECORD")) == limit
    assert of_type(messages, "ACTIVATE_VERSION") == []


class WithoutChain(Pool):
    """A pool that fails, or says nothing, when it is asked for one of the sixteen segments."""

    failure: ApiError | None = None

    def page(
        self, limit: int, after: int = -1, *, condition: Condition | None = None, **options: Any
    ) -> tuple[list[str], int | None]:
        """Read some users of a segment, unless it is the one."""
        if condition and condition.value == "7":
            if self.failure:
                raise self.failure
            return [], None
        return super().page(limit, after, condition=condition, **options)


def test_a_segment_that_fails_switches_no_version(
    capfdbinary: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifteen of sixteen segments are no complete scan."""
    pool = WithoutChain(SIZE)
    pool.failure = ApiError("NotAuthorizedException", "No.", 400)
    emulator = Emulator(pool)
    answer_in_process(emulator, monkeypatch)
    with pytest.raises(TapCognitoError):
        TapCognito(config=emulator_config(emulator, **MIRROR)).sync_all()
    messages = messages_of(capfdbinary.readouterr().out)
    assert of_type(messages, "RECORD")
    assert of_type(messages, "ACTIVATE_VERSION") == []


def test_a_segment_that_falls_short_switches_no_version(
    capfdbinary: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A segment that hides users costs no row: they are read in another way first."""
    emulator = Emulator(WithoutChain(SIZE))
    answer_in_process(emulator, monkeypatch)
    TapCognito(config=emulator_config(emulator, **MIRROR)).sync_all()
    messages = messages_of(capfdbinary.readouterr().out)
    sent = [each["record"]["username"] for each in of_type(messages, "RECORD")]
    assert set(sent) == names(emulator.pool)
    assert [each["type"] for each in messages[-2:]] == ["ACTIVATE_VERSION", "STATE"]
    assert len(of_type(messages, "ACTIVATE_VERSION")) == 1


@pytest.mark.parametrize("records", [1, 500, SIZE])
def test_a_stop_switches_no_version(
    emulator: Emulator, capfdbinary: Capture, monkeypatch: pytest.MonkeyPatch, records: int
) -> None:
    """Stopped after any record, even the last one, the tap leaves the other rows alone."""
    tap = TapCognito(config=emulator_config(emulator, **MIRROR))
    seen = 0

    write = tap.write_message

    def stop(message: Any) -> None:
        nonlocal seen
        seen += isinstance(message, RecordMessage)
        if seen == records:
            raise Terminated(128 + signal.SIGTERM)
        write(message)

    monkeypatch.setattr(tap.streams["users"], "_write_message", stop)
    with pytest.raises(Terminated):
        tap.sync_all()
    messages = messages_of(capfdbinary.readouterr().out)
    assert len(of_type(messages, "RECORD")) == records - 1
    assert of_type(messages, "ACTIVATE_VERSION") == []
