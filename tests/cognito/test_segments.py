"""A pool is divided so that no user is lost, whatever the first page shows, and cheaply."""

from __future__ import annotations

import itertools
import random
from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_cognito.cognito import users
from tap_cognito.cognito.checkpoint import Checkpoint
from tap_cognito.cognito.listing import PAGE_SIZE, Page, UserPool
from tap_cognito.cognito.parallel import CONCURRENCY
from tap_cognito.cognito.segments import DIGITS, divide, is_partition

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_cognito.cognito.listing import Listing
    from tap_cognito.cognito.source import Source, Step

SUBS = st.lists(st.text(DIGITS, min_size=8, max_size=8) | st.text("0a", min_size=8, max_size=8))


def random_sub(random_: random.Random) -> str:
    """The beginning of a version-4 UUID, as in older pools."""
    return f"{random_.getrandbits(32):08x}-{random_.getrandbits(32):08x}"


def regional_sub(random_: random.Random) -> str:
    """One of newer pools: the digits 2, 4, 6 and 8 are the region's."""
    sub = random_sub(random_)
    return f"{sub[0]}4{sub[2]}8{sub[4]}4{sub[6]}8{sub[8:]}"


def any_sub(random_: random.Random) -> str:
    """One of a pool that is older than the change, and has new users since."""
    return random_.choice((random_sub, regional_sub))(random_)


NUMBERS = itertools.count()

FORMATS = {"random": random_sub, "regional": regional_sub, "mixed": any_sub}
SEGMENTS = {"random": 256, "regional": 496, "mixed": 496}


@settings(deadline=None, max_examples=30)
@given(SUBS, st.integers(1, 2))
def test_segments_are_a_partition_whatever_users_were_seen(subs: list[str], times: int) -> None:
    """Each possible `sub` begins with exactly one prefix, also if the users seen mislead."""
    prefixes = list(divide("", subs, times))
    assert is_partition(prefixes)
    for sub in [*subs, *map(random_sub, [random.Random(0)] * 20)]:  # noqa: S311 - not secret
        assert sum(sub.startswith(prefix) for prefix in prefixes) == 1


@settings(deadline=None, max_examples=30)
@given(SUBS, st.integers(0, 10**6), st.sampled_from(["drop", "repeat", "shorten", "foreign"]))
def test_what_is_no_partition_is_told(subs: list[str], number: int, change: str) -> None:
    """A prefix that is missing, repeated, within another one or invalid is reported."""
    prefixes = list(divide("", subs, 2))
    place = number % len(prefixes)
    if change == "drop":
        del prefixes[place]
    elif change == "repeat":
        prefixes.append(prefixes[place])
    elif change == "shorten":
        prefixes[place] = prefixes[place][:-1]
    else:
        prefixes[place] = "G"
    assert not is_partition(prefixes)


@pytest.mark.parametrize("sub_format", FORMATS)
def test_a_large_pool_has_hundreds_of_segments_of_one_size(sub_format: str) -> None:
    """The users are spread over 256 segments or more, none of them large, in newer pools too."""
    random_ = random.Random(1)  # noqa: S311 - not secret
    subs = [FORMATS[sub_format](random_) for _ in range(20_000)]
    prefixes = tuple(divide("", subs[:PAGE_SIZE], 2))
    counts = Counter(next(filter(sub.startswith, prefixes)) for sub in subs)
    assert len(counts) >= 256
    assert max(counts.values()) < 2 * len(subs) / 256


@pytest.mark.parametrize("zeros", [1, 3, 4])
def test_users_in_the_order_of_their_sub_do_not_mislead(zeros: int) -> None:
    """A first page of those whose `sub` begins with zeros divides the pool evenly too."""
    random_ = random.Random(1)  # noqa: S311 - not secret
    first = ["0" * zeros + random_sub(random_)[zeros:] for _ in range(PAGE_SIZE)]
    assert sorted(map(len, divide("", first, 2))) == [2] * 256


def test_prefixes_that_overlap_are_no_partition() -> None:
    """Not even if together they are as many as one."""
    assert not is_partition((*DIGITS[:-1], *(f"0{digit}" for digit in DIGITS)))


def test_a_digit_of_a_third_of_the_users_is_not_common() -> None:
    """More than a third have a digit that segments aren't divided by."""
    subs = [f"0{number % 3}{number % 16:x}" for number in range(30)]
    assert "00" in divide("", subs, 2)
    assert "00f" in divide("", [*subs, "00f"], 2)


def test_no_segment_is_divided_behind_the_first_hyphen() -> None:
    """However often a segment is divided, each `sub` begins with one of the prefixes."""
    subs = [f"0000000{digit}-4000" for digit in DIGITS]
    prefixes = list(divide("0000000", subs, 3))
    assert sorted(sub[:8] for sub in subs) == sorted(prefixes)


class Endpoint:
    """Answers the listings of a source without HTTP, sixteen of them in turn.

    Args:
        subs: Those of the users of the pool.
    """

    def __init__(self, subs: Sequence[str]) -> None:
        self._first = list(subs[:PAGE_SIZE])
        self._subs = sorted(subs)
        self.requests = 0
        self.users = 0

    def read(self, source: Source) -> None:
        """Read a source to its end."""
        source.start()
        waiting = source.take_step().listings
        under_way: list[Iterator[tuple[Listing, Page]]] = []
        while waiting or under_way:
            while waiting and len(under_way) < CONCURRENCY:
                under_way.append(self._pages(waiting.pop(0)))
            pages = under_way.pop(0)
            answer = next(pages, None)
            if answer is None:
                continue
            under_way.append(pages)
            self.requests += 1
            step = receive(source, *answer)
            self.users += len(step.items)
            if step.is_replacement:
                waiting, under_way = [], []
            waiting = [*step.listings, *waiting]

    def _pages(self, listing: Listing) -> Iterator[tuple[Listing, Page]]:
        if listing.operation == "DescribeUserPool":
            yield listing, Page([{"EstimatedNumberOfUsers": len(self._subs)}], None)
            return
        if "Filter" not in listing.parameters:
            yield listing, Page([user(sub) for sub in self._first], "more")
            return
        prefix = str(listing.parameters["Filter"]).split('"')[1]
        start = bisect_left(self._subs, prefix)
        end = bisect_left(self._subs, prefix + "g")
        begin = int(listing.token or start)
        for number, place in enumerate(range(begin, max(end, begin + 1), PAGE_SIZE), 1):
            after = min(place + PAGE_SIZE, end)
            token = str(after) if after < end else None
            yield listing, Page([user(sub) for sub in self._subs[place:after]], token)
            if number == listing.max_pages:
                return


def user(sub: str) -> dict[str, Any]:
    """A user of whom the API says the least."""
    return {"Username": sub, "Attributes": [{"Name": "sub", "Value": sub}]}


@pytest.mark.parametrize("sub_format", FORMATS)
@pytest.mark.parametrize("size", [90_000, pytest.param(1_500_000, marks=pytest.mark.slow)])
def test_small_segments_cost_hardly_more_requests(
    sub_format: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 1,500,000 users all requests are at most 2% more than full pages; all users come once."""
    monkeypatch.setattr(users, "LARGE_POOL", min(size - 1, users.LARGE_POOL))
    random_ = random.Random(2)  # noqa: S311 - not secret
    make = FORMATS[sub_format]
    endpoint = Endpoint([make(random_) for _ in range(size)])
    source = users.UserListings(UserPool("us-east-1_Large", Mock()))
    endpoint.read(source)
    assert endpoint.users == size
    assert len(source.checkpoint.done) == SEGMENTS[sub_format]
    # The cost doesn't depend on the size.
    assert endpoint.requests - size / PAGE_SIZE <= 0.02 * 1_500_000 / PAGE_SIZE


def receive(source: Source, listing: Listing, page: Page) -> Step:
    """What a source decides when it gets a page."""
    source.receive(listing, page)
    return source.take_step()


def prefix_of(segment: Listing) -> str:
    """The digits that a segment is filtered by."""
    return str(segment.parameters["Filter"]).split('"')[1]


def numbered(prefix: str, count: int, *, is_last: bool = False) -> Page:
    """A page of so many users of a segment, none of them on another page."""
    return Page(
        [user(f"{prefix}{next(NUMBERS):07x}") for _ in range(count)], None if is_last else "more"
    )


def divided(size: int) -> tuple[users.UserListings, Listing, list[Listing]]:
    """Divide a pool whose first segment begins with so many users.

    Args:
        size: Users on that page; the plain listing's is full.

    Returns:
        The pool's users, the question for the estimate and the sixteen segments.
    """
    source = users.UserListings(UserPool("us-east-1_Large", Mock()))
    source.start()
    (plain,) = source.take_step().listings
    (probe,) = receive(source, plain, numbered("0", PAGE_SIZE)).listings
    describe, *segments = receive(source, probe, numbered("0", size)).listings
    return source, describe, segments


@pytest.mark.parametrize(("size", "is_left"), [(15, False), (14, True)])
def test_segments_are_judged_once(size: int, *, is_left: bool) -> None:
    """Two pages of each segment decide, by a quarter of a full page; later ones may be shorter."""
    source, _, segments = divided(size)
    trial = [*segments, *segments[:-1]]  # the last one's first page was the first of all
    steps = [receive(source, segment, numbered(prefix_of(segment), size)) for segment in trial]
    assert [step.is_replacement for step in steps] == [*[False] * 30, is_left]
    if not is_left:
        later = receive(source, segments[0], numbered(prefix_of(segments[0]), 1))
        assert not later.is_replacement


@pytest.mark.parametrize(
    ("more", "begun", "segments"),
    [(0, "nothing", 16), (1, "nothing", 256), (1, "a segment", 256), (1, "a percent", 16)],
)
def test_a_pool_is_divided_further_only_if_it_is_large_and_hardly_begun(
    more: int, begun: str, segments: int
) -> None:
    """An estimate that comes late causes no second reading of users."""
    source, describe, digits = divided(PAGE_SIZE)
    if begun == "a segment":
        source.receive(digits[0], numbered(prefix_of(digits[0]), 5, is_last=True))
    elif begun == "a percent":
        for _ in range(users.LARGE_POOL // 100 // PAGE_SIZE):
            source.receive(digits[0], numbered(prefix_of(digits[0]), PAGE_SIZE))
    estimate = {"EstimatedNumberOfUsers": users.LARGE_POOL + more}
    step = receive(source, describe, Page([estimate], None))
    assert step.is_replacement == (segments > 16)
    assert len(source.checkpoint.segments) == segments
    assert (source.checkpoint.done, source.checkpoint.count) == (frozenset(), 0)


def test_a_resumed_scan_keeps_its_segments() -> None:
    """A late estimate doesn't discard what the earlier run has read."""
    before = Checkpoint(frozenset(DIGITS[0]), tuple(DIGITS), 5)
    source = users.UserListings(UserPool("us-east-1_Large", Mock()), checkpoint=before)
    source.start()
    describe, *segments = source.take_step().listings
    estimate = {"EstimatedNumberOfUsers": users.LARGE_POOL + 1}
    assert not receive(source, describe, Page([estimate], None)).is_replacement
    after = source.checkpoint
    assert (after.segments, after.done) == (tuple(DIGITS), frozenset(DIGITS[0]))
    assert len(segments) == 15
