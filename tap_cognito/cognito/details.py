"""The operations on one user: which of them to call, and how many of their pages."""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tap_cognito.cognito.client import CognitoClient
    from tap_cognito.cognito.listing import Item
    from tap_cognito.errors import TapCognitoError

logger = logging.getLogger("tap-cognito.details")


class Detail(NamedTuple):
    """An operation on one user."""

    operation: str
    """The API's name of the operation, such as `AdminGetUser`."""
    result: str | None = None
    """The member of its answer that holds the items; `None`: the answer is the one item."""
    key: str | None = "Username"
    """The member that identifies an item."""
    dated_by: str | None = None
    """The date of items that never change and are listed newest first, as events are."""


_LATEST = datetime.max.replace(tzinfo=timezone.utc)


class OlderFollow:
    """Decides whether the pages that follow hold nothing but older items.

    That the newest come first isn't documented, so it is verified by the items so far: if they
    don't show it, all pages are needed. They are too when a listing restarts and its first item
    comes again.

    Args:
        member: The member that is an item's date.
        since: What isn't older.
    """

    def __init__(self, member: str, since: datetime) -> None:
        self._member = member
        self._since = since
        self._first = self._last = _LATEST
        self._is_in_order = True

    def __call__(self, items: list[Item]) -> bool:
        """Take a page's items."""
        dates = [item.get(self._member) or _LATEST for item in items]
        if self._first is _LATEST and dates:
            self._first = dates[0]
        for date in dates:
            self._is_in_order &= date <= self._last
            self._last = date
        return self._is_in_order and self._last < min(self._since, self._first)


class Alternatives:
    """Operations that return the same of a user, the best one first.

    What one source learns of a region holds for all pools in it, until the end of the run.

    Args:
        details: The operations.
    """

    def __init__(self, *details: Detail) -> None:
        self._details = details
        self._refused: dict[CognitoClient, int] = {}
        self._errors: dict[CognitoClient, TapCognitoError] = {}

    def best(self, client: CognitoClient) -> Detail:
        """Return the best operation that wasn't refused in a region."""
        return self._details[self._refused.get(client, 0)]

    def is_last(self, client: CognitoClient) -> bool:
        """Whether there is no other operation than the best one."""
        return self.best(client) is self._details[-1]

    def refuse(self, client: CognitoClient, operation: str, error: TapCognitoError) -> None:
        """Take the next operation in a region.

        Raises:
            TapCognitoError: The first refusal, if there is no other operation.
        """
        first = self._errors.setdefault(client, error)
        if operation != self.best(client).operation:
            return  # an answer that was under way
        if self.is_last(client):
            raise first
        self._refused[client] = self._refused.get(client, 0) + 1
        logger.info(
            "Reading users by %s, which returns less: %s",
            self.best(client).operation,
            error,
        )
