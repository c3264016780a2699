"""Who has which second factor: one request a user, side by side, and never too many at once."""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING, Any

import pytest

from emulator import Emulator, Pool
from tap_cognito.cognito import parallel
from tap_cognito.cognito.details import Alternatives, Detail
from tap_cognito.cognito.listing import Page
from tap_cognito.cognito.user_details import UserDetails
from tap_cognito.errors import AccessDeniedError, TapCognitoError
from tap_cognito.tap import TapCognito
from tests.support.answers import answered, records
from tests.support.catalogs import selected
from tests.support.in_process import answer_in_process
from tests.support.listings import details, pool_of
from tests.support.messages import messages_of
from tests.support.programs import emulator_config
from tests.support.waiting import side_by_side

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_cognito.cognito.listing import Listing

pytestmark = [pytest.mark.whole_pools, pytest.mark.usefixtures("_unlimited")]

OPERATION = "AdminGetUserAuthFactors"


def read(
    emulator: Emulator, capfd: pytest.CaptureFixture[str], **settings: Any
) -> list[dict[str, Any]]:
    """The records of an emulated pool, as fast as it answers unless the settings say otherwise."""
    return records(emulator_config(emulator, **settings), capfd, "user_mfa")


@functools.cache
def rows_of(users: int) -> list[dict[str, Any]]:
    """The records of a pool of so many users, by what boto3 answers."""
    with Emulator(Pool(users)) as serving:
        return answered(serving, "user_mfa")


def test_sixteen_users_are_asked_for_side_by_side(capfd: pytest.CaptureFixture[str]) -> None:
    """However long the round trip is, sixteen requests are under way at a time, and no more."""
    respond = side_by_side(OPERATION, 16)
    with Emulator(Pool(96), latency=0.02, respond=respond) as emulator:
        assert len(read(emulator, capfd)) == 96
    ends = [(request.received, 1) for request in emulator.log.requests]
    ends += [(request.answered, -1) for request in emulator.log.requests]
    counts = itertools.accumulate(change for _, change in sorted(ends))
    assert max(counts) == 16


def test_users_do_not_pile_up(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next page of users is requested when few of the page before are left.

    These are the requests under way, and as many for the time that the page takes.
    """
    emulator = Emulator(Pool(600))
    answer_in_process(emulator, monkeypatch)
    read(emulator, capfd)
    waiting, most = 0, 0
    for request in emulator.log.requests:
        waiting += {"ListUsers": 60, OPERATION: -1}.get(request.operation, 0)
        most = max(most, waiting)
    assert most <= 60 + 2 * parallel.CONCURRENCY
    assert waiting == 0


def first_page(source: UserDetails) -> Listing:
    """The listing of users that a source asks for when it knows how many there are about."""
    source.start()
    (describe,) = source.take_step().listings
    source.receive(describe, Page([{"EstimatedNumberOfUsers": 120}], None))
    (users,) = source.take_step().listings
    return users


def test_the_next_page_comes_before_the_users_are_used_up() -> None:
    """It is requested while as many users wait as are requested at a time: the pace is kept."""
    with Emulator(Pool(1)) as emulator:
        source = details(pool_of(emulator))
    users = first_page(source)
    names = [{"Username": f"user{number}"} for number in range(60)]
    source.receive(users, Page(names, "second"))
    waiting = source.take_step().listings
    assert {listing.operation for listing in waiting} == {"AdminGetUserAuthFactors"}
    for left in range(59, -1, -1):
        source.receive(waiting[left], Page([{"Username": f"user{left}"}], None))
        pages = [listing.token for listing in source.take_step().listings]
        assert pages == ["second"] * (left == 2 * parallel.CONCURRENCY)


def test_a_page_under_way_is_not_lost_when_its_operation_is_refused() -> None:
    """Those whose answers are awaited are asked for in another way, and so is the next page."""
    with Emulator(Pool(1)) as emulator:
        pool = pool_of(emulator)
    source = UserDetails(pool, Alternatives(Detail(OPERATION), Detail("AdminGetUser")))
    users = first_page(source)
    few = [{"Username": f"user{number}"} for number in range(3)]
    source.receive(users, Page(few, "second"))
    *first, second = source.take_step().listings
    assert second.token == "second"
    source.fail(first[0], AccessDeniedError("refused"))
    step = source.take_step()
    assert step.is_replacement
    asked = [(each.operation, each.token) for each in step.listings]
    assert asked == [("AdminGetUser", None)] * 3 + [("ListUsers", "second")]


FAULTS: dict[str, Mapping[str, Any]] = {
    "an expired token": {"token_lifetime": 4, "token_expiries": 3},
    "short and empty pages": {"short_pages": 0.5, "empty_pages": 0.5, "seed": 4},
    "no DescribeUserPool": {"denied": {"cognito-idp:DescribeUserPool"}},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_user_comes_once(
    fault: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever happens to the listing, each user is asked for once and sent once."""
    emulator = Emulator(Pool(400), **FAULTS[fault])
    answer_in_process(emulator, monkeypatch)
    assert read(emulator, capfd) == rows_of(400)
    assert emulator.log.count(OPERATION) == 400


def test_a_filter_decides_who_is_asked_for(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `user_filter` only its users are read, and the estimate isn't requested."""
    emulator = Emulator(Pool(400))
    answer_in_process(emulator, monkeypatch)
    names = {user["Username"] for user in emulator.pool.users() if not user["Enabled"]}
    rows = [row for row in rows_of(400) if row["username"] in names]
    assert read(emulator, capfd, user_filter='status = "Disabled"') == rows
    assert emulator.log.by_operation().keys() == {"ListUsers", OPERATION}
    assert rows


def test_a_filter_that_nobody_matches_needs_no_proof(capfd: pytest.CaptureFixture[str]) -> None:
    """A mirror of the users of a filter may be empty, whatever the size of the pool."""
    with Emulator(Pool(130)) as emulator:
        settings = {"user_filter": 'username = "nobody"', "emit_activate_version_messages": True}
        assert read(emulator, capfd, **settings) == []
        assert emulator.log.by_operation() == {"ListUsers": {"ok": 1}}


def test_the_end_is_in_sight() -> None:
    """The progress knows the number of users from the first record on."""
    with Emulator(Pool(130)) as emulator:
        source = UserDetails(pool_of(emulator), Alternatives(Detail(OPERATION)))
        batches = parallel.read([[source]], lambda _, items: items)
        assert {batch.source.checkpoint.estimate for batch in batches if batch.records} == {130}


def test_a_user_is_no_step_of_the_state(capfd: pytest.CaptureFixture[str]) -> None:
    """The state isn't written for each user, from which no run could resume."""
    with Emulator(Pool(130)) as emulator:
        config = emulator_config(emulator)
        TapCognito(config=config, catalog=selected("user_mfa")).sync_all()
    types = [message["type"] for message in messages_of(capfd.readouterr().out)]
    assert types.count("RECORD") == 130
    assert types.count("STATE") <= 3


@pytest.mark.parametrize(
    ("denied", "reason"),
    [
        (set(), "doesn't report that it is empty"),
        ({"cognito-idp:DescribeUserPool"}, "is empty is unknown"),
    ],
)
def test_a_mirror_takes_no_silence_for_an_empty_pool(denied: set[str], reason: str) -> None:
    """An empty list from a pool that doesn't say that it is empty fails the mirror."""
    pool = Pool(0)
    pool.estimate = 7
    with Emulator(pool, denied=denied) as emulator:
        config = emulator_config(emulator, emit_activate_version_messages=True)
        with pytest.raises(TapCognitoError, match=reason):
            TapCognito(config=config, catalog=selected("user_mfa")).sync_all()
