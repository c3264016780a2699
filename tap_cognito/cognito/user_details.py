"""The users of a pool one by one, for data that only AdminGetUser returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_cognito.cognito.errors import UserNotFoundError
from tap_cognito.cognito.listing import LoopDetector
from tap_cognito.cognito.source import SentItems, Source, Step
from tap_cognito.cognito.users import doubt
from tap_cognito.errors import InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_cognito.cognito.listing import Item, Listing, Page, UserPool
    from tap_cognito.errors import TapCognitoError


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
        self._describe = None if user_filter else pool.listing("DescribeUserPool", "UserPool")
        self._why_unknown = "the pool doesn't report that it is empty"
        self._sent = SentItems()
        self._count = 0
        self._loops = LoopDetector()
        self._restarted_at = -1

    def start(self) -> Iterable[Listing]:
        """Start with the number of users, for the progress."""
        return [self._describe or self._page()]

    def receive(self, listing: Listing, page: Page) -> Step:
        """Request each user of a page of users; send the responses."""
        if listing == self._describe:
            return self._receive_estimate(page.items[0])
        if listing.name != self._users.name:
            return Step(page.items)
        users = self._sent.add(listing, page)
        self._count += len(users)
        if page.token:
            self._loops.check(page.token)
            return Step([], [*map(self._detail, users), self._page(page.token)])
        if self._prove_empty and not self._count and self.estimate != 0:
            raise doubt(self._why_unknown)
        return Step([], map(self._detail, users))

    def restart(self, listing: Listing) -> None:
        """Don't request a user twice who is listed twice; fail if nothing was gained."""
        if self._restarted_at == self._count:
            raise InvalidParameterError(
                "Cognito refuses the pagination tokens of ListUsers, even after a restart: retry"
            )
        self._restarted_at = self._count
        self._loops = LoopDetector()
        self._sent.restart(listing)

    def fail(self, listing: Listing, error: TapCognitoError) -> Step:
        """Do without the number of users, and skip users deleted meanwhile."""
        if listing == self._describe:
            self._why_unknown = f"whether the pool is empty is unknown: {error}"
            return Step([], [self._page()])
        if isinstance(error, UserNotFoundError):
            return Step([])
        raise error

    def _receive_estimate(self, description: Item) -> Step:
        estimate = description.get("EstimatedNumberOfUsers")
        self.estimate = estimate if isinstance(estimate, int) else None
        return Step([], [self._page()])

    def _page(self, token: str | None = None) -> Listing:
        return self._users.part(token, pages=1)

    def _detail(self, user: Item) -> Listing:
        return self._pool.listing("AdminGetUser", None, "Username", Username=user["Username"])
