"""One listing: an operation with its parameters, read page by page to its end."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import logging
from dataclasses import dataclass, field, replace
from types import NoneType
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_cognito.cognito.responses import TOKENS, items_of, malformed
from tap_cognito.errors import InvalidParameterError, TapCognitoError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping

    from typing_extensions import Self

    from tap_cognito.cognito.client import CognitoClient

Item = dict[str, Any]
"""One thing that the API returns: a user, a group, ..."""

PAGE_SIZE = 60
"""Users in a full page."""

MOST_PARENTS = 100_000
"""How many groups, clients or pools are kept in memory: ten times what AWS allows."""

_PROVEN = {"ListUsers"}
"""Operations whose lists are proven by an estimate."""

_SUBJECTS = {("DescribeUserPool", "UserPoolId"): "Id"}
"""The members that say what a parameter asked for, where they are called otherwise."""

_TOKEN_ATTEMPTS = 3
"""How often a token is sent before it counts as refused."""

_TOKEN_BACKOFF = 0.2
"""Seconds before a refused token is sent again; twice that before the third time."""

_PATIENCE = 20
"""How often a request that can be done without may be throttled: about as many seconds."""

_ENDLESS = (
    "Cognito repeated a pagination token: retry. If it persists, check what `endpoint_url` "
    "points to"
)

logger = logging.getLogger("tap-cognito.listing")


def refused_tokens(operation: str) -> InvalidParameterError:
    """Report a listing whose token is refused at the same place again."""
    return InvalidParameterError(
        f"Cognito refuses the pagination tokens of {operation}, even after a restart: retry. If it "
        "persists, check what `endpoint_url` points to"
    )


class LoopDetector:
    """Finds repeated tokens by Brent's method, which doesn't remember all tokens."""

    def __init__(self) -> None:
        self._number = 0
        self._landmark: str | None = None

    def check(self, token: str | None) -> None:
        """Take the next token.

        Raises:
            TapCognitoError: If the tokens repeat.
        """
        if token is not None and token == self._landmark:
            raise TapCognitoError(_ENDLESS)
        self._number += 1
        if self._number & (self._number - 1) == 0:
            self._landmark = token


class Page(NamedTuple):
    """One response of a listing."""

    items: list[Item]
    token: str | None
    """Where the next page begins; `None` at the end of the listing."""
    is_last: bool = True
    """Whether no page of this part of the listing follows."""


@dataclass(frozen=True)
class Listing:
    """What to list, or the one thing to describe. No request is made until it is read.

    Args:
        client: The client to send requests with.
        operation: The API's name of the operation, such as `ListUsers`.
        result: The member of a response that holds the items, or the one item, or the path to
            it; `None`: the response itself is the item.
        parameters: The operation's parameters beside token and limit.
        key: The member that identifies an item; `None` if a restarted listing can't return an
            item twice.
        context: Members that every item gets in addition to its own.
        token: Where to begin.
        max_pages: How many pages to read; `None` for all.
        max_throttles: How often a request may be throttled before the listing fails; `None` for any
            number. For what can be done without.
        is_dispensable: Whether an operation that was never answered is given up soon.
        is_enough: Decides, by the items of each page, whether the pages that follow aren't needed.
    """

    client: CognitoClient
    operation: str
    result: str | None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    token: str | None = None
    max_pages: int | None = None
    max_throttles: int | None = None
    is_dispensable: bool = False
    is_enough: Callable[[list[Item]], bool] = field(default=lambda _: False, compare=False)

    @property
    def name(self) -> str:
        """The same for all parts of a listing, wherever they start."""
        return repr((self.operation, sorted(self.parameters.items())))

    @property
    def digest(self) -> str:
        """A hash of the name, which reveals nothing, for the state."""
        return hashlib.sha256(self.name.encode()).hexdigest()[:16]

    def part(self, token: str | None = None, pages: int | None = None) -> Self:
        """The same listing, starting at a token, for a number of pages."""
        return replace(self, token=token, max_pages=pages)

    def optional(self) -> Self:
        """The same listing, given up when it is throttled again and again."""
        return replace(self, max_throttles=_PATIENCE)

    def dispensable(self) -> Self:
        """The same listing, given up soon where the endpoint doesn't seem to know the operation."""
        return replace(self, is_dispensable=True)

    def until(self, is_enough: Callable[[list[Item]], bool]) -> Self:
        """The same listing, ended by a page after which no other is needed."""
        return replace(self, is_enough=is_enough)

    def with_context(self, **context: Any) -> Self:
        """The same listing, with members that every item gets in addition to its own."""
        return replace(self, context=context)

    def read(self, cancel: threading.Event) -> Iterator[Page | None]:
        """Read the listing.

        Args:
            cancel: Ends it when it is set.

        Yields:
            The pages in the order of the API. A page may be empty; the last one has no token.
            `None` where the listing restarts because its token was refused.

        Raises:
            TapCognitoError: If it can't be read to its end.
            InvalidParameterError: If a parameter is refused, or the token even after a restart.
            Cancelled: If `cancel` was set.
        """
        furthest = 0
        start = self.token
        while True:
            count = 0
            try:
                for page in self._pages(start, cancel):
                    count += 1
                    yield page
            except InvalidParameterError:
                if not count and start is None:
                    raise
                # It may restart as often as it gets further; a start token from outside is free.
                if count <= furthest and start is None:
                    raise refused_tokens(self.operation) from None
                furthest = count
                start = None
                logger.warning("Cognito refuses a token: a listing of %s restarts", self.operation)
                yield None
            else:
                return

    def _pages(self, token: str | None, cancel: threading.Event) -> Iterator[Page]:
        request = {**self.parameters, **self._limit}
        token_name = next(filter(self.client.parameters(self.operation).__contains__, TOKENS), None)
        loops = LoopDetector()
        for number in itertools.count(1):
            if token is not None and token_name:
                request[token_name] = token
            page = self._page(request, cancel, attempts=_TOKEN_ATTEMPTS if token else 1)
            if self._may_go_on_after(page):
                with contextlib.suppress(InvalidParameterError):
                    page = self._page(request, cancel, attempts=1)
            token = page.token
            is_last = token is None or number == self.max_pages or self.is_enough(page.items)
            yield page._replace(is_last=is_last)
            if is_last:
                return
            loops.check(token)

    def _may_go_on_after(self, page: Page) -> bool:
        """Return whether a last page is full: its token may have been lost."""
        is_full = len(page.items) >= min(self._limit.values(), default=len(page.items) + 1)
        return page.token is None and is_full and self.operation not in _PROVEN

    def _page(self, request: Mapping[str, Any], cancel: threading.Event, attempts: int) -> Page:
        for attempt in itertools.count(1):
            try:
                answer = self.client.call(
                    self.operation,
                    request,
                    cancel,
                    self.max_throttles,
                    is_dispensable=self.is_dispensable,
                )
                break
            except InvalidParameterError:
                if attempt == attempts:
                    raise
                cancel.wait(_TOKEN_BACKOFF * attempt)  # set, it ends the next call
        # An empty token is none, as for boto3's paginators.
        token = next(filter(None, map(answer.get, TOKENS)), None)
        if not isinstance(token, (str, NoneType)):
            raise malformed(self.operation, "a token that is no text")
        items = items_of(self.operation, answer, self.result, self.key)
        for item in items:
            self._check_subject(item)
        return Page([{**self.context, **item} for item in items] if self.context else items, token)

    def _check_subject(self, item: Item) -> None:
        """Compare what an item says of its pool and itself with what was asked for."""
        for parameter, asked in self.parameters.items():
            member = _SUBJECTS.get((self.operation, parameter), parameter)
            said = item.get(member)
            if said is None or said == asked:
                continue
            # Whether case matters in user names is the pool's choice.
            if member != "Username" or str(said).casefold() != asked.casefold():
                raise malformed(self.operation, f"about another {member} than was asked for")

    @property
    def _limit(self) -> dict[str, int]:
        """The largest page size that the operation allows."""
        shapes = self.client.parameters(self.operation)
        names = {"Limit", "MaxResults"} & shapes.keys()
        return {name: int(shapes[name].metadata["max"]) for name in names}


class UserPool(NamedTuple):
    """A user pool, and the client of its region."""

    id: str
    client: CognitoClient

    @property
    def description(self) -> Listing:
        """What DescribeUserPool says of the pool."""
        return self.listing("DescribeUserPool", "UserPool", "Id")

    def listing(
        self, operation: str, result: str | None, key: str | None = None, **parameters: Any
    ) -> Listing:
        """Make a listing of something in the pool; the arguments are those of `Listing`."""
        return Listing(self.client, operation, result, {"UserPoolId": self.id, **parameters}, key)
