"""Whatever Cognito and the network do: the output equals the pool, or the run says it does not.

The table of docs/reliability.md is the list of cases.
"""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator import FAULTS, Credential, Emulator, Faults, Pool
from emulator.api import Api
from tap_cognito import answers, user_pool
from tap_cognito.errors import TapCognitoError
from tap_cognito.scan import Scan
from tap_cognito.user_pool import ATTEMPTS, BACK_OFF, CONNECT_TIMEOUT, READ_TIMEOUT, UserPool

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = Path(__file__).parent.parent / "docs" / "reliability.md"
USERS = 3_000


class Row(NamedTuple):
    """A row of the document's first table."""

    fault: str
    now_and_then: str
    always: str


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
    """Let the same number of attempts take less time; the document's times are computed below."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(user_pool, "READ_TIMEOUT", 0.3)
        patch.setattr(random, "random", lambda: 0.02)
        yield


def scan(emulator: Emulator) -> list[str]:
    """The usernames that a scan gives, in its order."""
    session = boto3.Session("key", "secret", region_name="us-east-1")
    pool = UserPool(session, emulator.pool.id, emulator.url, max_requests_per_second=2_000)
    return [one["Username"] for page in Scan(pool).pages() for one in page]


def truth(pool: Pool) -> list[str]:
    """The usernames that a scan must give, sorted."""
    return sorted(one["Username"] for one in pool.users())


def test_the_document_names_every_fault() -> None:
    """A fault that the emulator knows has a row in docs/reliability.md, and the reverse."""
    assert [row.fault for row in ROWS] == list(FAULTS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_a_fault_in_some_requests_loses_and_repeats_nobody(row: Row) -> None:
    """With a fault in 5% of the requests the scan is complete."""
    assert row.now_and_then == "complete"
    pool = Pool(USERS, seed=1)
    faults = Faults((row.fault,), rate=0.05, seed=2)
    with Emulator(pool, faults=faults, slow_seconds=0.6) as emulator:
        assert sorted(scan(emulator)) == truth(pool)
    assert emulator.log.count(outcome=row.fault)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_a_complete_outage_ends_as_documented_after_few_requests(row: Row) -> None:
    """An outage ends the scan with the documented line after nine requests; throttling does not."""
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
    assert emulator.log.count() == ATTEMPTS


@pytest.mark.parametrize("shift", ["", "x"])
def test_a_page_cut_within_a_character_is_no_page(
    shift: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of a page of text beyond ASCII, one byte earlier or later, is asked for again."""
    answer = Api.answer
    monkeypatch.setattr(
        Api, "answer", lambda *of: json.dumps(json.loads(answer(*of)), ensure_ascii=False)
    )
    users = list(Pool(120, seed=1).users())
    for user in users:
        user["Attributes"].append({"Name": "custom:at", "Value": "é" * 1_000})
    users[0]["Attributes"].append({"Name": "name", "Value": shift * 2})
    pool = Pool.from_users(users)
    with Emulator(pool, faults=Faults(("cut-length-right",), limit=3)) as emulator:
        assert sorted(scan(emulator)) == truth(pool)
        assert emulator.log.count(outcome="cut-length-right") == 3


def test_an_outage_in_mid_run_costs_at_most_the_documented_requests() -> None:
    """After an outage began, no more requests are sent than nine for each of sixteen chains."""
    faults = Faults(("reset-before-answer",), skip=30)
    with Emulator(Pool(USERS, seed=1), faults=faults) as emulator:
        with pytest.raises(TapCognitoError, match="no answer from"):
            scan(emulator)
        assert ATTEMPTS <= emulator.log.count(outcome="reset-before-answer") <= 16 * ATTEMPTS


def test_a_complete_outage_ends_within_the_documented_time() -> None:
    """Timeouts and back-off add up to the 103 s of docs/reliability.md at the most."""
    back_off = sum(BACK_OFF * 2**failure for failure in range(ATTEMPTS - 1))
    slowest = max(CONNECT_TIMEOUT, READ_TIMEOUT)
    assert f"run within {ATTEMPTS * slowest + back_off:.0f} s" in DOCUMENT.read_text("utf-8")
    assert f"sent up to {ATTEMPTS} times" in DOCUMENT.read_text("utf-8")


@pytest.mark.parametrize("ends", ["denied", "expired"])
def test_a_session_that_ends_in_mid_run_fails_the_run(ends: str) -> None:
    """A permission or a session that ends after some pages is named in the failure."""
    pool = Pool(USERS, seed=1)
    with Emulator(pool) as emulator:
        session = boto3.Session("key", "secret", region_name="us-east-1")
        pages = Scan(UserPool(session, pool.id, emulator.url, 2_000)).pages()
        assert next(pages)
        if ends == "denied":
            emulator.denied = {"cognito-idp:ListUsers"}
        else:
            emulator.credentials = {"key": Credential("secret", None, 1.0)}
        with pytest.raises(TapCognitoError, match=r"cognito-idp:ListUsers|have expired"):
            list(pages)


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
            assert str(failure)  # noqa: PT017 - either outcome is fine, a third is not
        else:
            assert sorted(found) == truth(pool)


def judged(status: int, answer: Any, *members: str) -> tuple[bool, bool]:
    """Whether an answer counts as throttled or broken, of an operation with such an output."""
    model: Any = SimpleNamespace(output_shape=SimpleNamespace(members=members))
    response = SimpleNamespace(status_code=status), answer
    return answers.is_throttled(response), answers.is_broken(response, model, None)


def test_an_answer_may_lack_what_the_api_learns_to_say() -> None:
    """A new version of boto3 with one more optional member breaks no run."""
    members = ("Users", "PaginationToken", "Hint")
    assert judged(200, {"Users": []}, *members) == (False, False)
    assert judged(200, {}, *members) == (False, True)


def test_a_proxy_may_throttle_too() -> None:
    """HTTP status 429 means to come later, whatever the body says."""
    assert judged(429, {"Error": {"Code": "429"}}, "Users") == (True, False)
