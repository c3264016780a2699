"""Increments that miss nothing, and runs that may end anywhere."""

from __future__ import annotations

import copy
import json
import logging
import os
import random
import re
import signal
import sysconfig
import threading
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from emulator import Emulator, Faults, Pool
from tap_cognito.cognito import client
from tap_cognito.errors import AccessDeniedError, TapCognitoError
from tap_cognito.replication.state import new_scan
from tap_cognito.tap import TapCognito
from tests.support.catalogs import INCREMENTAL, selected
from tests.support.documents import blocks
from tests.support.in_process import answer_in_process
from tests.support.interruption import load_while, running_tap
from tests.support.messages import buffered_stdout, messages_of, of_type
from tests.support.programs import TIMEOUT, emulator_config, load, run_program, run_tap
from tests.support.states import bookmarks, with_bookmark
from tests.support.tables import Database, wire_row
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.interruption import Process

    Capture = pytest.CaptureFixture[bytes]
    Json = dict[str, Any]

pytestmark = pytest.mark.whole_pools

INCREMENTS = selected("users", replication=INCREMENTAL)
FULL = selected("users")
LOOK_BACK = 600
POOL_ID = Pool(0).id


class Run(NamedTuple):
    """What a run has written."""

    messages: list[Json]

    @property
    def records(self) -> list[Json]:
        """Its records."""
        return [each["record"] for each in of_type(self.messages, "RECORD")]

    @property
    def names(self) -> list[str]:
        """Whose records they are."""
        return [record["username"] for record in self.records]

    @property
    def states(self) -> list[Json]:
        """Its states."""
        return [each["value"] for each in of_type(self.messages, "STATE")]


class Source:
    """A pool, and the tap in this process that reads it."""

    def __init__(self, emulator: Emulator, capture: Capture) -> None:
        self.emulator = emulator
        self.pool = emulator.pool
        self._capture = capture

    def tap(
        self, state: Json | None = None, entry: Json | None = None, **config: Any
    ) -> TapCognito:
        """Make a tap that replicates by increments."""
        config = emulator_config(self.emulator, **config)
        return TapCognito(config=config, catalog=entry or INCREMENTS, state=copy.deepcopy(state))

    def run(self, state: Json | None = None, entry: Json | None = None, **config: Any) -> Run:
        """Run a tap to its end."""
        with buffered_stdout(), pytest.MonkeyPatch.context() as patch:
            answer_in_process(self.emulator, patch)
            self.tap(state, entry, **config).sync_all()
        return self.written()

    def written(self) -> Run:
        """Read what the last run wrote."""
        return Run(messages_of(self._capture.readouterr().out))

    def table(self) -> dict[str, Json]:
        """Return what the table must be: a full run, by user name."""
        run = self.run(entry=selected("users", replication={"replication_method": "FULL_TABLE"}))
        return {record["username"]: record for record in run.records}

    def changed_since(self, moment: datetime) -> set[str]:
        """Return which users were changed then or later."""
        since = moment.timestamp()
        return {
            user["Username"]
            for user in self.pool.users()
            if round(user["UserLastModifiedDate"], 3) >= round(since, 3)
        }


@pytest.fixture
def source(capfdbinary: Capture) -> Iterator[Source]:
    """A pool of 700 users, in sixteen segments, and its tap."""
    with Emulator(Pool(700)) as emulator:
        yield Source(emulator, capfdbinary)


def bookmark(state: Json, stream: str = "users") -> datetime:
    """The bookmark of a state."""
    (found,) = bookmarks(state, stream).values()
    return found


def at(moment: datetime, pool_id: str = POOL_ID) -> Json:
    """A state with this bookmark."""
    return with_bookmark(moment, pool_id)


# What is sent


def test_full_table_is_the_default(source: Source) -> None:
    """Without a choice in the catalog every run sends every user."""
    entry = copy.deepcopy(FULL)
    first = source.run(entry=entry)
    second = source.run(first.states[-1], entry)
    assert sorted(first.names) == sorted(second.names) == sorted(source.table())
    assert first.states[-1] == {"bookmarks": {"users": {"scan": None}}}


@pytest.mark.programs
@pytest.mark.parametrize("place", ["metadata", "entry", "both"])
def test_increments_are_chosen_in_the_catalog(place: str, tmp_path: Path) -> None:
    """Chosen in the stream's metadata or its entry, the second run sends the changed user only."""
    chosen = copy.deepcopy(FULL)
    (users,) = [each for each in chosen["streams"] if each["stream"] == "users"]
    if place != "entry":
        names = {key.replace("_", "-"): value for key, value in INCREMENTAL.items()}
        users["metadata"][-1]["metadata"] |= names
    if place != "metadata":
        users |= INCREMENTAL
    with Emulator(Pool(70)) as emulator:
        (tmp_path / "catalog").write_text(json.dumps(chosen))
        state = at(datetime(2026, 1, 1, tzinfo=timezone.utc))
        (tmp_path / "state").write_text(json.dumps(state))
        emulator.pool.change(next(emulator.pool.users())["Username"])
        output = run_tap(
            emulator_config(emulator),
            *("--catalog", tmp_path / "catalog", "--state", tmp_path / "state"),
        ).stdout
    assert output.count('"type":"RECORD"') == 1


@pytest.mark.parametrize("stream", ["groups", "identity_providers", "user_pool"])
def test_other_streams_have_increments_too(source: Source, stream: str) -> None:
    """What has a date of its last change is sent again only when that has moved."""
    first = source.run(entry=selected(stream, replication=INCREMENTAL))
    assert first.records
    state = first.states[-1]
    assert bookmark(state, stream).timestamp() == 1_735_787_046.123
    later = (bookmark(state, stream) + timedelta(days=1)).isoformat()
    state["bookmarks"][stream]["pools"][POOL_ID]["updated_at"] = later
    assert source.run(state, selected(stream, replication=INCREMENTAL)).records == []


@pytest.mark.parametrize(
    ("start_date", "from_when"),
    [
        ("2022-03-01", "2022-03-01T00:00:00+00:00"),
        ("2022-03-01T12:00:00Z", "2022-03-01T12:00:00+00:00"),
        ("2022-03-01T12:00:00+05:30", "2022-03-01T06:30:00+00:00"),
    ],
)
@pytest.mark.parametrize("bookmarked", [None, "2020-01-01", "2023-01-01"])
def test_the_start_date_is_honoured(
    source: Source, start_date: str, from_when: str, bookmarked: str | None
) -> None:
    """Users last changed before it aren't sent, and a later bookmark goes on from there."""
    since = datetime.fromisoformat(from_when)
    state = None
    if bookmarked:
        moment = datetime.fromisoformat(f"{bookmarked}T00:00:00+00:00")
        state = at(moment)
        since = max(since, moment - timedelta(seconds=LOOK_BACK))
    run = source.run(state, start_date=start_date)
    assert set(run.names) == source.changed_since(since)
    assert 0 < len(run.names) < 700


def test_the_key_of_increments_need_not_be_named(source: Source) -> None:
    """A stream has only one; the SCHEMA message says which."""
    by_method = selected("users", replication={"replication_method": "INCREMENTAL"})
    (schema,) = of_type(source.run(entry=by_method).messages, "SCHEMA")
    assert schema["bookmark_properties"] == ["updated_at"]


def test_a_user_without_a_date_is_always_sent(capfdbinary: Capture) -> None:
    """A user without a date of change is sent every time; the bookmark is that of the others."""
    users = list(Pool(3).users())
    del users[0]["UserLastModifiedDate"]
    users[1]["UserLastModifiedDate"] = None
    with Emulator(Pool.from_users(users)) as emulator:
        source = Source(emulator, capfdbinary)
        first = source.run()
        assert len(first.names) == 3
        assert bookmark(first.states[-1]).timestamp() == pytest.approx(
            users[2]["UserLastModifiedDate"], abs=0.001
        )
        later = at(bookmark(first.states[-1]) + timedelta(days=1))
        assert source.run(later).names == [user["Username"] for user in users[:2]]


def test_the_bookmark_never_goes_back(capfdbinary: Capture) -> None:
    """The bookmark stays when its user is deleted, and when the look-back sends older changes."""
    with Emulator(Pool(10)) as emulator:
        source = Source(emulator, capfdbinary)
        last, before, *_ = (user["Username"] for user in source.pool.users())
        source.pool.change(last, at=time.time() - LOOK_BACK)
        source.pool.change(before, at=time.time() - 1.5 * LOOK_BACK)
        first = source.run()
        source.pool.delete(last)
        second = source.run(first.states[-1])
        assert second.names == [before]
        assert second.states[-1] == first.states[-1]


def test_an_unchanged_pool_sends_what_the_look_back_covers(capfdbinary: Capture) -> None:
    """Of 10,000 users the second run sends those of the last ten minutes before the bookmark."""
    with Emulator(Pool(10_000)) as emulator:
        source = Source(emulator, capfdbinary)
        last = max(user["UserLastModifiedDate"] for user in source.pool.users())
        users = iter(list(source.pool.users()))
        recent = {
            source.pool.change(next(users)["Username"], at=last - LOOK_BACK + seconds)["Username"]
            for seconds in (0, 1, 300)
        }
        source.pool.change(next(users)["Username"], at=last - LOOK_BACK - 0.001)
        first = source.run()
        assert len(first.records) == 10_000
        assert bookmark(first.states[-1]).timestamp() == pytest.approx(last, abs=0.001)
        second = source.run(first.states[-1])
        assert (
            recent
            < set(second.names)
            == source.changed_since(bookmark(first.states[-1]) - timedelta(seconds=LOOK_BACK))
        )
        assert len(second.names) < 10
        assert second.states[-1] == first.states[-1]


# No change is missed


@pytest.mark.parametrize(
    ("clock", "look_back"), [(0, 0), (-240, LOOK_BACK), (240, LOOK_BACK)], ids=str
)
def test_no_change_is_missed(source: Source, clock: int, look_back: int) -> None:
    """Users change before, during and after scans: the runs together have every last change.

    Also where the tap's clock is four minutes ahead of AWS's, or behind.
    """
    source.emulator.latency = 0.02
    names = [user["Username"] for user in source.pool.users()]
    chance = random.Random(7)  # noqa: S311 - repeatable, not secret
    stop = threading.Event()

    def change() -> None:
        while not stop.wait(0.001):
            now = time.time() + clock
            source.pool.change(chance.choice(names), {"custom:at": str(now)}, at=now)
            names.append(source.pool.create(at=now)["Username"])

    changer = threading.Thread(target=change)
    table: dict[str, Json] = {}
    state: Json | None = None
    during = 0
    changer.start()
    try:
        for _ in range(5):
            started = time.time() + clock
            run = source.run(state, lookback_seconds=look_back)
            table |= {record["username"]: record for record in run.records}
            during += sum(
                datetime.fromisoformat(record["updated_at"]).timestamp() > started
                for record in run.records
            )
            state = run.states[-1]
    finally:
        stop.set()
        changer.join()
    assert during > 10
    run = source.run(state, lookback_seconds=look_back)
    table |= {record["username"]: record for record in run.records}
    assert table == source.table()


@pytest.mark.parametrize(
    ("look_back", "late", "is_sent"),
    [
        (LOOK_BACK, 1, True),
        (LOOK_BACK, 599, True),
        (LOOK_BACK, 601, False),
        (0, 0, True),
        (0, 1, False),
    ],
)
def test_a_change_that_shows_late_is_sent(
    source: Source, look_back: int, late: int, is_sent: bool
) -> None:
    """A change that a scan didn't show is sent by the next, within the look-back."""
    hidden, shown, *_ = source.pool.users()
    source.pool.change(shown["Username"])
    state = source.run().states[-1]
    moment = (bookmark(state) - timedelta(seconds=late)).timestamp()
    source.pool.change(hidden["Username"], at=moment)
    run = source.run(state, lookback_seconds=look_back)
    assert (hidden["Username"] in run.names) == is_sent


# The bookmark


def test_the_bookmark_never_passes_the_start_of_the_scan(source: Source) -> None:
    """A later last change, by AWS's clock or its own moment, doesn't move the bookmark further."""
    user = next(source.pool.users())
    source.pool.change(user["Username"], at=time.time() + 3600)
    before = time.time()
    state = source.run().states[-1]
    assert before - 1 <= bookmark(state).timestamp() <= time.time()
    assert user["Username"] in source.run(state).names


def fail(source: Source, tap: TapCognito) -> None:
    """Let the pool become unreachable half way."""
    source.emulator.faults = Faults(("html-502",), skip=12)
    with pytest.raises(TapCognitoError):
        tap.sync_all()


def deny(source: Source, tap: TapCognito) -> None:
    """Take the permission away half way."""
    page = source.pool.page

    def last_pages(*arguments: Any, **options: Any) -> Any:
        if source.emulator.log.count() > 8:
            source.emulator.denied = {"cognito-idp:ListUsers"}
        return page(*arguments, **options)

    source.pool.page = last_pages  # type: ignore[method-assign]
    with pytest.raises(AccessDeniedError):
        tap.sync_all()


def limit(_: Source, tap: TapCognito) -> None:
    """Let a trial run end after some records."""
    tap.run_sync_dry_run(350, streams=[tap.streams["users"]])


@pytest.mark.parametrize("end", [fail, deny, limit])
@pytest.mark.parametrize("state", [None, at(datetime(2021, 1, 1, tzinfo=timezone.utc))])
def test_the_bookmark_moves_only_when_the_scan_is_complete(
    source: Source,
    monkeypatch: pytest.MonkeyPatch,
    end: Callable[[Source, TapCognito], None],
    state: Json | None,
) -> None:
    """Whatever a run that fell short wrote as state, it begins where the last one began."""
    monkeypatch.setattr(client, "RETRY_SECONDS", 0.0)
    tap = source.tap(state)
    tap.streams["users"].STATE_MSG_FREQUENCY = 10
    end(source, tap)
    run = source.written()
    assert len(run.records) > 100
    assert all(bookmarks(value) == bookmarks(state) for value in run.states)


# Whose state it is


@pytest.mark.parametrize("other", ["pool", "filter", "none"])
def test_a_bookmark_belongs_to_its_pool_and_filter(
    source: Source, other: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With the state of another pool or filter every user is sent, and a line says so."""
    caplog.set_level(logging.INFO)
    moment = datetime(2100, 1, 1, tzinfo=timezone.utc)
    every_user: Json = {"user_filter": 'username ^= ""'}
    if other == "pool":
        state = at(moment, "us-east-1_Another1")
    elif other == "filter":
        state = source.run(None, **every_user).states[-1]
        state["bookmarks"]["users"]["pools"][POOL_ID]["updated_at"] = moment.isoformat()
    else:
        old = {"replication_key": "updated_at", "replication_key_value": moment.isoformat()}
        state = {"bookmarks": {"users": old}}
    run = source.run(state)
    assert len(run.records) == len(source.pool)
    (line,) = [text for text in caplog.messages if text.startswith("Starting over with ")]
    assert POOL_ID in line
    assert bookmarks(run.states[-1])[POOL_ID] < moment
    assert len(source.run(run.states[-1]).records) < len(source.pool)


def test_a_state_names_no_filter(source: Source) -> None:
    """The state has a digest of the filter, which may be a user's address."""
    run = source.run(None, user_filter='email = "jane@example.com"')
    assert "jane" not in json.dumps(run.states)


@pytest.mark.parametrize("now", [2_000.0, 1_000.0])
def test_versions_grow_whatever_the_clock_does(now: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two scans in one moment, or after the clock was set back, have versions that grow."""
    monkeypatch.setattr(time, "time", lambda: 2_000.0)
    first = new_scan("scope", 0, None, is_mirror=True)
    monkeypatch.setattr(time, "time", lambda: now)
    assert first.version is not None
    second = new_scan("scope", first.version, None, is_mirror=True)
    assert second.version is not None
    assert second.version > first.version


# Restarts


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.97, 1.0])
def test_a_run_cut_anywhere_and_repeated_gives_the_pool(source: Source, share: float) -> None:
    """With the part of the messages that came through, and its last state, nothing is missing."""
    first = source.run()
    table = {record["username"]: record for record in first.records}
    state = first.states[-1]
    for user in list(source.pool.users())[::2]:
        source.pool.change(user["Username"], {"custom:plan": "new"})
    tap = source.tap(state)
    tap.streams["users"].STATE_MSG_FREQUENCY = 25
    tap.sync_all()
    messages = source.written().messages
    part = Run(messages[: int(len(messages) * share)])
    table |= {record["username"]: record for record in part.records}
    again = source.run((part.states or [state])[-1])
    table |= {record["username"]: record for record in again.records}
    assert table == source.table()


@pytest.mark.parametrize("entry", [INCREMENTS, FULL], ids=["INCREMENTAL", "FULL_TABLE"])
def test_a_killed_run_repeated_gives_the_pool(
    database: Database, tmp_path: Path, entry: Json
) -> None:
    """Killed half way and repeated, the table of the real target equals the pool."""
    with Emulator(Pool(1500), latency=0.1) as emulator:
        config = emulator_config(emulator)

        def kill(tap: Process) -> None:
            wait_until(lambda: emulator.log.count("ListUsers") >= 18)
            tap.kill()

        target = database.target_config
        assert load_while(kill, tmp_path, config, target, catalog=entry) == -signal.SIGKILL
        load(config, target, "--catalog", tmp_path / "catalog.json")
        expected = [wire_row(user) for user in emulator.pool.users()]
    assert {row[0]: row for row in database.rows()} == {row[0]: row for row in expected}


@pytest.mark.programs
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_comes_out_is_valid_at_any_moment(tmp_path: Path, number: signal.Signals) -> None:
    """Stopped or killed at random moments, every line is whole and no state is ahead.

    Only the last line of a killed run may be cut.
    """
    state = at(datetime(2019, 2, 1, tzinfo=timezone.utc))
    chance = random.Random(number)  # noqa: S311 - repeatable, not secret
    with Emulator(Pool(4_000)) as emulator:
        for moment in (100, *(chance.randrange(1_500_000) for _ in range(3))):
            with running_tap(
                tmp_path, emulator_config(emulator), catalog=INCREMENTS, state=state
            ) as tap:
                assert tap.stdout
                output = tap.stdout.read(moment)
                tap.send_signal(number)
                output += tap.stdout.read()
                assert tap.wait(TIMEOUT) in {-number, 128 + number}
            lines = output.splitlines(keepends=True)
            if number == signal.SIGKILL and not output.endswith(b"\n"):
                lines.pop()
            run = Run(messages_of(b"".join(lines)))
            assert all(line.endswith(b"\n") for line in lines)
            assert run.states
            assert {bookmark(each) for each in run.states} == {bookmark(state)}


def test_records_say_when_they_were_read(source: Source) -> None:
    """Each has the time of its page, which a target may keep beside it."""
    source.emulator.latency = 0.05
    before = datetime.now(timezone.utc)
    run = source.run(entry=FULL)
    times = [each["time_extracted"] for each in of_type(run.messages, "RECORD")]
    moments = {datetime.fromisoformat(each.replace("Z", "+00:00")) for each in times}
    assert len(times) == 700
    assert len(moments) > 1
    assert before < min(moments) < max(moments) < datetime.now(timezone.utc)


# What the tap is given


def with_more(column: str) -> Json:
    """A catalog with a column that the stream hasn't."""
    made = copy.deepcopy(INCREMENTS)
    (users,) = [each for each in made["streams"] if each["stream"] == "users"]
    users["schema"]["properties"][column] = {"type": ["string", "null"]}
    return made


@pytest.mark.programs
@pytest.mark.parametrize(
    ("option", "content", "line"),
    [
        ("state", "", "is empty: pass this tap's last STATE"),
        ("state", '{"bookmarks": {"us', "isn't JSON"),
        ("state", [], "must be a JSON object"),
        ("state", {"users": "2020-01-01T00:00:00Z"}, "has no `bookmarks`"),
        ("state", {"singer_state": {"bookmarks": {}}}, "what `meltano state get` prints"),
        ("state", {"bookmarks": {"customers": {}}}, "has bookmarks of streams of another tap"),
        ("state", {"bookmarks": {"users": {"partitions": [1]}}}, "at `bookmarks.partitions`"),
        (
            "state",
            {"bookmarks": {"users": {"replication_key_value": 5}}},
            "at `bookmarks.replication_key_value`",
        ),
        (
            "state",
            at(datetime(2999, 1, 1, tzinfo=timezone.utc)),
            "an implausible bookmark date",
        ),
        (
            "state",
            {"bookmarks": {"users": {"progress_markers": "x"}}},
            "at `bookmarks.progress_markers`",
        ),
        ("catalog", "{", "isn't JSON"),
        ("catalog", {"streams": None}, "isn't a Singer catalog"),
        ("catalog", {"streams": []}, "none of this tap's streams"),
        (
            "catalog",
            selected("users", replication={"replication_method": "LOG_BASED"}),
            "FULL_TABLE or INCREMENTAL",
        ),
        (
            "catalog",
            selected("log_delivery", replication=INCREMENTAL),
            "`replication-method` to FULL_TABLE",
        ),
        (
            "catalog",
            selected("users", replication={**INCREMENTAL, "replication_key": "created_at"}),
            "set `replication-key` to updated_at",
        ),
        (
            "catalog",
            with_more("phone"),
            "has `phone` of `users`, which has no such column: take it out",
        ),
        (
            "catalog",
            selected("users", without=["updated_at"], replication=INCREMENTAL),
            "select `users.updated_at`, or use FULL_TABLE",
        ),
    ],
)
def test_a_wrong_file_is_one_clear_line(
    tmp_path: Path, option: str, content: Any, line: str
) -> None:
    """A foreign, old or damaged state or catalog is said to be one, with status 1."""
    text = content if isinstance(content, str) else json.dumps(content)
    files = {"catalog": json.dumps(INCREMENTS), option: text}
    arguments: list[Any] = []
    for name, written in files.items():
        (tmp_path / name).write_text(written)
        arguments += [f"--{name}", tmp_path / name]
    with Emulator(Pool(1)) as emulator:
        run = run_tap(emulator_config(emulator), *arguments)
    assert run.returncode == 1
    (error,) = [each for each in run.stderr.splitlines() if "| ERROR " in each]
    assert line in error
    assert error == run.stderr.splitlines()[-1]
    assert '"type":"RECORD"' not in run.stdout


@pytest.mark.skipif(os.name == "nt", reason="it is for a Unix shell")
def test_the_documented_pipe_goes_on_from_its_state(database: Database, tmp_path: Path) -> None:
    """The shell's lines send all users, then what changed; a run that fails is seen to fail."""
    shown = blocks("docs/replication.md", "sh")
    (script,) = (block for block in shown if block.startswith("set -o pipefail"))
    scripts = sysconfig.get_path("scripts")
    environment = {**os.environ, "PATH": os.pathsep.join([scripts, os.environ["PATH"]])}

    def run() -> tuple[int, str]:
        shell = run_program(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=environment,
        )
        (records,) = re.findall(r"1 schemas, (\d+) records", shell.stderr) or [""]
        return shell.returncode, records

    with Emulator(Pool(70)) as emulator:
        files = {"tap": emulator_config(emulator), "target": database.target_config}
        for name, content in {**files, "catalog": INCREMENTS}.items():
            (tmp_path / f"{name}.json").write_text(json.dumps(content))
        assert run() == (0, "70")
        emulator.pool.change(next(emulator.pool.users())["Username"])
        state = (tmp_path / "state.json").read_text()
        emulator.denied = {"cognito-idp:ListUsers"}
        assert run()[0] == 1
        assert (tmp_path / "state.json").read_text() == state
        emulator.denied = ()
        assert run() == (0, "2")  # with the one who was last changed before
        expected = [wire_row(user) for user in emulator.pool.users()]
    assert {row[0]: row for row in database.rows()} == {row[0]: row for row in expected}
