"""Orders of a listing, which need no list of all users."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BLOCK_BITS = 10


def following(ordinals: Sequence[int], mask: int, after: int) -> Iterator[int]:
    """Yield ordinals in the order of their positions, ordinal XOR mask.

    Args:
        ordinals: All of them, sorted.
        mask: 0 for the order of the ordinals themselves.
        after: The position to go on from, -1 for the beginning.
    """
    if not ordinals:
        return
    if not mask:
        for index in range(bisect_right(ordinals, after), len(ordinals)):
            yield ordinals[index]
        return
    # Ordinals that differ in the low bits only stay together: one block is sorted at a time.
    end = 1 << max(ordinals[-1], mask).bit_length()
    for block in range(max(after, 0) >> _BLOCK_BITS, (end >> _BLOCK_BITS) + 1):
        start = (block ^ mask >> _BLOCK_BITS) << _BLOCK_BITS
        first = bisect_left(ordinals, start)
        last = bisect_left(ordinals, start + (1 << _BLOCK_BITS))
        for position in sorted(ordinal ^ mask for ordinal in ordinals[first:last]):
            if position > after:
                yield position ^ mask
