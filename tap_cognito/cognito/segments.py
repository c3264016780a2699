"""Divides the users of a pool by the start of their `sub`.

Every `sub` is a lower-case UUID, so the sixteen prefixes of one hexadecimal digit, or each of them
divided further, are a partition of the pool. In newer pools every second digit is the region's and
the same for all users, or for all newer ones: a division at such a digit is one full segment and
fifteen empty or small ones.
"""

from __future__ import annotations

import itertools
from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

DIGITS = "0123456789abcdef"

_COMMON_SHARE = Fraction(1, 3)
"""A digit is common if more users than this have it at a place; of random ones 1/16 do."""

_FEW = 8
"""So few users show a common digit only if all of them have it."""

_LONGEST = 8
"""The most digits in a prefix: those before the first hyphen."""


def divide(prefix: str, subs: Sequence[str], times: int) -> Iterator[str]:
    """Divide a segment by a number of digits that vary from user to user.

    Args:
        prefix: The segment's prefix; empty for the whole pool.
        subs: The `sub`s of some users of the pool, which show the digits that vary.
        times: How many varying digits to divide by.

    Yields:
        The prefixes of a partition: each possible `sub` that begins with `prefix` begins with one
        of them, whatever `subs` are.
    """
    if not times or len(prefix) == _LONGEST:
        yield prefix
        return
    common = _common_digit(subs, len(prefix))
    for digit in DIGITS:
        if not common:
            yield from divide(prefix + digit, subs, times - 1)
        elif digit == common:
            yield from divide(prefix + digit, subs, times)
        else:
            yield prefix + digit


def _common_digit(subs: Sequence[str], place: int) -> str:
    """Return the digit that the users of a region have at a place, or "" if it varies.

    The first digit varies, and so does the one after a common one: if it doesn't, the users were
    listed in the order of `sub`, so that theirs begin alike.
    """
    if not place or not subs:
        return ""
    ((digit, count),) = Counter(sub[place : place + 1] for sub in subs).most_common(1)
    if count <= len(subs) * _COMMON_SHARE or count < min(len(subs), _FEW):
        return ""
    behind = {sub[place + 1 : place + 2] for sub in subs if sub[place : place + 1] == digit}
    return digit if len(behind) > 1 else ""


def sub_of(user: dict[str, Any]) -> str:
    """Return a user's `sub`, or an empty string."""
    for attribute in user.get("Attributes") or ():
        if attribute["Name"] == "sub":
            return attribute.get("Value") or ""
    return ""


def all_start_with(prefixes: str | tuple[str, ...], users: Iterable[dict[str, Any]]) -> bool:
    """Return whether every user's `sub` starts with a prefix, or with one of several."""
    return all(sub_of(user).startswith(prefixes) for user in users)


def is_partition(prefixes: Sequence[str]) -> bool:
    """Return whether each possible `sub` begins with exactly one of these prefixes."""
    if not all(
        0 < len(prefix) <= len(DIGITS) and set(prefix) <= set(DIGITS) for prefix in prefixes
    ):
        return False
    ordered = sorted(prefixes)
    is_free = not any(longer.startswith(shorter) for shorter, longer in itertools.pairwise(ordered))
    # Prefixes of which none begins with another are complete if their shares add up to all.
    return is_free and sum(Fraction(1, 16 ** len(prefix)) for prefix in ordered) == 1
