"""What all streams share: columns, deleted rows, increments. Nothing here knows boto3."""

from __future__ import annotations

import time
from abc import abstractmethod
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from singer_sdk import Stream
from singer_sdk.helpers._util import utc_now
from singer_sdk.singerlib import RecordMessage

from tap_cognito.errors import AccessDeniedError, TapCognitoError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib import Catalog

    from tap_cognito.user_pool import UserPool

REPLICATION_KEY = "updated_at"

Item = dict[str, Any]


class Column(NamedTuple):
    """One column of a stream."""

    name: str
    type: dict[str, Any]
    """Its JSON schema."""
    value: Callable[[Item], Any]
    """Makes its value, ready for JSON, from what the API says of one item."""


def timestamp(item: Mapping[str, Any], key: str) -> str | None:
    """A date of the API as ISO 8601 text in UTC, with its milliseconds."""
    moment: datetime | None = item.get(key)
    if moment is None:
        return None
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds")


class CognitoStream(Stream):
    """A stream of one kind of thing in a user pool.

    A new stream is a subclass with a name, primary keys, columns and `read`, and its place in
    `tap_cognito.streams.STREAMS`.

    Args:
        tap: The tap.
        user_pool: Gives the pool, when the stream is read.
        on_denied: Told of a stream that may not be read, before anything of it was sent.
    """

    columns: Sequence[Column]
    modified_key: ClassVar[str | None] = None
    """The API's name of `updated_at`, for streams that can be replicated by increments."""

    def __init__(
        self,
        tap: Tap,
        user_pool: Callable[[], UserPool],
        on_denied: Callable[[CognitoStream, AccessDeniedError], None],
    ) -> None:
        self._user_pool = user_pool
        self._on_denied = on_denied
        self._read_at = utc_now()
        super().__init__(tap, schema=_schema(self.columns, self.primary_keys))
        # The SDK's line before every failure; the failure speaks for itself.
        self.logger.addFilter(lambda record: "unhandled error occurred" not in str(record.msg))

    @abstractmethod
    def read(self, pool: UserPool) -> Iterable[list[Item]]:
        """Read everything there is, page by page."""

    def is_empty(self, pool: UserPool) -> bool:  # noqa: ARG002 - for subclasses
        """Whether there is nothing to read, asked after a scan that found nothing."""
        return True

    def get_records(self, context: Context | None) -> Iterator[Record]:  # noqa: ARG002
        """Read the stream.

        With `emit_activate_version_messages`, a full-table scan that has come to its end is
        followed by ACTIVATE_VERSION. The SDK would write it before the first record: the target
        would remove the old rows before it has the new ones.

        Args:
            context: Not used: the streams have no partitions.

        Yields:
            A record for each item; when replicating by increments, only for those that changed.

        Raises:
            TapCognitoError: If the pool cannot be read to its end.
        """
        self._has_begun = False
        try:
            yield from self._records(self._user_pool())
        except AccessDeniedError as error:
            if self._has_begun:
                raise
            self._on_denied(self, error)

    def _records(self, pool: UserPool) -> Iterator[Record]:
        is_mirror = self._is_full_table and self.config["emit_activate_version_messages"]
        if is_mirror:
            self._stream_version = int(time.time())
        since = None if self._is_full_table else self._since()
        known = self.effective_schema["properties"]
        columns = [
            one for one in self.columns if one.name in known and self.mask["properties", one.name]
        ]
        count = 0
        for items in self.read(pool):
            self._read_at = utc_now()
            count += len(items)
            for item in items if since is None else self._changed(items, since):
                self._has_begun = True
                item["UserPoolId"] = pool.pool_id
                yield {column.name: column.value(item) for column in columns}
        if is_mirror:
            if not count:
                self._refuse_unless_empty(pool)
            self._write_activate_version_message(int(self._stream_version or 0))

    def _refuse_unless_empty(self, pool: UserPool) -> None:
        try:
            doubt = None if self.is_empty(pool) else "the pool does not say that it is empty"
        except TapCognitoError as error:
            doubt = f"whether it is empty cannot be asked: {error}"
        if doubt:
            raise TapCognitoError(
                f"`{self.name}`: Cognito returned nothing, but {doubt}. "
                "The rows of the table were kept; run again"
            )

    # Replication

    @property
    def emit_activate_version_messages(self) -> bool:
        """Never at the start of a scan, where the SDK would write it."""
        return False

    @property
    def _is_full_table(self) -> bool:
        return self.replication_method == "FULL_TABLE"

    def apply_catalog(self, catalog: Catalog) -> None:
        """Take over a catalog's choices.

        Args:
            catalog: The catalog.

        Raises:
            TapCognitoError: If it has a column or a replication that the stream has not.
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
        if not self.mask["properties", REPLICATION_KEY]:
            raise TapCognitoError(
                f"`{self.name}` is replicated by increments of {REPLICATION_KEY}, which is not "
                f"selected: select `{self.name}.{REPLICATION_KEY}`, or use FULL_TABLE"
            )

    def _since(self) -> datetime:
        """From which change on records are sent.

        A little before the bookmark: ListUsers is eventually consistent, so a change may have
        been hidden from the scan that set it.
        """
        since = datetime.min.replace(tzinfo=timezone.utc)
        if start_date := self.config.get("start_date"):
            since = self._parse_datetime(start_date)
        state = self.stream_state
        if state.get("replication_key") == REPLICATION_KEY and state.get("replication_key_value"):
            bookmark = self._parse_datetime(state["replication_key_value"])
            since = max(since, bookmark - timedelta(seconds=self.config["lookback_seconds"]))
        return since

    def _changed(self, items: list[Item], since: datetime) -> Iterator[Item]:
        for item in items:
            modified = item.get(self.modified_key or "")
            if modified is None or modified >= since:
                yield item

    # The SDK's way of a record, without what columns need not: half of its CPU time

    def generate_child_contexts(
        self,
        record: Record,  # noqa: ARG002
        context: Context | None,  # noqa: ARG002
    ) -> Iterable[Context | None]:
        """No stream of this tap has children."""
        return ()

    def _generate_record_messages(self, record: Record) -> Generator[RecordMessage, None, None]:
        for stream_map in self.stream_maps:
            try:
                mapped = stream_map.transform(record)
            except Exception as error:  # noqa: BLE001 - an expression of the user's may do anything
                raise TapCognitoError(
                    f"`stream_maps`: an expression for `{self.name}` fails on a record "
                    f"({type(error).__name__}): does it take a null?"
                ) from None
            if mapped is not None:
                yield RecordMessage(
                    stream=stream_map.stream_alias,
                    record=mapped,
                    version=self._stream_version,
                    time_extracted=self._read_at,
                )


def _schema(columns: Sequence[Column], primary_keys: Sequence[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {column.name: column.type for column in columns},
        "required": list(primary_keys),
    }
