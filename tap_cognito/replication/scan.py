"""The scan of a stream: begun or resumed, kept in the state as it goes on, and ended."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from tap_cognito.cognito.checkpoint import Checkpoint
from tap_cognito.errors import AccessDeniedError, ResourceNotFoundError
from tap_cognito.replication.bookmarks import find_bookmarks
from tap_cognito.replication.state import dump_scan, load_scan, new_scan

if TYPE_CHECKING:
    import logging
    from collections.abc import Collection, Iterable

    from tap_cognito.cognito.source import Source
    from tap_cognito.replication.bookmarks import Bookmarks
    from tap_cognito.replication.scope import Scope
    from tap_cognito.replication.state import Scan, StreamState

_SMALL_STATE = 1 << 14
"""States of up to this many bytes are written at every change."""

_BYTES_PER_SECOND = 1 << 16
"""Bytes per second of larger states: a state names all pools and listings that were read."""

_OF_A_POOL = (AccessDeniedError, ResourceNotFoundError)
"""Errors that the next run would meet too: not worth resuming for."""


class ResumableScan:
    """A scan that the next run can resume if this one is cut off.

    Args:
        scope: What to read.
        state: The stream's state, which is changed.
        pool_ids: The pools to read.
        log: Where to log.

    Attributes:
        bookmarks: The pools' bookmarks, for increments.
    """

    def __init__(
        self, scope: Scope, state: StreamState, pool_ids: Collection[str], log: logging.Logger
    ) -> None:
        self._state = state
        self._log = log
        self._pool_count = len(pool_ids)
        self._not_before = 0.0
        self._scan = self._resume(scope, pool_ids) or new_scan(
            scope.digest, state.own, is_mirror=scope.is_mirror
        )
        self.bookmarks: Bookmarks | None = None
        if not scope.is_full_table:
            self.bookmarks = find_bookmarks(scope, state.own, pool_ids, log)
            for pool_id, checkpoint in self._scan.pools.items():
                if checkpoint.newest:
                    self.bookmarks.newest[pool_id] = checkpoint.newest

    def _resume(self, scope: Scope, pool_ids: Collection[str]) -> Scan | None:
        saved = self._state.own.get("scan")
        if not saved:
            return None
        within = timedelta(hours=scope.config["resume_within_hours"])
        scan, reason = load_scan(saved, scope.digest, pool_ids, within)
        if scan:
            share = 100 * scan.share_done(len(pool_ids))
            self._log.info("Resuming the scan that was cut off: %.0f%% is done", share)
        else:
            del self._state.own["scan"]
            if isinstance(saved, dict) and isinstance(saved.get("version"), int):
                # The version of the next scan must be greater than that of its records.
                last = self._state.own.get("version") or 0
                self._state.own["version"] = max(last, saved["version"])
            self._log.info("Starting over, not resuming the scan that was cut off: %s", reason)
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

    def checkpoint(self, pool_id: str) -> Checkpoint:
        """Return how far a pool was read."""
        return self._scan.pools.get(pool_id, Checkpoint())

    def update(self, source: Source, *, is_last: bool) -> None:
        """Keep in the state what the next run needn't read if this one is cut off.

        Args:
            source: The source that was read.
            is_last: Whether it was read to its end.
        """
        pool_id, checkpoint = source.pool_id, source.checkpoint
        if is_last:
            self._scan.pools.pop(pool_id, None)
            self._scan.complete.add(pool_id)
            if self.bookmarks:
                self.bookmarks.set(pool_id, self._scan.began)
        elif len(checkpoint.done) == len(self.checkpoint(pool_id).done):
            return
        elif checkpoint.done:
            newest = self.bookmarks.newest.get(pool_id) if self.bookmarks else None
            self._scan.pools[pool_id] = checkpoint.with_newest(newest)
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
        self._state.own.pop("scan", None)
        if any(not isinstance(error, _OF_A_POOL) for error in failures):
            if self._scan.pools or self._scan.complete:
                self._state.own["scan"] = dump_scan(self._scan)
        elif self._scan.version:
            self._state.own["version"] = self._scan.version
        return not failures

    def _save(self) -> None:
        self._state.own["scan"] = dump_scan(self._scan)
        size = self._state.save()
        pause = size / _BYTES_PER_SECOND if size > _SMALL_STATE else 0
        self._not_before = time.monotonic() + pause
