"""A scan that was cut off goes on where it was, and the table is right in the end."""

from __future__ import annotations

import copy
import itertools
import json
import logging
import math
import random
import time
from collections import Counter
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator import Emulator, Pool
from tap_cognito.cognito import users
from tap_cognito.cognito.checkpoint import Checkpoint
from tap_cognito.cognito.listing import PAGE_SIZE
from tap_cognito.cognito.segments import DIGITS, is_partition, sub_of
from tap_cognito.errors import TapCognitoError
from tap_cognito.replication.scan import ResumableScan
from tap_cognito.replication.scope import Scope
from tap_cognito.replication.state import Scan, StreamState, digest, dump_scan, load_scan
from tap_cognito.tap import TapCognito
from tests.support.catalogs import INCREMENTAL, selected
from tests.support.in_process import answer_in_process
from tests.support.messages import buffered_stdout, messages_of, of_type
from tests.support.programs import emulator_config
from tests.support.states import bookmarks, scan_of
from tests.support.waiting import wait_for_readers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    Capture = pytest.CaptureFixture[bytes]

pytestmark = pytest.mark.whole_pools

Json = dict[str, Any]

PAGE = PAGE_SIZE
MODES = ("exact", "mirror", "increments")
KEYS = {
    "users": ("user_pool_id", "username"),
    "group_memberships": ("user_pool_id", "group_name", "username"),
}


class Messages(NamedTuple):
    """What a run has written, or a part of it."""

    all: list[Json]

    def of(self, kind: str) -> list[Json]:
        """The messages of a type."""
        return of_type(self.all, kind)

    @property
    def state(self) -> Json | None:
        """The last state."""
        states = self.of("STATE")
        return states[-1]["value"] if states else None

    def cut(self, number: int) -> Messages:
        """What was written when a run was killed after so many messages."""
        return Messages(self.all[:number])


class Table(dict[tuple[Any, ...], Json]):
    """A table as a target keeps it: rows by key, and the version of each."""

    def __init__(self) -> None:
        super().__init__()
        self._versions: dict[tuple[Any, ...], int] = {}

    def load(self, messages: Messages) -> None:
        """Load what a run has written."""
        for message in messages.all:
            if message["type"] == "RECORD":
                record = message["record"]
                key = tuple(record.get(name) for name in KEYS[message["stream"]])
                self[key] = record
                self._versions[key] = message.get("version", 0)
            elif message["type"] == "ACTIVATE_VERSION":
                for key in [key for key in self if self._versions[key] < message["version"]]:
                    del self[key]


class Source:
    """Emulated pools, and the tap in this process that reads one stream of them.

    Args:
        emulator: Serves the pools.
        capture: Where the tap writes to.
        mode: One of `MODES`.
        stream: What is read.
        config: Further settings.
    """

    def __init__(
        self, emulator: Emulator, capture: Capture, mode: str, stream: str, **config: Any
    ) -> None:
        self.emulator = emulator
        self.mode = mode
        self._stream = stream
        self._capture = capture
        self._config = emulator_config(emulator, max_requests_per_second=1_000, **config)
        if mode == "mirror":
            self._config["emit_activate_version_messages"] = True

    def run(self, state: Json | None = None, *, fails: str = "", **config: Any) -> Messages:
        """Run the tap to its end, or until it fails with these words."""
        config = {**self._config, **config}
        replication = INCREMENTAL if self.mode == "increments" else None
        catalog = selected(self._stream, config=config, replication=replication)
        tap = TapCognito(config=config, catalog=catalog, state=copy.deepcopy(state))
        wait_for_readers()
        self.emulator.log.requests.clear()
        with buffered_stdout(), pytest.MonkeyPatch.context() as patch:
            answer_in_process(self.emulator, patch)
            if fails:
                with pytest.raises(TapCognitoError, match=fails):
                    tap.sync_all()
            else:
                tap.sync_all()
        return Messages(messages_of(self._capture.readouterr().out))

    def saved(self, state: Json | None) -> Json:
        """What a state has of the scan; nothing if there is none."""
        return scan_of(state, self._stream)

    def names(self) -> dict[tuple[Any, ...], str]:
        """The users of the pools by their key in the table, with their `sub`."""
        many = "user_pool_ids" in self._config
        return {
            (pool.id if many else None, user["Username"]): sub_of(user)
            for pool in self.emulator.pools
            for user in pool.users()
        }


def requests(subs: Iterable[str], prefixes: Collection[str]) -> Counter[str]:
    """How many requests it takes to list these segments."""
    counts = Counter(sub[:length] for sub in subs for length in {*map(len, prefixes)})
    return Counter(
        {f'sub ^= "{prefix}"': max(1, math.ceil(counts[prefix] / PAGE)) for prefix in prefixes}
    )


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pools of some thousands of users be large ones."""
    monkeypatch.setattr(users, "LARGE_POOL", 3_000)


def is_progress(message: Json) -> bool:
    """Whether a message is a state that the next run can go on from."""
    return message["type"] == "STATE" and "began" in json.dumps(message)


def moments(messages: Messages, count: int, seed: int) -> list[int]:
    """Random moments of a run, after its first listing is complete."""
    first = next(i for i, message in enumerate(messages.all) if is_progress(message))
    return sorted(random.Random(seed).sample(range(first + 1, len(messages.all)), count))  # noqa: S311 - moments


# What a second run reads, and what the table is then


@pytest.mark.usefixtures("small_segments")
@pytest.mark.parametrize(
    ("sub_format", "mode", "seed"),
    [
        ("random", "exact", 1),
        ("random", "mirror", 2),
        ("random", "increments", 3),
        ("regional", "mirror", 4),
    ],
)
def test_only_segments_that_were_not_complete_are_read(
    capfdbinary: Capture, mode: str, sub_format: Any, seed: int
) -> None:
    """After a cut at any moment each page of the missing segments is requested, and no other."""
    with Emulator(Pool(4_000, sub_format=sub_format)) as emulator:
        source = Source(emulator, capfdbinary, mode, "users")
        whole = source.run()
        truth = source.names()
        (number,) = moments(whole, 1, seed)
        part, table = whole.cut(number), Table()
        saved = source.saved(part.state)
        segments = saved["pools"][emulator.pool.id]["segments"]
        left = set(segments) - set(saved["pools"][emulator.pool.id]["done"])
        assert len(segments) == {"random": 256, "regional": 496}[sub_format]
        assert len(left) < len(segments)
        table.load(part)
        rest = source.run(part.state)
        table.load(rest)
        asked = Counter(str(request.filter) for request in emulator.log.requests)
        assert asked == requests(truth.values(), left)
        assert table.keys() == truth.keys()
        assert source.saved(rest.state) == {}


@pytest.mark.parametrize("mode", MODES)
def test_only_pools_that_were_not_complete_are_read(capfdbinary: Capture, mode: str) -> None:
    """Of forty small pools the second run asks for those that were missing or under way only."""
    pools = [Pool(30, number, f"us-east-1_P{number}") for number in range(40)]
    with Emulator(pools=pools) as emulator:
        source = Source(emulator, capfdbinary, mode, "users", user_pool_ids=["us-east-1_*"])
        whole = source.run()
        for number in moments(whole, 2, seed=2):
            part, table = whole.cut(number), Table()
            complete = set(source.saved(part.state)["complete"])
            table.load(part)
            rest = source.run(part.state)
            table.load(rest)
            asked = Counter(
                request.pool_id
                for request in emulator.log.requests
                if request.operation != "ListUserPools"
            )
            assert asked == Counter({pool.id for pool in pools} - complete)
            assert table.keys() == source.names().keys()
            assert source.saved(rest.state) == {}


def grouped_pool() -> Pool:
    """A pool of 30 groups with members, one of them with three pages of them."""
    pool = Pool(200)
    template = next(iter(pool.groups.values()))
    names = [f"group {number}" for number in range(30)]
    pool.groups = {name: {**template, "GroupName": name} for name in names}
    for number, name in enumerate(names):
        for user in itertools.islice(pool.usernames(), 130 if number == 7 else 3):
            pool.join(user, name)
    return pool


@pytest.mark.parametrize("mode", ["exact", "mirror"])
def test_only_groups_that_were_not_complete_are_read(capfdbinary: Capture, mode: str) -> None:
    """Members of a group are asked for again only if its listing was missing or under way."""
    with Emulator(grouped_pool()) as emulator:
        source = Source(emulator, capfdbinary, mode, "group_memberships")
        whole = source.run()
        complete = Table()
        complete.load(whole)
        for number in moments(whole, 3, seed=3):
            part, table = whole.cut(number), Table()
            done = source.saved(part.state)["pools"][emulator.pool.id]["done"]
            table.load(part)
            rest = source.run(part.state)
            table.load(rest)
            groups = 30 - len(done)
            assert groups <= emulator.log.count("ListUsersInGroup") <= groups + 2
            assert table == complete
            assert source.saved(rest.state) == {}


# Failures


@pytest.mark.usefixtures("small_segments")
@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("exact", "ExpiredTokenException"),
        ("mirror", "SomethingNewException"),
        ("increments", "ExpiredTokenException"),
    ],
)
def test_two_failures_add_up(capfdbinary: Capture, mode: str, code: str) -> None:
    """What two runs that failed have read isn't read by the third, which completes the scan."""
    with Emulator(Pool(4_000)) as emulator:
        source, table = Source(emulator, capfdbinary, mode, "users"), Table()
        states: list[Json | None] = [None]
        left: list[set[str]] = []
        for _ in range(2):
            emulator.refused = {}
            emulator.before_request(
                90, lambda: setattr(emulator, "refused", {"ListUsers": code}), {"ListUsers"}
            )
            part = source.run(states[-1], fails="`users`: ")
            table.load(part)
            assert not part.of("ACTIVATE_VERSION")
            states.append(part.state)
            progress = source.saved(part.state)["pools"][emulator.pool.id]
            left.append(set(progress["segments"]) - set(progress["done"]))
        assert left[1] < left[0]
        emulator.refused = {}
        rest = source.run(states[-1])
        table.load(rest)
        asked = Counter(str(request.filter) for request in emulator.log.requests)
        assert asked == requests(source.names().values(), left[1])
        assert table.keys() == source.names().keys()
        assert source.saved(rest.state) == {}


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_a_pool_that_may_not_be_read_does_not_keep_the_others_old(
    capfdbinary: Capture, code: str
) -> None:
    """When all that is missing would fail again, the next run begins a new scan of all pools."""
    pools = [Pool(30, number, f"us-east-1_P{number}") for number in range(5)]
    with Emulator(pools=pools, refused={f"{pools[2].id}/*": code}) as emulator:
        source = Source(emulator, capfdbinary, "mirror", "users", user_pool_ids=["us-east-1_*"])
        part = source.run(fails="1 of 5 pools")
        assert source.saved(part.state) == {}
        assert not part.of("ACTIVATE_VERSION")
        source.run(part.state, fails="1 of 5 pools")
        assert {request.pool_id for request in emulator.log.requests} >= {pool.id for pool in pools}


def test_a_run_that_fails_before_it_reads_anything_keeps_the_scan(capfdbinary: Capture) -> None:
    """A second run without credentials loses nothing of what the first has read."""
    with Emulator(Pool(2_000)) as emulator:
        source = Source(emulator, capfdbinary, "mirror", "users")
        whole = source.run()
        part = whole.cut(moments(whole, 1, seed=4)[0])
        emulator.refused = {"ListUsers": "ExpiredTokenException"}
        second = source.run(part.state, fails="`users`: ")
        assert source.saved(second.state) == source.saved(part.state)


def test_a_pool_that_is_read_anew_is_not_resumed(
    capfdbinary: Capture,
) -> None:
    """When segments turn out to be no partition, the state forgets them at once."""
    pool = Pool(6_000)
    pool.remove_sub(*pool.sample(0.1, start=PAGE))
    with Emulator(pool) as emulator:
        source = Source(emulator, capfdbinary, "mirror", "users")
        whole = source.run()
        states = [source.saved(message["value"]) for message in whole.of("STATE")]
        assert any(state.get("pools") for state in states)
        assert not states[-2].get("pools")
        table = Table()
        for number in range(len(whole.all) - 100, len(whole.all) - 40, 30):
            part, table = whole.cut(number), Table()
            table.load(part)
            table.load(source.run(part.state))
            assert table.keys() == {(None, name) for name in pool.usernames()}


# The promise


@pytest.mark.parametrize("mode", MODES)
def test_users_who_come_go_and_change_between_the_parts(capfdbinary: Capture, mode: str) -> None:
    """The resumed run has who was there all the time; the run after it makes the rest right."""
    with Emulator(Pool(1_200)) as emulator:
        source, table = Source(emulator, capfdbinary, mode, "users"), Table()
        older = source.run()
        table.load(older)
        whole = source.run(older.state)
        if mode == "increments":
            whole = source.run()
        part = whole.cut(moments(whole, 1, seed=5)[0])
        table.load(part)
        done = tuple(source.saved(part.state)["pools"][emulator.pool.id]["done"])
        names = [name for _, name in source.names()]
        for name in names[::20]:
            emulator.pool.delete(name)
        for name in names[1::20]:
            emulator.pool.change(name, {"email": "changed@example.com"})
        created = {emulator.pool.create()["Username"] for _ in range(50)}
        second = source.run(part.state)
        table.load(second)
        truth = source.names()
        throughout = {key for key in truth if key[1] not in created}
        assert throughout <= table.keys()
        wrong = {
            sub_of(user)
            for user in emulator.pool.users()
            if table.get((None, user["Username"]), {}).get("updated_at")
            != iso(user["UserLastModifiedDate"])
        }
        assert wrong
        assert all(sub.startswith(done) for sub in wrong)
        third = source.run(second.state)
        table.load(third)
        assert {
            (None, user["Username"]): iso(user["UserLastModifiedDate"])
            for user in emulator.pool.users()
        }.items() <= {key: row["updated_at"] for key, row in table.items()}.items()
        if mode == "mirror":
            assert table.keys() == truth.keys()


def iso(seconds: float) -> str:
    """A date of the wire as records have it."""
    moment = datetime.fromtimestamp(seconds, timezone.utc).replace(tzinfo=None)
    return moment.isoformat(timespec="milliseconds")


def test_the_version_and_the_bookmark_are_those_of_the_first_part(capfdbinary: Capture) -> None:
    """Rows of the first part survive the switch, and no bookmark is later than its beginning."""
    for mode in ("mirror", "increments"):
        with Emulator(Pool(2_000)) as emulator:
            source = Source(emulator, capfdbinary, mode, "users")
            whole = source.run()
            part = whole.cut(moments(whole, 1, seed=6)[0])
            scan = source.saved(part.state)
            for user in emulator.pool.users():
                emulator.pool.change(user["Username"], {"name": "x"})
            rest = source.run(part.state)
            if mode == "mirror":
                (switch,) = rest.of("ACTIVATE_VERSION")
                versions = {message["version"] for message in part.of("RECORD")}
                assert versions == {switch["version"]} == {scan["version"]}
            else:
                assert rest.state
                (bookmark,) = bookmarks(rest.state).values()
                assert bookmark <= datetime.fromisoformat(scan["began"])


def test_the_bookmark_is_the_latest_change_of_both_parts(capfdbinary: Capture) -> None:
    """The bookmark is the latest change, whichever of the two runs has sent that user."""
    with Emulator(Pool(2_000)) as emulator:
        source = Source(emulator, capfdbinary, "increments", "users")
        whole = source.run()
        *_, last = (number for number, message in enumerate(whole.all, 1) if is_progress(message))
        rest = source.run(whole.cut(last).state)
        assert 0 < len(rest.of("RECORD")) < 2_000
        assert rest.state == whole.state


def test_the_version_is_greater_than_that_of_a_scan_that_is_not_resumed(
    capfdbinary: Capture,
) -> None:
    """A new scan's version is greater, so that a target drops the rows of the abandoned scan."""
    with Emulator(Pool(700)) as emulator:
        source = Source(emulator, capfdbinary, "mirror", "users")
        state = first_part(source).state
        assert state
        later = source.saved(state)["version"] + 10**9
        state["bookmarks"]["users"]["scan"] = json.dumps({**source.saved(state), "version": later})
        (switch,) = source.run(state).of("ACTIVATE_VERSION")
        assert switch["version"] > later


# Starting over


def first_part(source: Source) -> Messages:
    """What a run wrote that was cut off."""
    whole = source.run()
    return whole.cut(moments(whole, 1, seed=7)[0])


def test_a_start_date_plays_no_part_in_a_full_scan(capfdbinary: Capture) -> None:
    """It is one of increments; a full scan goes on whatever it is."""
    with Emulator(Pool(700)) as emulator:
        source = Source(emulator, capfdbinary, "exact", "users")
        rest = source.run(first_part(source).state, start_date="2024-01-01")
        assert 0 < len(rest.of("RECORD")) < 700


def test_increments_of_another_start_are_not_resumed(capfdbinary: Capture) -> None:
    """What was complete lacks the users who were changed between the two dates."""
    with Emulator(Pool(700)) as emulator:
        source = Source(emulator, capfdbinary, "increments", "users")
        whole = source.run(start_date="2024-01-01")
        part = whole.cut(moments(whole, 1, seed=7)[0])
        assert part.state
        assert len(source.run(part.state).of("RECORD")) == 700


@pytest.mark.parametrize(
    "change",
    [
        {"resume_within_hours": 0},
        {"user_filter": 'status = "Enabled"'},
        {"attributes_format": "list"},
        {"attributes_exclude": ["email"]},
        {"emit_activate_version_messages": True},
        {"stream_maps": {"users": {"email": "__NULL__"}}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_scan_of_something_else_is_not_resumed(
    capfdbinary: Capture, caplog: pytest.LogCaptureFixture, change: Json
) -> None:
    """With other settings a run starts over, and says why in one line."""
    caplog.set_level("INFO")
    with Emulator(Pool(1_500)) as emulator:
        source = Source(emulator, capfdbinary, "exact", "users")
        part = first_part(source)
        caplog.clear()
        second = source.run(part.state, **change)
        assert len([text for text in caplog.messages if "Starting over" in text]) == 1
        assert source.saved(second.state) == {}
        if "user_filter" not in change:
            assert len(second.of("RECORD")) == 1_500


@pytest.mark.parametrize("hours", [-1, 7])
def test_a_scan_that_began_too_long_ago_is_not_resumed(
    capfdbinary: Capture, caplog: pytest.LogCaptureFixture, hours: int
) -> None:
    """A scan from too long ago, or from the future of this clock, starts over."""
    caplog.set_level("INFO")
    with Emulator(Pool(1_500)) as emulator:
        source = Source(emulator, capfdbinary, "exact", "users")
        state = first_part(source).state
        assert state
        moment = (datetime.now(timezone.utc) - timedelta(hours=hours)).isoformat()
        scan = {**source.saved(state), "began": moment, "progressed": moment}
        state["bookmarks"]["users"]["scan"] = signed(scan)
        assert len(source.run(state).of("RECORD")) == 1_500
        assert [text for text in caplog.messages if "`resume_within_hours`" in text]
        assert len(source.run(state, resume_within_hours=8).of("RECORD")) < 1_500 or hours < 0


def signed(scan: Json) -> str:
    """A scan as the state has it, with the digest that it must have."""
    content = {key: value for key, value in scan.items() if key != "digest"}
    return json.dumps({**content, "digest": digest(content)})


def test_a_resumed_scan_says_so_in_one_line(
    capfdbinary: Capture, caplog: pytest.LogCaptureFixture
) -> None:
    """The line has the share that needn't be read again."""
    caplog.set_level("INFO")
    with Emulator(Pool(1_500)) as emulator:
        source = Source(emulator, capfdbinary, "exact", "users")
        part = first_part(source)
        done = len(source.saved(part.state)["pools"][emulator.pool.id]["done"])
        caplog.clear()
        source.run(part.state)
        (line,) = [text for text in caplog.messages if "esum" in text]
        share = f"{100 * done / 16:.0f}%"
        assert line.startswith(
            f"Resuming the scan that was cut off: {share} is done and isn't sent"
        )


# Size


def test_the_volume_of_states_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The states of 10,000 pools are 64 KiB a second at most; small ones are all written."""
    clock = itertools.count(0, 1 / 24)
    now = next(clock)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    scope = Scope("users", [], {}, "FULL_TABLE", is_mirror=False)
    own: Json = {}
    sizes: list[int] = []
    state = StreamState(
        own, {"bookmarks": {"users": own}}, lambda state: sizes.append(len(json.dumps(state)))
    )
    pool_ids = [f"us-east-1_Pool{number:05}" for number in range(10_000)]
    scan: Any = ResumableScan(scope, state, pool_ids, logging.getLogger())
    for number, pool_id in enumerate(pool_ids, 1):
        now = next(clock)
        scan.update(SimpleNamespace(pool_id=pool_id, checkpoint=Checkpoint()), is_last=True)
        if number == 500:
            assert len(sizes) == number + 1
    assert sum(sizes) <= 1.3 * 65_536 * now
    assert sizes[-1] > 0.9 * max(sizes)
    assert max(sizes) < 400_000


# Damage


def damaged(scan: Json, random_: random.Random) -> Any:
    """A scan that something has happened to."""
    scan = copy.deepcopy(scan)
    place: Any = scan
    while True:
        keys: list[Any] = list(place if isinstance(place, dict) else range(len(place)))
        if not keys:
            return scan | {"more": 1}
        key = random_.choice(keys)
        if isinstance(place[key], (dict, list)) and random_.random() < 0.7:
            place = place[key]
            continue
        value: Any = random_.choice(
            [None, -1, 10**30, 1.5, "", "0", [], {}, [0], {"a": {}}, True, "f"]
        )
        if random_.random() < 0.3:
            del place[key]
        elif place[key] == value:
            continue
        else:
            place[key] = value
        return scan


def test_a_damaged_scan_is_never_half_used(capfdbinary: Capture) -> None:
    """A scan in the state that something was changed in is none, and the run starts over."""
    random_ = random.Random(0)  # noqa: S311 - damage
    with Emulator(Pool(700)) as emulator:
        source = Source(emulator, capfdbinary, "exact", "users")
        part = first_part(source)
        assert part.state
        scan = source.saved(part.state)
        assert load_scan(json.dumps(scan))
        for number in range(300):
            other = damaged(scan, random_)
            assert load_scan(json.dumps(other)) is None, other
            if number < 5:
                state = copy.deepcopy(part.state)
                state["bookmarks"]["users"]["scan"] = json.dumps(other)
                assert len(source.run(state).of("RECORD")) == 700, other


@pytest.mark.parametrize(
    ("pool_id", "progress", "is_sound"),
    [
        ("b", Checkpoint(frozenset({"0", "f"}), tuple(DIGITS), 7), True),
        ("b", Checkpoint(frozenset(DIGITS), tuple(DIGITS), 7), True),
        ("b", Checkpoint(frozenset({"0"}), tuple(DIGITS), -1), False),
        ("b", Checkpoint(frozenset({"g"}), tuple(DIGITS), 7), False),
        ("b", Checkpoint(frozenset({"0"}), tuple(DIGITS[:-1]), 7), False),
        ("b", Checkpoint(frozenset({"0"}), (*DIGITS, "0"), 7), False),
        ("b", Checkpoint(frozenset({"0"}), ("", *DIGITS), 7), False),
        ("b", Checkpoint(frozenset({""}), ("",), 7), False),
        ("a", Checkpoint(frozenset({"0"}), tuple(DIGITS), 7), False),
    ],
)
def test_a_scan_that_contradicts_itself_is_not_resumed(
    pool_id: str, progress: Checkpoint, *, is_sound: bool
) -> None:
    """A scan with a valid digest but an unknown segment, or a pool in two states, starts over."""
    began = datetime.now(timezone.utc).isoformat()
    scan = load_scan(dump_scan(Scan(began, began, "s", complete={"a"}, pools={pool_id: progress})))
    assert (scan is not None) == is_sound


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=8,
)
SCANS = st.fixed_dictionaries(
    {
        "began": st.just(datetime.now(timezone.utc).isoformat()) | JSON,
        "progressed": st.just(datetime.now(timezone.utc).isoformat()) | JSON,
        "scope": st.just("s") | JSON,
    },
    optional={
        "version": JSON,
        "failing": st.just({"p": 1}) | JSON,
        "complete": st.just(["p"]) | JSON,
        "pools": st.fixed_dictionaries(
            {},
            optional={
                "p": st.fixed_dictionaries(
                    {},
                    optional={
                        "done": st.just(["0", "1"]) | JSON,
                        "segments": st.just(list(DIGITS)) | st.just(["0", "1"]) | JSON,
                        "count": st.integers() | JSON,
                        "estimate": JSON,
                    },
                )
            },
        ),
    },
)


@settings(deadline=None)
@given(scan=SCANS | JSON, is_signed=st.booleans())
def test_any_scan_is_taken_as_a_whole_or_not_at_all(scan: Any, *, is_signed: bool) -> None:
    """Whatever the state holds, a scan that is resumed is sound."""
    loaded = load_scan(signed(scan) if is_signed and isinstance(scan, dict) else json.dumps(scan))
    if loaded:
        assert is_signed
        assert load_scan(dump_scan(loaded)) == loaded
        assert 0 <= loaded.share_done(1) <= 1
        for progress in loaded.pools.values():
            assert not progress.segments or is_partition(progress.segments)
            assert not progress.segments or progress.done <= set(progress.segments)
