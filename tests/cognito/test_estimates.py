"""How many users may be missing by the estimate, and what needs none."""

from __future__ import annotations

from typing import Any

import pytest

from emulator import Emulator, Pool
from tap_cognito.cognito.checkpoint import Checkpoint
from tap_cognito.cognito.estimates import PlainEnd, agree, estimate_of, is_far_short, is_short
from tap_cognito.cognito.listing import Page
from tap_cognito.cognito.segments import DIGITS
from tap_cognito.cognito.users import UserListings
from tests.support.listings import details, pool_of, read


@pytest.mark.parametrize(
    ("count", "estimate", "short", "far"),
    [
        (99_000, 100_000, False, False),
        (98_999, 100_000, True, False),
        (90_000, 100_000, True, False),
        (89_999, 100_000, True, True),
        (940, 1_000, False, False),
        (939, 1_000, True, False),
        (0, 60, False, True),
        (100, 0, False, False),
        (0, None, False, False),
    ],
)
def test_so_many_users_may_be_missing(
    count: int, estimate: int | None, *, short: bool, far: bool
) -> None:
    """Up to a page or 1% needs no other proof; a clean-up explains up to 10%."""
    assert is_short(count, estimate) == short
    assert is_far_short(count, estimate) == far


@pytest.mark.parametrize(
    ("one", "other", "same"), [(0, 6, True), (0, 7, False), (990, 1_000, True), (989, 1_000, False)]
)
def test_readings_agree_but_for_a_few(one: int, other: int, *, same: bool) -> None:
    """Two readings may differ by six users, or by 1% if that is more, whichever is the larger."""
    assert agree(one, other) == agree(other, one) == same


@pytest.mark.parametrize(
    ("said", "taken"),
    [(0, 0), (1 << 40, 1 << 40), (-1, None), ((1 << 40) + 1, None), ("5", None), (None, None)],
)
def test_an_estimate_is_a_possible_number(said: object, taken: int | None) -> None:
    """What can't be a number of users proves nothing."""
    assert estimate_of(Page([{"EstimatedNumberOfUsers": said}], None)) == taken


def test_users_who_came_need_no_estimate() -> None:
    """A mirror of a pool that may not be described ends well if it isn't empty."""
    denied = {"cognito-idp:DescribeUserPool"}
    with Emulator(Pool(130), denied=denied, refuse_filter=True) as emulator:
        found = list(read([UserListings(pool_of(emulator), prove_empty=True)]))
        assert sum(map(len, found)) == 130
        assert emulator.log.count("DescribeUserPool") == 1


def test_a_page_with_room_after_an_empty_one_proves_nothing() -> None:
    """The token behind it may have been lost; only a first page that isn't full is an end."""
    users: list[dict[str, Any]] = [{"Username": str(number)} for number in range(30)]
    first, second = PlainEnd(), PlainEnd()
    first.receive(Page(users, None))
    second.receive(Page([], "token"))
    second.receive(Page(users, None))
    assert (first.is_proven, second.is_proven) == (True, False)


def test_one_page_with_room_is_all() -> None:
    """Whatever the estimate says, users who came on one page that isn't full are asked for once."""
    pool = Pool(20)
    pool.estimate = 300
    with Emulator(pool) as emulator:
        for source in (UserListings(pool_of(emulator)), details(pool_of(emulator))):
            before = emulator.log.count("ListUsers")
            assert sum(map(len, read([source]))) == 20
            assert emulator.log.count("ListUsers") == before + 1


def test_segments_that_are_read_again_are_counted_again() -> None:
    """What a checkpoint has of them is as if they had never been read."""
    begun = Checkpoint(segments=tuple(DIGITS)).with_done("0", 5)
    assert begun.with_done("1", 7).reopened(("1",)) == begun
