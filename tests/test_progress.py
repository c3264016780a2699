"""What the log says of a scan while it runs, and at its end."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from emulator import Emulator, Faults, Pool
from support import emulator_config
from tap_cognito import credentials, progress
from tap_cognito.pace import Stopped
from tap_cognito.user_pool import UserPool

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def lines(
    emulator: Emulator,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    *,
    seconds: float,
    is_whole_pool: bool = True,
) -> list[str]:
    """Read the pool page after page, each in so many seconds, and give the lines of the log."""
    config = emulator_config(emulator)
    pool = UserPool(credentials.create_session(config), emulator.pool.id, emulator.url, 100_000)

    def pages() -> Iterator[list[dict[str, Any]]]:
        for page in pool.pages("ListUsers", "Users"):
            for thread in threading.enumerate():
                if thread.name == "estimate":
                    thread.join()
            clock.now += seconds
            yield page.items

    caplog.set_level(logging.INFO, logger.name)
    passed = progress.logged(pages(), logger, pool, is_whole_pool=is_whole_pool)
    assert sum(map(len, passed)) == len(emulator.pool)
    return [record.getMessage() for record in caplog.records if record.name == logger.name]


def test_every_few_seconds_a_line_says_how_far_it_is(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Users, about how many there are, speed and what is left; the pool is asked once."""
    with Emulator(Pool(200)) as emulator:
        assert lines(emulator, clock, caplog, seconds=3.0) == [
            "120 of about 200 users (60%), 20 users/s, about 4 s left",
            "200 of about 200 users (100%), 17 users/s, about 0 s left",
            "Read 200 users with 4 requests (0 throttled) in 12.0 s, 17 users/s",
        ]
        assert emulator.log.count("DescribeUserPool") == 1


def test_without_the_permission_it_says_what_it_knows(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A reader who may not call DescribeUserPool sees no estimate, and reads all the same."""
    with Emulator(Pool(200), denied={"cognito-idp:DescribeUserPool"}) as emulator:
        assert lines(emulator, clock, caplog, seconds=3.0) == [
            "120 users, 20 users/s",
            "200 users, 17 users/s",
            "Read 200 users with 4 requests (0 throttled) in 12.0 s, 17 users/s",
        ]
        assert emulator.log.count("DescribeUserPool") == 1


def test_the_estimate_keeps_no_scan_waiting(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """A pool that does not say how many users it has is read all the same, and asked no longer."""
    asked: list[threading.Event] = []

    class Silent(UserPool):
        def estimated_users(self, stop: threading.Event | None = None) -> int | None:
            assert stop
            asked.append(stop)
            stop.wait()
            raise Stopped

    def pages() -> Iterator[list[str]]:
        for name in "abc":
            clock.now += 6
            yield [name]

    caplog.set_level(logging.INFO, logger.name)
    with Emulator(Pool(0)) as emulator:
        session = credentials.create_session(emulator_config(emulator))
        pool = Silent(session, emulator.pool.id, emulator.url)
        passed = list(progress.logged(pages(), logger, pool, is_whole_pool=True))
    assert passed == [["a"], ["b"], ["c"]]
    assert "3 users, 0 users/s" in caplog.messages
    assert [stop.is_set() for stop in asked] == [True]


def test_a_part_of_the_pool_is_compared_with_no_estimate(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Where only some users are read, the pool is not asked how many it has."""
    with Emulator(Pool(200)) as emulator:
        assert lines(emulator, clock, caplog, seconds=3.0, is_whole_pool=False) == [
            "120 users, 20 users/s",
            "200 users, 17 users/s",
            "Read 200 users with 4 requests (0 throttled) in 12.0 s, 17 users/s",
        ]
        assert emulator.log.count("DescribeUserPool") == 0


def test_a_short_scan_says_only_what_it_was(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """A scan of a second has no line on the way, and does not ask how many users there are."""
    with Emulator(Pool(60)) as emulator:
        assert lines(emulator, clock, caplog, seconds=1.0) == [
            "Read 60 users with 1 requests (0 throttled) in 1.0 s, 60 users/s"
        ]
        assert emulator.log.count() == 1


def test_the_last_line_counts_throttled_requests(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Requests that were refused for coming too soon are among the requests, and told apart."""
    faults = Faults(("throttling-burst",), limit=2)
    with Emulator(Pool(61), faults=faults) as emulator:
        assert lines(emulator, clock, caplog, seconds=0.5) == [
            "Read 61 users with 4 requests (2 throttled) in 1.0 s, 61 users/s"
        ]


def test_an_empty_pool_has_a_line_too(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """No users in no time is nothing to divide by."""
    with Emulator(Pool(0)) as emulator:
        assert lines(emulator, clock, caplog, seconds=0.0) == [
            "Read 0 users with 1 requests (0 throttled) in 0.0 s, 0 users/s"
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
def test_a_line_says_nothing_that_makes_no_sense(
    count: int, total: int | None, seconds: float, text: str
) -> None:
    """An estimate is shown as long as it can be one, and the rest only with a speed."""
    assert progress.line(count, total, seconds) == text
