"""Every user of a pool once, whatever the endpoint does, in as few requests as it takes."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from emulator import Emulator, Faults, Pool, tokens
from emulator.connection import Server
from emulator.errors import ApiError
from tap_cognito.cognito import listing
from tap_cognito.cognito.listing import PAGE_SIZE
from tap_cognito.cognito.segments import sub_of
from tap_cognito.cognito.users import UserListings
from tap_cognito.errors import TapCognitoError
from tests.support.emulated import answering
from tests.support.interruption import at_rest
from tests.support.listings import (
    Users,
    details,
    pages,
    pool_of,
    read,
    refuse_token,
    scan,
    served_pool,
)
from tests.support.waiting import readers, wait_for_readers, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from emulator.wire import Wire

pytestmark = pytest.mark.whole_pools

"""Seconds after which something is taken to never happen."""

SEGMENTS = 16
AHEAD = 2 * SEGMENTS
"""Pages that are read ahead at the most: a queue of sixteen, and one in the hand of each reader."""


def check(found: Users, truth: Iterable[dict[str, Any]]) -> None:
    """Compare what a scan returned with what is in the pool: none missing, none twice, all equal.

    Args:
        found: What the scan returned.
        truth: The users as they go over the wire.
    """
    expected = {user["Username"]: user for user in truth}
    for user in expected.values():
        for date in ("UserCreateDate", "UserLastModifiedDate"):
            user[date] = datetime.fromtimestamp(user[date], timezone.utc)
    counts = Counter(user["Username"] for user in found)
    assert [name for name in expected if name not in counts] == []
    assert [name for name in counts if name not in expected] == []
    assert [name for name, count in counts.items() if count > 1] == []
    assert [user for user in found if user != expected[user["Username"]]] == []


def after_the_last(emulator: Emulator) -> int:
    """Wait until the readers of a scan that has ended are gone, and count its requests."""
    wait_for_readers()
    return emulator.log.count()


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged of the way of reading."""
    return [text for text in caplog.messages if text.startswith("Reading the pool")]


def restarts(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged of listings that begin again."""
    return [text for text in caplog.messages if text.endswith("restarts")]


@pytest.fixture(autouse=True)
def _alone(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test begins without readers of another one, ends without its own, and waits for none."""
    monkeypatch.setattr(listing, "_TOKEN_BACKOFF", 0.0)
    caplog.set_level(logging.INFO)
    assert readers() == []
    yield
    wait_for_readers()


@pytest.mark.parametrize("size", [0, 1, 60, 61, 600, 961, 6_000])
def test_pools_of_all_sizes_are_read_completely(size: int) -> None:
    """Every user of the pool is returned once, as the pool has it."""
    with Emulator(Pool(size)) as emulator:
        check(scan(emulator), emulator.pool.users())


@pytest.mark.parametrize(("size", "requests"), [(0, 1), (59, 1), (60, 2), (61, 4), (600, 12)])
def test_small_pools_cost_no_segments(size: int, requests: int) -> None:
    """A pool of one page costs one request, two if it is full; one of ten hardly more than ten."""
    with Emulator(Pool(size)) as emulator:
        check(scan(emulator, rate=24), emulator.pool.users())
        assert emulator.log.count() <= requests
        assert emulator.log.count("DescribeUserPool") == (size == 60)


def test_large_pools_cost_hardly_more_requests_than_pages() -> None:
    """60,000 users, 1,000 pages, cost at most 2% more requests than that."""
    with Emulator(Pool(60_000)) as emulator:
        found = [user["Username"] for page in pages(pool_of(emulator)) for user in page]
        assert sorted(found) == sorted(emulator.pool.usernames())
        assert emulator.log.count() <= 1.02 * 60_000 / PAGE_SIZE
        assert emulator.log.count("DescribeUserPool", "ok") == 1
        assert emulator.log.count() == emulator.log.count("ListUsers", "ok") + 1


def test_a_filter_of_ones_own_is_read_in_one_listing() -> None:
    """With a filter of ListUsers only its users are returned, and no other filter is sent."""
    with Emulator(Pool(3_000)) as emulator:
        found = scan(emulator, user_filter='status = "Disabled"')
        check(found, (user for user in emulator.pool.users() if not user["Enabled"]))
        assert 60 < len(found) < 3_000
        assert {request.filter for request in emulator.log.requests} == {'status = "Disabled"'}


# Where the split is none


@pytest.mark.parametrize("behaviour", [{"ignore_filter": True}, {"refuse_filter": True}])
def test_an_endpoint_without_filters_is_read_in_one_listing(
    behaviour: dict[str, bool], caplog: pytest.LogCaptureFixture
) -> None:
    """Filters that are ignored or refused cost some requests and one line in the log."""
    with Emulator(Pool(3_000), **behaviour) as emulator:  # type: ignore[arg-type]
        check(scan(emulator), emulator.pool.users())
        assert emulator.log.count() <= 3_000 / PAGE_SIZE + AHEAD
    assert len(said(caplog)) == 1


@pytest.mark.parametrize("after", [1, 20, 60])
def test_filters_may_begin_to_be_ignored_in_mid_run(
    after: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Segments that mix in mid-run are given up; each user still comes exactly once."""
    with Emulator(Pool(6_000)) as emulator:
        found: Users = []
        for number, page in enumerate(pages(pool_of(emulator))):
            emulator.ignore_filter = number >= after
            found += page
        check(found, emulator.pool.users())
    assert len(said(caplog)) == 1


@pytest.mark.parametrize("odd", [None, "", "-", "é", "ABCDEF01-2345-4678-9abc-def012345678", "g"])
def test_users_that_no_segment_can_return_are_found_before_it(odd: str | None) -> None:
    """A user of the first page whose `sub` is none of Cognito's makes the reading plain."""
    sub: dict[str, str | None] = {"Name": "sub"} if odd is None else {"Name": "sub", "Value": odd}
    users = list(Pool(700).users())
    for user, attributes in ((users[7], [sub]), (users[59], [])):
        user["Attributes"] = attributes
    with Emulator(Pool.from_users(users)) as emulator:
        check(scan(emulator), users)
        assert emulator.log.count("ListUsers") == -(-700 // PAGE_SIZE)
        assert emulator.log.count() == emulator.log.count("ListUsers") + 1


def test_a_user_without_attributes_makes_the_reading_plain() -> None:
    """A user without any attribute is in no segment: the pool is read in one listing."""
    users = list(Pool(700).users())
    del users[30]["Attributes"]
    with Emulator(Pool.from_users(users)) as emulator:
        check(scan(emulator), users)


@pytest.mark.parametrize(("lost", "name"), [(0, "ada"), (59, "ada"), (7, 'Robert "Bob" \\ Tables')])
def test_a_split_that_loses_users_is_noticed(
    lost: int, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A user of the first page that is in no segment isn't lost, and the others come once."""
    users = list(Pool(3_000).users())
    users[lost]["Username"] = name
    pool = Pool.from_users(users)
    pool.hide(name)
    with Emulator(pool) as emulator:
        check(scan(emulator), users)
    assert len(said(caplog)) == 1


def refuse_filter(start: str, code: str) -> Callable[[str, Wire], ApiError | None]:
    """Refuse the requests whose Filter begins so."""

    def refuse(_: str, parameters: Wire) -> ApiError | None:
        is_meant = str(parameters.get("Filter")).startswith(start)
        return ApiError(code, "Not this one.") if is_meant else None

    return refuse


def test_a_look_up_that_is_refused_proves_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A user of the first page in no segment, who can't be looked up, isn't lost either."""
    pool = Pool(3_000)
    (lost, *_) = pool.users()
    pool.hide(lost["Username"])
    refuse = refuse_filter("username", "InvalidParameterException")
    with Emulator(pool, refuse=refuse) as emulator:
        check(scan(emulator), pool.users())
        refused = emulator.log.matching(outcome="InvalidParameterException")
    assert [request.filter for request in refused] == [f'username = "{lost["Username"]}"']
    (line,) = said(caplog)
    assert "refuses the filter" in line


class Shrinking(Pool):
    """A pool that loses some users right after its first page was read."""

    leaving: tuple[str, ...] = ()

    def page(self, *arguments: Any, **options: Any) -> tuple[list[str], int | None]:
        """Read a page as it is, then let the users go."""
        page = super().page(*arguments, **options)
        for name in self.leaving:
            self.delete(name)
        self.leaving = ()
        return page


def test_users_who_were_deleted_are_not_taken_for_lost(caplog: pytest.LogCaptureFixture) -> None:
    """When users of the first page are in no segment because they are gone, the segments stay."""
    pool = Shrinking(3_000)
    names = [user["Username"] for user in itertools.islice(pool.users(), PAGE_SIZE)]
    pool.leaving = (names[0], names[30], names[59])
    with Emulator(pool) as emulator:
        check(scan(emulator), pool.users())
        assert len(pool) == 3_000 - 3
        assert emulator.log.count() <= 3_000 / PAGE_SIZE + SEGMENTS + 1 + 3
    assert said(caplog) == []


def test_a_deleted_user_keeps_no_loss_from_being_noticed(caplog: pytest.LogCaptureFixture) -> None:
    """Where one of the first page is gone, others who are in no segment are missed all the same."""
    pool = Shrinking(3_000)
    pool.hide(*pool.sample(0.2, start=PAGE_SIZE))
    pool.leaving = (pool.username(0),)
    with Emulator(pool) as emulator:
        check(scan(emulator), pool.users())
    (line,) = said(caplog)
    assert "users came in the segments" in line


@pytest.mark.parametrize("name", ["ada", 'Robert "Bob" \\ Tables'])
def test_deleted_users_of_one_segment_are_asked_for_one_by_one(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The segment is complete once the last of them is known to be gone, whatever the names."""
    users = list(Pool(3_000).users())
    users[0]["Username"] = name
    digit = sub_of(users[0])[0]
    pool: Any = Shrinking.from_users(users)
    pool.leaving = tuple(
        user["Username"] for user in users[:PAGE_SIZE] if sub_of(user).startswith(digit)
    )
    assert len(pool.leaving) > 1
    with Emulator(pool) as emulator:
        check(scan(emulator), pool.users())
    assert said(caplog) == []


def test_a_look_up_is_read_to_its_end(caplog: pytest.LogCaptureFixture) -> None:
    """A user of the first page who is found on the second page of a look-up isn't gone."""
    pool = Pool(3_000)
    (lost, *_) = pool.users()
    pool.hide(lost["Username"])
    with Emulator(pool, begin_empty="username") as emulator:
        check(scan(emulator), pool.users())
    (line,) = said(caplog)
    assert "a user of its first page came in no segment" in line


# Tokens


@pytest.mark.parametrize("lifetime", [1, 3, 5])
def test_a_token_that_is_refused_once_is_sent_again(
    lifetime: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A token that is refused once costs one more request, and no page is read twice."""
    with Emulator(Pool(6_000), token_lifetime=lifetime, token_expiries=1) as emulator:
        check(scan(emulator), emulator.pool.users())
        assert emulator.log.count(outcome="InvalidParameterException") == 1
        assert emulator.log.count() <= 6_000 / PAGE_SIZE + SEGMENTS + 1 + 1
    assert restarts(caplog) == []


def test_a_token_is_sent_three_times_before_its_listing_begins_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A token that is refused twice costs two more requests, and no page is read twice."""
    with Emulator(Pool(3_000), refuse=refuse_token('sub ^= "7"', 2, times=2)) as emulator:
        check(scan(emulator), emulator.pool.users())
        assert emulator.log.count(outcome="InvalidParameterException") == 2
    assert restarts(caplog) == []


@pytest.mark.parametrize("lifetime", [1, 3, 5])
def test_a_segment_whose_token_expired_begins_again(
    lifetime: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Only that segment is read again, each user comes once, and the log says so."""
    refuse = refuse_token('sub ^= "7"', lifetime)
    with Emulator(Pool(6_000), refuse=refuse) as emulator:
        check(scan(emulator), emulator.pool.users())
        assert emulator.log.count(outcome="InvalidParameterException") == 3
        assert emulator.log.count() <= 6_000 / PAGE_SIZE + 2 * SEGMENTS + lifetime + 3
    assert restarts(caplog) == ["Cognito refuses a token: a listing of ListUsers restarts"]


@pytest.mark.parametrize("expiries", [1, 3])
@pytest.mark.parametrize("lifetime", [1, 3, 20])
@pytest.mark.parametrize("reorder", [False, True])
def test_a_plain_listing_whose_token_expired_begins_again(
    *, lifetime: int, reorder: bool, expiries: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A listing without a filter begins again, even if the pages then have another order."""
    with Emulator(
        Pool(2_000),
        token_lifetime=lifetime,
        token_expiries=expiries,
        refuse_filter=True,
        reorder=reorder,
    ) as emulator:
        check(scan(emulator), emulator.pool.users())
    assert len(restarts(caplog)) == (expiries == 3)


@pytest.mark.parametrize("refuse_filter", [False, True])
@pytest.mark.parametrize("lifetime", [1, 3])
def test_tokens_that_always_expire_end_the_scan(*, lifetime: int, refuse_filter: bool) -> None:
    """A pool that can't be read to its end is an error that says why, after a few attempts."""
    pages = 200
    behaviour = {"token_lifetime": lifetime, "refuse_filter": refuse_filter}
    with Emulator(Pool(pages * PAGE_SIZE), **behaviour) as emulator:  # type: ignore[arg-type]
        with pytest.raises(TapCognitoError, match="refuses the pagination tokens"):
            scan(emulator)
        assert after_the_last(emulator) < pages


@pytest.mark.parametrize(
    ("size", "length", "times"), [(100, 1, 1), (6_000, 1, 1), (6_000, 3, 1), (6_000, 5, 2)]
)
@pytest.mark.parametrize("refuse_filter", [False, True])
def test_an_endless_loop_of_tokens_ends_the_scan(
    *, size: int, length: int, times: int, refuse_filter: bool
) -> None:
    """Tokens that come again are an error, not a scan without end."""
    with Emulator(Pool(size), token_loop=length, refuse_filter=refuse_filter) as emulator:
        with pytest.raises(TapCognitoError, match="repeated a pagination token"):
            list(itertools.islice(pages(pool_of(emulator)), size))  # or it would read for ever
        assert after_the_last(emulator) < times * size / PAGE_SIZE + AHEAD


@pytest.mark.parametrize("length", [1, 3])
def test_an_endless_loop_of_tokens_ends_the_reading_of_users_one_by_one(length: int) -> None:
    """Where the users of a pool come again and again, none is asked for twice, and it fails."""
    with Emulator(Pool(400), token_loop=length) as emulator:
        with pytest.raises(TapCognitoError, match="repeated a pagination token"):
            list(itertools.islice(read([details(pool_of(emulator))]), 2_000))  # or for ever
        assert after_the_last(emulator) < 2 * 400


def test_an_empty_token_is_the_end() -> None:
    """An empty token ends a listing, as it does for boto3's paginators."""
    with answering('{"Users": [{"Username": "ada"}], "PaginationToken": ""}') as emulator:
        assert [user["Username"] for user in scan(emulator)] == ["ada"]
        assert emulator.log.count() == 1


def test_an_endless_loop_before_the_first_user_ends_the_scan() -> None:
    """Repeated tokens fail the scan, even if all pages were empty."""
    rounds = (f'{{"Users": [], "PaginationToken": "{token}"}}' for token in 20 * "abc")
    answers = itertools.chain(rounds, itertools.repeat('{"Users": []}'))
    with Emulator(Pool(1), respond=lambda *_: next(answers)) as emulator:
        with pytest.raises(TapCognitoError, match="repeated a pagination token"):
            scan(emulator)
        assert emulator.log.count() < 10


# Pages


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("size", [50, 500, 3_000])
def test_pages_of_any_length_and_order_are_read(size: int, seed: int) -> None:
    """Short and empty pages are no end, and the order of the users doesn't matter."""
    with Emulator(
        Pool(size), empty_pages=0.3, short_pages=0.3, reorder=True, seed=seed
    ) as emulator:
        check(scan(emulator), emulator.pool.users())


def test_a_pool_may_change_while_it_is_read() -> None:
    """Those who are there all the time come once, those who come or go at most once."""
    with Emulator(Pool(6_000)) as emulator:
        pool = emulator.pool
        names = [user["Username"] for user in pool.users()]
        doomed, changed = names[5::500], names[6::500]
        created: list[str] = []
        found: Users = []
        for number, page in enumerate(pages(pool_of(emulator))):
            found += page
            if number % 4 == 0:
                created.append(pool.create()["Username"])
            if number % 4 == 1 and doomed:
                pool.delete(doomed.pop())
            if number % 4 == 2 and changed:
                pool.change(changed.pop(), {"name": "Changed"})
        assert not doomed
        assert not changed
        counts = Counter(user["Username"] for user in found)
        throughout = {user["Username"] for user in pool.users()} - set(created)
        assert [name for name in throughout if counts[name] != 1] == []
        assert counts.keys() <= {*names, *created}
        assert max(counts.values()) == 1


# Throttling


def test_bursts_of_throttling_lose_nobody() -> None:
    """Throttled requests are sent again until they succeed, and every user arrives."""
    faults = Faults(("throttling-burst",), rate=0.05, seed=1)
    with Emulator(Pool(6_000), faults=faults) as emulator:
        check(scan(emulator), emulator.pool.users())
        assert emulator.log.count(outcome="throttling-burst") > 10


def test_a_quota_may_drop_in_mid_run() -> None:
    """With a third of the quota the scan goes on more slowly, and to its end."""
    with Emulator(Pool(6_000), quota=60, quota_drops={10: 20}) as emulator:
        pool = pool_of(emulator, rate=60)
        check(list(itertools.chain(*pages(pool))), emulator.pool.users())
        assert emulator.quota == 20
        throttled = emulator.log.count(outcome="throttled")
        assert 0 < throttled < 0.5 * emulator.log.count()
        assert pool.client.quotas.count() == (emulator.log.count(), throttled)


def test_long_throttling_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    """A request that is throttled ten times warns that something else uses up the quota."""
    faults = Faults(("throttling-burst",), limit=12)
    with Emulator(Pool(60), faults=faults) as emulator:
        check(scan(emulator), emulator.pool.users())
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    (warning,) = warnings
    assert warning.startswith("Cognito has throttled the same ListUsers 10 times: ")


# The end before the end


@pytest.mark.parametrize("latency", [0, 0.05])
def test_a_segment_that_fails_ends_the_scan(latency: float) -> None:
    """The failure of one segment is the scan's, and the other segments stop."""
    fail = refuse_filter('sub ^= "7"', "NotAuthorizedException")

    def refuse(operation: str, parameters: Wire) -> ApiError | None:
        return fail(operation, parameters) if emulator.log.count() > 40 else None

    with Emulator(Pool(30_000), latency=latency, refuse=refuse) as emulator:
        with pytest.raises(TapCognitoError, match="may not call cognito-idp:ListUsers"):
            scan(emulator)
        assert after_the_last(emulator) < 0.5 * 30_000 / PAGE_SIZE


def test_a_scan_that_is_left_stops_its_readers() -> None:
    """When the consumer closes a scan, its threads end and send no more requests."""
    with Emulator(Pool(30_000)) as emulator:
        scanned = pages(pool_of(emulator))
        for _ in range(5):
            next(scanned)
        assert readers()
        scanned.close()
        assert after_the_last(emulator) <= 5 + 1 + AHEAD


def test_a_scan_that_is_left_while_throttled_stops_its_readers() -> None:
    """Threads that wait to retry a throttled request end when the scan is closed."""
    with Emulator(Pool(30_000)) as emulator:
        scanned = pages(pool_of(emulator))
        for _ in range(5):
            next(scanned)
        at_rest(emulator)
        emulator.quota = 0
        for _ in range(SEGMENTS):
            next(scanned)
        wait_until(lambda: emulator.log.count(outcome="throttled") > SEGMENTS)
        scanned.close()
        wait_for_readers()


def test_each_reader_keeps_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan opens a connection for each reader, also if all of them are idle now and then."""
    opened = []
    process = Server.process_request

    def count(server: Server, *connection: Any) -> None:
        opened.append(connection)
        process(server, *connection)

    monkeypatch.setattr(Server, "process_request", count)
    with Emulator(Pool(30_000)) as emulator:
        scanned = pages(served_pool(emulator))
        for _ in range(2):
            for _ in range(AHEAD):
                next(scanned)
            at_rest(emulator)
        scanned.close()
    assert len(opened) <= SEGMENTS


def test_a_slow_consumer_holds_the_readers_back() -> None:
    """However slow the consumer is, the number of pages read ahead is bounded."""
    with Emulator(Pool(30_000)) as emulator:
        scanned = pages(pool_of(emulator))
        for consumed in range(1, 61):
            next(scanned)
            if consumed in {1, 10, 60}:
                assert at_rest(emulator) <= consumed + 1 + AHEAD
        scanned.close()


@pytest.mark.parametrize("source", [UserListings, details])
def test_tokens_that_are_always_refused_after_an_empty_page_end_the_scan(source: Any) -> None:
    """A listing that begins empty and goes no further fails, it doesn't begin for ever."""

    def refuse(_: str, parameters: Wire) -> ApiError | None:
        token = parameters.get("PaginationToken")
        return tokens.refusal(token) if token else None

    failure = pytest.raises(TapCognitoError, match="refuses the pagination tokens of ListUsers")
    with Emulator(Pool(130), refuse=refuse, begin_empty="None") as emulator, failure:
        list(itertools.islice(read([source(pool_of(emulator))]), 40))  # or for ever


@pytest.mark.parametrize("source", [UserListings, details])
def test_empty_pages_count_as_progress(source: Any) -> None:
    """A token that expires after a few empty pages costs a restart, and neither fails the scan."""
    number = itertools.count(1)

    def refuse(_: str, parameters: Wire) -> ApiError | None:
        token = parameters.get("PaginationToken")
        if not token or parameters.get("Filter"):
            return None
        return tokens.refusal(token) if next(number) in {1, 2, 3, 5, 6, 7} else None

    with Emulator(Pool(130), refuse=refuse, empty_pages=0.7, seed=1) as emulator:
        found = [user["Username"] for page in read([source(pool_of(emulator))]) for user in page]
        assert sorted(found) == sorted(emulator.pool.usernames())


@pytest.mark.parametrize("source", [UserListings, details])
def test_an_estimate_that_is_never_given_keeps_no_run_from_ending(
    source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DescribeUserPool is optional: throttled for good, it is done without."""
    monkeypatch.setattr(listing, "_PATIENCE", 2)
    refused = {"DescribeUserPool": "TooManyRequestsException"}
    with Emulator(Pool(1_200), refused=refused) as emulator:
        found = [user["Username"] for page in read([source(pool_of(emulator))]) for user in page]
        assert sorted(found) == sorted(emulator.pool.usernames())
        assert emulator.log.count("DescribeUserPool") == 2
