"""The scan of a stream: begun or resumed, kept in the state as it goes on, and ended."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from tap_cognito.errors import AccessDeniedError, ResourceNotFoundError
from tap_cognito.streams.bookmarks import find_bookmarks
from tap_cognito.streams.state import PoolProgress, digest, dump_scan, load_scan, new_scan

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tap_cognito.cognito.source import Source
    from tap_cognito.streams.base import CognitoStream
    from tap_cognito.streams.bookmarks import Bookmarks
    from tap_cognito.streams.state import Scan

_SMALL_STATE = 1 << 14
"""States of up to this many bytes are written at every change."""

_BYTES_PER_SECOND = 1 << 16
"""Bytes per second of larger states: a state names all pools and listings that were read."""

_OF_A_POOL = (AccessDeniedError, ResourceNotFoundError)
"""Errors that the next run would meet too: not worth resuming for."""

_SCOPE = (
    "user_filter",
    "attributes_format",
    "attributes_include",
    "attributes_exclude",
    "user_pool_ids",
    "start_date",
    "stream_maps",
    "stream_map_config",
    "flattening_enabled",
    "flattening_max_depth",
    "flattening_max_key_length",
    "flattening_separator",
)
"""The settings that determine the rows of a scan, and their content."""


class ResumableScan:
    """A scan that the next run can resume if this one is cut off.

    Args:
        stream: The stream to scan. Its state is changed.
        pool_ids: The pools to read.

    Attributes:
        bookmarks: The pools' bookmarks, for increments.
    """

    def __init__(self, stream: CognitoStream, pool_ids: Collection[str]) -> None:
        self._state: dict[str, Any] = stream.stream_state
        self._tap_state = stream.tap_state
        self._write_state = stream.write_state
        self._pool_count = len(pool_ids)
        self._not_before = 0.0
        scope = digest(
            [stream.replication_method, stream.is_mirror],
            [column.name for column in stream.selected_columns],
            {name: stream.config.get(name) for name in _SCOPE},
        )
        self._scan = self._resume(stream, scope, pool_ids) or new_scan(
            scope, self._state, is_mirror=stream.is_mirror
        )
        self.bookmarks: Bookmarks | None = None
        if not stream.is_full_table:
            self.bookmarks = find_bookmarks(stream, pool_ids)
            for pool_id, progress in self._scan.pools.items():
                if progress.newest:
                    self.bookmarks.newest[pool_id] = progress.newest

    def _resume(self, stream: CognitoStream, scope: str, pool_ids: Collection[str]) -> Scan | None:
        saved = self._state.get("scan")
        if not saved:
            return None
        within = timedelta(hours=stream.config["resume_within_hours"])
        scan, reason = load_scan(saved, scope, pool_ids, within)
        if scan:
            share = 100 * scan.share_done(len(pool_ids))
            stream.logger.info("Resuming the scan that was cut off: %.0f%% is done", share)
        else:
            del self._state["scan"]
            if isinstance(saved, dict) and isinstance(saved.get("version"), int):
                # The version of the next scan must be greater than that of its records.
                self._state["version"] = max(self._state.get("version") or 0, saved["version"])
            stream.logger.info("Starting over, not resuming the scan that was cut off: %s", reason)
        return scan

    @property
    def version(self) -> int | None:
        """The version of its records; `None` without deletions."""
        return self._scan.version

    @property
    def pools_done(self) -> int:
        """How many pools are complete."""
        return len(self._scan.complete)

    @property
    def count_done(self) -> int:
        """How many items of the other pools needn't be read again."""
        return sum(pool.count for pool in self._scan.pools.values())

    def is_complete(self, pool_id: str) -> bool:
        """Whether a pool was read to its end."""
        return pool_id in self._scan.complete

    def progress(self, pool_id: str) -> PoolProgress:
        """Return how far a pool was read."""
        return self._scan.pools.get(pool_id) or PoolProgress()

    def update(self, source: Source, *, is_last: bool) -> None:
        """Keep in the state what the next run needn't read if this one is cut off.

        Args:
            source: The source that was read.
            is_last: Whether it was read to its end.
        """
        pool_id = source.pool_id
        if is_last:
            self._scan.pools.pop(pool_id, None)
            self._scan.complete.add(pool_id)
            if self.bookmarks:
                self.bookmarks.set(pool_id, self._scan.began)
        elif len(source.done) == len(self.progress(pool_id).done):
            return
        elif source.done:
            self._scan.pools[pool_id] = PoolProgress(
                set(source.done),
                source.prefixes,
                source.count_done,
                source.estimate,
                self.bookmarks.newest.get(pool_id) if self.bookmarks else None,
            )
        else:  # it restarts, in another way
            del self._scan.pools[pool_id]
        if len(self._scan.complete) < self._pool_count and time.monotonic() >= self._not_before:
            self._save()

    def end(self, failures: Iterable[Exception]) -> bool:
        """Remove the scan from the state, or keep it if the next run could do better.

        Args:
            failures: The failures of its pools.

        Returns:
            Whether the scan is complete.
        """
        failures = list(failures)
        self._state.pop("scan", None)
        if any(not isinstance(error, _OF_A_POOL) for error in failures):
            if self._scan.pools or self._scan.complete:
                self._state["scan"] = dump_scan(self._scan)
        elif self._scan.version:
            self._state["version"] = self._scan.version
        return not failures

    def _save(self) -> None:
        self._state["scan"] = dump_scan(self._scan)
        self._write_state(self._tap_state)
        size = len(msgspec.json.encode(self._tap_state))
        pause = size / _BYTES_PER_SECOND if size > _SMALL_STATE else 0
        self._not_before = time.monotonic() + pause
