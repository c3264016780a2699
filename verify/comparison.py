"""Tells a difference that the tap made from a user that changed between the two readings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from verify.rows import differing, from_api, hashes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verify.plain import Plain

_MOST_READ_AGAIN = 500


@dataclass
class Comparison:
    """The users of both readings, counted.

    Attributes:
        equal: Equal in every value.
        changed: Different, and the API itself now returns something else than in its first reading.
        missing: Only the plain loop has them, and the API still returns them.
        extra: Only the tap has them, and the API doesn't return them.
        different: Both have them, and the API still returns what the plain loop has.
        columns: In which columns they are different.
        unread: Different, but too many to be read again.
    """

    equal: int = 0
    changed: int = 0
    missing: int = 0
    extra: int = 0
    different: int = 0
    columns: Counter[str] = field(default_factory=Counter)
    unread: int = 0

    @property
    def passed(self) -> bool:
        """Whether the tap has made no difference."""
        return not (self.missing or self.extra or self.different or self.unread)


def compare(plain: Mapping[str, bytes], tap: Mapping[str, bytes], pool: Plain) -> Comparison:
    """Compare the rows of two readings, and read those that differ once more.

    Args:
        plain: The hashes of the plain loop's rows, by name.
        tap: Those of the tap's.
        pool: Where a user is read again.

    Returns:
        How many users are equal, changed or different.

    Raises:
        ReadingError: If a user can't be read again.
    """
    result = Comparison()
    names = [name for name in plain.keys() | tap.keys() if plain.get(name) != tap.get(name)]
    result.equal = len(plain.keys() | tap.keys()) - len(names)
    result.unread = len(names[_MOST_READ_AGAIN:])
    for name in names[:_MOST_READ_AGAIN]:
        user = pool.user(name)
        if (user and hashes(from_api(user))) != plain.get(name):
            result.changed += 1
        elif name not in tap:
            result.missing += 1
        elif name not in plain:
            result.extra += 1
        else:
            result.different += 1
            result.columns.update(differing(plain[name], tap[name]))
    return result
