"""What is kept between runs is believed only for what it belongs to, whoever stores it."""

from __future__ import annotations

import copy
import json
import logging
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from emulator import Emulator, Pool
from emulator.errors import ApiError
from tap_cognito.errors import TapCognitoError
from tap_cognito.tap import TapCognito
from tests.support.catalogs import INCREMENTAL, selected
from tests.support.in_process import answer_in_process
from tests.support.messages import buffered_stdout, messages_of, of_type
from tests.support.programs import emulator_config
from tests.support.states import bookmarks, merge, scan_of, with_bookmark
from tests.support.waiting import wait_for_readers

if TYPE_CHECKING:
    from collections.abc import Iterator

    Capture = pytest.CaptureFixture[bytes]

pytestmark = pytest.mark.whole_pools

Json = dict[str, Any]

A, B, C = "us-east-1_A", "us-east-1_B", "us-east-1_C"


class Reader:
    """The tap in this process, and what it wrote."""

    def __init__(self, emulator: Emulator, capture: Capture, **config: Any) -> None:
        self.emulator = emulator
        self.messages: list[Json] = []
        self._capture = capture
        self._config = {"emit_activate_version_messages": False, **config}

    def run(
        self,
        state: Json | None = None,
        *,
        method: str = "INCREMENTAL",
        fails: str = "",
        stream: str = "users",
        without: tuple[str, ...] = (),
        **config: Any,
    ) -> Json:
        """Run it; return its last state."""
        settings = emulator_config(self.emulator, **{**self._config, **config})
        replication = INCREMENTAL if method == "INCREMENTAL" else None
        catalog = selected(stream, config=settings, replication=replication, without=without)
        tap = TapCognito(config=settings, catalog=catalog, state=copy.deepcopy(state))
        wait_for_readers()
        self.emulator.log.requests.clear()
        with buffered_stdout(), pytest.MonkeyPatch.context() as patch:
            answer_in_process(self.emulator, patch)
            if fails:
                with pytest.raises(TapCognitoError, match=fails):
                    tap.sync_all()
            else:
                tap.sync_all()
        self.messages = messages_of(self._capture.readouterr().out)
        return self.states[-1]

    @property
    def states(self) -> list[Json]:
        """The states of the last run."""
        return [each["value"] for each in of_type(self.messages, "STATE")]

    @property
    def sent(self) -> int:
        """How many users the last run sent."""
        return len(of_type(self.messages, "RECORD"))

    @property
    def pools(self) -> set[str | None]:
        """The pools whose users the last run asked for."""
        return {each.pool_id for each in self.emulator.log.matching(operation="ListUsers")}


@pytest.fixture
def reader(capfdbinary: Capture) -> Iterator[Reader]:
    """A pool of fifty users, none of whom was changed lately."""
    with Emulator(Pool(50)) as emulator:
        yield Reader(emulator, capfdbinary, lookback_seconds=0)


def restarts(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines that say that something starts over."""
    return [text for text in caplog.messages if text.startswith("Starting over")]


# What a bookmark belongs to


SALTED = {
    "stream_maps": {"users": {"email": "md5(config['salt'] + username)"}},
    "stream_map_config": {"salt": "b"},
}


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ({}, {"user_pool_ids": [Pool(0).id]}, "the key"),
        ({"user_pool_ids": [Pool(0).id]}, {}, "the key"),
        ({"stream_maps": {"users": {"__filter__": "enabled"}}}, {}, "which rows"),
        ({}, {"stream_maps": {"users": {"__alias__": "people"}}}, "the table"),
        ({}, {"stream_maps": {"people": {"__source__": "users"}}}, "the table"),
        ({}, {"stream_maps": {"people": {"__source__": "users"}, "users": None}}, "the table"),
        ({}, {"stream_maps": {"users": {"email": "md5(username)"}}}, "the columns"),
        ({}, {"attributes_format": "list"}, "the columns"),
        ({"attributes_include": ["sub"]}, {"attributes_include": ["sub", "email"]}, "the columns"),
        ({"without": ("email",)}, {}, "the columns"),
        ({}, {"user_filter": 'status = "Enabled"'}, "which rows"),
        ({"start_date": "2020-01-01"}, {}, "`start_date` was moved back"),
        ({"start_date": "2020-01-02"}, {"start_date": "2020-01-01"}, "`start_date` was moved back"),
        (
            {"flattening_enabled": True, "flattening_max_depth": 1},
            {"flattening_enabled": True, "flattening_max_depth": 2},
            "the columns",
        ),
        ({**SALTED, "stream_map_config": {"salt": "a"}}, SALTED, "the columns"),
        ({**SALTED, "faker_config": {"seed": "1"}}, SALTED, "the columns"),
    ],
    ids=repr,
)
def test_a_bookmark_of_another_table_starts_over(
    reader: Reader, caplog: pytest.LogCaptureFixture, before: Json, after: Json, what: str
) -> None:
    """Table, key, rows and columns are a bookmark's: if one changes, all is sent, with a line."""
    caplog.set_level(logging.INFO)
    state = reader.run(**before)
    assert reader.run(state, **before)
    assert reader.sent == 1
    assert not restarts(caplog)
    reader.run(state, **after)
    assert reader.sent > 40
    (line,) = restarts(caplog)
    assert what in line


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"attributes_format": "object"}),
        ({}, {"attributes_exclude": []}),
        ({}, {"max_requests_per_second": 30}),
        ({}, {"flattening_enabled": False, "flattening_max_depth": 5}),
        ({}, {"stream_maps": {"groups": {"description": "__NULL__"}}}),
        ({}, {"stream_map_config": {"hash_seed": "x"}}),
        ({}, {"start_date": "2020-01-01"}),
        ({"start_date": "2020-01-01"}, {"start_date": "2021-01-01"}),
        (
            {"attributes_include": ["sub", "email"]},
            {"attributes_include": ["email", "sub", "sub"]},
        ),
    ],
    ids=repr,
)
def test_what_changes_no_row_does_not_start_over(
    reader: Reader, caplog: pytest.LogCaptureFixture, before: Json, after: Json
) -> None:
    """Order, defaults, paces, other streams' maps and a later start send nobody anew."""
    caplog.set_level(logging.INFO)
    state = reader.run(**before)
    config = {"lookback_seconds": 0, **after}
    later = Reader(reader.emulator, reader._capture)  # noqa: SLF001 - the same output
    later.run(state, **config)
    assert later.sent == 1
    assert not restarts(caplog)


def test_a_start_date_that_moved_on_and_back_sends_nothing_twice(reader: Reader) -> None:
    """The table has been complete since the earlier date all the time."""
    state = reader.run(start_date="2020-01-01")
    state = reader.run(state, start_date="2022-01-01")
    reader.run(state, start_date="2020-01-01")
    assert reader.sent == 1


# Stores that merge


@pytest.mark.parametrize("method", ["FULL_TABLE", "INCREMENTAL"])
@pytest.mark.parametrize("is_mirror", [False, True])
def test_a_complete_scan_is_over_in_a_store_that_merges(
    capfdbinary: Capture, method: str, *, is_mirror: bool
) -> None:
    """After a run that was cut off and a full refresh the next run reads everything."""
    with Emulator(Pool(700)) as emulator:
        mirror = {"emit_activate_version_messages": is_mirror}
        reader = Reader(emulator, capfdbinary, **mirror)
        reader.run(method=method)
        half = next(each for each in reader.states if scan_of(each).get("pools"))
        store = copy.deepcopy(half)
        refreshed = reader.run(method=method)
        merge(refreshed, store)
        assert store == merge(copy.deepcopy(refreshed), copy.deepcopy(store))
        assert not scan_of(store)
        reader.run(store, method=method)
        changes = [round(each["UserLastModifiedDate"], 3) for each in emulator.pool.users()]
        recent = [change for change in changes if change >= max(changes) - 600]
        assert reader.sent == (700 if method == "FULL_TABLE" else len(recent))


def test_a_full_refresh_that_is_cut_off_forgets_older_bookmarks(capfdbinary: Capture) -> None:
    """Merged at any moment of it, the state lets the next run send every user who is missing."""
    with Emulator(Pool(700)) as emulator:
        reader = Reader(emulator, capfdbinary)
        old = reader.run()
        reader.run()
        for number, message in enumerate(reader.messages[:]):
            if message["type"] != "STATE" or bookmarks(message["value"]):
                continue
            store = merge(copy.deepcopy(message["value"]), copy.deepcopy(old))
            part = [each for each in reader.messages[:number] if each["type"] == "RECORD"]
            names = {each["record"]["username"] for each in part}
            again = Reader(emulator, capfdbinary)
            again.run(store)
            rest = [each for each in again.messages if each["type"] == "RECORD"]
            assert names | {each["record"]["username"] for each in rest} == set(
                emulator.pool.usernames()
            )


# Older states


def test_an_older_state_is_read_and_starts_over(
    capfdbinary: Capture, caplog: pytest.LogCaptureFixture
) -> None:
    """Its bookmarks and scans don't say what they belong to; its version counts."""
    caplog.set_level(logging.INFO)
    own: Json = {
        "partitions": [
            {
                "context": {"user_pool_id": Pool(0).id},
                "replication_key": "updated_at",
                "replication_key_value": "2025-01-01T00:00:00.000",
            }
        ],
        "version": 1_900_000_000_000,
        "scan": {"began": "2026-01-01T00:00:00+00:00", "scope": "0a", "version": 1_900_000_000_007},
    }
    with Emulator(Pool(50)) as emulator:
        reader = Reader(emulator, capfdbinary)
        state = reader.run({"bookmarks": {"users": own}})
        assert reader.sent == 50
        assert len(restarts(caplog)) == 2
        assert "partitions" not in state["bookmarks"]["users"]
        reader.run(state)
        assert reader.sent < 50
        reader.run(
            {"bookmarks": {"users": own}}, method="FULL_TABLE", emit_activate_version_messages=True
        )
        (switch,) = [each for each in reader.messages if each["type"] == "ACTIVATE_VERSION"]
        assert switch["version"] > own["scan"]["version"]


# Failures of one pool


@pytest.mark.parametrize("code", ["SomethingNewException", "InternalErrorException"])
def test_a_pool_that_fails_for_good_does_not_keep_the_others_old(
    capfdbinary: Capture,
    code: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After its second failure in a row, each run reads all the others anew."""
    monkeypatch.setattr("tap_cognito.cognito.client.RETRY_SECONDS", 0.0)
    pools = [Pool(30, number, pool_id) for number, pool_id in enumerate((A, B, C))]
    with Emulator(pools=pools, refused={f"{B}/*": code}) as emulator:
        reader = Reader(emulator, capfdbinary, user_pool_ids=[A, B, C])
        asked, state = [], None
        for _ in range(4):
            state = reader.run(state, method="FULL_TABLE", fails="1 of 3 pools")
            asked.append(reader.pools)
        assert asked == [{A, B, C}, {B}, {A, B, C}, {A, B, C}]
        assert sum(text.startswith("Resuming") for text in caplog.messages) == 1
        emulator.refused = {}
        state = reader.run(state, method="FULL_TABLE")
        assert reader.pools == {A, B, C}
        assert state == {"bookmarks": {"users": {"scan": None}}}


def test_a_pool_that_was_read_in_between_is_waited_for_again(capfdbinary: Capture) -> None:
    """Its failures count from the last run that has read it."""
    pools = [Pool(30, number, pool_id) for number, pool_id in enumerate((A, B, C))]
    with Emulator(pools=pools) as emulator:
        reader = Reader(emulator, capfdbinary, user_pool_ids=[A, B, C])
        asked, state = [], None
        for failing in ((A, B), (B,), (A, B), (B,)):
            emulator.refused = {f"{pool_id}/*": "SomethingNewException" for pool_id in failing}
            state = reader.run(state, method="FULL_TABLE", fails=f"{len(failing)} of 3 pools")
            asked.append(reader.pools)
    assert asked == [{A, B, C}, {A, B}, {A, B, C}, {A, B}]


@pytest.mark.parametrize("code", ["SomethingNewException", "InternalErrorException"])
def test_a_group_that_fails_for_good_does_not_keep_the_others_old(
    capfdbinary: Capture, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it fails at once, all others are read; without progress, from then on in each run."""
    monkeypatch.setattr("tap_cognito.cognito.client.RETRY_SECONDS", 0.0)
    pool = Pool(60)
    names = [f"{number:02}" for number in range(20)]
    pool.groups = {name: {"GroupName": name, "UserPoolId": pool.id} for name in names}
    for number in range(60):
        pool.join(pool.username(number), names[number % 20])

    def refuse(_: str, parameters: Json) -> ApiError | None:
        return ApiError(code, "No.", 400) if parameters.get("GroupName") == "00" else None

    with Emulator(pool, refuse=refuse) as emulator:
        reader = Reader(emulator, capfdbinary)
        sent, state = [], None
        for _ in range(5):
            state = reader.run(state, stream="group_memberships", method="FULL_TABLE", fails=" ")
            found = of_type(reader.messages, "RECORD")
            sent.append({each["record"]["group_name"] for each in found})
        others = set(names[1:])
        assert sent == [others, set(), set(), others, others]
        emulator.refuse = None
        reader.run(state, stream="group_memberships", method="FULL_TABLE")
        assert reader.sent == 60


def test_an_outage_costs_no_progress(capfdbinary: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many runs get no answer, what was read of a pool needn't be read again."""
    monkeypatch.setattr("tap_cognito.cognito.client.RETRY_SECONDS", 0.0)
    with Emulator(Pool(700)) as emulator:
        reader = Reader(emulator, capfdbinary)
        reader.run(method="FULL_TABLE")
        half = next(each for each in reader.states if scan_of(each).get("pools"))
        emulator.refused = {"*": "InternalErrorException"}
        state = half
        for _ in range(4):
            state = reader.run(state, method="FULL_TABLE", fails="unavailable")
        assert scan_of(state)["pools"] == scan_of(half)["pools"]


# How long a scan may be resumed


@pytest.mark.parametrize(
    ("began", "progressed", "is_resumed"),
    [(20, 5, True), (59, 5, True), (61, 5, False), (20, 7, False), (5, -1, False)],
)
def test_the_time_to_resume_counts_from_the_last_progress(
    capfdbinary: Capture, began: float, progressed: float, *, is_resumed: bool
) -> None:
    """Six hours after the last complete listing, and sixty after the beginning, it is over."""
    from tap_cognito.replication.state import digest  # noqa: PLC0415 - to sign what is made

    with Emulator(Pool(700)) as emulator:
        reader = Reader(emulator, capfdbinary)
        reader.run(method="FULL_TABLE")
        half = next(each for each in reader.states if scan_of(each).get("pools"))
        now = datetime.now(timezone.utc)
        scan = scan_of(half)
        del scan["digest"]
        scan["began"] = (now - timedelta(hours=began)).isoformat()
        scan["progressed"] = (now - timedelta(hours=progressed)).isoformat()
        half["bookmarks"]["users"]["scan"] = json.dumps({**scan, "digest": digest(scan)})
        reader.run(half, method="FULL_TABLE")
        assert (reader.sent < 700) == is_resumed


def test_a_resumed_scan_warns_of_tables_that_were_emptied(
    capfdbinary: Capture, caplog: pytest.LogCaptureFixture
) -> None:
    """The tap can't see the table: whoever emptied it is told how to start over."""
    with Emulator(Pool(700)) as emulator:
        reader = Reader(emulator, capfdbinary)
        reader.run(method="FULL_TABLE")
        half = next(each for each in reader.states if scan_of(each).get("pools"))
        caplog.clear()
        reader.run(half, method="FULL_TABLE")
        (line,) = [each for each in caplog.records if "Resuming" in each.message]
        assert line.levelno == logging.WARNING
        assert "start over" in line.message


def test_another_schema_of_the_loader_starts_over(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meltano tells the tap its `load_schema`: another one is another table."""
    monkeypatch.setenv("MELTANO_EXTRACT__LOAD_SCHEMA", "one")
    state = reader.run()
    reader.run(state)
    assert reader.sent == 1
    monkeypatch.setenv("MELTANO_EXTRACT__LOAD_SCHEMA", "two")
    reader.run(state)
    assert reader.sent == 50


def test_a_made_bookmark_is_that_of_a_run(reader: Reader) -> None:
    """The tests' own bookmarks count as a run's do."""
    state = with_bookmark(datetime(2100, 1, 1, tzinfo=timezone.utc), Pool(0).id)
    reader.run(state)
    assert reader.sent == 0
