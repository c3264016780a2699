"""The items that a source has sent: none is sent twice when listings restart."""

from __future__ import annotations

from array import array
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_cognito.cognito.listing import Item, Listing, Page


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
        count = len(self._hashes[listing.name])
        self._room -= count
        if self._room < 0 or not count:
            del self._hashes[listing.name]
            self.is_complete &= not count
