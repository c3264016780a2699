"""The scan of a stream: begun or resumed, kept in the state as it goes on, and ended."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from tap_cognito.cognito.checkpoint import Checkpoint
from tap_cognito.dates import parse_date
from tap_cognito.errors import (
    AccessDeniedError,
    CredentialsError,
    ResourceNotFoundError,
    UnansweredError,
    UnavailableError,
)
from tap_cognito.replication.bookmarks import Bookmarks
from tap_cognito.replication.scope import changes
from tap_cognito.replication.state import (
    Scan,
    dump_scan,
    load_scan,
    new_scan,
    now_text,
)
from tap_cognito.singer.states import saved_version

if TYPE_CHECKING:
    import logging
    from collections.abc import Collection, Mapping

    from tap_cognito.cognito.source import Source
    from tap_cognito.replication.scope import Scope
    from tap_cognito.replication.state import StreamState

_SMALL_STATE = 1 << 14
"""States of up to this many bytes are written at every change."""

_BYTES_PER_SECOND = 1 << 16
"""Bytes per second of larger states: a state names all pools and listings that were read."""

_LONGEST = 10
"""A scan may last so many times `resume_within_hours`, all its runs and pauses together."""

_OF_A_POOL = (AccessDeniedError, ResourceNotFoundError)
"""Errors that the next run would meet too: not worth resuming for."""

_OF_THE_NETWORK = (UnansweredError, UnavailableError)
"""Errors that needn't be the pool's."""

_FRUITLESS = 2
"""Runs in a row without progress after which a pool isn't waited for."""


class ResumableScan:
    """A scan that the next run can resume if this one is cut off.

    Ends are told by values: stores that merge states keep what is merely missing from a later one.

    Args:
        scope: What to write.
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
        self._received: set[str] = set()
        saved, version = state.own.get("scan"), state.own.get("version")
        scan = load_scan(saved)
        self._scan = self._resume(scan, scope, pool_ids) or new_scan(
            scope.scan,
            max(version if isinstance(version, int) else 0, saved_version(saved)),
            scan,
            is_mirror=scope.is_mirror,
        )
        self._done_before = {pool: len(each.done) for pool, each in self._scan.pools.items()}
        self.bookmarks: Bookmarks | None = None
        if not scope.is_full_table:
            self.bookmarks = Bookmarks(scope, state.own, pool_ids, log)
            for pool_id, checkpoint in self._scan.pools.items():
                if checkpoint.newest:
                    self.bookmarks.newest[pool_id] = checkpoint.newest
        if not self._scan.has_progress:
            # Said before anything is sent: a run with `--full-refresh` may be cut off at once.
            self._state.own["scan"] = None
            self._save()

    def _resume(self, scan: Scan | None, scope: Scope, pool_ids: Collection[str]) -> Scan | None:
        saved = self._state.own.get("scan")
        if not saved or (scan and not scan.has_progress):
            return None
        if scan is None:
            is_older = isinstance(saved, dict)
            reason = "an older version made it" if is_older else "its state is damaged"
        else:
            reason = _why_not(scan, scope, pool_ids)
        if reason or not scan:
            self._log.info("Starting over, not resuming the scan that was cut off: %s", reason)
            return None
        self._log.warning(
            "Resuming the scan that was cut off: %.0f%% is done and isn't sent again. If the table "
            "was emptied or replaced since, start over: see %s",
            100 * scan.share_done(len(pool_ids)),
            "docs/replication.md#starting-over",
        )
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

    def update(self, source: Source, *, is_last: bool, is_page: bool = True) -> None:
        """Keep in the state what the next run needn't read if this one is cut off.

        Args:
            source: The source that was read.
            is_last: Whether it was read to its end.
            is_page: Whether a request was answered, not an optional one refused.
        """
        pool_id, checkpoint = source.pool_id, source.checkpoint
        if is_page:
            self._received.add(pool_id)
        if is_last:
            self._scan.pools.pop(pool_id, None)
            self._scan.complete.add(pool_id)
            self._scan.failing.pop(pool_id, None)
            self._scan.furthest.pop(pool_id, None)
            if self.bookmarks:
                self.bookmarks.set(pool_id, self._scan.began)
        elif len(checkpoint.done) == len(self.checkpoint(pool_id).done):
            return
        elif checkpoint.done:
            newest = self.bookmarks.newest.get(pool_id) if self.bookmarks else None
            self._scan.pools[pool_id] = checkpoint.with_newest(newest)
        else:  # it restarts, in another way
            del self._scan.pools[pool_id]
        self._scan.progressed = now_text()
        if len(self._scan.complete) < self._pool_count and time.monotonic() >= self._not_before:
            self._keep()
            self._save()

    def leave_out(self, pool_id: str) -> None:
        """Record that a pool was deleted meanwhile: there is nothing to read of it."""
        self._scan.pools.pop(pool_id, None)

    def end(self, failures: Mapping[str, Exception]) -> bool:
        """Tell the next run that the scan is over, or what it can do better.

        Args:
            failures: The failures of its pools.

        Returns:
            Whether the scan is complete.
        """
        if not failures:
            self._close()
        elif any(isinstance(error, CredentialsError) for error in failures.values()):
            self._keep()  # nothing is known of the pools
        else:
            self._note(failures)
            if any(
                self._scan.failing.get(pool_id, _FRUITLESS) < _FRUITLESS for pool_id in failures
            ):
                self._keep()
            else:
                self._read_others_anew(failures)
        return not failures

    def _note(self, failures: Mapping[str, Exception]) -> None:
        """Count the runs in which a pool has failed and got no further than ever before."""
        for pool_id, error in failures.items():
            if isinstance(error, _OF_A_POOL):
                continue
            done = len(self.checkpoint(pool_id).done)
            before = max(self._done_before.get(pool_id, 0), self._scan.furthest.get(pool_id, 0))
            count = 0 if done > before else self._scan.failing.get(pool_id, 0) + 1
            self._scan.failing[pool_id] = min(count, _FRUITLESS)
            self._scan.furthest[pool_id] = max(done, before)

    def _read_others_anew(self, failures: Mapping[str, Exception]) -> None:
        """Let no pool wait for one that has failed again and would fail a third time.

        Only of a pool that didn't answer at all what was read is kept: it may be the network.
        """
        self._scan.complete.clear()
        self._scan.pools = {
            pool_id: checkpoint
            for pool_id, checkpoint in self._scan.pools.items()
            if isinstance(failures.get(pool_id), _OF_THE_NETWORK) and pool_id not in self._received
        }
        if self._scan.pools:
            self._keep()
        else:
            self._close()
            if self._scan.failing:
                self._keep()

    def _keep(self) -> None:
        self._state.own["scan"] = dump_scan(self._scan)

    def _close(self) -> None:
        self._state.own["scan"] = None
        if self._scan.version:
            self._state.own["version"] = self._scan.version

    def _save(self) -> None:
        size = self._state.save()
        pause = size / _BYTES_PER_SECOND if size > _SMALL_STATE else 0
        self._not_before = time.monotonic() + pause


def _why_not(scan: Scan, scope: Scope, pool_ids: Collection[str]) -> str:
    """Say why a scan can't be resumed; empty if it can."""
    if differing := changes(scan.scope, scope.scan):
        return f"{differing} changed"
    if not scan.pools.keys() | scan.complete <= set(pool_ids):
        return "a pool of it is no longer read"
    within = timedelta(hours=scope.config["resume_within_hours"])
    now = datetime.now(timezone.utc)
    began, progressed = parse_date(scan.began), parse_date(scan.progressed)
    if not timedelta(0) <= now - progressed <= within:
        return f"its last progress was at {scan.progressed[:19]}Z, not within `resume_within_hours`"
    if not timedelta(0) <= now - began <= _LONGEST * within:
        return f"it began at {scan.began[:19]}Z, not within {_LONGEST} times `resume_within_hours`"
    return ""
