"""Users as rows whose values can be compared, and of which nothing can be read."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import datetime, timedelta, timezone
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

COLUMNS = ("email", "status", "enabled", "created_at", "updated_at", "attributes")
"""The columns beside the user's name."""

_SIZE = 8
"""Bytes of a value's hash."""
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Users:
    """The users of one reading.

    Attributes:
        rows: The hashes of a user's values, by name.
        repeated: How many users were read again.
        digits: How often each digit stands at each position of `sub`, from 0.
        other_subs: The number of users whose `sub` is missing or no lower-case UUID.
    """

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}
        self.repeated = 0
        self.digits = [Counter[str]() for _ in range(32)]
        self.other_subs = 0

    def add(self, row: Mapping[str, Any]) -> None:
        """Take note of a row of the tap's form."""
        name = row["username"]
        self.repeated += name in self.rows
        self.rows[name] = hashes(row)
        sub = (row["attributes"] or {}).get("sub")
        if not (isinstance(sub, str) and _UUID.fullmatch(sub)):
            self.other_subs += 1
            return
        for counter, digit in zip(self.digits, sub.replace("-", ""), strict=True):
            counter[digit] += 1


def from_api(user: Mapping[str, Any]) -> dict[str, Any]:
    """Make the row that a user should become.

    Args:
        user: As boto3 returns it.

    Returns:
        A row of the tap's form.
    """
    attributes = {pair["Name"]: pair.get("Value") for pair in user.get("Attributes", ())}
    return {
        "username": _storable(user["Username"]),
        "email": attributes.get("email"),
        "status": user.get("UserStatus"),
        "enabled": user.get("Enabled"),
        "created_at": user.get("UserCreateDate"),
        "updated_at": user.get("UserLastModifiedDate"),
        "attributes": attributes,
    }


def hashes(row: Mapping[str, Any]) -> bytes:
    """Hash each value of a row but the name, in the order of `COLUMNS`."""
    return b"".join(
        blake2b(_canonical(name, row[name]).encode(), digest_size=_SIZE).digest()
        for name in COLUMNS
    )


def differing(one: bytes, other: bytes) -> Iterable[str]:
    """Name the columns whose hashes differ."""
    for number, name in enumerate(COLUMNS):
        place = slice(number * _SIZE, (number + 1) * _SIZE)
        if one[place] != other[place]:
            yield name


def _canonical(column: str, value: Any) -> str:
    if column.endswith("_at") and value is not None:
        if isinstance(value, str):  # Python 3.10 knows no Z
            value = datetime.fromisoformat(value.replace("Z", "+00:00"))
        if not value.tzinfo:
            value = value.replace(tzinfo=timezone.utc)
        value = (value - _EPOCH) // timedelta(milliseconds=1)
    return json.dumps(_storable(value), sort_keys=True)


def _storable(value: Any) -> Any:
    """Replace what Postgres can't store, as the tap does."""
    if isinstance(value, str):
        return _NOT_STORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return value
