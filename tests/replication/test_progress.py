"""What the log says of a scan while it runs, and at its end."""

from __future__ import annotations

import logging
from itertools import pairwise

import pytest

from emulator import Emulator, Faults, Pool
from tap_cognito.cognito import parallel
from tap_cognito.cognito.checkpoint import Checkpoint
from tap_cognito.cognito.pools import Region
from tap_cognito.cognito.segments import DIGITS, sub_of
from tap_cognito.cognito.users import UserListings
from tap_cognito.replication import progress
from tests.support.listings import pool_of

logger = logging.getLogger("test-progress")


class Clock:
    """A clock that is set."""

    now = 100.0

    def monotonic(self) -> float:
        """Seconds of this clock."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that the progress goes by."""
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def lines(  # noqa: PLR0913 - two fixtures, and what the tests vary
    emulator: Emulator,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    *,
    seconds: float,
    user_filter: str | None = None,
    done: str = "",
) -> list[str]:
    """Read the pool, each page with users in so many seconds, and give the lines of the log."""
    caplog.set_level(logging.INFO, logger.name)
    pool = pool_of(emulator)
    users = list(emulator.pool.users())
    before = sum(sub_of(user).startswith(tuple(done)) for user in users)
    checkpoint = Checkpoint(frozenset(done), tuple(DIGITS), before, len(users)) if done else None
    source = UserListings(pool, user_filter, checkpoint)
    regions = [Region(pool.client, [pool.id])]
    with progress.Progress("users", logger, regions, lambda: 0, before=(0, before)) as log:
        for batch in parallel.read([[source]], lambda _, users: users):
            clock.now += seconds if batch.item_count else 0
            log.update(batch)
    return [record.getMessage() for record in caplog.records if record.name == logger.name]


def test_every_few_seconds_a_line_tells_how_far_it_is(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Each line has users, estimate, speed and time left; the pool is described once."""
    with Emulator(Pool(1_200)) as emulator:
        said = lines(emulator, clock, caplog, seconds=3.0)
        assert emulator.log.count("DescribeUserPool") == 1
    assert [line for line in said if "of about 1,200 users (" in line and "users/s, about " in line]
    assert said[-1].startswith("Read 1,200 users, sent 0, with ")


def test_what_an_earlier_run_has_read_counts(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A resumed scan counts the users of both runs, and the speed of its own."""
    with Emulator(Pool(1_200)) as emulator:
        left = sum(sub_of(user).startswith("f") for user in emulator.pool.users())
        said = lines(emulator, clock, caplog, seconds=6.0, done=DIGITS[:-1])
        share = f"{1_200 - left + min(60, left):,} of about 1,200 users"
        assert said[0].startswith(share)
        assert f", {min(60, left) / 6:,.0f} users/s" in said[0]
        assert said[-1].startswith(f"Read {left:,} users, sent 0, with ")


def test_without_the_permission_it_tells_what_it_knows(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Without DescribeUserPool the lines lack the estimate, and the scan goes on."""
    with Emulator(Pool(1_200), denied={"cognito-idp:DescribeUserPool"}) as emulator:
        said = lines(emulator, clock, caplog, seconds=3.0)
        assert emulator.log.count("DescribeUserPool") == 1
    assert not [line for line in said if "about" in line]
    assert said[-1].startswith("Read 1,200 users, sent 0, with ")


def test_a_part_of_the_pool_is_compared_with_no_estimate(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """With a filter the pool isn't asked for its estimate."""
    with Emulator(Pool(200)) as emulator:
        every_user = 'username ^= ""'
        assert lines(emulator, clock, caplog, seconds=3.0, user_filter=every_user) == [
            "120 users, 20 users/s",
            "200 users, 17 users/s",
            "Read 200 users, sent 0, with 4 requests (0 throttled) in 12.0 s, 17 users/s",
        ]
        assert emulator.log.count("DescribeUserPool") == 0


def test_a_short_scan_tells_only_what_it_was(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A scan of a second logs its end only, and doesn't ask for an estimate."""
    with Emulator(Pool(59)) as emulator:
        assert lines(emulator, clock, caplog, seconds=1.0) == [
            "Read 59 users, sent 0, with 1 requests (0 throttled) in 1.0 s, 59 users/s"
        ]
        assert emulator.log.count() == 1


def test_the_last_line_counts_throttled_requests(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The last line counts throttled requests among all, and apart from them."""
    faults = Faults(("throttling-burst",), limit=2)
    with Emulator(Pool(59), faults=faults) as emulator:
        assert lines(emulator, clock, caplog, seconds=0.5) == [
            "Read 59 users, sent 0, with 3 requests (2 throttled) in 0.5 s, 118 users/s"
        ]


def test_an_empty_pool_has_a_line_too(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """The line of a pool without users, read in no time, divides nothing by zero."""
    with Emulator(Pool(0)) as emulator:
        assert lines(emulator, clock, caplog, seconds=0.0) == [
            "Read 0 users, sent 0, with 1 requests (0 throttled) in 0.0 s, 0 users/s"
        ]


@pytest.mark.parametrize(
    ("count", "total", "seconds", "text"),
    [
        (
            12_345,
            60_000,
            8.63,
            "12,345 of about 60,000 users (21%), 1,430 users/s, about 33 s left",
        ),
        (0, 60_000, 5.0, "0 of about 60,000 users (0%), 0 users/s"),
        (60_001, 60_000, 60.0, "60,001 users, 1,000 users/s"),
        (5, 0, 5.0, "5 users, 1 users/s"),
        (1_234_567, None, 1_000.0, "1,234,567 users, 1,235 users/s"),
    ],
)
def test_a_line_tells_nothing_that_makes_no_sense(
    count: int, total: int | None, seconds: float, text: str
) -> None:
    """An estimate below the users read isn't shown, nor a time left without a speed."""
    assert progress.format_progress("users", count, total, seconds) == text


def test_many_pools_have_a_line_of_their_own() -> None:
    """With many pools a line has pools done, users, requests a second and time left."""
    line = progress.format_pools("users", 1_200, done=40, pools=200, rate=24.0, seconds=6.7)
    assert line == "40 of 200 pools, 1,200 users, 24.0 requests/s, about 27 s left"
    line = progress.format_pools("users", 0, done=0, pools=200, rate=0.0, seconds=5.0)
    assert line == "0 of 200 pools, 0 users, 0.0 requests/s"


def test_a_run_of_hours_logs_a_line_a_minute(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Ten hours of a page a second are less than a line a minute, and begin with one in 5 s."""
    caplog.set_level(logging.INFO, logger.name)
    with Emulator(Pool(0)) as emulator:
        pool = pool_of(emulator)
        regions = [Region(pool.client, [pool.id])]
        batch = parallel.Batch(UserListings(pool), [], 60, is_last=False)
        with progress.Progress("users", logger, regions, lambda: 0) as log:
            moments = []
            for _ in range(36_000):
                clock.now += 1
                before = len(caplog.records)
                log.update(batch)
                if len(caplog.records) > before:
                    moments.append(clock.now - 100)
    pauses = [after - before for before, after in pairwise([0.0, *moments])]
    assert (pauses[0], max(pauses), pauses[-1]) == (5, 60, 60)
    assert len(pauses) < 36_000 / 60 + 60


def test_the_result_says_of_each_stream_whether_all_of_it_was_read() -> None:
    """One stream that isn't complete makes the run so, and is the only one that says it."""
    users = progress.Outcome("users", 2_000, 1_035, 34, 1, 1.5, is_complete=True)
    assert progress.format_outcomes([users]) == (
        "Complete: 2,000 users read, 1,035 sent; 34 requests (1 throttled) in 1.5 s"
    )
    assert progress.format_outcomes([users, progress.Outcome("groups")]) == (
        "Not complete: 2,000 users read, 1,035 sent; 0 groups read, 0 sent, not all; "
        "34 requests (1 throttled) in 1.5 s"
    )
