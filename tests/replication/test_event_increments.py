"""Increments of events: only what is newer is requested and sent, and nothing new is missed."""

from __future__ import annotations

import copy
import random
import time
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from emulator import Emulator, Pool, tokens
from tap_cognito.cognito.details import OlderFollow
from tap_cognito.errors import TapCognitoError
from tap_cognito.tap import TapCognito
from tests.support.catalogs import selected
from tests.support.in_process import answer_in_process
from tests.support.messages import messages_of, of_type
from tests.support.programs import emulator_config
from tests.support.states import bookmarks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emulator.errors import ApiError
    from emulator.wire import Wire

    Json = dict[str, Any]

pytestmark = pytest.mark.whole_pools

STREAM, OPERATION = "user_auth_events", "AdminListUserAuthEvents"
BY_DATE = {"replication_method": "INCREMENTAL", "replication_key": "created_at"}
EACH = 6
"""How many events a user has at first."""


class Source:
    """A pool of users with events, two on a page, and the tap that reads them."""

    def __init__(self, emulator: Emulator, capfd: pytest.CaptureFixture[str]) -> None:
        self.emulator = emulator
        self.events: dict[str, list[Wire]] = emulator.pool.auth_events
        self.names = [user["Username"] for user in emulator.pool.users()]
        self.now = time.time() - 86_400
        self.state: Json = {}
        self._capfd = capfd
        self._number = 0
        for name in self.names:
            self.events[name] = []
        for day in range(EACH):
            for name in self.names:
                self.add(name, self.now - (EACH - day) * 86_400)

    def add(self, name: str, moment: float) -> str:
        """Add an event of a user, in its place: the newest first."""
        self._number += 1
        event = {
            "EventId": f"{self._number:08d}-0000-4000-8000-000000000000",
            "EventType": "SignIn",
            "CreationDate": round(moment, 3),
            "EventResponse": "Pass",
        }
        self.events[name].append(event)
        self.events[name].sort(key=lambda each: -each["CreationDate"])
        return str(event["EventId"])

    def run(self, method: Json = BY_DATE, **config: Any) -> list[Json]:
        """Run the tap to its end; return the records, and keep the state of increments."""
        self.emulator.log.requests.clear()
        self._capfd.readouterr()
        catalog = selected(STREAM, replication=method)
        config = emulator_config(self.emulator, **config)
        state = copy.deepcopy(self.state)
        TapCognito(config=config, catalog=catalog, state=state).sync_all()
        messages = messages_of(self._capfd.readouterr().out)
        if method is BY_DATE:
            self.state = of_type(messages, "STATE")[-1]["value"]
        return [each["record"] for each in of_type(messages, "RECORD")]

    def ids(self, **config: Any) -> list[str]:
        """Run the tap by increments; return the ids of what it sent, sorted."""
        return sorted(record["event_id"] for record in self.run(**config))

    @property
    def requests(self) -> int:
        """How many requests for events the last run made."""
        return self.emulator.log.count(OPERATION)


@pytest.fixture
def source(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    """Ten users with six events each."""
    with Emulator(Pool(10), page_sizes={OPERATION: 2}) as emulator:
        answer_in_process(emulator, monkeypatch)
        yield Source(emulator, capfd)


def test_events_of_one_moment_are_in_order() -> None:
    """Pages that end with an older one need no further page, those of one moment included."""
    moments = [datetime(2026, 1, day, tzinfo=timezone.utc) for day in (1, 2, 3)]
    before, since, after = ({"CreationDate": moment} for moment in moments)
    assert OlderFollow("CreationDate", moments[1])([after, after, before])
    assert not OlderFollow("CreationDate", moments[1])([after, since, since])
    assert not OlderFollow("CreationDate", moments[1])([since, after, before])


def test_only_what_is_newer_is_requested_and_sent(source: Source) -> None:
    """A run stops at a page with an older event of each user; the bookmark is the newest event."""
    assert len(source.ids()) == 10 * EACH
    assert source.requests == 10 * EACH / 2
    bookmark = bookmarks(source.state, STREAM)[source.emulator.pool.id]
    newest = source.now - 86_400
    assert bookmark == datetime.fromtimestamp(round(newest, 3), timezone.utc)
    added = [source.add(source.names[0], source.now + second) for second in (1, 2, 3)]
    found = source.run(lookback_seconds=0)
    # At the bookmark itself nothing is known to be complete: each user's last event comes again.
    again = {source.events[name][3 * (name == source.names[0])]["EventId"] for name in source.names}
    assert {record["event_id"] for record in found} == {*added, *again}
    assert source.requests == 10 + 2
    assert source.ids(lookback_seconds=0) == [added[-1]]
    assert source.requests == 10


def test_a_second_event_of_the_same_moment_is_not_missed(source: Source) -> None:
    """What happened at the bookmark, but was recorded after the run, is sent by the next one."""
    source.run()
    other = source.add(source.names[4], source.now - 86_400)
    assert other in source.ids(lookback_seconds=0)


def test_what_is_recorded_late_is_found_within_the_look_back(source: Source) -> None:
    """An event that is older than the bookmark, though not by more than `lookback_seconds`."""
    source.run()
    late = source.add(source.names[4], source.now - 86_400 - 500)
    later = source.add(source.names[5], source.now - 86_400 - 700)
    found = source.ids(lookback_seconds=600)
    assert late in found
    assert later not in found


@pytest.mark.parametrize("page_size", [1, 2])
@pytest.mark.parametrize("is_reversed", [True, False])
def test_another_order_than_newest_first_costs_requests_and_no_event(
    source: Source, page_size: int, *, is_reversed: bool
) -> None:
    """A user whose first pages don't show that the newest come first is read to the end."""
    source.run()
    source.emulator.page_sizes = {OPERATION: page_size}
    name = source.names[2]
    new = source.add(name, source.now)
    events = source.events[name]
    if is_reversed:
        events.reverse()
    else:
        events.append(events.pop(0))
        events[0], events[1] = events[1], events[0]
    assert new in source.ids(lookback_seconds=0)
    others = 9 * (2 if page_size == 1 else 1)
    assert source.requests == others + -(-len(events) // page_size)


def test_a_refused_token_sends_nothing_twice(source: Source) -> None:
    """The listing restarts, reads all pages of that user, and sends each event once."""
    refused: list[str] = []

    def refuse(operation: str, parameters: Wire) -> ApiError | None:
        is_page = operation == OPERATION and parameters["Username"] == source.names[3]
        if is_page and "NextToken" in parameters and len(refused) < 3:
            refused.append(parameters["NextToken"])
            return tokens.refusal(parameters["NextToken"])
        return None

    source.emulator.refuse = refuse
    found = source.ids()
    assert len(refused) == 3
    assert len(found) == len(set(found)) == 10 * EACH


def test_a_start_date_stops_the_first_run(source: Source) -> None:
    """Events before `start_date` are neither sent nor paged through."""
    start = datetime.fromtimestamp(source.now - 2.5 * 86_400, timezone.utc).isoformat()
    assert len(source.ids(start_date=start)) == 10 * 2
    assert source.requests == 10 * 2


def test_a_full_table_reads_all_events(source: Source) -> None:
    """FULL_TABLE, the default, asks for every page in every run."""
    full = {"replication_method": "FULL_TABLE"}
    for _ in range(2):
        assert len(source.run(full)) == 2 * source.requests == 10 * EACH


def test_created_at_is_the_key(source: Source) -> None:
    """Another key is refused, and so is a selection without the date."""
    config = emulator_config(source.emulator)
    catalog = selected(STREAM, replication={**BY_DATE, "replication_key": "updated_at"})
    with pytest.raises(TapCognitoError, match="set `replication-key` to created_at"):
        TapCognito(config=config, catalog=catalog)
    catalog = selected(STREAM, without=["created_at"], replication=BY_DATE)
    with pytest.raises(TapCognitoError, match=f"select `{STREAM}.created_at`"):
        TapCognito(config=config, catalog=catalog)


@pytest.mark.parametrize("seed", range(3))
def test_increments_add_up_to_all_events(source: Source, seed: int) -> None:
    """After any number of runs, with events between and during them, the table has every event."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    source.emulator.page_sizes = {OPERATION: rng.choice([1, 2, 3])}
    table: dict[str, Json] = {}
    for _ in range(4):
        for name in rng.choices(source.names, k=rng.randrange(6)):
            source.add(name, time.time() - rng.random())
        late = rng.choice(source.names)
        nth = rng.randrange(1, 10)
        record_late = partial(source.add, late, time.time())
        source.emulator.before_request(nth, record_late, {OPERATION})
        table |= {record["event_id"]: record for record in source.run(lookback_seconds=60)}
    full = source.run({"replication_method": "FULL_TABLE"})
    last = {record["event_id"]: record for record in source.run()}
    assert {**table, **last} == {record["event_id"]: record for record in full}
    assert len(full) > 10 * EACH
