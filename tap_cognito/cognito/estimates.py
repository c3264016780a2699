"""DescribeUserPool's estimate of the number of users, and what it proves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cognito.cognito.listing import PAGE_SIZE, refused_tokens
from tap_cognito.errors import TapCognitoError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_cognito.cognito.listing import Item, Page

_MOST_USERS = 1 << 40
"""What is greater is no number of users."""

_MAX_MISSING = 0.01
"""Share of the estimated users that may be missing: the estimate isn't exact."""

_MAX_CLEANED_UP = 0.1
"""The same if nothing else hints at missing users: a clean-up may have removed that many."""


def is_short(count: int, estimate: int | None, least: int = PAGE_SIZE) -> bool:
    """Return whether so many users are missing that it needs another proof.

    Args:
        count: How many users came.
        estimate: The estimated number of users, if it is known.
        least: The number of users that may be missing whatever the estimate.
    """
    return (estimate or 0) - count > max(least, _MAX_MISSING * (estimate or 0))


def is_far_short(count: int, estimate: int | None, least: int = 0) -> bool:
    """Return whether more users are missing than a clean-up explains, by the same arguments."""
    return (estimate or 0) - count > max(least, _MAX_CLEANED_UP * (estimate or 0))


def agree(one: int, other: int) -> bool:
    """Return whether two readings of a pool found as many users, but for a few."""
    return abs(one - other) <= max(_FEW, _MAX_MISSING * max(one, other))


def ended_early(count: int, estimate: int | None) -> TapCognitoError:
    """Report a listing that ended although many users should follow."""
    return TapCognitoError(
        f"Cognito ended the list after {count:,} of about {estimate or 0:,} users. The rows of the "
        "table were kept; retry"
    )


_FEW = PAGE_SIZE // 10
"""How many users may be missing at the end of a plain listing, or 1% if that is more."""


class PlainEnd:
    """What proves that a plain listing of users came to its true end.

    The page that ends it short of the estimate is asked for once more, so that a token that was
    lost once costs one request.

    Attributes:
        count: How many users came.
        pages: In how many pages.
    """

    def __init__(self) -> None:
        self._asked_again: int | None = None
        self._furthest = 0
        self._probe: set[str] | None = None
        self.begin()

    def restart(self) -> None:
        """Record that the listing begins again because its token was refused.

        Raises:
            InvalidParameterError: If it came no further than the last time.
        """
        if self.pages <= self._furthest:
            raise refused_tokens("ListUsers")
        self._furthest = self.pages
        self.begin()

    def begin(self) -> None:
        """Begin at the first page."""
        self.count = self.pages = self._last = 0
        self._token: str | None = None
        self._next: str | None = None

    def expect(self, users: Iterable[Item]) -> None:
        """Expect these users, who were listed in another way, among those to come."""
        self._probe = {user["Username"] for user in users} or None

    @property
    def is_proven(self) -> bool:
        """Whether it needs no estimate: it is one page with room, or all expected users came."""
        return (self.pages == 1 and 0 < self.count < PAGE_SIZE) or self._probe == set()

    @property
    def has_lost(self) -> bool:
        """Whether an expected user didn't come."""
        return bool(self._probe)

    def receive(self, page: Page) -> None:
        """Take the next page."""
        if self._probe:
            self._probe.difference_update(user["Username"] for user in page.items)
        self._last = len(page.items)
        self.count += self._last
        self.pages += 1
        self._token, self._next = self._next, page.token

    def is_doubtful(self, estimate: int | None) -> bool:
        """Return whether the last page must be asked for once more."""
        before = self.count - self._last
        is_short_now = self.has_lost or is_short(self.count, estimate, _FEW)
        return is_short_now and self._asked_again != before

    def step_back(self) -> str | None:
        """Forget the last page, and return the token that it was asked for with."""
        self.count -= self._last
        self._asked_again = self.count
        self.pages -= 1
        self._last, self._next = 0, self._token
        return self._token


def estimate_of(page: Page) -> int | None:
    """Return the estimated number of users.

    Args:
        page: The answer of DescribeUserPool.

    Returns:
        The number; `None` if the answer has none.
    """
    estimate = page.items[0].get("EstimatedNumberOfUsers")
    is_number = isinstance(estimate, int) and 0 <= estimate <= _MOST_USERS
    return estimate if is_number else None


def prove_empty(estimate: int | None, failure: TapCognitoError | None = None) -> None:
    """Prove that a pool that returned no user has none.

    Args:
        estimate: The estimated number of users, if it is known.
        failure: Why DescribeUserPool failed, if it did.

    Raises:
        TapCognitoError: If the pool doesn't report that it is empty.
    """
    if estimate == 0:
        return
    reason = "the pool doesn't report that it is empty"
    if failure:
        reason = f"whether the pool is empty is unknown: {failure}"
    raise TapCognitoError(
        f"Cognito returned no user, but {reason}. The rows of the table were kept; retry"
    )
