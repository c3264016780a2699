"""The users of a pool one by one, for what only operations on one user return."""

from __future__ import annotations

import logging
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from tap_cognito.cognito.details import OlderFollow
from tap_cognito.cognito.estimates import (
    PlainEnd,
    ended_early,
    estimate_of,
    is_far_short,
    prove_empty,
)
from tap_cognito.cognito.filters import FilterCheck, equals
from tap_cognito.cognito.listing import PAGE_SIZE, LoopDetector
from tap_cognito.cognito.parallel import CONCURRENCY
from tap_cognito.cognito.sent_items import SentItems
from tap_cognito.cognito.source import MISSES, Source, unfound
from tap_cognito.errors import (
    NOT_TO_BE_HAD,
    FeatureUnavailableError,
    InvalidParameterError,
    ResourceNotFoundError,
    TapCognitoError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tap_cognito.cognito.details import Alternatives
    from tap_cognito.cognito.listing import Item, Listing, Page, UserPool

_UNKNOWN = (
    "a user whom ListUsers lists isn't found, and the endpoint can't be asked whether the user is "
    "gone: retry"
)

_LEFT = 2 * CONCURRENCY
"""Users of a page who may be left when the next one is requested: those whose requests are under
way, and as many for the time that the page takes."""

logger = logging.getLogger("tap-cognito.user_details")


class UserDetails(Source):
    """What an operation on one user returns for each user of a pool.

    The next page of users waits until few of this page are left, so that memory doesn't grow with
    the pool.

    Args:
        pool: The pool.
        alternatives: The operations.
        user_filter: A filter of ListUsers.
        prove_empty: Whether a pool that returns no user must report that it is empty.
        gate: What is asked first, if anything: the pool may not have what is read.
        is_open: Whether the answer says that it has it.
        announce: Receives the estimated number of users, before the first is requested.
        since: Which older items aren't needed, where they are dated.
    """

    def __init__(  # noqa: PLR0913 - the last five are rare
        self,
        pool: UserPool,
        alternatives: Alternatives,
        user_filter: str | None = None,
        *,
        prove_empty: bool = False,
        gate: Listing | None = None,
        is_open: Callable[[Item], bool] = bool,
        announce: Callable[[int], None] = lambda _: None,
        since: datetime | None = None,
    ) -> None:
        super().__init__(pool.id)
        self._pool = pool
        self._alternatives = alternatives
        self._prove_empty = prove_empty and not user_filter
        self._gate = gate
        self._is_open = is_open
        self._announce = announce
        self._since = since
        parameters: dict[str, Any] = {"Filter": user_filter} if user_filter else {}
        self._users = pool.listing("ListUsers", "Users", "Username", **parameters)
        # Nothing estimates how many users a filter returns.
        self._describe = None if user_filter else pool.description.optional()
        self._filter = FilterCheck(user_filter)
        self._estimate: int | None = None
        self._why_no_estimate: TapCognitoError | None = None
        self._sent = SentItems()
        self._count = 0
        self._has_items = False
        self._loops = LoopDetector()
        self._end = PlainEnd()
        self._next_page: Listing | None = None
        self._next_token: str | None = None
        self._pending: dict[str, str] = {}
        self._lookups: dict[str, str] = {}
        self._misses: Counter[str] = Counter()

    def start(self) -> None:
        """Start with the gate, then the number of users, for the progress."""
        if self._gate:
            self.read([self._gate])
        else:
            self._begin()

    def receive(self, listing: Listing, page: Page) -> None:
        """Request each user of a page of users; send the responses."""
        if listing == self._gate:
            self._pass_gate(page.items[0])
        elif listing == self._describe:
            self._receive_estimate(estimate_of(page))
        elif listing.name == self._users.name:
            self._receive_users(listing, page)
        elif listing.name in self._lookups:
            self._receive_lookup(listing, page)
        else:
            self._receive_detail(listing, page)
        self._read_on()

    def restart(self, listing: Listing) -> None:
        """Send and request nothing twice; fail if a restart of the users gained nothing."""
        self._sent.restart(listing)
        if listing.name == self._users.name:
            self._loops = LoopDetector()
            self._end.restart()

    def fail(self, listing: Listing, error: TapCognitoError) -> None:
        """Do without the number of users; ask for users who aren't found, and in another way."""
        if listing == self._describe:
            self._why_no_estimate = error
            self._read_page(None)
        elif listing == self._gate:
            super().fail(listing, error)
        elif listing.name in self._lookups and isinstance(error, InvalidParameterError):
            raise TapCognitoError(_UNKNOWN) from None
        elif listing.name not in self._pending:
            raise error
        elif isinstance(error, NOT_TO_BE_HAD):
            self._refuse(listing, error)
        elif isinstance(error, FeatureUnavailableError) and not self._has_items:
            super().fail(listing, error)
            self.drop()
        elif isinstance(error, ResourceNotFoundError):
            self._sent.restart(listing)
            self._look_up(listing.operation, self._pending.pop(listing.name))
            self._read_on()
        else:
            raise error

    def _pass_gate(self, answer: Item) -> None:
        if self._is_open(answer):
            self._begin()
        else:
            logger.info("Nothing to read: %s doesn't record it", self.pool_id)

    def _begin(self) -> None:
        if self._describe:
            self.read([self._describe])
        else:
            self._read_page(None)

    def _receive_estimate(self, estimate: int | None) -> None:
        self._estimate = estimate
        if self._alternatives.best(self._pool.client).result is None:  # one item a user
            self.checkpoint = self.checkpoint.with_estimate(estimate)
        if estimate:
            self._announce(estimate)
        self._read_page(None)

    def _receive_users(self, listing: Listing, page: Page) -> None:
        self._next_page = None
        self._end.receive(page)
        # With a token, so that they are remembered after the end.
        users = self._sent.add(listing, page._replace(token=""))
        self._filter.receive(users)
        self._count += len(users)
        self._request([user["Username"] for user in users])
        if page.token:
            self._loops.check(page.token)
            self._next_token = page.token
        elif self._prove_empty and not self._count:
            prove_empty(self._estimate, self._why_no_estimate)
        elif self._end.is_doubtful(self._estimate) and not self._end.is_proven:
            self._sent.restart(listing)
            self._read_page(self._end.step_back())
        elif is_far_short(self._end.count, self._estimate, PAGE_SIZE) and not self._end.is_proven:
            raise ended_early(self._end.count, self._estimate)

    def _receive_detail(self, listing: Listing, page: Page) -> None:
        self._has_items = True
        self.send(self._sent.add(listing, page._replace(token=None) if page.is_last else page))
        if page.is_last:
            self._pending.pop(listing.name, None)

    def _look_up(self, operation: str, name: str) -> None:
        """Ask ListUsers whether a user who isn't found is gone: it isn't assumed."""
        self._misses[name] += 1
        if self._misses[name] > MISSES:
            raise unfound(operation, "ListUsers")
        lookup = self._pool.listing("ListUsers", "Users", Filter=equals("username", name))
        self._lookups[lookup.name] = name
        self.read([lookup])

    def _receive_lookup(self, listing: Listing, page: Page) -> None:
        """Request a user who is in the pool again; anybody else is gone."""
        name = self._lookups[listing.name]
        if any(user.get("Username") != name for user in page.items):
            raise TapCognitoError(_UNKNOWN)
        if not page.token:
            del self._lookups[listing.name]
        if page.items:
            self._request([name])

    def _refuse(self, listing: Listing, error: TapCognitoError) -> None:
        """Request in another way those whose answers are still awaited."""
        self._alternatives.refuse(self._pool.client, listing.operation, error)
        self.drop()
        names = [*self._pending.values(), *self._lookups.values()]
        self._pending.clear()
        self._lookups.clear()
        self._request(names)
        if self._next_page:
            self.read([self._next_page])

    def _request(self, usernames: list[str]) -> None:
        detail = self._alternatives.best(self._pool.client)
        make = partial(self._pool.listing, detail.operation, detail.result, detail.key)
        for name in usernames:
            listing = make(Username=name)
            if detail.result:
                listing = listing.with_context(Username=name)
            if detail.dated_by and self._since:
                listing = listing.until(OlderFollow(detail.dated_by, self._since))
            if not self._alternatives.is_last(self._pool.client):
                listing = listing.dispensable()
            self._pending[listing.name] = name
            self.read([listing])

    def _read_on(self) -> None:
        """Read the next page before the users of this one are used up: the pace is kept."""
        if self._next_token and len(self._pending) <= _LEFT:
            token, self._next_token = self._next_token, None
            self._read_page(token)

    def _read_page(self, token: str | None) -> None:
        self._next_page = self._users.part(token, pages=1)
        self.read([self._next_page])
