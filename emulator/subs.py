"""Users by the beginning of their `sub`."""

from __future__ import annotations

from array import array
from bisect import insort
from typing import TYPE_CHECKING

from emulator import people

if TYPE_CHECKING:
    from collections.abc import Sequence

_DIGITS = "0123456789abcdef"
_DEPTH = 4
_NOBODY = array("I")


class SubIndex:
    """An index of ordinals by `sub`, divided as far as it was asked.

    Users of the start have the `sub` that follows from their key; that of others is set.
    """

    def __init__(self, keys: bytes) -> None:
        """Begin with the users of the start, 16 bytes each."""
        self._keys = keys
        self._set: dict[int, str | None] = {}
        self._segments: dict[str, array[int]] = {}
        self._divided: set[str] = set()

    def sub(self, ordinal: int) -> str | None:
        """Return a user's `sub`, None without one."""
        if ordinal in self._set:
            return self._set[ordinal]
        return people.sub(self._keys[16 * ordinal : 16 * ordinal + 16])

    def set(self, ordinal: int, sub: str | None) -> None:
        """Let a user have another `sub`, or none."""
        is_new = 16 * ordinal >= len(self._keys) and ordinal not in self._set
        for segment in () if is_new else self._path(self.sub(ordinal)):
            segment.remove(ordinal)
        self._set[ordinal] = sub
        for segment in self._path(sub):
            insort(segment, ordinal)

    def candidates(self, prefix: str) -> Sequence[int]:
        """Return the ordinals, in their order, of at least all users whose `sub` begins so."""
        known = prefix[:_DEPTH]
        for depth in range(len(known)):
            if known[:depth] not in self._divided:
                self._divide(known[:depth])
        return self._segments.get(known, _NOBODY)

    def _path(self, sub: str | None) -> list[array[int]]:
        return [
            self._segments.setdefault(sub[: depth + 1], array("I"))
            for depth in range(min(_DEPTH, len(sub or "")))
            if sub and sub[:depth] in self._divided
        ]

    def _divide(self, prefix: str) -> None:
        byte, shift = len(prefix) // 2, 0 if len(prefix) % 2 else 4
        ordinals = self._segments.get(prefix, _NOBODY) if prefix else range(len(self._keys) // 16)
        children = [array("I") for _ in _DIGITS]
        append = [child.append for child in children]
        for ordinal in ordinals:
            if ordinal not in self._set:
                append[self._keys[16 * ordinal + byte] >> shift & 15](ordinal)
        self._segments |= {
            prefix + digit: child for digit, child in zip(_DIGITS, children, strict=True)
        }
        self._divided.add(prefix)
        for ordinal, sub in self._set.items():
            if sub and sub.startswith(prefix) and len(sub) > len(prefix):
                insort(self._segments.setdefault(sub[: len(prefix) + 1], array("I")), ordinal)
