"""Increments: which users have changed since the bookmark of their pool."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from tap_cognito.dates import format_date, parse_date
from tap_cognito.replication.state import digest

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable

    from tap_cognito.cognito.listing import Item
    from tap_cognito.replication.scope import Scope

REPLICATION_KEY = "updated_at"

_BEGINNING = datetime.min.replace(tzinfo=timezone.utc)

_WITHOUT_POOL = (
    "replication_key",
    "replication_key_value",
    "progress_markers",
    "replication_key_signpost",
    "starting_replication_value",
)


class Bookmarks:
    """The bookmark of each pool, stored like the SDK's partitions.

    Args:
        state: The stream's state, which is changed.
        start_date: The start of a pool without a bookmark; `None` for everything.
        lookback: How far before its bookmark a run starts: ListUsers is eventually consistent, so
            a change may have been hidden from the scan that set it.
        user_filter: The filter of ListUsers, if any. A bookmark belongs to its filter.

    Attributes:
        newest: The latest `updated_at` sent of each pool.
        has_others: Whether the state has any bookmarks.
    """

    def __init__(
        self,
        state: dict[str, Any],
        start_date: datetime | None,
        lookback: timedelta,
        user_filter: str | None,
    ) -> None:
        self.newest: dict[str, str] = {}
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
        """Return the bookmark of a pool, if it has one for this filter."""
        partition = self._of_pools.get(pool_id, {})
        value = partition.get("replication_key_value")
        scope = (partition.get("replication_key"), partition.get("filter"))
        if value is None or scope != (REPLICATION_KEY, self._filter):
            return None
        return parse_date(value)

    def changed(self, pool_id: str, items: Iterable[Item], member: str) -> list[Item]:
        """Return the items of a pool that have changed since its bookmark, or may have.

        Args:
            pool_id: The pool.
            items: The items.
            member: The API's name of their `updated_at`.
        """
        since = self._since(pool_id)
        changed = [item for item in items if item.get(member) is None or item[member] >= since]
        newest = max((item[member] for item in changed if item.get(member)), default=None)
        if newest is not None:
            text = format_date(newest)
            self.newest[pool_id] = max(text, self.newest.get(pool_id, text))
        return changed

    def set(self, pool_id: str, began: str) -> None:
        """Set the bookmark of a pool that was read to its end.

        Args:
            pool_id: The pool.
            began: When the scan began: later changes may have been missed.
        """
        bookmark = self.find(pool_id)
        if newest := self.newest.get(pool_id):
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

    def _since(self, pool_id: str) -> datetime:
        bookmark = self.find(pool_id)
        if bookmark is None:
            return self._start_date
        return max(self._start_date, bookmark - self._lookback)


def find_bookmarks(
    scope: Scope, state: dict[str, Any], pool_ids: Iterable[str], log: logging.Logger
) -> Bookmarks:
    """Find the bookmarks of a stream, and log the pools that have none when others do.

    Args:
        scope: What the stream is asked to read.
        state: The stream's state, which is changed.
        pool_ids: The pools to read.
        log: Where to log.
    """
    start_date = scope.config.get("start_date")
    bookmarks = Bookmarks(
        state,
        parse_date(start_date) if start_date else None,
        timedelta(seconds=scope.config["lookback_seconds"]),
        scope.config.get("user_filter") if scope.is_filtered else None,
    )
    for pool_id in pool_ids:
        if bookmarks.has_others and not bookmarks.find(pool_id):
            log.info(
                "Starting over with %s: the state has no bookmark of this pool and filter", pool_id
            )
    return bookmarks
