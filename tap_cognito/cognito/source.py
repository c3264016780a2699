"""What a stream reads from a pool: the listings it needs, and what to do with their pages."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from array import array
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from tap_cognito.errors import FeatureUnavailableError, ResourceNotFoundError, TapCognitoError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tap_cognito.cognito.listing import Item, Listing, Page

logger = logging.getLogger("tap-cognito.source")


class Step(NamedTuple):
    """What to do after a page."""

    items: list[Item]
    """Items to send."""
    start: Iterable[Listing] = ()
    """Further listings to read."""
    is_replacement: bool = False
    """Whether to stop reading the source's other listings."""


class Source(ABC):
    """Something in a pool that is read as one listing or many. It knows nothing of threads.

    Args:
        pool_id: The id of the pool.

    Attributes:
        estimate: About how many items there are; `None` while unknown.
        prefixes: The segments of a divided pool.
        done: The complete listings that a later run may skip.
        count_done: The number of items in these listings.
    """

    def __init__(self, pool_id: str) -> None:
        self.pool_id = pool_id
        self.estimate: int | None = None
        self.prefixes: tuple[str, ...] = ()
        self.done: set[str] = set()
        self.count_done = 0

    @abstractmethod
    def start(self) -> Iterable[Listing]:
        """Return the listings to start with."""

    @abstractmethod
    def receive(self, listing: Listing, page: Page) -> Step:
        """Take a page. The pages of a listing come in order.

        Raises:
            TapCognitoError: If the source can't be read to its end.
        """

    @abstractmethod
    def restart(self, listing: Listing) -> None:
        """Record that a listing restarts: its items will come a second time."""

    def fail(self, listing: Listing, error: TapCognitoError) -> Step:  # noqa: ARG002
        """Handle the failure of a listing: if the pool lacks the feature, nothing is missing.

        Raises:
            TapCognitoError: If the source can't be read to its end without it.
        """
        if not isinstance(error, FeatureUnavailableError):
            raise error
        logger.info("Nothing to read: %s", error)
        return Step([])


class SentItems:
    """The items of a source that were sent, by listing: 8 bytes each.

    Args:
        keep: How many items of complete listings are remembered too.

    Attributes:
        is_complete: Whether nothing was forgotten.
    """

    def __init__(self, keep: int = 0) -> None:
        self.is_complete = True
        self._room = keep
        self._hashes: dict[str, array[int]] = {}
        self._known: dict[str, frozenset[int]] = {}
        self._known_to_all: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        """Whether any item is remembered."""
        return bool(self._known_to_all) or any(self._hashes.values())

    def add(self, listing: Listing, page: Page) -> list[Item]:
        """Return the items of a page that weren't sent yet, and remember them."""
        key = listing.key
        if key is None:
            return page.items
        items = page.items
        for known in (self._known_to_all, self._known.get(listing.name)):
            if known:
                items = [item for item in items if hash(item[key]) not in known]
        hashes = self._hashes.setdefault(listing.name, array("q"))
        hashes.extend(hash(item[key]) for item in items)
        if page.token is None:
            self._complete(listing)
        return items

    def restart(self, listing: Listing) -> None:
        """Recognize the items of a listing when they come again."""
        self._known[listing.name] = frozenset(self._hashes.get(listing.name, ()))

    def restart_all(self) -> None:
        """Recognize the items of all listings when they come again, in any listing."""
        hashes = chain.from_iterable(self._hashes.values())
        self._known_to_all = self._known_to_all.union(hashes)
        self._hashes.clear()
        self._known.clear()

    def _complete(self, listing: Listing) -> None:
        self._known.pop(listing.name, None)
        self._room -= len(self._hashes[listing.name])
        if self._room < 0:
            del self._hashes[listing.name]
            self.is_complete = False


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

    def start(self) -> Iterable[Listing]:
        """Start with the listing."""
        return [self._listing]

    def receive(self, listing: Listing, page: Page) -> Step:
        """Send the page."""
        return Step(self._sent.add(listing, page))

    def restart(self, listing: Listing) -> None:
        """Send nothing again that comes again."""
        self._sent.restart(listing)


class Nested(Source):
    """A source with a listing of parents and further listings for each, such as users of groups.

    Args:
        pool_id: The id of the pool.
        parents: The listing of the parent items.
        children: Makes the listings of a parent.
        done: The digests of children that were read before.
        first: A listing of the source's own. If the pool lacks its feature, nothing else is read.
        keep: Decides which items are sent; all by default.
    """

    def __init__(  # noqa: PLR0913 - the last three are rare
        self,
        pool_id: str,
        parents: Listing,
        children: Callable[[Item], Iterable[Listing]],
        *,
        done: Iterable[str] = (),
        first: Listing | None = None,
        keep: Callable[[Item], bool] = lambda _: True,
    ) -> None:
        super().__init__(pool_id)
        self.done = set(done)
        self._parents = parents
        self._make_children = children
        self._first = first
        self._keep = keep
        self._sent = SentItems()
        self._children: dict[str, Listing] = {}
        self._missing: set[str] = set()

    def start(self) -> Iterable[Listing]:
        """Start with the parents, or with the listing before them."""
        return [self._first or self._parents]

    def receive(self, listing: Listing, page: Page) -> Step:
        """Take all parents first: the token of their next page might expire meanwhile."""
        items = self._sent.add(listing, page)
        if listing.name == self._parents.name:
            return self._check(items) if self._missing else self._collect(items, page)
        items = list(filter(self._keep, items))
        if page.token:
            return Step(items)
        if listing == self._first:
            return Step(items, [self._parents])
        self.done.add(listing.digest)
        return Step(items, self._end(listing))

    def restart(self, listing: Listing) -> None:
        """Send nothing again that comes again."""
        self._sent.restart(listing)

    def fail(self, listing: Listing, error: TapCognitoError) -> Step:
        """List the parents again to learn whether one that isn't found is really gone."""
        if listing.name in self._children and isinstance(error, ResourceNotFoundError):
            self._missing.add(listing.name)
        else:
            super().fail(listing, error)
        return Step([], self._end(listing))

    def _children_of(self, parents: list[Item]) -> Iterable[Listing]:
        return chain.from_iterable(map(self._make_children, parents))

    def _collect(self, parents: list[Item], page: Page) -> Step:
        for child in self._children_of(parents):
            if child.digest not in self.done:
                self._children[child.name] = child
        return Step([]) if page.token else Step([], list(self._children.values()))

    def _end(self, listing: Listing) -> list[Listing]:
        self._children.pop(listing.name, None)
        return [self._parents] if self._missing and not self._children else []

    def _check(self, parents: list[Item]) -> Step:
        for child in self._children_of(parents):
            if child.name in self._missing:
                raise TapCognitoError(
                    f"{child.operation} doesn't find what {self._parents.operation} lists: retry"
                )
        return Step([])
