"""Users by their `sub` and its beginning."""

from __future__ import annotations

from array import array
from bisect import insort
from typing import TYPE_CHECKING

from emulator import people

if TYPE_CHECKING:
    from collections.abc import Sequence

_DIGITS = "0123456789abcdef"
_SHORT = 1024
_DEEPEST = 8  # where the first hyphen is
_NOBODY = array("I")


class SubIndex:
    """An index of ordinals by `sub`, divided where it was asked, down to short segments.

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
        segment = _NOBODY
        for depth in range(min(len(prefix), _DEEPEST)):
            if prefix[:depth] not in self._divided:
                self._divide(prefix[:depth])
            segment = self._segments.get(prefix[: depth + 1], _NOBODY)
            if len(segment) <= _SHORT:
                break
        return segment

    def find(self, sub: str) -> int:
        """Return the ordinal of the user of the start whose `sub` was this at first, or -1."""
        key = bytes.fromhex(sub.replace("-", ""))
        for ordinal in self.candidates(sub):
            if self._keys[16 * ordinal : 16 * ordinal + 16] == key:
                return ordinal
        position = self._keys.find(key)
        return position // 16 if position >= 0 else -1

    def _path(self, sub: str | None) -> list[array[int]]:
        segments = []
        for depth in range(len(sub or "")):
            if not sub or sub[:depth] not in self._divided:
                break
            segments.append(self._segments.setdefault(sub[: depth + 1], array("I")))
        return segments

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
