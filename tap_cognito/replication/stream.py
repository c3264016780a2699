"""The base of all streams: columns, increments, deletions, and resumable scans of many pools."""

from __future__ import annotations

import os
from abc import abstractmethod
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, ClassVar

from singer_sdk.mapper import RemoveRecordTransform

from tap_cognito.cognito import parallel
from tap_cognito.cognito.checkpoint import Checkpoint
from tap_cognito.cognito.enriched import Enriched, Extras
from tap_cognito.cognito.responses import malformed
from tap_cognito.errors import (
    CredentialsError,
    ResourceNotFoundError,
    TapCognitoError,
    bug,
)
from tap_cognito.replication.bookmarks import Bookmarks, check_replication
from tap_cognito.replication.columns import Column
from tap_cognito.replication.progress import Outcome, Progress
from tap_cognito.replication.scan import ResumableScan
from tap_cognito.replication.scope import Output, Scope
from tap_cognito.replication.state import StreamState
from tap_cognito.singer.sdk import SingerStream

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


class CognitoStream(SingerStream):
    """A stream of one kind of thing in user pools.

    A new stream is a subclass with a name, primary keys, columns and `source`, and its place in
    `tap_cognito.streams.STREAMS`.

    Args:
        tap: The tap.
        regions: Returns the pools, once the stream is read.
        on_failure: Receives each failure. The stream goes on with the next pool.

    Attributes:
        bookmarks: Those of the pools, while the stream is read by increments.
    """

    selected_by_default = False
    is_filtered: ClassVar[bool] = False
    """Whether `user_filter` applies to the stream."""
    columns: Sequence[Column]
    modified_key: ClassVar[str | None] = None
    """The API's name of the date of increments, for streams that can be replicated by them."""
    modified_column: ClassVar[str] = "updated_at"
    """The column of this date."""

    def __init__(
        self,
        tap: Tap,
        regions: Callable[[], list[Region]],
        on_failure: Callable[[TapCognitoError], None],
    ) -> None:
        self._regions = regions
        self.bookmarks: Bookmarks | None = None
        self._progress: Progress | None = None
        self._is_complete = False
        schema = {
            "type": "object",
            "properties": {column.name: column.schema for column in self.columns},
            "required": list(self.primary_keys),
        }
        super().__init__(tap, schema, on_failure)

    @abstractmethod
    def source(self, pool: UserPool, checkpoint: Checkpoint) -> Source:
        """Return what to read from a pool.

        Args:
            pool: The pool.
            checkpoint: How far an earlier run came.
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

    @cached_property
    def extras(self) -> Extras:
        """The operations that the selected columns need beside the source's."""
        return Extras({column.extra: None for column in self.selected_columns if column.extra})

    def _source(self, pool: UserPool, checkpoint: Checkpoint) -> Source:
        source = self.source(pool, checkpoint)
        choose = partial(self._changed, pool.id)
        return Enriched(source, pool, self.extras, choose) if self.extras else source

    # Reading

    def get_records(
        self,
        context: Context | None,  # noqa: ARG002
    ) -> Generator[Record, None, None]:
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
        state = StreamState(self.stream_state, self.tap_state, self.write_state)
        scan = ResumableScan(self.scope, state, pool_ids, self.logger)
        self.version, self.bookmarks = scan.version, scan.bookmarks
        failures: dict[str, Exception] = {}
        unfound: dict[str, Exception] = {}
        before = scan.pools_done, scan.count_done
        with Progress(self.name, self.logger, regions, lambda: self.sent, before) as progress:
            self._progress = progress
            sources = (self._sources(region, scan) for region in regions)
            for batch in parallel.read(sources, self._records):
                progress.update(batch)
                yield from batch.records
                if not batch.error:
                    scan.update(batch.source, is_page=batch.is_page, is_last=batch.is_last)
                    continue
                if isinstance(batch.error, ResourceNotFoundError):
                    unfound[batch.source.pool_id] = batch.error
                    continue
                failures[batch.source.pool_id] = batch.error
                if isinstance(batch.error, CredentialsError):
                    break  # the other pools would fail alike
                if len(pool_ids) > 1:
                    self.logger.error("%s", self.failure(batch.error, batch.source.pool_id))
        failures.update(self._without_gone(unfound, regions, scan))
        if failures:
            self._on_failure(self._summarize(list(failures.values()), len(pool_ids)))
        self._is_complete = scan.end(failures) and not any(region.failure for region in regions)
        if self._is_complete:
            self.activate_version()

    @property
    def outcome(self) -> Outcome:
        """What came of the stream so far."""
        end = self._progress.outcome() if self._progress else Outcome(self.name)
        return replace(end, sent=self.sent, is_complete=self._is_complete)

    def _without_gone(
        self, unfound: dict[str, Exception], regions: list[Region], scan: ResumableScan
    ) -> dict[str, Exception]:
        """Leave out the pools of patterns that were deleted meanwhile; return other failures."""
        gone = set().union(*(region.gone(unfound) for region in regions))
        for pool_id in gone:
            self.logger.info("%s was deleted meanwhile: it is left out", pool_id)
            scan.leave_out(pool_id)
        left = {pool_id: error for pool_id, error in unfound.items() if pool_id not in gone}
        if sum(len(region.pool_ids) for region in regions) > 1:
            for pool_id, error in left.items():
                self.logger.error("%s", self.failure(error, pool_id))
        return left

    def _sources(self, region: Region, scan: ResumableScan) -> Iterator[Source]:
        return (
            self._source(pool, scan.checkpoint(pool.id))
            for pool in region.pools()
            if not scan.is_complete(pool.id)
        )

    def _records(self, source: Source, items: list[Item]) -> list[Record]:
        """Make records of a page; with increments, only of the items that changed."""
        self.note_time()
        items = self._changed(source.pool_id, items)
        constant = {POOL_ID.name: source.pool_id} if self.is_selected(POOL_ID.name) else {}
        columns = self.selected_columns
        try:
            return [
                {**constant, **{column.name: column.value(item) for column in columns}}
                for item in items
            ]
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise malformed(f"a request for `{self.name}`", type(error).__name__) from None

    def _changed(self, pool_id: str, items: list[Item]) -> list[Item]:
        known = self.bookmarks
        return known.changed(pool_id, items, self.modified_key or "") if known else items

    def failure(self, error: Exception, pool_id: str | None = None) -> TapCognitoError:
        """Report what couldn't be read; other streams and pools go on."""
        failure = error if isinstance(error, TapCognitoError) else bug(error)
        subject = f"`{self.name}` of {pool_id}" if pool_id else f"`{self.name}`"
        return type(failure)(f"{subject}: {failure}")

    def _summarize(self, failures: list[Exception], pools: int) -> TapCognitoError:
        """Return one error for all failed pools; each was logged."""
        if pools == 1 or isinstance(failures[-1], CredentialsError):
            return self.failure(failures[-1])
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
            sources = [self._source(pool, Checkpoint()) for pool in region.pools(1)]
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
    def scope(self) -> Scope:
        """What a scan or a bookmark of the stream belongs to."""
        outputs = [
            Output(
                each.stream_alias, each.transformed_key_properties or (), each.transformed_schema
            )
            for each in self.stream_maps
            if not isinstance(each, RemoveRecordTransform)
        ]
        return Scope(
            self.name,
            outputs,
            self.config,
            self.replication_method,
            is_mirror=self.is_mirror,
            is_filtered=self.is_filtered,
            place=os.environ.get("MELTANO_EXTRACT__LOAD_SCHEMA"),
        )

    def apply_catalog(self, catalog: Catalog) -> None:
        """Apply a catalog's choices.

        Args:
            catalog: The catalog.

        Raises:
            TapCognitoError: If it has a replication that the stream doesn't have.
        """
        super().apply_catalog(catalog)
        if not self.selected:
            return
        if self.is_full_table:
            self.replication_key = None
            return
        key = self.modified_column if self.modified_key else None
        check_replication(self, key, is_selected=self.is_selected(self.modified_column))
        self.replication_key = key
