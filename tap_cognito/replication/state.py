"""What a run that was cut off leaves in the state for the next one, and its format."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tap_cognito.cognito.checkpoint import Checkpoint  # noqa: TC001 - msgspec reads it
from tap_cognito.dates import parse_date

if TYPE_CHECKING:
    from collections.abc import Callable


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
    progressed: str
    """When a listing was last complete."""
    scope: str
    """What the scan was asked to write: the text of a `Scope`."""
    version: int | None = None
    """The version of its records, if deletions are mirrored."""
    complete: set[str] = set()
    """The pools that were read to their end."""
    pools: dict[str, Checkpoint] = {}
    """Those that are under way."""
    failing: dict[str, int] = {}
    """In how many runs in a row a pool has failed without getting any further."""
    furthest: dict[str, int] = {}
    """How many listings of a pool that failed were complete at most."""

    @property
    def has_progress(self) -> bool:
        """Whether there is anything that needn't be read again."""
        return bool(self.complete or self.pools)

    def share_done(self, pools: int) -> float:
        """Return the complete share of a number of pools, counting segments as parts of a pool."""
        parts = (
            len(pool.done) / len(pool.segments) for pool in self.pools.values() if pool.segments
        )
        return (len(self.complete) + sum(parts)) / pools


def now_text() -> str:
    """Return the time, as scans note it."""
    return datetime.now(timezone.utc).isoformat()


def new_scan(scope: str, last_version: int, before: Scan | None, *, is_mirror: bool) -> Scan:
    """Begin a scan.

    Args:
        scope: What to write: the text of a `Scope`.
        last_version: The version of the last scan; 0 without one.
        before: What the state has of a scan before, which pools failed in it.
        is_mirror: Whether its records have a version.

    Returns:
        The scan. Its version is greater than that of the last one, whatever the clock says.
    """
    now = now_text()
    version = max(int(time.time() * 1000), last_version + 1) if is_mirror else None
    scan = Scan(now, now, scope, version)
    if before:
        scan.failing, scan.furthest = dict(before.failing), dict(before.furthest)
    return scan


def dump_scan(scan: Scan) -> str:
    """Convert a scan for the state.

    Returns:
        One text, with a digest that reveals damage: stores that merge states replace a text, and
        would mix the members of an object with those of an older one.
    """
    content: dict[str, Any] = msgspec.to_builtins(scan, order="deterministic")
    return json.dumps({**content, "digest": digest(content)}, separators=(",", ":"))


def load_scan(saved: Any) -> Scan | None:
    """Read a scan from the state; `None` if it is damaged, or of an older version's form."""
    try:
        content = json.loads(saved)
        noted = content.pop("digest")
        scan = msgspec.convert(content, Scan)
        parse_date(scan.began), parse_date(scan.progressed)
    except (
        msgspec.ValidationError,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
        RecursionError,
    ):
        return None
    is_sound = scan.complete.isdisjoint(scan.pools) and all(
        pool.is_sound for pool in scan.pools.values()
    )
    return scan if is_sound and noted == digest(content) else None


def digest(*parts: Any) -> str:
    """Return a short hash of some parts, which reveals nothing of them."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
