"""What further operations return of the items of a source: a request for each item."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from tap_cognito.cognito.source import Source
from tap_cognito.errors import (
    NOT_TO_BE_HAD,
    FeatureUnavailableError,
    ResourceNotFoundError,
    TapCognitoError,
    UnreadableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tap_cognito.cognito.checkpoint import Checkpoint
    from tap_cognito.cognito.client import CognitoClient
    from tap_cognito.cognito.listing import Item, Listing, Page, UserPool

logger = logging.getLogger("tap-cognito.enriched")


class Extra(NamedTuple):
    """An operation that returns more of an item."""

    operation: str
    """The API's name of the operation, such as `ListUserPoolClientSecrets`."""
    result: str | None = None
    """The member of its answer that holds the items; `None`: the answer is the one item."""
    parameters: tuple[str, ...] = ()
    """The members of an item that it takes beside the pool's id."""


class Extras:
    """The operations that return more of a stream's items.

    What one source learns of a region holds for all pools in it, until the end of the run.

    Args:
        extras: The operations.
    """

    def __init__(self, extras: Iterable[Extra]) -> None:
        self._extras = list(extras)
        self._refused: set[tuple[CognitoClient, str]] = set()

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._extras)

    def of(self, client: CognitoClient) -> list[Extra]:
        """Return those that weren't refused in a region."""
        return [each for each in self._extras if (client, each.operation) not in self._refused]

    def refuse(self, client: CognitoClient, operation: str, error: TapCognitoError) -> None:
        """Do without an operation in a region; the log says so once."""
        if (client, operation) not in self._refused:
            self._refused.add((client, operation))
            logger.info("What %s returns is null: %s", operation, error)


class _Step:
    """Items of the source that wait for what the extras return."""

    def __init__(self, items: list[Item], checkpoint: Checkpoint) -> None:
        self.items = items
        self.checkpoint = checkpoint
        self.missing = 0


class Enriched(Source):
    """A source whose items have, by the name of each extra, the list of what it returned of them.

    Items that an extra wasn't answered for lack it: the operation isn't allowed, isn't offered in
    the region, isn't known to the endpoint, answers nothing, or the pool lacks its feature. They
    are sent in the order of the source, and the checkpoint counts what was sent.

    Args:
        source: The source of the items. It doesn't drop listings.
        pool: Its pool.
        extras: The operations.
        choose: Chooses of items those that the extras are needed of; by default all.
    """

    def __init__(
        self,
        source: Source,
        pool: UserPool,
        extras: Extras,
        choose: Callable[[list[Item]], list[Item]] = lambda items: items,
    ) -> None:
        super().__init__(source.pool_id, source.checkpoint)
        self._source = source
        self._pool = pool
        self._extras = extras
        self._choose = choose
        self._steps: deque[_Step] = deque()
        self._waiting: dict[str, tuple[_Step, Item]] = {}
        self._lacking: set[str] = set()

    def start(self) -> None:
        """Start as the source does."""
        self._source.start()
        self._follow()

    def receive(self, listing: Listing, page: Page) -> None:
        """Add a page to its item, or let the source take it."""
        if listing.name not in self._waiting:
            self._source.receive(listing, page)
            self._follow()
            return
        _, item = self._waiting[listing.name]
        item.setdefault(listing.operation, []).extend(page.items)
        if page.is_last:
            self._end(listing)

    def restart(self, listing: Listing) -> None:
        """Forget what an item has so far; all else is the source's."""
        if listing.name in self._waiting:
            self._forget(listing)
        else:
            self._source.restart(listing)
            self._follow()

    def fail(self, listing: Listing, error: TapCognitoError) -> None:
        """Do without an extra where it can't be had."""
        if listing.name not in self._waiting:
            self._source.fail(listing, error)
            self._follow()
            return
        if isinstance(error, (*NOT_TO_BE_HAD, UnreadableError)):
            self._extras.refuse(self._pool.client, listing.operation, error)
        elif not isinstance(error, (FeatureUnavailableError, ResourceNotFoundError)):
            raise error
        elif listing.operation not in self._lacking:
            self._lacking.add(listing.operation)
            logger.info("What %s returns is null where it is missing: %s", listing.operation, error)
        self._forget(listing)
        self._end(listing)

    def _forget(self, listing: Listing) -> None:
        _, item = self._waiting[listing.name]
        item.pop(listing.operation, None)

    def _follow(self) -> None:
        """Do what the source has decided, but keep its items for what is still missing."""
        decided = self._source.take_step()
        step = _Step(decided.items, self._source.checkpoint)
        self._steps.append(step)
        for item in self._choose(step.items):
            for extra in self._extras.of(self._pool.client):
                self._request(extra, step, item)
        self.read(decided.listings)
        self._release()

    def _request(self, extra: Extra, step: _Step, item: Item) -> None:
        parameters = {name: item[name] for name in extra.parameters}
        listing = self._pool.listing(extra.operation, extra.result, **parameters).dispensable()
        self._waiting[listing.name] = (step, item)
        step.missing += 1
        self.read([listing])

    def _end(self, listing: Listing) -> None:
        step, _ = self._waiting.pop(listing.name)
        step.missing -= 1
        self._release()

    def _release(self) -> None:
        while self._steps and not self._steps[0].missing:
            step = self._steps.popleft()
            self.send(step.items)
            self.checkpoint = step.checkpoint
