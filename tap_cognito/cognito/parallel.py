"""Many listings at once, in bounded memory: each in order, and either complete or failed."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from tap_cognito.cognito.large_responses import Turn, hand_over
from tap_cognito.cognito.rate_limiter import Cancelled
from tap_cognito.errors import TapCognitoError
from tap_cognito.local_faults import NO_THREADS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tap_cognito.cognito.listing import Item, Listing, Page
    from tap_cognito.cognito.source import Source

    Converter: TypeAlias = Callable[["Source", list[Item]], list[dict[str, Any]]]

CONCURRENCY = 16
"""Listings that are read at the same time, in each region."""

_PAGES_AHEAD = 16
"""Pages read before the consumer asks for them: a slow consumer holds the requests back."""


_PAUSE, _PATIENCE = 0.1, 20
"""Seconds between attempts to start a thread while there is none, and how many are made."""

logger = logging.getLogger("tap-cognito.parallel")


class Batch(NamedTuple):
    """Records of a source."""

    source: Source
    records: list[dict[str, Any]]
    item_count: int = 0
    """How many items the records were made of."""
    is_last: bool = False
    """Whether this is the source's last batch: nothing is missing, unless there is an error."""
    error: Exception | None = None
    is_page: bool = False
    """Whether it is what a request returned, not the end or the restart of a listing."""


class _Task:
    """A listing under way, and the means to stop the thread that reads it."""

    def __init__(self, region: _Region, source: Source, listing: Listing) -> None:
        self.region = region
        self.source = source
        self.listing = listing
        self.cancel = threading.Event()


class _Event(NamedTuple):
    """A thread's report on its listing: a page, a failure, or a restart."""

    task: _Task
    page: Page | None = None
    error: Exception | None = None
    is_last: bool = False
    done: Callable[[], None] = lambda: None
    """To be called when its page isn't needed any more."""


class _Region:
    """The sources and listings of one region."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self.running: set[_Task] = set()
        self.most = CONCURRENCY
        self._sources = iter(sources)
        self._waiting: deque[tuple[Source, Listing]] = deque()

    def next(self) -> _Task | None:
        """Return the next listing to read, if any."""
        while not self._waiting:
            source = next(self._sources, None)
            if source is None:
                return None
            source.start()
            self.add(source, source.take_step().listings)
        task = _Task(self, *self._waiting.popleft())
        self.running.add(task)
        return task

    def put_back(self, task: _Task) -> None:
        """Let a listing wait for which there is no thread, and be content with those there are."""
        self.running.discard(task)
        self._waiting.appendleft((task.source, task.listing))
        if self.most == CONCURRENCY:
            logger.warning("%s. Fewer listings than %s are read at a time", NO_THREADS, CONCURRENCY)
        self.most = max(1, len(self.running))

    @property
    def is_waiting(self) -> bool:
        """Whether there are listings to read."""
        return bool(self._waiting)

    def add(self, source: Source, listings: Iterable[Listing]) -> None:
        """Read these next: a source that has started is finished before another one starts."""
        self._waiting.extendleft((source, listing) for listing in reversed(list(listings)))

    def drop(self, source: Source) -> None:
        """Stop reading all listings of a source."""
        for task in [task for task in self.running if task.source is source]:
            task.cancel.set()
            self.running.discard(task)
        self._waiting = deque(entry for entry in self._waiting if entry[0] is not source)

    def is_done_with(self, source: Source) -> bool:
        """Whether no listing of a source is under way or waiting."""
        sources = chain(
            (task.source for task in self.running), (entry[0] for entry in self._waiting)
        )
        return all(other is not source for other in sources)


def read(regions: Iterable[Iterable[Source]], convert: Converter) -> Iterator[Batch]:
    """Read sources side by side.

    Args:
        regions: The sources of each region. They are consumed as there is room for them.
        convert: Makes records of the items of a source.

    Yields:
        Their records. The pages of a listing come in order; each source ends with a batch that is
        marked as its last one.
    """
    events: queue.Queue[_Event] = queue.Queue(_PAGES_AHEAD)
    turn = Turn()
    under_way = [_Region(sources) for sources in regions]
    failures = 0
    try:
        while True:
            _fill(under_way, events, turn)
            if not any(region.running for region in under_way):
                if not any(region.is_waiting for region in under_way):
                    return
                failures += 1
                if failures == _PATIENCE:
                    raise TapCognitoError(NO_THREADS)
                time.sleep(_PAUSE)  # the last listing's thread may be about to end
                continue
            failures = 0
            event = events.get()
            if event.task in event.task.region.running:
                batch = _handle(event, convert)
                _fill(under_way, events, turn)  # no request waits while the consumer is busy
                yield batch
            event.done()
    finally:
        for region in under_way:
            for task in region.running:
                task.cancel.set()


def _fill(regions: Iterable[_Region], events: queue.Queue[_Event], turn: Turn) -> None:
    for region in regions:
        _start_listings(region, events, turn)


def _start_listings(region: _Region, events: queue.Queue[_Event], turn: Turn) -> None:
    while len(region.running) < region.most and (task := region.next()):
        # Nobody joins it: it may be blocked on I/O, and holds no data.
        try:
            arguments = (task, events, turn)
            threading.Thread(target=_run, args=arguments, name="listing", daemon=True).start()
        except RuntimeError:  # noqa: PERF203 - `start` raises it for nothing else
            region.put_back(task)
            return


def _handle(event: _Event, convert: Converter) -> Batch:
    task = event.task
    source, region = task.source, task.region
    if event.is_last:
        region.running.discard(task)
    try:
        _advance(event)
        step = source.take_step()
        records = convert(source, step.items)
    except Exception as error:  # noqa: BLE001 - the batch reports it
        region.drop(source)
        return Batch(source, [], is_last=True, error=error)
    if step.is_replacement:
        region.drop(source)
    region.add(source, step.listings)
    return Batch(
        source,
        records,
        len(step.items),
        region.is_done_with(source),
        is_page=event.page is not None,
    )


def _advance(event: _Event) -> None:
    """Let the source decide what follows from an event."""
    source, listing = event.task.source, event.task.listing
    if isinstance(event.error, TapCognitoError):
        source.fail(listing, event.error)
    elif event.error:
        raise event.error
    elif event.page:
        source.receive(listing, event.page)
    else:
        source.restart(listing)


def _run(task: _Task, events: queue.Queue[_Event], turn: Turn) -> None:
    """Read a listing, in a thread of its own."""
    with turn.taken_by_this_thread():
        try:
            for page in task.listing.read(task.cancel):
                is_last = page is not None and page.is_last
                _put(events, _Event(task, page, is_last=is_last, done=hand_over()))
        except Cancelled:
            return
        except Exception as error:  # noqa: BLE001 - it belongs to the consumer's thread
            _put(events, _Event(task, error=error, is_last=True))


def _put(events: queue.Queue[_Event], event: _Event) -> None:
    """Report an event, unless its listing was cancelled."""
    while not event.task.cancel.is_set():
        with contextlib.suppress(queue.Full):
            events.put(event, timeout=0.1)
            return
    event.done()
