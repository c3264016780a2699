"""What a run that was cut off leaves in the state for the next one, and its format."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tap_cognito.cognito.checkpoint import Checkpoint  # noqa: TC001 - msgspec reads it
from tap_cognito.dates import parse_date

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class StreamState(NamedTuple):
    """The state of one stream within that of the tap."""

    own: dict[str, Any]
    """The stream's part, which is changed."""
    whole: Any
    write: Callable[[Any], None]
    """Writes a STATE message."""

    def save(self) -> int:
        """Write the whole state; returns its size in bytes."""
        self.write(self.whole)
        return len(msgspec.json.encode(self.whole))


class Scan(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One pass over all pools, which may take several runs."""

    began: str
    """When it began, as ISO 8601 text in UTC."""
    scope: str
    """A digest of what the scan was asked to read."""
    version: int | None = None
    """The version of its records, if deletions are mirrored."""
    complete: set[str] = set()
    """The pools that were read to their end."""
    pools: dict[str, Checkpoint] = {}
    """Those that are under way."""

    def share_done(self, pools: int) -> float:
        """Return the complete share of a number of pools, counting segments as parts of a pool."""
        parts = (
            len(pool.done) / len(pool.segments) for pool in self.pools.values() if pool.segments
        )
        return (len(self.complete) + sum(parts)) / pools


def digest(*parts: Any) -> str:
    """Return a short hash of some parts, which reveals nothing of them."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def new_scan(scope: str, state: Mapping[str, Any], *, is_mirror: bool) -> Scan:
    """Begin a scan.

    Args:
        scope: A digest of what to read.
        state: The stream's state.
        is_mirror: Whether its records have a version.

    Returns:
        The scan. Its version is greater than that of the last one, whatever the clock says.
    """
    now = datetime.now(timezone.utc)
    last = state.get("version")
    last = last if isinstance(last, int) else 0
    version = max(int(time.time() * 1000), last + 1) if is_mirror else None
    return Scan(now.isoformat(), scope, version)


def dump_scan(scan: Scan) -> dict[str, Any]:
    """Convert a scan for the state, with a digest that reveals damage."""
    content: dict[str, Any] = msgspec.to_builtins(scan, order="deterministic")
    return {**content, "digest": digest(content)}


def load_scan(
    saved: Any, scope: str, pool_ids: Iterable[str], within: timedelta
) -> tuple[Scan | None, str]:
    """Read a scan that was cut off.

    Args:
        saved: The scan in the state.
        scope: A digest of what to read now.
        pool_ids: The pools to read now.
        within: How long ago it may have begun.

    Returns:
        The scan, or why it can't be resumed.
    """
    try:
        content = {key: value for key, value in saved.items() if key != "digest"}
        scan = msgspec.convert(content, Scan)
        age = datetime.now(timezone.utc) - parse_date(scan.began)
    except (msgspec.ValidationError, AttributeError, TypeError, ValueError):
        return None, "its state is damaged"
    is_sound = scan.complete.isdisjoint(scan.pools) and all(
        pool.is_sound for pool in scan.pools.values()
    )
    if saved.get("digest") != digest(content) or not is_sound:
        return None, "its state is damaged"
    if scan.scope != scope or not scan.pools.keys() | scan.complete <= set(pool_ids):
        return None, "pools, filter, columns, replication or maps differ"
    if not timedelta(0) <= age <= within:
        return None, f"it began at {scan.began[:19]}Z, not within `resume_within_hours`"
    return scan, ""
