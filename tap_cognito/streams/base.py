"""The base of all streams: columns, increments, deletions, and resumable scans of many pools."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from singer_sdk import Stream
from singer_sdk.helpers._util import utc_now
from singer_sdk.singerlib import RecordMessage

from tap_cognito.cognito import parallel
from tap_cognito.cognito.responses import malformed
from tap_cognito.errors import CredentialsError, TapCognitoError, bug
from tap_cognito.progress import Progress
from tap_cognito.stream_maps import explain_failure
from tap_cognito.streams.bookmarks import REPLICATION_KEY, Bookmarks
from tap_cognito.streams.catalog import check_columns, check_replication
from tap_cognito.streams.columns import Column
from tap_cognito.streams.scan import ResumableScan
from tap_cognito.streams.state import PoolProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib import Catalog

    from tap_cognito.cognito.listing import Item, UserPool
    from tap_cognito.cognito.pools import Region
    from tap_cognito.cognito.source import Source

POOL_ID = Column("user_pool_id", {"type": ["string"]}, "The id of the user pool.", lambda _: None)
"""The column that all records of a pool share."""


class CognitoStream(Stream):
    """A stream of one kind of thing in user pools.

    A new stream is a subclass with a name, primary keys, columns and `source`, and its place in
    `tap_cognito.streams.STREAMS`.

    Args:
        tap: The tap.
        regions: Returns the pools, once the stream is read.
        on_failure: Receives each failure. The stream goes on with the next pool.
    """

    selected_by_default = False
    is_filtered: ClassVar[bool] = False
    """Whether `user_filter` applies to the stream."""
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
        self._bookmarks: Bookmarks | None = None
        self._write_message = tap.write_message
        self.write_state = tap.state_writer.write_state
        schema = {
            "type": "object",
            "properties": {column.name: column.schema for column in self.columns},
            "required": list(self.primary_keys),
        }
        super().__init__(tap, schema=schema)

    @abstractmethod
    def source(self, pool: UserPool, progress: PoolProgress) -> Source:
        """Return what to read from a pool.

        Args:
            pool: The pool.
            progress: How far an earlier run came.
        """

    @cached_property
    def selected_columns(self) -> list[Column]:
        """The columns that are sent, without `user_pool_id`."""
        return [
            column
            for column in self.columns
            if column is not POOL_ID and self.is_selected(column.name)
        ]

    def is_selected(self, *names: str) -> bool:
        """Whether any of these columns is sent."""
        known = self.effective_schema["properties"]
        return any(name in known and self.mask["properties", name] for name in names)

    # Reading

    def get_records(self, context: Context | None) -> Iterator[Record]:  # noqa: ARG002
        """Read the stream.

        With `emit_activate_version_messages`, ACTIVATE_VERSION follows a complete full-table scan.
        The SDK would write it before the first record: the target would remove the old rows before
        it has the new ones.

        Args:
            context: Not used: pools are read side by side, not one partition after the other.

        Yields:
            A record for each item; with increments, only for those that changed.
        """
        regions = self._regions()
        pool_ids = [pool_id for region in regions for pool_id in region.pool_ids]
        scan = ResumableScan(self, pool_ids)
        self._stream_version, self._bookmarks = scan.version, scan.bookmarks
        failures: list[Exception] = []
        before = scan.pools_done, scan.count_done
        with Progress(self.name, self.logger, regions, *before) as progress:
            sources = (self._sources(region, scan) for region in regions)
            for batch in parallel.read(sources, self._records):
                progress.update(batch)
                yield from batch.records
                if not batch.error:
                    scan.update(batch.source, is_last=batch.is_last)
                    continue
                failures.append(batch.error)
                if isinstance(batch.error, CredentialsError):
                    break  # the other pools would fail alike
                if len(pool_ids) > 1:
                    self.logger.error("%s", self._failure(batch.error, batch.source.pool_id))
        if failures:
            self._on_failure(self._summarize(failures, len(pool_ids)))
        if scan.end(failures) and scan.version:
            self._write_activate_version_message(scan.version)

    def _sources(self, region: Region, scan: ResumableScan) -> Iterator[Source]:
        return (
            self.source(pool, scan.progress(pool.id))
            for pool in region.pools()
            if not scan.is_complete(pool.id)
        )

    def _records(self, source: Source, items: list[Item]) -> list[Record]:
        """Make records of a page; with increments, only of the items that changed."""
        self._read_at = utc_now()
        if self._bookmarks:
            items = self._bookmarks.changed(source.pool_id, items, self.modified_key or "")
        constant = {POOL_ID.name: source.pool_id} if self.is_selected(POOL_ID.name) else {}
        columns = self.selected_columns
        try:
            return [
                {**constant, **{column.name: column.value(item) for column in columns}}
                for item in items
            ]
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise malformed(f"a request for `{self.name}`", type(error).__name__) from None

    def _failure(self, error: Exception, pool_id: str | None = None) -> TapCognitoError:
        """Report what couldn't be read; other streams and pools go on."""
        failure = error if isinstance(error, TapCognitoError) else bug(error)
        subject = f"`{self.name}` of {pool_id}" if pool_id else f"`{self.name}`"
        return type(failure)(f"{subject}: {failure}")

    def _summarize(self, failures: list[Exception], pools: int) -> TapCognitoError:
        """Return one error for all failed pools; each was logged."""
        if pools == 1 or isinstance(failures[-1], CredentialsError):
            return self._failure(failures[-1])
        return TapCognitoError(
            f"`{self.name}`: {len(failures):,} of {pools:,} pools couldn't be read, the others "
            "were: each has a line above"
        )

    def check(self) -> str:
        """Make the first request in each region.

        Returns:
            A line about it: the permissions used, and the result.

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

    # Replication

    @property
    def is_full_table(self) -> bool:
        """Whether all records are sent, not only those that changed."""
        return self.replication_method == "FULL_TABLE"

    @property
    def is_mirror(self) -> bool:
        """Whether the target should remove rows that a complete scan didn't find."""
        return self.is_full_table and bool(self.config["emit_activate_version_messages"])

    @property
    def emit_activate_version_messages(self) -> bool:
        """Always false: the SDK would write the message at the start of a scan."""
        return False

    @property
    def partitions(self) -> None:
        """None for the SDK: it would read partitions one after another."""
        return

    def get_replication_key_signpost(self, context: Context | None = None) -> None:  # noqa: ARG002
        """None: bookmarks are limited by the start of a scan, which may take several runs."""
        return

    def apply_catalog(self, catalog: Catalog) -> None:
        """Apply a catalog's choices.

        Args:
            catalog: The catalog.

        Raises:
            TapCognitoError: If it has a column or a replication that the stream doesn't have.
        """
        super().apply_catalog(catalog)
        if not catalog.get_stream(self.name):
            return
        check_columns(self)
        check_replication(self)
        self.replication_key = None if self.is_full_table else REPLICATION_KEY

    # Replaces the SDK's loop, which reads one partition after another, moves bookmarks with every
    # record, and conforms records that columns already make right: half of the CPU time. These
    # methods of the SDK aren't public.

    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[Record, None, None]:
        with self.get_record_counter() as counter, self.get_sync_timer():
            try:
                for number, record in enumerate(self.get_records(context)):
                    self._check_max_record_limit(current_record_index=number)
                    if write_messages:
                        self._write_record(record)
                    counter.increment()
                    yield record
            except TapCognitoError as error:
                self._on_failure(self._failure(error))
        if write_messages:
            self.write_state(self.tap_state)

    def _write_record(self, record: Record) -> None:
        for stream_map in self.stream_maps:
            try:
                mapped = stream_map.transform(record)
            except Exception as error:  # noqa: BLE001 - a user's expression may do anything
                raise TapCognitoError(explain_failure(error, self.name)) from None
            if mapped is not None:
                self._write_message(
                    RecordMessage(
                        stream=stream_map.stream_alias,
                        record=mapped,
                        version=self._stream_version,
                        time_extracted=self._read_at,
                    )
                )
