"""Whatever Cognito and the network do: the output equals the pool, or the run says it doesn't.

The table of docs/reliability.md is the list of cases.
"""

from __future__ import annotations

import json
import random
import re
import threading
from contextlib import ExitStack
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator import FAULTS, Credential, Emulator, Faults, Pool
from emulator.errors import ApiError
from tap_cognito.cognito import client, listing
from tap_cognito.cognito.responses import TruncatedResponseError, parse
from tap_cognito.errors import TapCognitoError
from tests.support.listings import pages, served_pool
from tests.support.paths import ROOT
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from emulator.wire import Wire

pytestmark = pytest.mark.whole_pools

DOCUMENT = ROOT / "docs" / "reliability.md"
USERS = 3_000


class Row(NamedTuple):
    """A row of the document's first table."""

    fault: str
    now_and_then: str
    always: str


RETRY_SECONDS, MAX_BACKOFF = client.RETRY_SECONDS, client.MAX_BACKOFF

ROWS = [
    Row(*match)
    for match in re.findall(
        r"^\| `([\w-]+)` \| [^|]+ \| ([^|]+) \| ([^|]+) \|$",
        DOCUMENT.read_text("utf-8"),
        re.MULTILINE,
    )
]


@pytest.fixture(autouse=True)
def _hurry() -> Iterator[None]:
    """Give up sooner; the document's times are measured below."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "READ_TIMEOUT", 0.3)
        patch.setattr(client, "RETRY_SECONDS", 1.5)
        patch.setattr(listing, "_TOKEN_BACKOFF", 0.0)
        patch.setattr(random, "random", lambda: 0.02)
        yield


def scan(emulator: Emulator) -> list[str]:
    """The usernames that a scan gives, in its order."""
    return [user["Username"] for page in pages(served_pool(emulator, 2_000)) for user in page]


def truth(pool: Pool) -> list[str]:
    """The usernames that a scan must give, sorted."""
    return sorted(user["Username"] for user in pool.users())


def test_the_document_names_every_fault() -> None:
    """A fault that the emulator knows has a row in docs/reliability.md, and the reverse."""
    assert [row.fault for row in ROWS] == list(FAULTS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_a_fault_in_some_requests_loses_and_repeats_nobody(row: Row) -> None:
    """With a fault in 5% of the requests a scan returns each user once."""
    assert row.now_and_then == "complete"
    pool = Pool(USERS, seed=1)
    faults = Faults((row.fault,), rate=0.05, seed=2)
    with Emulator(pool, faults=faults, slow_seconds=0.6) as emulator:
        assert sorted(scan(emulator)) == truth(pool)
    assert emulator.log.count(outcome=row.fault)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_a_complete_outage_ends_as_documented_after_few_requests(
    row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage ends the scan with the documented line; throttling doesn't."""
    monkeypatch.setattr(client, "RETRY_SECONDS", 0.1)
    pool = Pool(USERS, seed=1)
    is_throttling = row.always.startswith("goes on")
    faults = Faults((row.fault,), limit=20 if is_throttling else None)
    with Emulator(pool, faults=faults, slow_seconds=0.6) as emulator:
        if is_throttling:
            assert sorted(scan(emulator)) == truth(pool)
            return
        with pytest.raises(TapCognitoError) as failure:
            scan(emulator)
        assert str(failure.value).startswith(row.always.removeprefix("fails: "))
    assert emulator.log.count() > 1


def test_a_page_cut_within_a_character_is_no_page() -> None:
    """Half of a page of text beyond ASCII, one byte earlier and later, is asked for again."""
    cut = []

    def unescaped(_: str, __: Wire, carry_out: Callable[[], str]) -> str:
        text = json.dumps(json.loads(carry_out()), ensure_ascii=False)
        body = text.encode()
        cut.append(body[: len(body) // 2])
        return text

    for shift in ("", "xx"):
        (user,) = Pool(1, seed=1).users()
        user["Attributes"].append({"Name": "custom:at", "Value": shift + "é" * 10_000})
        pool = Pool.from_users([user])
        faults = Faults(("cut-length-right",), limit=1)
        with Emulator(pool, respond=unescaped, faults=faults) as emulator:
            assert scan(emulator) == truth(pool)
            assert emulator.log.count(outcome="cut-length-right") == 1
    assert sorted("\ufffd" in part.decode(errors="replace") for part in cut[::2]) == [False, True]


@pytest.mark.parametrize(
    "body",
    [
        *("", "{", "<html>", "[]", '["Users"]', '"Users"', "5", "null", "true", "{}"),
        *('{"Users": null}', '{"PaginationToken": "x"}', '{"message": "x"}'),
    ],
)
def test_a_body_with_nothing_in_it_is_asked_for_again(body: str) -> None:
    """A body without a list of users isn't the last page: the request is sent again."""
    bodies = [body]
    pool = Pool(3, seed=1)
    with Emulator(pool, respond=lambda *of: bodies.pop() if bodies else of[-1]()) as emulator:
        assert sorted(scan(emulator)) == truth(pool)
        assert emulator.log.count("ListUsers") == 2


class Clock(threading.Event):
    """A clock that only moves while a request waits to be sent again."""

    now = 0.0

    def monotonic(self) -> float:
        """Seconds of this clock."""
        return self.now

    def wait(self, timeout: float | None = None) -> bool:
        """Let the time pass."""
        self.now += timeout or 0
        return False


@pytest.mark.parametrize("jitter", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("outage", [0, 8, 30, None])
def test_an_outage_is_survived_for_the_documented_time_with_few_requests(
    outage: float | None, jitter: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request is sent again for a minute, less and less often, however its waits fall out."""
    clock = Clock()
    monkeypatch.setattr(client, "RETRY_SECONDS", RETRY_SECONDS)
    monkeypatch.setattr(random, "random", lambda: jitter)
    monkeypatch.setattr(client, "time", clock)
    with Emulator(Pool(10)) as emulator:
        pool = served_pool(emulator)
        emulator.faults = Faults(("error-503",))
        pace = clock.wait

        def wait(timeout: float | None = None) -> bool:
            pace(timeout)
            if outage is not None and clock.now >= outage:
                emulator.faults = None
            return False

        monkeypatch.setattr(clock, "wait", wait)
        listing = pool.listing("ListUsers", "Users")
        if outage is None:
            with pytest.raises(TapCognitoError, match="keeps failing"):
                list(listing.read(clock))
            assert RETRY_SECONDS < clock.now < RETRY_SECONDS + MAX_BACKOFF
        else:
            assert len(list(listing.read(clock))) == 1
        assert emulator.log.count() <= (RETRY_SECONDS / MAX_BACKOFF + 2) / jitter + 8
    text = DOCUMENT.read_text("utf-8")
    assert f"for {RETRY_SECONDS:.0f} s" in text


def test_an_answer_of_any_kind_ends_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that fails for 40 s, is throttled once and fails for 40 s more is still sent."""
    clock = Clock()
    monkeypatch.setattr(client, "RETRY_SECONDS", RETRY_SECONDS)
    monkeypatch.setattr(random, "random", lambda: 1.0)
    monkeypatch.setattr(client, "time", clock)
    throttled = iter([ApiError("TooManyRequestsException", "Rate exceeded")])

    def refuse(*_: object) -> ApiError | None:
        if clock.now < 40:
            return ApiError("InternalErrorException", "Not now.", 500)
        if (error := next(throttled, None)) or clock.now >= 80:
            return error
        return ApiError("InternalErrorException", "Not now.", 500)

    with Emulator(Pool(10), refuse=refuse) as emulator:
        assert len(list(served_pool(emulator).listing("ListUsers", "Users").read(clock))) == 1
        assert len(emulator.log.matching(status=400)) == 1


@pytest.mark.parametrize(("is_dead", "longest"), [(False, 5), (True, 0)])
def test_each_wait_is_as_long_as_documented(
    *, is_dead: bool, longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waits double from 50 ms to 10 s, for a minute, or for 10 s before the first answer."""
    clock = Clock()
    waits: list[float] = []
    monkeypatch.setattr(client, "RETRY_SECONDS", RETRY_SECONDS)
    monkeypatch.setattr(random, "random", lambda: 1.0)
    monkeypatch.setattr(client, "time", clock)

    def wait(timeout: float | None = None) -> bool:
        if timeout and timeout > 0.01:  # not the rate limiter's
            waits.append(timeout)
            clock.now += timeout
        return False

    monkeypatch.setattr(clock, "wait", wait)
    with ExitStack() as serving:
        emulator = serving.enter_context(Emulator(Pool(10), faults=Faults(("error-503",))))
        pool = served_pool(emulator)
        if is_dead:
            serving.close()
        with pytest.raises(TapCognitoError, match="no answer" if is_dead else "keeps failing"):
            list(pool.listing("ListUsers", "Users").read(clock))
    doubling = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4]
    assert waits == pytest.approx([*doubling, *[10.0] * longest])
    text = DOCUMENT.read_text("utf-8")
    assert "up to 50 ms after the first failure, twice that after" in text
    assert "never more than 10 s" in text
    start = client.START_SECONDS
    assert f"ends a run after {start:.0f} to {start + MAX_BACKOFF:.0f} s" in " ".join(text.split())


def test_requests_do_not_outlive_an_outage_one_after_the_other() -> None:
    """Where nothing answers, the requests that follow give up as well, at once."""
    with Emulator(Pool(USERS, seed=1)) as emulator:
        pool = served_pool(emulator)
        emulator.faults = Faults(("reset-before-answer",))
        for operation, result in (("ListGroups", "Groups"), ("DescribeUserPool", "UserPool")):
            with pytest.raises(TapCognitoError, match="no answer from"):
                list(pool.listing(operation, result).read(threading.Event()))
        wait_until(lambda: emulator.log.count("DescribeUserPool") > 0)  # even if it timed out
        assert emulator.log.count("DescribeUserPool") == 1


@pytest.mark.parametrize("ends", ["denied", "expired"])
def test_a_session_that_ends_in_mid_run_fails_the_run(ends: str) -> None:
    """A permission or a session that ends after some pages is named in the failure."""
    pool = Pool(USERS, seed=1)
    with Emulator(pool) as emulator:
        found = pages(served_pool(emulator, 2_000))
        assert any(found)
        if ends == "denied":
            emulator.denied = {"cognito-idp:ListUsers"}
        else:
            emulator.credentials = {"key": Credential("secret", None, 1.0)}
        with pytest.raises(TapCognitoError, match=r"cognito-idp:ListUsers|have expired"):
            list(found)


@settings(
    max_examples=40,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    users=st.integers(0, 1_500),
    seed=st.integers(0, 10_000),
    names=st.sets(st.sampled_from(sorted(set(FAULTS) - {"slow"})), min_size=1),
    rate=st.sampled_from([0.01, 0.05, 0.3, 0.9]),
    shares=st.tuples(st.sampled_from([0.0, 0.3]), st.sampled_from([0.0, 0.3])),
    is_reordered=st.booleans(),
    filters=st.sampled_from(["", "ignore", "refuse"]),
    lifetime=st.sampled_from([None, 1, 2, 5]),
    expiries=st.integers(0, 3),
)
def test_there_is_no_third_outcome(  # noqa: PLR0913, PLR0917 - a hostile server has many faces
    users: int,
    seed: int,
    names: set[str],
    rate: float,
    shares: tuple[float, float],
    filters: str,
    lifetime: int | None,
    expiries: int,
    *,
    is_reordered: bool,
) -> None:
    """For any mix of faults the scan equals the pool exactly, or fails with a reason."""
    pool = Pool(users, seed=seed)
    with Emulator(
        pool,
        faults=Faults(tuple(sorted(names)), rate=rate, seed=seed),
        empty_pages=shares[0],
        short_pages=shares[1],
        reorder=is_reordered,
        ignore_filter=filters == "ignore",
        refuse_filter=filters == "refuse",
        token_lifetime=lifetime,
        token_expiries=expiries,
        seed=seed,
    ) as emulator:
        try:
            found = scan(emulator)
        except TapCognitoError as failure:
            assert str(failure)  # noqa: PT017 - either outcome is fine, a third isn't
        else:
            assert sorted(found) == truth(pool)


def is_truncated(answer: Any, *members: str) -> bool:
    """Whether a body counts as truncated, of an operation with such an output."""
    model: Any = SimpleNamespace(output_shape=SimpleNamespace(members=members), name="X")
    try:
        parse(model, {"status_code": 200, "body": json.dumps(answer).encode()}, {})
    except TruncatedResponseError:
        return True
    return False


def test_an_answer_may_lack_what_the_api_learns_to_say() -> None:
    """A new version of boto3 with one more optional member breaks no run."""
    members = ("Users", "PaginationToken", "Hint")
    assert not is_truncated({"Users": []}, *members)
    assert is_truncated({}, *members)
