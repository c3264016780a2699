"""The users of a pool one by one, for data that only AdminGetUser returns."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tap_cognito.cognito.estimates import estimate_of, prove_empty
from tap_cognito.cognito.filters import FilterCheck, equals
from tap_cognito.cognito.listing import LoopDetector
from tap_cognito.cognito.source import SentItems, Source
from tap_cognito.errors import InvalidParameterError, TapCognitoError, UserNotFoundError

if TYPE_CHECKING:
    from tap_cognito.cognito.listing import Item, Listing, Page, UserPool

_MISSES = 2
"""How often AdminGetUser may not find a user whom ListUsers lists before the source fails."""

_UNKNOWN = (
    "AdminGetUser doesn't find a user whom ListUsers lists, and the endpoint can't be asked "
    "whether the user is gone: retry"
)


class UserDetails(Source):
    """What AdminGetUser returns for each user of a pool.

    The next page of users waits until those of this page have been requested, so that memory
    doesn't grow with the pool.

    Args:
        pool: The pool.
        user_filter: A filter of ListUsers.
        prove_empty: Whether a pool that returns no user must report that it is empty.
    """

    def __init__(
        self, pool: UserPool, user_filter: str | None = None, *, prove_empty: bool = False
    ) -> None:
        super().__init__(pool.id)
        self._pool = pool
        self._prove_empty = prove_empty and not user_filter
        parameters: dict[str, Any] = {"Filter": user_filter} if user_filter else {}
        self._users = pool.listing("ListUsers", "Users", "Username", **parameters)
        # Nothing estimates how many users a filter returns.
        self._describe = None if user_filter else pool.description
        self._why_no_estimate: TapCognitoError | None = None
        self._filter = FilterCheck(user_filter)
        self._sent = SentItems()
        self._misses: Counter[str] = Counter()
        self._lookups: dict[str, str] = {}
        self._count = 0
        self._loops = LoopDetector()
        self._restarted_at = -1

    def start(self) -> None:
        """Start with the number of users, for the progress."""
        self.read([self._describe or self._page()])

    def receive(self, listing: Listing, page: Page) -> None:
        """Request each user of a page of users; send the responses."""
        if listing == self._describe:
            self.checkpoint = self.checkpoint.with_estimate(estimate_of(page))
            self.read([self._page()])
        elif listing.max_pages:
            self._receive_users(listing, page)
        elif listing.name in self._lookups:
            self._receive_lookup(listing, page)
        else:
            self.send(page.items)

    def restart(self, listing: Listing) -> None:
        """Don't request a user twice who is listed twice; fail if nothing was gained."""
        if listing.name in self._lookups:
            return
        if self._restarted_at == self._count:
            raise InvalidParameterError(
                "Cognito refuses the pagination tokens of ListUsers, even after a restart: retry"
            )
        self._restarted_at = self._count
        self._loops = LoopDetector()
        self._sent.restart(listing)

    def fail(self, listing: Listing, error: TapCognitoError) -> None:
        """Do without the number of users, and ask whether a user who isn't found is gone."""
        if listing == self._describe:
            self._why_no_estimate = error
            self.read([self._page()])
        elif isinstance(error, UserNotFoundError):
            self._look_up(listing.parameters["Username"])
        elif listing.name in self._lookups and isinstance(error, InvalidParameterError):
            raise TapCognitoError(_UNKNOWN) from None
        else:
            raise error

    def _look_up(self, name: str) -> None:
        """Ask ListUsers for a user whom AdminGetUser doesn't find."""
        self._misses[name] += 1
        if self._misses[name] > _MISSES:
            raise TapCognitoError("AdminGetUser doesn't find a user whom ListUsers lists: retry")
        lookup = self._pool.listing("ListUsers", "Users", Filter=equals("username", name))
        self._lookups[lookup.name] = name
        self.read([lookup])

    def _receive_lookup(self, listing: Listing, page: Page) -> None:
        """Ask AdminGetUser again for a user who is in the pool; anybody else is gone."""
        name = self._lookups[listing.name]
        if any(user.get("Username") != name for user in page.items):
            raise TapCognitoError(_UNKNOWN)
        if page.items or not page.token:
            del self._lookups[listing.name]
        self.read(map(self._detail, page.items))

    def _receive_users(self, listing: Listing, page: Page) -> None:
        users = self._sent.add(listing, page)
        self._count += len(users)
        self._filter.receive(users)
        self.read(map(self._detail, users))
        if page.token:
            self._loops.check(page.token)
            self.read([self._page(page.token)])
        elif self._prove_empty and not self._count:
            prove_empty(self.checkpoint.estimate, self._why_no_estimate)

    def _page(self, token: str | None = None) -> Listing:
        return self._users.part(token, pages=1)

    def _detail(self, user: Item) -> Listing:
        return self._pool.listing("AdminGetUser", None, "Username", Username=user["Username"])
