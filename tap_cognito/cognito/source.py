"""What a stream reads from a pool: the listings it needs, and what to do with their pages."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from tap_cognito.cognito.checkpoint import Checkpoint
from tap_cognito.cognito.listing import MOST_PARENTS
from tap_cognito.cognito.responses import malformed
from tap_cognito.cognito.sent_items import SentItems
from tap_cognito.errors import (
    AccessDeniedError,
    CredentialsError,
    FeatureUnavailableError,
    NotEnabledError,
    ResourceNotFoundError,
    TapCognitoError,
    UnansweredError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tap_cognito.cognito.listing import Item, Listing, Page

MISSES = 2
"""How often a thing that is listed may not be found before its source fails."""

_OF_ALL = (
    AccessDeniedError,
    CredentialsError,
    FeatureUnavailableError,
    NotEnabledError,
    UnansweredError,
    UnsupportedError,
)
"""Errors that the other listings of a source would meet too."""

logger = logging.getLogger("tap-cognito.source")


def unfound(operation: str, listed_by: str) -> TapCognitoError:
    """Report what an operation doesn't find although another one lists it."""
    return TapCognitoError(f"{operation} doesn't find what {listed_by} lists: retry")


@dataclass
class Step:
    """What to do after a page."""

    items: list[Item] = field(default_factory=list)
    """Items to send."""
    listings: list[Listing] = field(default_factory=list)
    """Further listings to read."""
    is_replacement: bool = False
    """Whether to stop reading the source's other listings."""


class Source(ABC):
    """Something in a pool that is read as one listing or many. It knows nothing of threads.

    What a method decides accumulates, by `send`, `read` and `drop`, until the reader takes it.

    Args:
        pool_id: The id of the pool.
        checkpoint: How far an earlier run came.

    Attributes:
        checkpoint: How far it is read: what a later run needn't read again.
    """

    def __init__(self, pool_id: str, checkpoint: Checkpoint | None = None) -> None:
        self.pool_id = pool_id
        self.checkpoint = checkpoint or Checkpoint()
        self._step = Step()

    def send(self, items: Iterable[Item]) -> None:
        """Send these items."""
        self._step.items += items

    def read(self, listings: Iterable[Listing]) -> None:
        """Read these listings next."""
        self._step.listings += listings

    def drop(self) -> None:
        """Stop reading all listings so far."""
        self._step.listings.clear()
        self._step.is_replacement = True

    def take_step(self) -> Step:
        """Return what was decided since the last time."""
        step, self._step = self._step, Step()
        return step

    @abstractmethod
    def start(self) -> None:
        """Read the listings to start with."""

    @abstractmethod
    def receive(self, listing: Listing, page: Page) -> None:
        """Take a page. The pages of a listing come in order.

        Raises:
            TapCognitoError: If the source can't be read to its end.
        """

    @abstractmethod
    def restart(self, listing: Listing) -> None:
        """Record that a listing restarts: its items will come a second time."""

    def fail(self, listing: Listing, error: TapCognitoError) -> None:  # noqa: ARG002
        """Handle the failure of a listing: if the pool lacks the feature, nothing is missing.

        Raises:
            TapCognitoError: If the source can't be read to its end without it.
        """
        if not isinstance(error, FeatureUnavailableError):
            raise error
        logger.info("Nothing to read: %s", error)


class OneListing(Source):
    """A source that is a single listing.

    Args:
        pool_id: The id of the pool.
        listing: The listing.
    """

    def __init__(self, pool_id: str, listing: Listing) -> None:
        super().__init__(pool_id)
        self._listing = listing
        self._sent = SentItems()

    def start(self) -> None:
        """Start with the listing."""
        self.read([self._listing])

    def receive(self, listing: Listing, page: Page) -> None:
        """Send the page."""
        self.send(self._sent.add(listing, page))

    def restart(self, listing: Listing) -> None:
        """Send nothing again that comes again."""
        self._sent.restart(listing)


class Nested(Source):
    """A source with a listing of parents and further listings for each, such as users of groups.

    Args:
        pool_id: The id of the pool.
        parents: The listing of the parent items.
        children: Makes the listings of a parent.
        checkpoint: The children that were read before, by their digests.
        first: A listing of the source's own. If the pool lacks its feature, nothing else is read.
        keep: Decides which items are sent; all by default.
        is_found: Whether an item says that its thing exists; by default all do.
    """

    def __init__(  # noqa: PLR0913 - the last three are rare
        self,
        pool_id: str,
        parents: Listing,
        children: Callable[[Item], Iterable[Listing]],
        checkpoint: Checkpoint | None = None,
        *,
        first: Listing | None = None,
        keep: Callable[[Item], bool] = lambda _: True,
        is_found: Callable[[Item], bool] = lambda _: True,
    ) -> None:
        super().__init__(pool_id, checkpoint)
        self._parents = parents
        self._make_children = children
        self._first = first
        self._keep = keep
        self._is_found = is_found
        self._sent = SentItems()
        self._children: dict[str, Listing] = {}
        self._failed: dict[str, Listing] = {}
        self._is_second_try = False
        self._missing: set[str] = set()
        self._misses: Counter[str] = Counter()

    def start(self) -> None:
        """Start with the parents, or with the listing before them."""
        self.read([self._first or self._parents])

    def receive(self, listing: Listing, page: Page) -> None:
        """Take all parents first: the token of their next page might expire meanwhile."""
        items = self._sent.add(listing, page)
        if listing.name == self._parents.name:
            if self._missing:
                self._check(page)
            else:
                self._collect(items, page)
            return
        if not all(map(self._is_found, items)):
            self._miss(listing)
            return
        self.send(filter(self._keep, items))
        if page.token:
            return
        if listing == self._first:
            self.read([self._parents])
            return
        self.checkpoint = self.checkpoint.with_done(listing.digest)
        self._end(listing)

    def restart(self, listing: Listing) -> None:
        """Send nothing again that comes again."""
        self._sent.restart(listing)

    def fail(self, listing: Listing, error: TapCognitoError) -> None:
        """List the parents again to learn whether one that isn't found is really gone.

        What fails otherwise is tried again when all others are read, so that it fails alone.
        """
        if listing.name in self._children and isinstance(error, ResourceNotFoundError):
            self._miss(listing)
        elif listing.name in self._children and self._may_be_alone(error):
            self._failed[listing.name] = listing
            self._sent.restart(listing)
            self._end(listing)
        else:
            super().fail(listing, error)
            self._end(listing)

    def _may_be_alone(self, error: TapCognitoError) -> bool:
        return not (self._is_second_try or isinstance(error, _OF_ALL))

    def _miss(self, listing: Listing) -> None:
        self._missing.add(listing.name)
        self._misses[listing.name] += 1
        self._sent.restart(listing)
        self._end(listing)

    def _children_of(self, parents: list[Item]) -> Iterable[Listing]:
        return chain.from_iterable(map(self._make_children, parents))

    def _collect(self, parents: list[Item], page: Page) -> None:
        for child in self._children_of(parents):
            if child.digest not in self.checkpoint.done:
                self._children[child.name] = child
        if len(self._children) > MOST_PARENTS:
            raise malformed(self._parents.operation, "a list without end")
        if not page.token:
            self.read(self._children.values())

    def _end(self, listing: Listing) -> None:
        self._children.pop(listing.name, None)
        self._go_on()

    def _go_on(self) -> None:
        """Read again what wasn't found, then what failed, once all others are read."""
        if self._children:
            return
        if self._missing:
            self.read([self._parents])
        elif self._failed:
            self._is_second_try = True
            self._children, self._failed = self._failed, {}
            self.read(self._children.values())

    def _check(self, page: Page) -> None:
        """Read what wasn't found but is listed once more; what isn't listed either is gone."""
        for child in self._children_of(page.items):
            if child.name in self._missing:
                if self._misses[child.name] == MISSES:
                    raise unfound(child.operation, self._parents.operation)
                self._children[child.name] = child
        if not page.token:
            self._missing.clear()
            self.read(self._children.values())
            self._go_on()
