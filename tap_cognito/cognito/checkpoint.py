"""How far a pool was read: what a later run needn't read again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tap_cognito.cognito.segments import is_partition

if TYPE_CHECKING:
    from collections.abc import Collection

    from typing_extensions import Self


class Checkpoint(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How far a pool was read.

    The scan hands it to a source, the source advances it, and the scan stores it.
    """

    done: frozenset[str] = frozenset()
    """The complete listings: prefixes of segments, or digests."""
    segments: tuple[str, ...] = ()
    """The prefixes of its segments, if the pool is divided."""
    count: int = 0
    """The number of items in the complete listings."""
    estimate: int | None = None
    """About how many users the pool has; `None` while unknown."""
    newest: str | None = None
    """The latest `updated_at` so far, with increments."""
    spread: dict[str, int] = msgspec.field(default_factory=dict)
    """The items of complete segments by first digit; empty if the pool isn't divided."""

    @property
    def is_sound(self) -> bool:
        """Whether nothing in it contradicts itself."""
        return self.count >= sum(self.spread.values()) >= 0 and (
            not self.segments or (is_partition(self.segments) and self.done <= set(self.segments))
        )

    def with_done(self, listing: str, count: int = 0) -> Self:
        """Return the checkpoint after one more complete listing with this many items."""
        spread = self.spread
        if self.segments:
            spread = {**spread, listing[0]: spread.get(listing[0], 0) + count}
        return msgspec.structs.replace(
            self, done=self.done | {listing}, count=self.count + count, spread=spread
        )

    def reopened(self, digits: Collection[str]) -> Self:
        """Return the checkpoint before the segments that begin with these digits were read."""
        return msgspec.structs.replace(
            self,
            done=frozenset(prefix for prefix in self.done if prefix[0] not in digits),
            count=self.count - sum(self.spread.get(digit, 0) for digit in digits),
            spread={digit: n for digit, n in self.spread.items() if digit not in digits},
        )

    def with_estimate(self, estimate: int | None) -> Self:
        """Return the checkpoint of a pool that has about this many users."""
        return msgspec.structs.replace(self, estimate=estimate)

    def with_newest(self, newest: str | None) -> Self:
        """Return the checkpoint with this as the latest `updated_at`."""
        return msgspec.structs.replace(self, newest=newest)

    def restarted(self, segments: tuple[str, ...] = ()) -> Self:
        """Return the checkpoint of the same pool, read from its beginning in these segments."""
        return msgspec.structs.replace(
            self, done=frozenset(), segments=segments, count=0, spread={}
        )
