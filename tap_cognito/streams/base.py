"""What all streams share: columns, increments, deletions, and scans of many pools that go on."""

from __future__ import annotations

import time
from abc import abstractmethod
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Stream
from singer_sdk.helpers._util import utc_now
from singer_sdk.singerlib import RecordMessage

from tap_cognito.cognito import parallel
from tap_cognito.cognito.responses import MalformedResponseError
from tap_cognito.errors import (
    AccessDeniedError,
    CredentialsError,
    ResourceNotFoundError,
    TapCognitoError,
    bug,
)
from tap_cognito.progress import Progress
from tap_cognito.streams.columns import Column, Item
from tap_cognito.streams.state import (
    REPLICATION_KEY,
    Bookmarks,
    PoolProgress,
    Scan,
    digest,
    dump_scan,
    format_date,
    load_scan,
    new_scan,
    parse_date,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib import Catalog

    from tap_cognito.cognito.listing import UserPool
    from tap_cognito.cognito.parallel import Batch
    from tap_cognito.cognito.pools import Region
    from tap_cognito.cognito.source import Source

_FEW_POOLS = 100
_POOLS_PER_SECOND = 1_000
"""A state names all pools that were read: of many it is written after a pause only."""

_SCOPE = (
    "user_filter",
    "attributes_format",
    "attributes_include",
    "attributes_exclude",
    "user_pool_ids",
)
"""The settings that decide which rows a scan has."""

_OF_A_POOL = (AccessDeniedError, ResourceNotFoundError)
"""What fails in the next run too: it isn't worth resuming."""

POOL_ID = Column("user_pool_id", {"type": ["string"]}, "The id of the user pool.", lambda _: None)
"""The one column that every record of a pool has alike."""


class CognitoStream(Stream):
    """A stream of one kind of thing in user pools.

    A new stream is a subclass with a name, primary keys, columns and `source`, and its place in
    `tap_cognito.streams.STREAMS`.

    Args:
        tap: The tap.
        regions: Gives the pools, when the stream is read.
        on_failure: Takes what could not be read. The stream goes on with the next pool.
    """

    selected_by_default = False
    is_filtered: ClassVar[bool] = False
    """Whether `user_filter` decides which rows there are."""
    columns: Sequence[Column]
    modified_key: ClassVar[str | None] = None
    """The API's name of `updated_at`, for streams that can be replicated by increments."""

    def __init__(
        self,
        tap: Tap,
        regions: Callable[[], list[Region]],
        on_failure: Callable[[TapCognitoError], None],
    ) -> None:
        self._regions = regions
        self._on_failure = on_failure
        self._read_at = utc_now()
        self._saved_at = 0.0
        self._newest: dict[str, str | None] = {}
        self._write_message = tap.write_message
        self._write_state = tap.state_writer.write_state
        schema = {
            "type": "object",
            "properties": {column.name: column.schema for column in self.columns},
            "required": list(self.primary_keys),
        }
        super().__init__(tap, schema=schema)

    @abstractmethod
    def source(self, pool: UserPool, progress: PoolProgress) -> Source:
        """Tell what to read of a pool.

        Args:
            pool: The pool.
            progress: How far an earlier run came.
        """

    @cached_property
    def _selected_columns(self) -> list[Column]:
        return [
            column
            for column in self.columns
            if column is not POOL_ID and self.is_selected(column.name)
        ]

    def is_selected(self, *names: str) -> bool:
        """Whether a column of these is to be sent."""
        known = self.effective_schema["properties"]
        return any(name in known and self.mask["properties", name] for name in names)

    # Reading

    def get_records(self, context: Context | None) -> Iterator[Record]:  # noqa: ARG002
        """Read the stream.

        With `emit_activate_version_messages`, a full-table scan that is complete is followed by
        ACTIVATE_VERSION. The SDK would write it before the first record: the target would remove
        the old rows before it has the new ones.

        Args:
            context: Not used: pools are read side by side, not one partition after the other.

        Yields:
            A record for each item; when replicating by increments, only for those that changed.
        """
        regions = self._regions()
        pool_ids = [pool_id for region in regions for pool_id in region.pool_ids]
        scan = self._begin_scan(pool_ids)
        failures: list[Exception] = []
        with Progress(self.name, self.logger, regions) as progress:
            sources = (self._sources(region, scan) for region in regions)
            for batch in parallel.read(sources, self._records):
                progress.update(batch)
                yield from batch.records
                if batch.error:
                    failures.append(batch.error)
                    self._fail(batch.error, batch.source.pool_id if len(pool_ids) > 1 else None)
                    if isinstance(batch.error, CredentialsError):
                        break  # the other pools would fail alike
                elif batch.is_last or batch.has_completed:
                    self._note_progress(batch, scan, is_only_pool=len(pool_ids) == 1)
        self._end_scan(scan, failures)

    def _sources(self, region: Region, scan: Scan) -> Iterator[Source]:
        for pool in region.pools():
            progress = scan.pools.get(pool.id, PoolProgress())
            if not progress.is_complete:
                yield self.source(pool, progress)

    def _records(self, source: Source, items: list[Item]) -> list[Record]:
        """Make records of a page; when replicating by increments, of what has changed."""
        self._read_at = utc_now()
        if not self._is_full_table:
            items = self._changed(source.pool_id, items)
        constant = {POOL_ID.name: source.pool_id} if self.is_selected(POOL_ID.name) else {}
        columns = self._selected_columns
        try:
            return [
                {**constant, **{column.name: column.value(item) for column in columns}}
                for item in items
            ]
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise MalformedResponseError(f"list `{self.name}`", type(error).__name__) from None

    def _fail(self, error: Exception, pool_id: str | None = None) -> None:
        """Report what couldn't be read; the other streams and pools are."""
        failure = error if isinstance(error, TapCognitoError) else bug(error)
        subject = f"`{self.name}` of {pool_id}" if pool_id else f"`{self.name}`"
        self._on_failure(type(failure)(f"{subject}: {failure}"))

    def check(self) -> str:
        """Make the first request in each region.

        Returns:
            A line about it: the permissions that were used, and what was found.

        Raises:
            TapCognitoError: If the stream may not be read.
        """
        used: set[str] = set()
        for region in self._regions():
            region.client.called.clear()
            sources = [self.source(pool, PoolProgress()) for pool in region.pools(1)]
            for batch in parallel.read([sources], self._records):
                if batch.error:
                    raise batch.error
                if batch.item_count:
                    break
            used |= region.client.called
        return f"{self.name}: ok, by {', '.join(f'cognito-idp:{name}' for name in sorted(used))}"

    # Scans

    @property
    def _is_full_table(self) -> bool:
        return self.replication_method == "FULL_TABLE"

    @property
    def is_mirror(self) -> bool:
        """Whether the target is to remove what a complete scan didn't find."""
        return self._is_full_table and bool(self.config["emit_activate_version_messages"])

    def _begin_scan(self, pool_ids: Sequence[str]) -> Scan:
        state = self.stream_state
        scope = digest(
            [self.replication_method, self.is_mirror],
            [column.name for column in self._selected_columns],
            {name: self.config.get(name) for name in _SCOPE},
        )
        scan = None
        if saved := state.pop("scan", None):
            within = timedelta(hours=self.config["resume_within_hours"])
            scan, reason = load_scan(saved, scope, pool_ids, within)
            if scan:
                share = scan.share_done(len(pool_ids))
                self.logger.info("Resuming the scan that was cut off: %.0f%% is done", 100 * share)
            else:
                self.logger.info(
                    "Starting over, not resuming the scan that was cut off: %s", reason
                )
        scan = scan or new_scan(scope, state, is_mirror=self.is_mirror)
        self._stream_version = scan.version
        self._newest = {pool_id: pool.newest for pool_id, pool in scan.pools.items()}
        if not self._is_full_table:
            self._find_bookmarks(state, pool_ids)
        return scan

    def _note_progress(self, batch: Batch, scan: Scan, *, is_only_pool: bool) -> None:
        """Keep in the state what need not be read again if the run is cut off."""
        source = batch.source
        newest = self._newest.get(source.pool_id)
        scan.pools[source.pool_id] = PoolProgress(
            is_complete=batch.is_last,
            done=[] if batch.is_last else sorted(source.done),
            segments=[] if batch.is_last else list(source.prefixes),
            count=source.count_done,
            estimate=source.estimate,
            newest=newest,
        )
        if batch.is_last and not self._is_full_table:
            self._bookmarks.set(source.pool_id, newest, scan.began)
        pause = (len(scan.pools) - _FEW_POOLS) / _POOLS_PER_SECOND
        now = time.monotonic()
        if not (batch.is_last and is_only_pool) and now - self._saved_at >= pause:
            self._saved_at = now
            self._save(scan)

    def _save(self, scan: Scan) -> None:
        self.stream_state["scan"] = dump_scan(scan)
        self._write_state(self.tap_state)

    def _end_scan(self, scan: Scan, failures: Sequence[Exception]) -> None:
        """Finish a scan, or leave it to the next run if that could do better."""
        self.stream_state.pop("scan", None)
        if all(isinstance(error, _OF_A_POOL) for error in failures):
            if self.is_mirror:
                self.stream_state["version"] = scan.version
            if self.is_mirror and not failures:
                self._write_activate_version_message(scan.version or 0)
        elif scan.pools:
            self.stream_state["scan"] = dump_scan(scan)

    # Replication

    def _find_bookmarks(self, state: dict[str, Any], pool_ids: Iterable[str]) -> None:
        start_date = self.config.get("start_date")
        self._bookmarks = Bookmarks(
            state,
            parse_date(start_date) if start_date else None,
            timedelta(seconds=self.config["lookback_seconds"]),
            self.config.get("user_filter") if self.is_filtered else None,
        )
        for pool_id in pool_ids:
            if self._bookmarks.has_others and not self._bookmarks.find(pool_id):
                self.logger.info(
                    "Starting over with %s: the state has no bookmark of this pool and filter",
                    pool_id,
                )

    def _changed(self, pool_id: str, items: list[Item]) -> list[Item]:
        since = self._bookmarks.since(pool_id)
        member = self.modified_key or ""
        changed = [item for item in items if item.get(member) is None or item[member] >= since]
        newest = max((item[member] for item in changed if item.get(member)), default=None)
        if newest is not None:
            text = format_date(newest)
            self._newest[pool_id] = max(text, self._newest.get(pool_id) or text)
        return changed

    @property
    def emit_activate_version_messages(self) -> bool:
        """Never at the start of a scan, where the SDK would write it."""
        return False

    @property
    def partitions(self) -> None:
        """None for the SDK, which would read one after the other."""
        return

    def get_replication_key_signpost(self, context: Context | None = None) -> None:  # noqa: ARG002
        """None: bookmarks are limited by the beginning of a scan, which may take several runs."""
        return

    def apply_catalog(self, catalog: Catalog) -> None:
        """Take over a catalog's choices.

        Args:
            catalog: The catalog.

        Raises:
            TapCognitoError: If it has a column or a replication that the stream doesn't have.
        """
        super().apply_catalog(catalog)
        if not catalog.get_stream(self.name):
            return
        unknown = set(self.effective_schema.get("properties", {})) - set(self.schema["properties"])
        if unknown:
            raise TapCognitoError(
                f"`{self.name}` has no column {min(unknown)}: take it out of the catalog"
            )
        if self._is_full_table:
            self.replication_key = None
            return
        if self.replication_method != "INCREMENTAL" or not self.modified_key:
            methods = "FULL_TABLE or INCREMENTAL" if self.modified_key else "FULL_TABLE"
            raise TapCognitoError(
                f"`{self.name}` has no replication method {self.replication_method}: "
                f"set `replication-method` to {methods} in the catalog"
            )
        if self.replication_key not in {REPLICATION_KEY, None}:
            raise TapCognitoError(
                f"`{self.name}` has no replication key {self.replication_key}: "
                f"set `replication-key` to {REPLICATION_KEY} in the catalog"
            )
        self.replication_key = REPLICATION_KEY
        if not self.is_selected(REPLICATION_KEY):
            raise TapCognitoError(
                f"`{self.name}` is replicated by increments of {REPLICATION_KEY}, which isn't "
                f"selected: select `{self.name}.{REPLICATION_KEY}`, or use FULL_TABLE"
            )

    # In place of the SDK's loop, which reads one partition after the other, moves bookmarks with
    # every record, and conforms records that columns make right: half of the CPU time. These
    # methods of the SDK aren't public.

    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[Record, None, None]:
        self._regions()  # without pools and credentials there is no run: not a stream's failure
        with self.get_record_counter() as counter, self.get_sync_timer():
            try:
                for number, record in enumerate(self.get_records(context)):
                    self._check_max_record_limit(current_record_index=number)
                    if write_messages:
                        self._write_record(record)
                    counter.increment()
                    yield record
            except TapCognitoError as error:
                self._fail(error)
        if write_messages:
            self._write_state(self.tap_state)

    def _write_record(self, record: Record) -> None:
        for stream_map in self.stream_maps:
            try:
                mapped = stream_map.transform(record)
            except Exception as error:  # noqa: BLE001 - a user's expression may do anything
                raise TapCognitoError(
                    f"`stream_maps`: an expression fails on a record ({type(error).__name__}): "
                    "does it take a null?"
                ) from None
            if mapped is not None:
                self._write_message(
                    RecordMessage(
                        stream=stream_map.stream_alias,
                        record=mapped,
                        version=self._stream_version,
                        time_extracted=self._read_at,
                    )
                )
