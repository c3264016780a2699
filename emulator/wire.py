"""JSON as the service writes it: dates in both of its notations, the members of a user in order."""

from __future__ import annotations

import json
import re
from typing import Any

Wire = dict[str, Any]
"""An object of the API's JSON; its dates are epoch seconds."""

_USER = (
    *("Username", "Attributes", "UserAttributes", "UserCreateDate", "UserLastModifiedDate"),
    *("Enabled", "UserStatus"),
)
_DATE = re.compile(r'((?:Date|Timestamp)":)(\d{1,12}(?:\.\d{1,3})?)(?=[,}\]])')


def date(milliseconds: int) -> str:
    """Return a date as it goes over the wire: epoch seconds without trailing zeros.

    Answers from before and after 2024 differ: 1689030181.63 and 1.723136049929E9. Here odd seconds
    have the first notation, even ones the second.
    """
    seconds, rest = divmod(milliseconds, 1000)
    if seconds % 2:
        return f"{seconds}.{rest:03}".rstrip("0").rstrip(".")
    digits = str(milliseconds)
    return f"{digits[0]}.{digits[1:].rstrip('0') or '0'}E{max(len(digits) - 4, 0)}"


def dumps(value: object) -> str:
    """Return any JSON value as the service writes it."""
    text = json.dumps(value, separators=(",", ":"))
    return _DATE.sub(lambda match: match[1] + date(round(float(match[2]) * 1000)), text)


def user(members: Wire) -> Wire:
    """Return a user with its members in the service's order, those that it doesn't have last."""
    known = {name: members[name] for name in _USER if name in members}
    return {**known, **members}
