"""What a run leaves for the next one: bookmarks of pools, and how far a scan came."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import msgspec

from tap_cognito.cognito.segments import is_partition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

REPLICATION_KEY = "updated_at"

_BEGINNING = datetime.min.replace(tzinfo=timezone.utc)

_WITHOUT_POOL = (
    "replication_key",
    "replication_key_value",
    "progress_markers",
    "replication_key_signpost",
    "starting_replication_value",
)


class PoolProgress(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """How far a scan came in one pool."""

    is_complete: bool = False
    done: list[str] = []
    """The listings that are complete: prefixes of segments, or digests."""
    segments: list[str] = []
    """The prefixes that the pool is divided by, if it is."""
    count: int = 0
    """Items of the listings that are complete."""
    estimate: int | None = None
    """About how many users the pool has."""
    newest: str | None = None
    """The latest `updated_at` so far."""

    @property
    def is_sound(self) -> bool:
        """Whether nothing in it contradicts itself."""
        return self.count >= 0 and (
            not self.segments
            or (is_partition(self.segments) and set(self.done) <= set(self.segments))
        )


class Scan(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One pass over all pools, which may take several runs."""

    began: str
    """When, as ISO 8601 text in UTC."""
    scope: str
    """A digest of what the scan was asked for."""
    version: int | None = None
    """The version of its records, if deletions are mirrored."""
    pools: dict[str, PoolProgress] = {}

    def share_done(self, pools: int) -> float:
        """Tell which share of so many pools is complete, segments counted as parts of a pool."""
        done = sum(
            1.0 if pool.is_complete else len(pool.done) / max(len(pool.segments), len(pool.done), 1)
            for pool in self.pools.values()
            if pool.is_complete or pool.segments
        )
        return done / max(1, pools)


def digest(*parts: Any) -> str:
    """Give a short text that differs when any of the parts does, and tells nothing of them."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def parse_date(text: str) -> datetime:
    """Parse ISO 8601 text; without an offset it is UTC.

    Raises:
        ValueError: If it is none.
    """
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def format_date(moment: datetime) -> str:
    """Give ISO 8601 text in UTC, with milliseconds and without an offset, as records have it."""
    moment = moment.astimezone(timezone.utc).replace(tzinfo=None)
    return moment.isoformat(timespec="milliseconds")


def new_scan(scope: str, state: Mapping[str, Any], *, is_mirror: bool) -> Scan:
    """Begin a scan.

    Args:
        scope: A digest of what is asked for.
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
    """Give a scan as it goes into the state, with a digest that shows damage."""
    content: dict[str, Any] = msgspec.to_builtins(scan)
    return {**content, "digest": digest(content)}


def load_scan(
    saved: Any, scope: str, pool_ids: Iterable[str], within: timedelta
) -> tuple[Scan | None, str]:
    """Read a scan that was cut off.

    Args:
        saved: What the state has of it.
        scope: A digest of what is asked for now.
        pool_ids: The pools that are to be read now.
        within: How long ago it may have begun.

    Returns:
        The scan, or why it can't go on.
    """
    try:
        content = {key: value for key, value in saved.items() if key != "digest"}
        scan = msgspec.convert(content, Scan)
        age = datetime.now(timezone.utc) - parse_date(scan.began)
    except (msgspec.ValidationError, AttributeError, TypeError, ValueError):
        return None, "its state is damaged"
    if saved.get("digest") != digest(content) or not all(
        pool.is_sound for pool in scan.pools.values()
    ):
        return None, "its state is damaged"
    if scan.scope != scope or not scan.pools.keys() <= set(pool_ids):
        return None, "filter, columns, mode or pools differ"
    if not timedelta(0) <= age <= within:
        return None, f"it began at {scan.began[:19]}Z, too long ago (`resume_within_hours`)"
    return scan, ""


class Bookmarks:
    """Up to when the users of each pool are known, in the form of the SDK's partitions.

    Args:
        state: The stream's state, which is changed.
        start_date: Where a pool without a bookmark begins; `None` for everything.
        lookback: How long before its bookmark a run begins: ListUsers is eventually consistent, so
            a change may have been hidden from the scan that set it.
        user_filter: The filter of ListUsers, if there is one. A bookmark belongs to its filter.
    """

    def __init__(
        self,
        state: dict[str, Any],
        start_date: datetime | None,
        lookback: timedelta,
        user_filter: str | None,
    ) -> None:
        self._start_date = start_date or _BEGINNING
        self._lookback = lookback
        self._filter = digest(user_filter) if user_filter else None
        # Bookmarks of older versions belong to no pool.
        old = [state.pop(name, None) for name in _WITHOUT_POOL]
        self._partitions: list[dict[str, Any]] = state.setdefault("partitions", [])
        self._of_pools = {
            partition["context"]["user_pool_id"]: partition for partition in self._partitions
        }
        self.has_others = bool(self._partitions) or any(old)

    def find(self, pool_id: str) -> datetime | None:
        """Give the bookmark of a pool, if it has one that was made with the filter."""
        partition = self._of_pools.get(pool_id, {})
        value = partition.get("replication_key_value")
        scope = (partition.get("replication_key"), partition.get("filter"))
        if value is None or scope != (REPLICATION_KEY, self._filter):
            return None
        return parse_date(value)

    def since(self, pool_id: str) -> datetime:
        """Tell from which change on the users of a pool are sent."""
        bookmark = self.find(pool_id)
        if bookmark is None:
            return self._start_date
        return max(self._start_date, bookmark - self._lookback)

    def set(self, pool_id: str, newest: str | None, began: str) -> None:
        """Set the bookmark of a pool that was read to its end.

        Args:
            pool_id: The pool.
            newest: The latest `updated_at` that was sent, if anything was.
            began: When the scan began: what changed later may have been read before.
        """
        bookmark = self.find(pool_id)
        if newest is not None:
            reached = min(parse_date(newest), parse_date(began))
            bookmark = max(bookmark, reached) if bookmark else reached
        if bookmark is None:
            return
        if pool_id not in self._of_pools:
            self._of_pools[pool_id] = {"context": {"user_pool_id": pool_id}}
            self._partitions.append(self._of_pools[pool_id])
        partition = self._of_pools[pool_id]
        partition["replication_key"] = REPLICATION_KEY
        partition["replication_key_value"] = format_date(bookmark)
        if self._filter:
            partition["filter"] = self._filter
        else:
            partition.pop("filter", None)
