"""Many listings at once: what is read of a source, in which order, and when it ends."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tap_cognito.cognito import large_responses, parallel
from tap_cognito.cognito.listing import Page
from tap_cognito.cognito.rate_limiter import Cancelled
from tap_cognito.cognito.source import Source, Step
from tap_cognito.errors import TapCognitoError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 10
"""Seconds after which something is taken to never happen."""


@dataclass
class Scripted:
    """A listing of one item, its name.

    Args:
        name: The item.
        after: What it waits for.
        begun: Set when it is read.
    """

    name: str
    after: threading.Event | None = None
    begun: threading.Event = field(default_factory=threading.Event)

    def read(self, _: threading.Event) -> Iterator[Page]:
        """Read it."""
        self.begun.set()
        if self.after:
            self.after.wait(PATIENCE)
        yield Page([{"name": self.name}], None)


class Endless(Scripted):
    """A listing whose next page never comes.

    Attributes:
        stopped: Set when it was told to stop.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.stopped = threading.Event()

    def read(self, cancel: threading.Event) -> Iterator[Page]:
        """Wait to be stopped."""
        self.begun.set()
        if cancel.wait(PATIENCE):
            self.stopped.set()
        yield Page([], None)


class Large(Endless):
    """An endless listing with a large page, which others must wait for."""

    def read(self, cancel: threading.Event) -> Iterator[Page]:
        """Take the turn, and wait to be stopped."""
        large_responses.check(large_responses.LARGE_BYTES + 1)
        yield from super().read(cancel)


class Unreadable(Scripted):
    """A listing with a large page that can't be read."""

    def read(self, _: threading.Event) -> Iterator[Page]:
        """Take the turn, and fail."""
        large_responses.check(large_responses.LARGE_BYTES + 1)
        self.begun.set()
        raise KeyError(self.name)


class Waiting(Scripted):
    """A listing with a large page that waits for its turn."""

    def read(self, cancel: threading.Event) -> Iterator[Page]:
        """Wait, though not for ever."""
        given_up = threading.Event()
        timer = threading.Timer(PATIENCE, given_up.set)
        timer.start()
        if self.after:
            self.after.wait(PATIENCE)
        try:
            large_responses.wait(given_up)
        except Cancelled:
            raise TimeoutError from None
        finally:
            timer.cancel()
        yield from super().read(cancel)


class Script(Source):
    """A source of listings with names.

    Args:
        listings: Those that it begins with.
        steps: What follows from the page of a listing; otherwise its items are sent.
    """

    def __init__(self, *listings: Any, **steps: Step | TapCognitoError) -> None:
        super().__init__("us-east-1_Script")
        self._listings = listings
        self._steps = steps

    def start(self) -> None:
        """Begin with the listings."""
        self.read(self._listings)

    def receive(self, listing: Any, page: Page) -> None:
        """Take the page."""
        step = self._steps.get(listing.name, Step())
        if isinstance(step, TapCognitoError):
            raise step
        if step.is_replacement:
            self.drop()
        self.send(page.items)
        self.read(step.listings)

    def restart(self, listing: Any) -> None:
        """No listing begins again."""


def read(*sources: Script) -> list[tuple[str, bool]]:
    """Read sources; give what each batch has, or its error, and whether it is the last."""
    batches = parallel.read([sources], lambda _, items: items)
    return [
        (str(batch.error or "".join(item["name"] for item in batch.records)), batch.is_last)
        for batch in batches
    ]


def listings(names: str) -> list[Any]:
    """Listings with names of one letter."""
    return [Scripted(name) for name in names]


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no listing begin before the one ahead is complete."""
    monkeypatch.setattr(parallel, "CONCURRENCY", 1)


@pytest.mark.usefixtures("one_by_one")
def test_sources_are_read_one_after_the_other_each_in_its_order() -> None:
    """What follows from a page goes ahead of all that waits, and the last batch is marked."""
    first = Script(*listings("abc"), a=Step([], listings("xy")))
    assert read(first, Script(*listings("d"))) == [
        *(("a", False), ("x", False), ("y", False), ("b", False), ("c", True)),
        ("d", True),
    ]


@pytest.mark.usefixtures("one_by_one")
def test_the_next_listing_does_not_wait_for_the_consumer() -> None:
    """While a page is loaded the request that takes its place is under way."""
    following = Scripted("b")
    batches = parallel.read([[Script(Scripted("a"), following)]], lambda _, items: items)
    assert next(batches).records == [{"name": "a"}]
    assert following.begun.wait(PATIENCE)
    assert [batch.records for batch in batches] == [[{"name": "b"}]]


@pytest.mark.usefixtures("one_by_one")
def test_what_waits_is_not_read_when_its_source_fails_or_is_replaced() -> None:
    """Waiting listings of a failed or replaced source are dropped; others are read."""
    failing = Script(*listings("abc"), a=TapCognitoError("failed"))
    replaced = Script(*listings("def"), d=Step([], listings("x"), is_replacement=True))
    assert read(failing, replaced, Script(*listings("g"))) == [
        ("failed", True),
        *(("d", False), ("x", True)),
        ("g", True),
    ]


def test_what_is_under_way_is_not_received_when_its_source_is_replaced() -> None:
    """A page that arrives after its source was replaced is dropped."""
    late, replacement = Scripted("late"), Scripted("x")
    after: list[Any] = [replacement]
    late.after = replacement.begun
    first = Scripted("a", late.begun)
    source = Script(late, first, a=Step([], after, is_replacement=True))
    assert read(source) == [("a", False), ("x", True)]


@pytest.mark.parametrize("is_failure", [False, True])
def test_what_is_under_way_is_stopped_when_its_source_ends(*, is_failure: bool) -> None:
    """A listing whose pages nobody wants is told to stop, so that it sends no more requests."""
    endless, replacement = Endless("endless"), Scripted("x")
    replacement.after = endless.stopped
    first = Scripted("a", endless.begun)
    failure = TapCognitoError("failed")
    after: list[Any] = [replacement]
    step = failure if is_failure else Step([], after, is_replacement=True)
    assert read(Script(endless, first, a=step), Script(replacement))[-1] == ("x", True)
    assert endless.stopped.wait(PATIENCE)


def test_a_large_page_that_nobody_wants_holds_up_no_other() -> None:
    """The turn of a listing that is stopped with a large page goes to the next one."""
    large = Large("large")
    failing = Script(large, Scripted("a", large.begun), a=TapCognitoError("failed"))
    after = Waiting("x", large.stopped)
    after_failing = Scripted("b", large.begun)
    source = Script(after_failing, b=Step([], [after]))  # type: ignore[list-item]
    assert sorted(read(failing, source)) == [("b", False), ("failed", True), ("x", True)]


def test_a_large_page_that_cannot_be_read_holds_up_no_other() -> None:
    """The turn of a listing that fails with a large page goes to the next one."""
    failing = Unreadable("a")
    after = Waiting("x", failing.begun)
    assert sorted(read(Script(failing), Script(after))) == [("'a'", True), ("x", True)]


def test_a_machine_without_threads_left_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of processes is said as such, and no bug."""
    limit_threads(monkeypatch, 0)
    monkeypatch.setattr(parallel, "_PAUSE", 0.0)
    with pytest.raises(TapCognitoError, match=r"no more threads: raise its limit of processes"):
        read(Script(Scripted("a")))


@pytest.mark.parametrize("limit", [1, 5])
def test_a_machine_with_few_threads_left_reads_fewer_listings_at_a_time(
    limit: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """All are read, in each region, and a warning names the limit."""
    refused = threading.Event()
    most = limit_threads(monkeypatch, limit, refused)
    read_then = [Scripted(name, refused) for name in "abcdefghijklmnopqrst"]
    regions = [[Script(*read_then)], [Script(*listings("uvwxyz"))]]
    batches = parallel.read(regions, lambda _, items: items)
    names = [item["name"] for batch in batches for item in batch.records]
    assert sorted(names) == sorted("abcdefghijklmnopqrstuvwxyz")
    assert most() == limit
    said = "raise its limit of processes (pids.max, ulimit -u). Fewer listings than 16"
    assert 1 <= caplog.text.count(said) <= len(regions)


def limit_threads(
    monkeypatch: pytest.MonkeyPatch, limit: int, refused: threading.Event | None = None
) -> Callable[[], int]:
    """Let no more listings' threads than these live; return what says how many did at most."""
    start, most = threading.Thread.start, 0
    started: list[threading.Thread] = []

    def start_some(thread: threading.Thread) -> None:
        nonlocal most
        alive = sum(each.is_alive() for each in started)
        if alive == limit:
            if refused:
                refused.set()
            raise RuntimeError("can't start new thread")
        most = max(most, alive + 1)
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_some)
    return lambda: most
