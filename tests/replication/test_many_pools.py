"""Many pools in one run: all arrive, quotas are shared, and a pool that fails harms no other."""

from __future__ import annotations

import copy
import itertools
import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from emulator import AWS_QUOTAS, Emulator, Pool
from quickstart.pool import KEYS
from tap_cognito.cognito import client, parallel
from tap_cognito.errors import TapCognitoError
from tap_cognito.tap import TapCognito
from tests.support.catalogs import INCREMENTAL, selected
from tests.support.in_process import answer_in_process
from tests.support.messages import buffered_stdout, messages_of, of_type
from tests.support.paths import ROOT
from tests.support.programs import TIMEOUT, pour
from tests.support.states import bookmarks
from tests.support.tables import COLUMNS, Database, wire_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    Json = dict[str, Any]
    Rows = dict[tuple[str, str], tuple[Any, ...]]

A, B, C, NEW = "us-east-1_A", "us-east-1_B", "eu-west-1_C", "eu-west-1_New"
EVERY_POOL = ["us-east-1_*", "eu-west-1_*"]
MODES: dict[str, Json] = {
    "exact": {},
    "mirror": {"emit_activate_version_messages": True},
    "increments": {"lookback_seconds": 0},
}
MIRROR_TARGET = {"add_record_metadata": True, "activate_version": True, "hard_delete": True}


class Run(NamedTuple):
    """What a run has written, and how it ended."""

    text: str
    error: TapCognitoError | None

    @property
    def messages(self) -> list[Json]:
        """Its messages."""
        return messages_of(self.text)

    @property
    def keys(self) -> set[tuple[str, str]]:
        """Which users it sent, each in its pool."""
        found = [
            (message["record"]["user_pool_id"], message["record"]["username"])
            for message in of_type(self.messages, "RECORD")
        ]
        assert len(found) == len(set(found))
        return set(found)

    @property
    def state(self) -> Json:
        """Its last state."""
        states = [message["value"] for message in of_type(self.messages, "STATE")]
        return dict(states[-1])

    @property
    def bookmarks(self) -> dict[str, datetime]:
        """The bookmarks of its last state, by pool."""
        return bookmarks(self.state)

    @property
    def activated(self) -> int:
        """How often it let the target remove what it didn't send."""
        return len(of_type(self.messages, "ACTIVATE_VERSION"))


class Account:
    """An account with pools in two regions, and the tap that reads them."""

    def __init__(self, emulator: Emulator, capture: pytest.CaptureFixture[str]) -> None:
        self.emulator = emulator
        self._capture = capture

    def pool(self, pool_id: str) -> Pool:
        """One of its pools."""
        (pool,) = [pool for pool in self.emulator.pools if pool.id == pool_id]
        return pool

    @property
    def users(self) -> set[tuple[str, str]]:
        """All users, each in its pool."""
        return {
            (pool.id, user["Username"]) for pool in self.emulator.pools for user in pool.users()
        }

    @property
    def rows(self) -> Rows:
        """The rows that a table of all pools must have."""
        return {
            (pool.id, user["Username"]): wire_row(user)
            for pool in self.emulator.pools
            for user in pool.users()
        }

    def config(self, **more: Any) -> Json:
        """The settings that read every pool, as fast as they answer."""
        default: Json = {
            "user_pool_ids": EVERY_POOL,
            "endpoint_url": self.emulator.url,
            "max_requests_per_second": 500,
        }
        return {**default, **KEYS, **more}

    def run(
        self,
        mode: str = "exact",
        state: Json | None = None,
        stream: str = "users",
        **config: Any,
    ) -> Run:
        """Run the tap to its end."""
        settings = self.config(**MODES[mode], **config)
        replication = INCREMENTAL if mode == "increments" else None
        catalog = selected(stream, config=settings, replication=replication)
        self._capture.readouterr()
        error = None
        tap = TapCognito(config=settings, catalog=catalog, state=copy.deepcopy(state))
        try:
            with buffered_stdout():
                tap.sync_all()
        except TapCognitoError as raised:
            error = raised
        return Run(self._capture.readouterr().out, error)


@pytest.fixture
def account(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Account]:
    """One pool that is read in segments, and two that share their users' names."""
    pools = [Pool(70, 1, A), Pool(700, 2, B), Pool(40, 1, C)]
    with Emulator(pools=pools) as emulator:
        answer_in_process(emulator, monkeypatch)
        yield Account(emulator, capfd)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a request that fails up after a moment."""
    monkeypatch.setattr(client, "RETRY_SECONDS", 0.2)


def rows(database: Database) -> Rows:
    """The table of all pools, in the tap's columns."""
    columns = ", ".join(("user_pool_id", *COLUMNS))
    found = database.rows(f"select {columns} from cognito.users")  # noqa: S608 - our own names
    table = {(pool_id, row[0]): tuple(row) for pool_id, *row in found}
    assert len(found) == len(table)
    return table


# Through the target


def change(account: Account) -> None:
    """Users go, come and change; a tenant has left, and another one has come."""
    account.pool(A).delete(next(account.pool(A).users())["Username"])
    account.pool(B).change(next(account.pool(B).users())["Username"], {"custom:plan": "new"})
    new = {**next(account.pool(A).users()), "Username": "new", "UserCreateDate": int(time.time())}
    account.pool(B).create({**new, "UserLastModifiedDate": int(time.time())})
    account.emulator.remove_pool(account.pool(C))
    account.emulator.add_pool(Pool(65, 9, NEW))


def deny_pool(account: Account) -> None:
    """One pool may not be read."""
    account.emulator.refused = {f"{B}/ListUsers": "AccessDeniedException"}


def break_pool(account: Account) -> None:
    """One pool fails again and again."""
    account.emulator.refused = {f"{NEW}/ListUsers": "InternalErrorException"}


def delete_pool_in_mid_run(account: Account) -> None:
    """A pool was listed, and is deleted before it is read."""
    pool = account.pool(B)
    account.emulator.before_request(1, lambda: account.emulator.remove_pool(pool), {"ListUsers"})


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("mode", "failures"),
    [
        ("exact", [deny_pool]),
        ("mirror", [deny_pool, delete_pool_in_mid_run, break_pool]),
        ("increments", [break_pool]),
    ],
    ids=MODES,
)
def test_the_table_equals_every_pool(
    mode: str,
    failures: list[Callable[[Account], None]],
    account: Account,
    database: Database,
) -> None:
    """Whatever happens to a pool, the others are loaded; rows go only after a complete mirror."""
    kept: Rows = {}
    target = database.target_config | (MIRROR_TARGET if mode == "mirror" else {})

    def load(state: Json | None = None) -> Run:
        run = account.run(mode, state)
        pour(run.text, target)
        return run

    def check(run: Run) -> None:
        assert (run.error, run.activated) == (None, mode == "mirror")
        assert rows(database) == {**({} if mode == "mirror" else kept), **account.rows}

    run = load()
    check(run)
    kept = rows(database)
    change(account)
    run = load(run.state)
    check(run)
    for failure in failures:
        account.emulator.refused = {}
        failure(account)
        user = next(account.pool(A).users())["Username"]
        account.pool(A).change(user, {"custom:plan": failure.__name__})
        kept = {**rows(database), (A, user): account.rows[A, user]}
        run = load(run.state)
        if failure is delete_pool_in_mid_run:  # its rows leave the mirror
            check(run)
            continue
        assert str(run.error).startswith("`users`: 1 of ")
        assert run.activated == 0
        assert rows(database) == kept
    account.emulator.refused = {}
    check(load(run.state))


# Which pools


@pytest.mark.parametrize(
    ("patterns", "found", "searched"),
    [
        (["us-east-1_*"], {A, B}, {"us-east-1"}),
        (EVERY_POOL, {A, B, C}, {"us-east-1", "eu-west-1"}),
        ([A, "eu-west-1_*"], {A, C}, {"eu-west-1"}),
        ([B, "us-east-1_*"], {A, B}, {"us-east-1"}),
        ([C, A], {A, C}, set()),
    ],
)
def test_ids_and_patterns_choose_the_pools(
    account: Account, patterns: list[str], found: set[str], searched: set[str]
) -> None:
    """Each pool is read once, in its region; only regions with a pattern are searched."""
    run = account.run(user_pool_ids=patterns)
    assert run.error is None
    assert run.keys == {user for user in account.users if user[0] in found}
    log = account.emulator.log
    assert {request.region for request in log.matching(operation="ListUserPools")} == searched
    assert {request.outcome for request in log.requests} == {"ok"}


@pytest.mark.parametrize("patterns", [[C, B, A], [C, "us-east-1_*", A], EVERY_POOL])
def test_the_pools_of_a_region_are_read_in_the_order_of_their_ids(
    patterns: list[str], account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However they are named, so that a run that was cut off has read the first of them."""
    monkeypatch.setattr(parallel, "CONCURRENCY", 1)
    account.emulator.add_pool(Pool(1, 4, "us-east-1_0"))
    account.emulator.add_pool(Pool(1, 5, "us-east-1_z"))
    named = [*patterns, "us-east-1_z", "us-east-1_0"]
    account.run(user_pool_ids=named)
    log = account.emulator.log
    asked = [each.pool_id for each in log.matching(operation="ListUsers", region="us-east-1")]
    assert list(dict.fromkeys(asked)) == ["us-east-1_0", A, B, "us-east-1_z"]


def test_every_page_of_pools_is_read(capfd: pytest.CaptureFixture[str]) -> None:
    """ListUserPools gives sixty pools a page: 65 pools take two requests, and all are read."""
    pools = [Pool(1, number, f"us-east-1_P{number}") for number in range(65)]
    with Emulator(pools=pools) as emulator:
        account = Account(emulator, capfd)
        assert account.run(user_pool_ids=["us-east-1_*"]).keys == account.users
        assert emulator.log.count("ListUserPools") == 2
        assert emulator.log.count("ListUsers") == 65


def test_a_replica_is_read_in_the_region_of_the_settings(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """With `region` a pattern is searched there, whatever region the ids begin with."""
    pools = [Pool(5, 1, A, region="eu-west-1"), Pool(6, 2, C), Pool(7, 3, B)]
    with Emulator(pools=pools) as emulator:
        account = Account(emulator, capfd)
        run = account.run(user_pool_ids=["us-east-1_*"], region="eu-west-1")
        assert {pool_id for pool_id, _ in run.keys} == {A}
        assert {request.region for request in emulator.log.requests} == {"eu-west-1"}


@pytest.mark.parametrize(
    ("patterns", "refused", "words"),
    [
        (
            ["us-east-1_*", "ap-south-1_*"],
            {},
            "`user_pool_ids`: ap-south-1_* matches no user pool in ap-south-1 of this account",
        ),
        (
            EVERY_POOL,
            {"ListUserPools": "AccessDeniedException"},
            "`user_pool_ids`: us-east-1 can't be searched: the credentials may not call ",
        ),
    ],
    ids=["no-match", "denied"],
)
def test_a_pattern_that_gives_no_pool_ends_the_run(
    account: Account, patterns: list[str], refused: dict[str, str], words: str
) -> None:
    """One line names the region; no pool is read, so that no mirror takes the rest for all."""
    account.emulator.regions = {"ap-south-1"}
    account.emulator.refused = refused
    run = account.run("mirror", user_pool_ids=patterns)
    assert str(run.error).startswith(words)
    assert account.emulator.log.count("ListUsers") == 0
    assert run.activated == 0


def test_a_region_that_cannot_be_searched_costs_only_itself(account: Account) -> None:
    """The pools of the others are read; the run fails, and the mirror removes nothing."""
    account.emulator.refused = {"eu-west-1/ListUserPools": "AccessDeniedException"}
    run = account.run("mirror")
    assert str(run.error).startswith("`user_pool_ids`: eu-west-1 can't be searched: ")
    assert {pool_id for pool_id, _ in run.keys} == {A, B}
    assert run.activated == 0


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("listed", [False, True])
def test_a_pool_that_is_not_found_is_asked_for_again(
    account: Account, *, named: bool, listed: bool
) -> None:
    """It leaves the mirror only if ListUserPools lost it too, and the settings don't name it."""
    if listed:
        account.emulator.refused = {f"{B}/ListUsers": "ResourceNotFoundException"}
    else:
        delete_pool_in_mid_run(account)
    run = account.run("mirror", user_pool_ids=[*EVERY_POOL, *([B] if named else [])])
    is_gone = not (named or listed)
    assert (run.error is None) == is_gone
    assert run.activated == is_gone
    assert {pool_id for pool_id, _ in run.keys} == {A, C}


def test_a_pool_that_the_settings_name_is_never_left_out(account: Account) -> None:
    """Not even with one that only a pattern stands for, when both were deleted."""
    gone = account.pool(A), account.pool(B)

    def delete() -> None:
        for pool in gone:
            account.emulator.remove_pool(pool)

    account.emulator.before_request(1, delete, {"ListUsers"})
    run = account.run("mirror", user_pool_ids=[*EVERY_POOL, B])
    assert "1 of 3 pools couldn't be read" in str(run.error)
    assert run.activated == 0


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("requests", [1, 16])
def test_a_deleted_pool_makes_no_run_start_over(account: Account, requests: int) -> None:
    """Where another pool fails in the same run, the next one reads only that.

    The deleted one may have been read in part.
    """
    pool = account.pool(B)
    account.emulator.before_request(
        requests, lambda: account.emulator.remove_pool(pool), {"ListUsers"}
    )
    account.emulator.refused = {f"{C}/ListUsers": "InternalErrorException"}
    run = account.run("mirror")
    assert {pool_id for pool_id, _ in run.keys} - {B} == {A}
    account.emulator.refused = {}
    after = account.run("mirror", run.state)
    assert {pool_id for pool_id, _ in after.keys} == {C}
    assert (after.error, after.activated) == (None, 1)


def test_every_stream_tells_the_pool() -> None:
    """`user_pool_id` is the first column and part of the key; with one pool `users` has seven."""
    several = TapCognito(config={"user_pool_ids": EVERY_POOL, **KEYS}).streams.values()
    for stream in several:
        assert next(iter(stream.schema["properties"])) == "user_pool_id", stream.name
        assert stream.primary_keys[0] == "user_pool_id", stream.name
    users = TapCognito(config={"user_pool_id": A, **KEYS}).streams["users"]
    assert tuple(users.schema["properties"]) == COLUMNS
    assert tuple(users.primary_keys) == ("username",)


# State


@pytest.mark.usefixtures("impatient")
def test_each_pool_has_a_bookmark_of_its_own(account: Account) -> None:
    """A new pool sends all its users; one that failed keeps its bookmark and catches up later."""
    first = account.run("increments")
    assert first.bookmarks.keys() == {A, B, C}
    changed = set()
    for pool_id in (A, B):
        user = next(account.pool(pool_id).users())["Username"]
        account.pool(pool_id).change(user, {"custom:plan": "new"})
        changed.add((pool_id, user))
    account.emulator.add_pool(Pool(65, 9, NEW))
    deny_pool(account)
    second = account.run("increments", first.state)
    assert second.error
    assert {user for user in second.keys if user[0] == NEW} == {
        user for user in account.users if user[0] == NEW
    }
    assert second.bookmarks[B] == first.bookmarks[B]
    assert second.bookmarks[A] > first.bookmarks[A]
    account.emulator.refused = {}
    third = account.run("increments", second.state)
    assert third.error is None
    assert changed <= second.keys | third.keys
    # What is sent again is what has the bookmark's very time.
    assert {pool_id for pool_id, _ in third.keys} <= {A, B, C, NEW}
    assert len(third.keys) < 10
    assert third.bookmarks[B] > first.bookmarks[B]


@pytest.mark.usefixtures("impatient")
def test_a_repeated_run_reads_only_the_pools_that_are_left(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """Where an outage ended the mirror of one pool, the next run reads that pool, and removes."""
    account.emulator.refused = {f"{B}/ListUsers": "InternalErrorException"}
    first = account.run("mirror")
    assert first.error
    account.emulator.refused = {}
    account.emulator.log.requests.clear()
    caplog.set_level(logging.INFO)
    second = account.run("mirror", first.state)
    assert (second.error, second.activated) == (None, 1)
    read = {request.pool_id for request in account.emulator.log.matching(operation="ListUsers")}
    assert read == {B}
    assert first.keys | second.keys == account.users
    assert "Read 700 users of 1 pool, sent 700, with " in caplog.text


# The log


def test_each_failed_pool_has_a_line_and_the_run_one(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """The line of a pool says what to do about it; the last ones count."""
    caplog.set_level(logging.INFO)
    account.emulator.refused = {
        f"{pool_id}/ListUsers": "AccessDeniedException" for pool_id in (A, C)
    }
    run = account.run()
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert sorted(line.split(":")[0] for line in errors) == [f"`users` of {C}", f"`users` of {A}"]
    assert all("attach this IAM policy" in line for line in errors)
    (end,) = [text for text in caplog.messages if text.startswith("Read ")]
    assert end.startswith("Read 700 users of 1 pool (2 failed), sent 700, with ")
    assert str(run.error) == (
        "`users`: 2 of 3 pools couldn't be read, the others were: each has a line above"
    )


def test_keys_that_aws_refuses_are_reported_once(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """What would fail for every pool alike ends the run, in one line."""
    account.emulator.refused = {"*/ListUsers": "UnrecognizedClientException"} | {
        f"{pool_id}/ListUsers": "UnrecognizedClientException" for pool_id in (A, B, C)
    }
    run = account.run()
    assert str(run.error).startswith("`users`: AWS doesn't know the access key")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


# Quotas


def test_the_pools_of_a_region_share_its_quota_and_regions_do_not_wait(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Two regions of 30 pools are read in step, each at the pace, and neither is throttled."""
    rate, count = 30, 30
    regions = ("us-east-1", "eu-west-1")
    pools = [
        Pool(3, number, f"{region}_P{number}") for region in regions for number in range(count)
    ]
    numbers = {region: itertools.count() for region in regions}
    pairs = [threading.Barrier(2, timeout=TIMEOUT) for _ in range(count)]

    def respond(operation: str, parameters: Json, carry_out: Callable[[], str]) -> str:
        if operation == "ListUsers":  # it waits for its fellow in the other region
            region, _, _ = parameters["UserPoolId"].partition("_")
            pairs[next(numbers[region])].wait()
        return carry_out()

    with Emulator(pools=pools, quota=rate + 2, respond=respond) as emulator:
        account = Account(emulator, capfd)
        began = time.monotonic()
        assert account.run(max_requests_per_second=rate).keys == account.users
        log = emulator.log
        assert log.count("ListUsers", "ok") == log.count("ListUsers") == 2 * count
        for region in regions:
            last = max(each.received for each in log.matching(operation="ListUsers", region=region))
            assert last - began >= (count - 1) / rate


def test_describing_pools_does_not_hold_users_back(capfd: pytest.CaptureFixture[str]) -> None:
    """A mirror asks of each empty pool whether it is empty, beside the listing of the others."""
    pools = [Pool(3 * (number % 4 > 0), number, f"us-east-1_P{number}") for number in range(40)]
    listed = itertools.count(1)
    all_are_listed = threading.Event()

    def respond(operation: str, _: Json, carry_out: Callable[[], str]) -> str:
        if operation == "ListUsers" and next(listed) == len(pools):
            all_are_listed.set()
        if operation == "DescribeUserPool":
            assert all_are_listed.wait(TIMEOUT)
        return carry_out()

    with Emulator(pools=pools, quotas=AWS_QUOTAS, quota_per_pool=5, respond=respond) as emulator:
        account = Account(emulator, capfd)
        patterns = ["us-east-1_*"]
        run = account.run("mirror", user_pool_ids=patterns, max_requests_per_second=30)
        assert (run.error, run.activated) == (None, 1)
        log = emulator.log
        assert (log.count("ListUsers"), log.count("DescribeUserPool")) == (40, 10)
        assert log.count(outcome="throttled") == 0


# At size


class Served(NamedTuple):
    """What a tap has read of an emulator, both in processes of their own."""

    records: int
    requests: dict[str, dict[str, int]]
    seconds: float
    """From the first request to the last response."""
    memory: int
    """The highest resident size, in the system's unit."""
    log: str


def read(folder: Path, regions: int, pools: int, users: int, rate: int, **config: Any) -> Served:
    """Read so many pools in each region, with AWS's quotas if that is the rate, 120 ms away."""
    names = ("us-east-1", "eu-west-1")[:regions]
    command = [sys.executable, "-m", "emulator", "--users", str(users), "--pools", str(pools)]
    command += [text for name in names for text in ("--region", name)]
    command += ["--latency-ms", "120", "--quota", str(rate)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as served:
        try:
            assert served.stdout
            url = json.loads(served.stdout.readline())["url"]
            path = folder / "config.json"
            patterns = [f"{name}_*" for name in names]
            own = {"user_pool_ids": patterns, "endpoint_url": url, "max_requests_per_second": rate}
            path.write_text(json.dumps({**own, **KEYS, **config}), encoding="utf-8")
            with (
                (folder / "tap.log").open("w+", encoding="utf-8") as log,
                subprocess.Popen(
                    [sys.executable, "-m", "tap_cognito", "--config", str(path)],
                    stdout=subprocess.PIPE,
                    stderr=log,
                ) as tap,
            ):
                assert tap.stdout
                records = sum(line.startswith(b'{"type":"RECORD"') for line in tap.stdout)
                _, tap.returncode, usage = os.wait4(tap.pid, 0)
                log.seek(0)
                logged = log.read()
            assert tap.returncode == 0, logged
            with urllib.request.urlopen(f"{url}/_stats") as answer:  # noqa: S310 - our own
                stats = json.load(answer)
            return Served(records, stats["requests"], stats["seconds"], usage.ru_maxrss, logged)
        finally:
            served.terminate()
            served.wait(TIMEOUT)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the system doesn't measure it")
@pytest.mark.parametrize("regions", [1, 2])
def test_two_hundred_small_pools_take_as_long_as_the_quota_says(
    regions: int, tmp_path: Path
) -> None:
    """A request for each pool, at most 1.15 times the time of the quota, in two regions too."""
    served = read(tmp_path, regions, 200, 30, rate=30)
    assert served.records == 200 * 30 * regions
    assert served.requests["ListUsers"] == {"ok": 200 * regions}
    assert served.seconds <= 1.15 * 200 / 30, served
    figures = r"[\d,]+ users, [\d.]+ requests/s, about \d+ s left"
    assert re.search(rf"{200 * regions} pools, {figures}", served.log)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the system doesn't measure it")
def test_a_thousand_pools_need_no_more_memory_than_ten(tmp_path: Path) -> None:
    """The peak with 1,000 pools is within 10% of that with 10."""
    few = read(tmp_path, 1, 10, 3_000, rate=500).memory
    many = read(tmp_path, 1, 1_000, 30, rate=500).memory
    assert many <= 1.1 * few, f"{many} after {few}"
