"""Divides the users of a pool by the start of their `sub`.

Every `sub` is a lower-case UUID, so the sixteen prefixes of one hexadecimal digit, or each of them
divided further, are a partition of the pool. In newer pools every second digit is the region's and
the same for all users: a division at such a digit is one full segment and fifteen empty ones.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

DIGITS = "0123456789abcdef"

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
    fixed = _fixed_digit(subs, len(prefix))
    for digit in DIGITS:
        if not fixed:
            yield from divide(prefix + digit, subs, times - 1)
        elif digit == fixed:
            yield from divide(prefix + digit, subs, times)
        else:
            yield prefix + digit


def _fixed_digit(subs: Sequence[str], place: int) -> str:
    """Return the digit that all users of a region have at a place, or "" if it varies.

    The first digit varies, and so does the one after a fixed one: if it doesn't, the users were
    listed in the order of `sub`, so that theirs begin alike.
    """
    here, behind = (
        {sub[position : position + 1] for sub in subs} for position in (place, place + 1)
    )
    return here.pop() if place and len(here) == 1 and len(behind) > 1 else ""


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
