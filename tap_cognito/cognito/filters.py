"""The parameter `Filter` of ListUsers: how it is written, and whether the endpoint applies it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tap_cognito.errors import TapCognitoError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_cognito.cognito.listing import Item

_FILTER = re.compile(r'\s*"?([\w:.-]+)"?\s*(\^?=)\s*"(.*)"\s*', re.DOTALL)
_MEMBERS = {"username": "Username", "cognito:user_status": "UserStatus"}
_TOLERATED = 2
"""Users of a listing who may not match, or 1% if that is more: they may have changed just now."""


def equals(attribute: str, value: str) -> str:
    """Write the filter for the users of whom an attribute has a value."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{attribute} = "{escaped}"'


class FilterCheck:
    """Notices an endpoint that ignores a filter.

    Args:
        user_filter: The filter; one that isn't understood here isn't checked.
    """

    def __init__(self, user_filter: str | None) -> None:
        self._match = _FILTER.fullmatch(user_filter or "")
        self._users = self._strangers = 0

    def receive(self, users: Iterable[Item]) -> None:
        """Compare some of the users that the endpoint returns.

        Raises:
            TapCognitoError: If too many of all so far don't match the filter.
        """
        if not self._match:
            return
        attribute, operator, value = self._match.groups()
        value = value.replace('\\"', '"').replace("\\\\", "\\").casefold()
        for user in users:
            actual = (_value(user, attribute) or "").casefold()
            is_match = actual == value if operator == "=" else actual.startswith(value)
            self._users += 1
            self._strangers += not is_match
        most = min(max(_TOLERATED, self._users // 100), self._users // 2)
        if self._strangers > most:
            raise TapCognitoError(
                "the endpoint returns users who don't match `user_filter`: check what "
                "`endpoint_url` points to, or leave `user_filter` out"
            )


def _value(user: Item, attribute: str) -> str | None:
    if attribute == "status":
        return "Enabled" if user.get("Enabled") else "Disabled"
    if attribute in _MEMBERS:
        return user.get(_MEMBERS[attribute])
    for item in user.get("Attributes") or ():
        if item["Name"] == attribute:
            value: str | None = item.get("Value")
            return value
    return None
