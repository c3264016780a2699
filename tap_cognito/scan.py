"""All users of a pool, each once, as fast as the pace allows.

ListUsers gives a page only after the one before it, so a single chain of pages is bound by the
round trip. Every `sub` is a lower-case UUID: the sixteen filters `sub ^= "<hex digit>"` split a
pool into sixteen chains that can be read side by side.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import queue
import threading
from array import array
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_cognito.errors import InvalidParameterError
from tap_cognito.pace import Stopped
from tap_cognito.user_pool import PAGE_SIZE, Page

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from tap_cognito.user_pool import UserPool

_DIGITS = "0123456789abcdef"

_SMALL_POOL = 10 * PAGE_SIZE
"""Users up to which sixteen chains cost more requests than they save time."""

_PAGES_AHEAD = 16
"""Pages read before the consumer asks for them: a slow consumer holds the readers back."""

_REMEMBERED = 500_000
"""Users whose 8 bytes are kept to not send them again when a chain has to begin again."""

_BEGINS_AGAIN = "Cognito no longer takes the pagination token: the chain %s begins again"

logger = logging.getLogger("tap-cognito.scan")

_User = dict[str, Any]


class _Read(NamedTuple):
    """What a reader tells the consumer about its chain."""

    digit: str
    page: Page | None = None
    """`None`: the chain begins again."""
    failure: BaseException | None = None


class _SplitError(Exception):
    """The chains are no split of the pool; the message says how that shows.

    Without a message: the pool is too small to be split.
    """


class Scan:
    """One pass over the users of a pool.

    Args:
        pool: The pool.
        user_filter: A filter of ListUsers; it allows one chain only.
    """

    def __init__(self, pool: UserPool, user_filter: str | None = None) -> None:
        self._pool = pool
        self._filter: dict[str, Any] = {"Filter": user_filter} if user_filter else {}
        self._sent = _Memory()

    def pages(self) -> Iterator[list[_User]]:
        """Read the pool.

        Yields:
            Users as the API's `UserType`, in no particular order. No user comes twice, except
            when a chain had to begin again in a pool of more than `_REMEMBERED` users.

        Raises:
            TapCognitoError: If the pool cannot be read to its end.
        """
        plain = self._plain()
        first = next(plain)
        while not first.items and not first.is_last:
            first = next(plain)
        whole = itertools.chain([first], plain)
        if first.is_last or self._filter:
            yield from self._whole(whole)
            return
        try:
            yield from self._split(first)
        except _SplitError as error:
            if str(error):
                logger.warning("Reading the pool in one chain: %s", error)
            yield from self._whole(self._plain() if self._sent else whole)

    def _plain(self) -> Iterator[Page]:
        return self._pool.pages("ListUsers", "Users", **self._filter)

    def _whole(self, chain: Iterator[Page]) -> Iterator[list[_User]]:
        """Read one chain of the whole pool; begin again when its token is refused."""
        while True:
            known = self._sent.names()
            news = 0
            try:
                for page in chain:
                    items = _without(known, page.items)
                    news += len(items)
                    self._sent.add("", items)
                    yield items
            except InvalidParameterError:
                if not news:
                    raise
                logger.warning(_BEGINS_AGAIN, "of the pool")
                chain = self._plain()
            else:
                return

    def _split(self, first: Page) -> Iterator[list[_User]]:
        """Read sixteen chains side by side.

        Raises:
            _SplitError: If they turn out to be no split of the pool, or the pool is small.
        """
        if not _all_start_with(_DIGITS, first.items):
            raise _SplitError("not every user has a `sub` that is a UUID")
        stop = threading.Event()
        reads: queue.Queue[_Read] = queue.Queue(_PAGES_AHEAD)
        for digit in _DIGITS:
            threading.Thread(
                target=_read, args=(self._pool, digit, reads, stop), daemon=True
            ).start()
        try:
            yield from self._merge(first, reads)
        finally:
            stop.set()

    def _merge(self, first: Page, reads: queue.Queue[_Read]) -> Iterator[list[_User]]:
        unseen = {one["Username"] for one in first.items}
        known: dict[str, frozenset[int]] = {}
        ended = 0
        is_first = True
        while ended < len(_DIGITS):
            digit, page, failure = reads.get()
            if failure:
                raise failure
            if not page:
                logger.warning(_BEGINS_AGAIN, f'sub ^= "{digit}"')
                known[digit] = self._sent.names(digit)
                continue
            if is_first and page.is_last and len(page.items) * len(_DIGITS) <= _SMALL_POOL:
                raise _SplitError
            if not _all_start_with(digit, page.items):
                raise _SplitError("the endpoint ignores the filter `sub ^=`")
            is_first = False
            ended += page.is_last
            unseen.difference_update(one["Username"] for one in page.items)
            items = _without(known.get(digit), page.items)
            self._sent.add(digit, items)
            yield items
        lost = sum(map(self._exists, unseen))
        if lost:
            raise _SplitError(f"{lost} users of its first page came in no filtered chain")

    def _exists(self, username: str) -> bool:
        """Whether a user is still in the pool: one that was deleted meanwhile is not lost."""
        quoted = username.replace("\\", "\\\\").replace('"', '\\"')
        pages = self._pool.pages("ListUsers", "Users", Filter=f'username = "{quoted}"')
        try:
            return any(one["Username"] == username for page in pages for one in page.items)
        except InvalidParameterError:
            return True  # nobody knows: better to read the pool twice


class _Memory:
    """Who was sent in which chain, 8 bytes each."""

    def __init__(self) -> None:
        self._hashes: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
        self._room = _REMEMBERED

    def __bool__(self) -> bool:
        return any(self._hashes.values())

    def add(self, digit: str, users: Sequence[_User]) -> None:
        if self._room > 0:
            self._room -= len(users)
            self._hashes[digit].extend(hash(one["Username"]) for one in users)

    def names(self, digit: str | None = None) -> frozenset[int]:
        """The hashes of one chain's users, or of all."""
        chains = self._hashes.values() if digit is None else [self._hashes[digit]]
        return frozenset(itertools.chain.from_iterable(chains))


def _without(known: Collection[int] | None, users: list[_User]) -> list[_User]:
    return [one for one in users if hash(one["Username"]) not in known] if known else users


def _read(pool: UserPool, digit: str, reads: queue.Queue[_Read], stop: threading.Event) -> None:
    """Read the chain of one digit into the queue, until its end, a failure or `stop`."""
    try:
        for page in _chain(pool, digit, stop):
            _put(reads, _Read(digit, page), stop)
    except Stopped:
        pass
    except BaseException as failure:  # noqa: BLE001 - it belongs to the consumer's thread
        with contextlib.suppress(Stopped):
            _put(reads, _Read(digit, failure=failure), stop)


def _chain(pool: UserPool, digit: str, stop: threading.Event) -> Iterator[Page | None]:
    """The pages of one digit's users; `None` where the chain begins again."""
    furthest = 0
    while True:
        count = 0
        try:
            for page in pool.pages("ListUsers", "Users", stop, Filter=f'sub ^= "{digit}"'):
                count += 1
                yield page
        except InvalidParameterError as error:
            if not count:
                raise _SplitError("the endpoint refuses the filter `sub ^=`") from error
            if count <= furthest:
                raise
            furthest = count
            yield None
        else:
            return


def _put(reads: queue.Queue[_Read], read: _Read, stop: threading.Event) -> None:
    while not stop.is_set():
        with contextlib.suppress(queue.Full):
            reads.put(read, timeout=0.1)
            return
    raise Stopped


def _all_start_with(digits: str, users: Iterable[_User]) -> bool:
    return all(
        any(
            one["Name"] == "sub" and (one.get("Value") or "-")[0] in digits
            for one in user.get("Attributes") or ()
        )
        for user in users
    )
