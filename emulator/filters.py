"""The Filter parameter of ListUsers: one condition on one searchable attribute."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from emulator.errors import INVALID, ApiError

_FIELDS = {"username": "Username", "cognito:user_status": "UserStatus"}
_ATTRIBUTES = {"email", "family_name", "given_name", "name", "phone_number", "preferred_username"}
_SEARCHABLE = {*_FIELDS, *_ATTRIBUTES, "status", "sub"}
_FILTER = re.compile(r'\s*"?([\w:]+)"?\s*(\^?=)\s*"((?:[^"\\]|\\["\\])*)"\s*', re.DOTALL)
_LONGEST = 256


@dataclass(frozen=True)
class Condition:
    """An attribute that equals a value, or starts with it if `prefix` is set."""

    attribute: str
    value: str
    prefix: bool

    def accepts(self, actual: str | None) -> bool:
        """Return whether a user matches whose attribute has the value `actual`."""
        if actual is None:
            return False
        value = self.value
        if self.attribute == "cognito:user_status":
            actual, value = actual.lower(), value.lower()
        return actual.startswith(value) if self.prefix else actual == value

    def matches(self, user: dict[str, Any]) -> bool:
        """Return whether a user matches, given as it goes over the wire."""
        if self.attribute == "status":
            return self.accepts("Enabled" if user.get("Enabled") else "Disabled")
        if self.attribute in _FIELDS:
            return self.accepts(user.get(_FIELDS[self.attribute]))
        return self.accepts(attribute(user, self.attribute))


def attribute(user: dict[str, Any], name: str) -> str | None:
    """The value of one of a user's attributes, None without one."""
    for item in user.get("Attributes", ()):
        if item.get("Name") == name:
            value: str | None = item.get("Value")
            return value
    return None


def parse(text: str) -> Condition | None:
    """The condition that a Filter stands for, None if it is empty.

    Raises:
        ApiError: the service would refuse the filter.
    """
    if not text:
        return None
    match = _FILTER.fullmatch(text)
    if match is None or len(text) > _LONGEST:
        raise ApiError(INVALID, "Error while parsing filter.")
    name, operator, value = match.groups()
    if name not in _SEARCHABLE:
        raise ApiError(INVALID, f"Invalid search attribute: {name}")
    return Condition(name, re.sub(r"\\(.)", r"\1", value), prefix=operator == "^=")
