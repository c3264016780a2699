"""How requests are spaced, and what throttling does to that."""

from __future__ import annotations

import threading
from itertools import chain, repeat
from typing import TYPE_CHECKING

import pytest

from tap_cognito.cognito import quotas
from tap_cognito.cognito import rate_limiter as module
from tap_cognito.cognito.rate_limiter import Cancelled, RateLimiter
from tests.support.clocks import PATIENCE, Clock, gaps, slots
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 20.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that paces go by."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def rate(limiter: RateLimiter, clock: Clock) -> float:
    """Requests a second at which two slots follow each other now."""
    (gap,) = gaps(slots(limiter, clock, 2))
    return 1 / gap


def queue_up(
    limiter: RateLimiter, take: Callable[[], object], count: int
) -> list[threading.Thread]:
    """Start threads that take a slot, each one when those before it wait."""
    threads = [threading.Thread(target=take, daemon=True) for _ in range(count)]
    for number, thread in enumerate(threads, 1):
        thread.start()
        wait_until(lambda: len(limiter._queue) >= number)  # noqa: B023, SLF001 - no other place shows it
    return threads


def join(threads: list[threading.Thread]) -> None:
    """Wait until threads have ended."""
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_requests_are_spaced_evenly(clock: Clock) -> None:
    """Slots are `1 / limit` seconds apart, and each one is counted."""
    limiter = RateLimiter(LIMIT)
    assert gaps(slots(limiter, clock, 50)) == pytest.approx([1 / LIMIT] * 49)
    assert (limiter.requests, limiter.throttled_requests) == (50, 0)


def test_idling_saves_no_slots_up(clock: Clock) -> None:
    """After an hour without requests the slots are as far apart as before."""
    limiter = RateLimiter(LIMIT)
    slots(limiter, clock, 5)
    clock.now += 3600
    assert gaps(slots(limiter, clock, 5)) == pytest.approx([1 / LIMIT] * 4)


def test_waking_late_costs_no_slots(clock: Clock) -> None:
    """A machine that wakes each waiting request a little late still reaches the limit."""
    limiter = RateLimiter(LIMIT)
    clock.oversleeps = repeat(0.03)
    taken = slots(limiter, clock, 101)
    assert taken[-1] - taken[0] == pytest.approx(100 / LIMIT, rel=0.01)


def test_a_machine_that_stood_still_makes_no_burst(clock: Clock) -> None:
    """When waiting requests weren't woken for a minute, a quarter second is made up for."""
    limiter = RateLimiter(LIMIT)
    limiter.acquire(clock)
    clock.oversleeps = chain([60.0], repeat(0.0))
    clock.runs.clear()
    threads = queue_up(limiter, lambda: limiter.acquire(clock), 20)
    before = clock.now
    clock.runs.set()
    join(threads)
    assert limiter.requests == 1 + 20
    assert clock.now - before - 60 >= 20 / LIMIT - 0.25 - 1 / LIMIT


def test_those_who_wait_get_their_slots_in_order(clock: Clock) -> None:
    """Threads take slots in the order in which they came."""
    limiter = RateLimiter(LIMIT)
    limiter.acquire(clock)
    clock.runs.clear()
    threads = queue_up(limiter, lambda: limiter.acquire(clock), 12)
    clock.runs.set()
    join(threads)
    assert clock.waiters == threads


def test_one_second_of_throttling_is_one_cut(clock: Clock) -> None:
    """However many requests are throttled within a second, the rate falls by 30% once."""
    limiter = RateLimiter(LIMIT)
    slots(limiter, clock, 10)
    for _ in range(12):
        limiter.on_throttled()
        clock.now += 0.05
    assert rate(limiter, clock) == pytest.approx(0.7 * LIMIT, rel=0.05)
    assert limiter.throttled_requests == 12


def test_throttling_that_goes_on_cuts_the_rate_again(clock: Clock) -> None:
    """A request that is throttled a second after a cut lowers the rate once more, not before."""
    limiter = RateLimiter(LIMIT)
    assert limiter.on_throttled() == pytest.approx(0.7 * LIMIT)
    clock.now += 0.75
    assert limiter.on_throttled() is None
    clock.now += 0.25
    assert limiter.on_throttled() == pytest.approx(0.7 * 0.7 * LIMIT)


def test_a_throttled_request_makes_the_next_one_wait(clock: Clock) -> None:
    """After a cut, a whole interval of the new rate passes before the next request."""
    limiter = RateLimiter(LIMIT)
    slots(limiter, clock, 1)
    clock.now += 10
    limiter.on_throttled()
    cut_at = clock.now
    (taken,) = slots(limiter, clock, 1)
    assert taken - cut_at == pytest.approx(1 / (0.7 * LIMIT))


@pytest.mark.parametrize(("limit", "slowest"), [(LIMIT, 1.0), (0.5, 0.5)])
def test_throttling_never_stops_the_requests(clock: Clock, limit: float, slowest: float) -> None:
    """A minute of throttling leaves one request a second, or the limit where that is less."""
    limiter = RateLimiter(limit)
    for _ in range(60):
        limiter.on_throttled()
        clock.now += 1
    limiter.on_throttled()
    assert slowest <= round(rate(limiter, clock), 9) <= slowest + 0.5


def test_the_rate_comes_back_up_to_the_limit(clock: Clock) -> None:
    """Half a request a second is gained each second, and never more than the limit."""
    limiter = RateLimiter(LIMIT)
    limiter.on_throttled()
    clock.now += 4
    assert rate(limiter, clock) == pytest.approx(0.7 * LIMIT + 0.5 * 4, rel=0.02)
    clock.now += 3600
    assert rate(limiter, clock) == pytest.approx(LIMIT)


def test_a_stop_ends_all_waits_at_once() -> None:
    """Threads that would wait for hours end with `Cancelled`, and take no slot."""
    limiter = RateLimiter(0.0001)
    limiter.acquire(threading.Event())
    stop = threading.Event()
    stopped: list[Cancelled] = []

    def take() -> None:
        with pytest.raises(Cancelled) as caught:
            limiter.acquire(stop)
        stopped.append(caught.value)

    threads = queue_up(limiter, take, 16)
    stop.set()
    join(threads)
    assert len(stopped) == 16
    assert limiter.requests == 1


def test_after_a_stop_the_next_slot_is_still_there(clock: Clock) -> None:
    """A wait that was stopped delays no other request."""
    limiter = RateLimiter(LIMIT)
    (first,) = slots(limiter, clock, 1)
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        limiter.acquire(stop)
    assert slots(limiter, clock, 1) == pytest.approx([first + 1 / LIMIT])


@pytest.mark.parametrize(
    ("operation", "own", "shared"),
    [
        ("ListUsers", None, 30),
        ("ListUsersInGroup", None, 30),
        ("AdminGetUser", None, 120),
        ("AdminListDevices", None, 50),
        ("DescribeUserPool", 5, 15),
        ("DescribeUserPoolClient", 5, 15),
        ("ListUserPoolClients", 5, 15),
        ("ListGroups", 5, 20),
    ],
)
def test_the_paces_are_those_of_aws(
    operation: str, own: float | None, shared: float, clock: Clock
) -> None:
    """Without a setting requests are as far apart as AWS's default quotas say."""
    limiters = quotas.Quotas().limiters(operation, "us-east-1_A")
    found = [rate(limiter, clock) for limiter in limiters]
    assert found == pytest.approx([shared] if own is None else [own, shared])


def test_the_pace_of_a_pool_is_forgotten_when_it_is_as_new(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many pools' limiters those that are in use, or slowed down, are kept."""
    monkeypatch.setattr(quotas, "_REMEMBERED", 3)
    made = quotas.Quotas()

    def pace(pool_id: str) -> RateLimiter:
        return made.limiters("ListGroups", pool_id)[0]

    idle, busy, slow = pace("idle"), pace("busy"), pace("slow")
    slow.on_throttled()
    clock.now += 1
    slots(busy, clock, 2)
    for number in range(4):
        pace(f"other {number}")
    assert (pace("busy"), pace("slow")) == (busy, slow)
    assert pace("idle") is not idle
