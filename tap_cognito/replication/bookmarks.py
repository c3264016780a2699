"""Increments: which users have changed since the bookmark of their pool."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from tap_cognito.dates import format_date, parse_date
from tap_cognito.errors import TapCognitoError, quoted
from tap_cognito.replication.scope import changes

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable

    from singer_sdk import Stream

    from tap_cognito.cognito.listing import Item
    from tap_cognito.replication.scope import Scope

_BEGINNING = datetime.min.replace(tzinfo=timezone.utc)

_NAMED = 3
"""Pools that a line names."""

_OLDER = (
    "partitions",
    "replication_key",
    "replication_key_value",
    "progress_markers",
    "replication_key_signpost",
    "starting_replication_value",
)
"""Where older versions and the SDK keep bookmarks."""


def check_replication(stream: Stream, column: str | None, *, is_selected: bool) -> None:
    """Refuse a replication that a stream doesn't have.

    Args:
        stream: A stream that isn't to be replicated by FULL_TABLE.
        column: The column that its increments go by; `None` if it has no increments.
        is_selected: Whether this column is selected.

    Raises:
        TapCognitoError: If it has another method or key, or the column isn't selected.
    """
    name = stream.name
    if stream.replication_method != "INCREMENTAL" or not column:
        methods = "FULL_TABLE or INCREMENTAL" if column else "FULL_TABLE"
        shown = quoted(stream.replication_method, "of this name")
        raise TapCognitoError(
            f"`{name}` has no replication method {shown}: "
            f"set `replication-method` to {methods} in the catalog"
        )
    if stream.replication_key not in {column, None}:
        shown = quoted(stream.replication_key or "", "of this name")
        raise TapCognitoError(
            f"`{name}` has no replication key {shown}: "
            f"set `replication-key` to {column} in the catalog"
        )
    if not is_selected:
        raise TapCognitoError(
            f"`{name}` is replicated by increments of {column}, which isn't selected: select "
            f"`{name}.{column}`, or use FULL_TABLE"
        )


class Bookmarks:
    """The bookmark of each pool: how far it was sent, and to what.

    Args:
        scope: What to write.
        state: The stream's state, which is changed: pools that start over have no date in it.
        pool_ids: The pools to read.
        log: Where to log which pools start over, and why.

    Attributes:
        newest: The latest `updated_at` sent of each pool.
    """

    def __init__(
        self, scope: Scope, state: dict[str, Any], pool_ids: Iterable[str], log: logging.Logger
    ) -> None:
        self.newest: dict[str, str] = {}
        self._scope = scope.bookmark
        self._start: str | None = scope.config.get("start_date")
        self._start_date = parse_date(self._start) if self._start else _BEGINNING
        # ListUsers is eventually consistent: a change may have been hidden from the last scan.
        self._lookback = timedelta(seconds=scope.config["lookback_seconds"])
        # Bookmarks of older versions don't say what they belong to.
        found = [state.pop(name, None) for name in _OLDER]  # each is taken out
        is_older = any(found)
        self._pools: dict[str, dict[str, Any]] = state.setdefault("pools", {})
        has_others = is_older or any(each.get("updated_at") for each in self._pools.values())
        reasons: dict[str, list[str]] = {}
        for pool_id in pool_ids:
            saved = self._pools.get(pool_id)
            if not saved:
                older = "their bookmark of an older version doesn't say what it belongs to"
                reason = older if is_older else "the state has no bookmark of theirs"
            else:
                reason = self._why_not(saved)
            if reason or not saved:
                self._begin(pool_id)
                if has_others:
                    reasons.setdefault(reason, []).append(pool_id)
        for reason, pools in reasons.items():
            more = f" and {len(pools) - _NAMED:,} more" if len(pools) > _NAMED else ""
            log.info("Starting over with %s%s: %s", ", ".join(pools[:_NAMED]), more, reason)

    def find(self, pool_id: str) -> datetime | None:
        """Return the bookmark of a pool that is read, if it has one."""
        value = self._pools[pool_id]["updated_at"]
        return parse_date(value) if value else None

    def _why_not(self, saved: dict[str, Any]) -> str:
        """Say why a bookmark doesn't count; empty if it does."""
        if differing := changes(saved.get("scope") or "", self._scope):
            return f"{differing} changed since their bookmark"
        first = saved.get("start_date")
        if first and parse_date(first) > self._start_date:
            return "`start_date` was moved back"
        return ""

    def _begin(self, pool_id: str) -> None:
        """Note by a value that a pool has no bookmark: stores that merge keep what is missing."""
        self._pools[pool_id] = {
            "updated_at": None,
            "start_date": self._start,
            "scope": self._scope,
        }

    def changed(self, pool_id: str, items: Iterable[Item], member: str) -> list[Item]:
        """Return the items of a pool that have changed since its bookmark, or may have.

        Args:
            pool_id: The pool.
            items: The items.
            member: The API's name of their `updated_at`.
        """
        since = self.since(pool_id)
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
        if bookmark:
            self._pools[pool_id]["updated_at"] = format_date(bookmark)

    def since(self, pool_id: str) -> datetime:
        """Return from when on a pool's items are sent."""
        bookmark = self.find(pool_id)
        if bookmark is None:
            return self._start_date
        return max(self._start_date, bookmark - self._lookback)
