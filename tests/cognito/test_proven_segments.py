"""Segments of a pool are proven to be a partition, or given up."""

from __future__ import annotations

import itertools
import logging
import random
from typing import TYPE_CHECKING, Any

import pytest

from emulator import Emulator, Pool, tokens
from tap_cognito.cognito import parallel, users
from tap_cognito.cognito.checkpoint import Checkpoint
from tap_cognito.cognito.listing import PAGE_SIZE
from tap_cognito.cognito.segments import DIGITS, sub_of
from tap_cognito.cognito.users import UserListings
from tap_cognito.errors import TapCognitoError
from tests.support.listings import details, pool_of, read, refuse_token, scan

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.errors import ApiError
    from emulator.wire import Wire

pytestmark = pytest.mark.whole_pools

SIZE = 3_000
PAGES = SIZE // PAGE_SIZE


def usernames(found: list[dict[str, Any]]) -> list[str]:
    """The names of users, sorted; one that comes twice is there twice."""
    return sorted(user["Username"] for user in found)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged of the way of reading."""
    return [text for text in caplog.messages if text.startswith("Reading the pool")]


def remove_subs(pool: Pool) -> dict[str, Any]:
    """Take their `sub` from 4% of the users, none of them on the first page."""
    pool.remove_sub(*pool.sample(0.04, start=PAGE_SIZE))
    return {}


def capitalize_subs(pool: Pool) -> dict[str, Any]:
    """Give 10% of the users an upper-case `sub`, none of them on the first page."""
    pool.capitalize_sub(*pool.sample(0.1, start=PAGE_SIZE))
    return {}


def end_early(_: Pool) -> dict[str, Any]:
    """Let a segment end after its first page, by the server's fault."""
    return {"ends_early": {'sub ^= "7"': 1}}


@pytest.mark.parametrize("flaw", [remove_subs, capitalize_subs, end_early])
def test_users_outside_of_all_segments_are_read_too(
    flaw: Callable[[Pool], dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    """Where the segments fall clearly short of the estimate, what is missing is sent, once."""
    pool = Pool(SIZE)
    with Emulator(pool, **flaw(pool)) as emulator:
        assert usernames(scan(emulator)) == usernames(list(pool.users()))
    (warning,) = warnings(caplog)
    assert f"of about {SIZE:,} users came in the segments" in warning


def test_users_that_come_again_do_not_hide_missing_ones(caplog: pytest.LogCaptureFixture) -> None:
    """What a segment returned before it began again doesn't count beside what it returns then."""
    refuse = refuse_token('sub ^= "7"', 3)
    with Emulator(Pool(SIZE), ends_early={'sub ^= "3"': 1}, refuse=refuse) as emulator:
        assert usernames(scan(emulator)) == usernames(list(emulator.pool.users()))
    (warning,) = warnings(caplog)
    assert f"of about {SIZE:,} users came in the segments" in warning


def test_only_so_many_users_are_remembered(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a large pool that is read again, the users beyond them come twice, and the log says so."""
    remembered = 500
    monkeypatch.setattr(users, "_REMEMBERED", remembered)
    pool = Pool(SIZE)
    pool.estimate = 2 * SIZE
    with Emulator(pool) as emulator:
        found = usernames(scan(emulator))
    assert sorted(set(found)) == usernames(list(pool.users()))
    assert SIZE - remembered <= len(found) - SIZE < SIZE
    assert "Some users are sent a second time: the target has them once" in caplog.messages


def test_a_resumed_scan_says_that_users_come_twice(caplog: pytest.LogCaptureFixture) -> None:
    """A resumed scan that falls back to one listing sends all users again, and the log says so."""
    with Emulator(Pool(SIZE)) as emulator:
        before = Checkpoint(frozenset(DIGITS[:8]), tuple(DIGITS), 0, SIZE)
        source = UserListings(pool_of(emulator), checkpoint=before)
        found = [user for page in read([source]) for user in page]
        assert usernames(found) == usernames(list(emulator.pool.users()))
    assert "Some users are sent a second time: the target has them once" in caplog.messages


@pytest.mark.parametrize("done", [DIGITS, DIGITS[:-1]])
def test_a_resumed_scan_asks_for_the_estimate_that_the_earlier_run_lacks(
    done: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Users missing from the segments of the earlier run are found by the estimate, and read."""
    with Emulator(Pool(SIZE)) as emulator:
        before = Checkpoint(frozenset(done), tuple(DIGITS), SIZE // 2, None)
        source = UserListings(pool_of(emulator), checkpoint=before)
        found = [user for page in read([source]) for user in page]
        assert usernames(found) == usernames(list(emulator.pool.users()))
    (warning,) = warnings(caplog)
    assert f"of about {SIZE:,} users came in the segments" in warning


def test_a_resumed_scan_with_nothing_left_is_completed() -> None:
    """A scan whose segments were all done ends with a last batch, after one request."""
    with Emulator(Pool(SIZE)) as emulator:
        before = Checkpoint(frozenset(DIGITS), tuple(DIGITS), SIZE, SIZE)
        source = UserListings(pool_of(emulator), checkpoint=before)
        (batch,) = parallel.read([[source]], lambda _, items: items)
        assert (batch.records, batch.is_last, batch.error) == ([], True, None)
        assert emulator.log.count() == 1


@pytest.mark.parametrize("denied", [False, True])
def test_a_sound_scan_is_not_repeated(*, denied: bool, caplog: pytest.LogCaptureFixture) -> None:
    """An estimate that is a little too high, or may not be asked, costs no second reading."""
    pool = Pool(SIZE)
    pool.estimate = SIZE + PAGE_SIZE
    actions = {"cognito-idp:DescribeUserPool"} if denied else set()
    with Emulator(pool, denied=actions) as emulator:
        assert usernames(scan(emulator)) == usernames(list(pool.users()))
        assert emulator.log.count("ListUsers") <= PAGES + 2 * 16
    assert warnings(caplog) == []


@pytest.mark.parametrize("page", [1, 3])
def test_a_user_of_another_segment_ends_segmentation(
    page: int, caplog: pytest.LogCaptureFixture
) -> None:
    """One stray user, on whichever page of a segment, and the pool is read in one listing."""
    pool = Pool(SIZE)
    other = next(user for user in pool.users() if not sub_of(user).startswith("3"))
    pages = itertools.count(1)

    def stray(_: str, parameters: Wire, answer: Wire) -> Wire:
        if parameters.get("Filter") == 'sub ^= "3"' and next(pages) == page:
            return {**answer, "Users": [*answer["Users"], other]}
        return answer

    with Emulator(pool, amend=stray) as emulator:
        assert usernames(scan(emulator)) == usernames(list(pool.users()))
    (warning,) = warnings(caplog)
    assert "ignores the filter" in warning


def test_segments_that_cost_too_much_are_given_up(caplog: pytest.LogCaptureFixture) -> None:
    """Behind a filter that is applied after paging, at most twice the plain requests are made."""
    size = 6_000
    with Emulator(Pool(size), filter_after_paging=True) as emulator:
        source = UserListings(pool_of(emulator))
        found = list(itertools.chain(*read([source])))
        assert usernames(found) == usernames(list(emulator.pool.users()))
        assert emulator.log.count("ListUsers") <= 2 * size / PAGE_SIZE
    assert not source.checkpoint.segments
    (warning,) = warnings(caplog)
    assert "filters after it has cut the pages" in warning or "has cut the pages" in warning


@pytest.mark.parametrize("seed", range(4))
def test_short_pages_are_no_reason_to_give_up(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    """Pages that are short with and without a filter are read in segments all the same."""
    with Emulator(Pool(SIZE), short_pages=0.9, empty_pages=0.1, seed=seed) as emulator:
        assert usernames(scan(emulator)) == usernames(list(emulator.pool.users()))
    assert warnings(caplog) == []


@pytest.mark.parametrize("sub_format", ["random", "regional", "mixed"])
@pytest.mark.parametrize("estimate", [SIZE, 2_000_000])
def test_pools_of_all_kinds_are_divided(
    sub_format: Any, estimate: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Both kinds of `sub` are read completely, in sixteen segments or, if large, in many."""
    caplog.set_level(logging.WARNING)
    pool = Pool(SIZE, sub_format=sub_format)
    pool.estimate = estimate
    with Emulator(pool) as emulator:
        found = usernames(scan(emulator))
        filters = {request.filter for request in emulator.log.requests} - {None}
    # A pool that claims more users than it has is read again, in one listing.
    assert found == usernames(list(pool.users()))
    assert len(warnings(caplog)) == (estimate != SIZE)
    if estimate == SIZE:
        assert len(filters) == 16
    else:
        assert len(filters - {f'sub ^= "{digit}"' for digit in "0123456789abcdef"}) in {256, 496}


@pytest.mark.parametrize("seed", range(3))
def test_tokens_that_are_refused_at_random_end_no_scan(seed: int) -> None:
    """One token in ten is refused, none always: each user comes once."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret

    def refuse(_: str, parameters: Wire) -> ApiError | None:
        token = parameters.get("PaginationToken")
        return tokens.refusal(token) if token and chance.random() < 0.1 else None

    with Emulator(Pool(SIZE), refuse=refuse) as emulator:
        assert usernames(scan(emulator)) == usernames(list(emulator.pool.users()))


def test_a_token_that_is_always_refused_far_in_ends_the_scan() -> None:
    """A listing whose token is refused at the same place again and again fails the scan."""
    pages = 30
    behaviour = {"token_lifetime": pages - 5, "refuse_filter": True}
    with Emulator(Pool(pages * PAGE_SIZE), **behaviour) as emulator:  # type: ignore[arg-type]
        with pytest.raises(TapCognitoError, match="refuses the pagination tokens"):
            scan(emulator)
        assert emulator.log.count() < 3 * pages


def test_a_user_that_the_first_segment_hides_is_found() -> None:
    """A missing user is found even if the page with the pool's estimate completes its segment."""
    pool = Pool(800)
    subs = {sub_of(user): user["Username"] for user in list(pool.users())[:PAGE_SIZE]}
    pool.hide(next(name for sub, name in subs.items() if sub.startswith("0")))
    with Emulator(pool) as emulator:
        assert usernames(scan(emulator)) == usernames(list(pool.users()))


def lose_token(number: int, *, always: bool) -> Callable[[str, Wire, Wire], Wire]:
    """Take the token out of a page of the plain listing, at its first reading or always."""
    pages = 0
    begins: set[str] = set()

    def amend(operation: str, parameters: Wire, answer: Wire) -> Wire:
        nonlocal pages
        if operation != "ListUsers" or parameters.get("Filter"):
            return answer
        token = str(parameters.get("PaginationToken"))
        pages += token not in begins
        is_again = token in begins
        begins.add(token)
        if pages == number and (always or not is_again):
            answer.pop("PaginationToken", None)
        return answer

    return amend


UNDIVIDED: dict[str, dict[str, Any]] = {
    "filters are refused": {"refuse_filter": True},
    "filters are ignored": {"ignore_filter": True},
}


@pytest.mark.parametrize("flaw", UNDIVIDED)
@pytest.mark.parametrize("page", [1, 30])
def test_a_plain_listing_that_loses_a_token_goes_on(flaw: str, page: int) -> None:
    """A page that lacks its token once is asked for again: no user is missing, none comes twice."""
    with Emulator(Pool(SIZE), amend=lose_token(page, always=False), **UNDIVIDED[flaw]) as emulator:
        assert usernames(scan(emulator)) == usernames(list(emulator.pool.users()))
        assert emulator.log.count("DescribeUserPool") == 1
        assert emulator.log.count() <= PAGES + 20


@pytest.mark.parametrize("flaw", UNDIVIDED)
@pytest.mark.parametrize("page", [1, 30])
def test_a_plain_listing_that_always_ends_early_fails(flaw: str, page: int) -> None:
    """An end far short of the estimate is no end, however often it is said."""
    amend = lose_token(page, always=True)
    text = f"ended the list after {60 * page:,} of about 3,000"
    failure = pytest.raises(TapCognitoError, match=text)
    with Emulator(Pool(SIZE), amend=amend, **UNDIVIDED[flaw]) as emulator, failure:
        scan(emulator)


@pytest.mark.parametrize("denied", [set(), {"cognito-idp:DescribeUserPool"}])
def test_a_small_pool_that_ends_early_fails(denied: set[str]) -> None:
    """The one segment that is asked for first shows that others of a small pool are missing."""
    amend = lose_token(2, always=True)
    failure = pytest.raises(TapCognitoError, match="ended the list after 120 of")
    with Emulator(Pool(300), amend=amend, denied=denied) as emulator, failure:
        scan(emulator)


def test_an_empty_second_page_is_no_end() -> None:
    """`{"Users": []}` after the first page ends neither a pool nor a stream of details."""

    def amend(operation: str, parameters: Wire, answer: Wire) -> Wire:
        is_second = operation == "ListUsers" and parameters.get("PaginationToken")
        return {"Users": []} if is_second else answer

    with Emulator(Pool(6_000), amend=amend, refuse_filter=True) as emulator:
        for source in (UserListings(pool_of(emulator)), details(pool_of(emulator))):
            with pytest.raises(TapCognitoError, match="ended the list after 60 of about 6,000"):
                list(read([source]))


@pytest.mark.parametrize("size", [300, SIZE])
@pytest.mark.parametrize("refuse_filter", [False, True])
def test_after_a_clean_up_the_pool_is_read_once(
    size: int, *, refuse_filter: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """An estimate that is 5% too high costs some requests, not a second reading."""
    pool = Pool(size)
    pool.estimate = round(size * 1.05)
    with Emulator(pool, refuse_filter=refuse_filter) as emulator:
        assert usernames(scan(emulator)) == usernames(list(pool.users()))
        assert emulator.log.count() <= size / PAGE_SIZE + 2 * 16 + 5
    assert not any("users came in the segments" in text for text in warnings(caplog))


@pytest.mark.parametrize("refuse_filter", [False, True])
def test_a_small_pool_after_a_great_clean_up(*, refuse_filter: bool) -> None:
    """A third of a small pool may go: the segments confirm what the plain listing says."""
    pool = Pool(200)
    pool.estimate = 300
    with Emulator(pool, refuse_filter=refuse_filter) as emulator:
        if refuse_filter:
            with pytest.raises(TapCognitoError, match="ended the list after 200 of about 300"):
                scan(emulator)
        else:
            assert usernames(scan(emulator)) == usernames(list(pool.users()))


def test_nobody_is_sent_again_by_segments_that_confirm_a_plain_listing() -> None:
    """Where the first segment is empty, all are asked whether a great clean-up is true."""
    pool = Pool(200)
    for user in list(pool.users()):
        if sub_of(user).startswith("0"):
            pool.delete(user["Username"])
    pool.estimate = 300
    with Emulator(pool) as emulator:
        assert usernames(scan(emulator)) == usernames(list(pool.users()))
        assert len({each.filter for each in emulator.log.requests}) == 17


def test_a_segment_that_ends_early_is_read_again() -> None:
    """A segment with far fewer users than the others is read again, the others aren't."""
    answers = 0

    def amend(_: str, parameters: Wire, answer: Wire) -> Wire:
        nonlocal answers
        if parameters.get("Filter") == 'sub ^= "7"' and not parameters.get("PaginationToken"):
            answers += 1
            if answers == 1:
                answer.pop("PaginationToken")
        return answer

    with Emulator(Pool(SIZE), amend=amend) as emulator:
        assert usernames(scan(emulator)) == usernames(list(emulator.pool.users()))
        assert answers == 2
        assert emulator.log.count() <= PAGES + 3 * 16


def test_a_resumed_scan_keeps_its_segments_after_a_clean_up() -> None:
    """With an estimate that is too high, what the earlier run has read isn't read again."""
    pool = Pool(SIZE)
    pool.estimate = round(SIZE * 1.05)
    with Emulator(pool) as emulator:
        source = UserListings(pool_of(emulator))
        list(read([source]))
        emulator.log.requests.clear()
        again = UserListings(pool_of(emulator), checkpoint=source.checkpoint)
        assert [user for page in read([again]) for user in page] == []
        assert emulator.log.count() <= 5
