"""The SDK, and every departure from its public interface.

The SDK reads partitions one after another, announces deletions before the first record, moves
bookmarks with every record, and conforms records that columns already make right, which is half of
the CPU time. What is overridden here isn't public: the CI runs all tests with the newest stable
version and the newest pre-release.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import traceback
from abc import abstractmethod
from typing import IO, TYPE_CHECKING, Any, ClassVar

from singer_sdk import Stream, Tap
from singer_sdk.helpers._util import utc_now
from singer_sdk.helpers.capabilities import CapabilitiesEnum, PluginCapabilities, TapCapabilities
from singer_sdk.mapper import PluginMapper
from singer_sdk.singerlib import RecordMessage

from tap_cognito.config import settings, validation
from tap_cognito.errors import TapCognitoError
from tap_cognito.singer import catalogs, states
from tap_cognito.singer.command_line import CommandLineTap
from tap_cognito.singer.expressions import limit_expressions
from tap_cognito.singer.stream_maps import (
    explain_failure,
    register_streams,
    validate_stream_maps,
)
from tap_cognito.singer.writer import LineWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib import Catalog


class SingerStream(Stream):
    """A stream that is read in one go, and decides itself when its deletions are announced.

    Args:
        tap: The tap.
        schema: The JSON schema of its records, which `get_records` makes right.
        on_failure: Receives each failure; what it was raised in has ended.

    Attributes:
        sent: How many records were sent: those that `stream_maps` filters out aren't.
    """

    def __init__(
        self, tap: Tap, schema: dict[str, Any], on_failure: Callable[[TapCognitoError], None]
    ) -> None:
        self._on_failure = on_failure
        self._read_at = utc_now()
        self.sent = 0
        self._write_message = tap.write_message
        self.write_state = tap.state_writer.write_state
        super().__init__(tap, schema=schema)

    @abstractmethod
    def get_records(self, context: Context | None) -> Generator[Record, None, None]:
        """Read the stream."""

    @abstractmethod
    def failure(self, error: Exception) -> TapCognitoError:
        """Return an error that names the stream."""

    def note_time(self) -> None:
        """Take now for the time at which the records that follow were read."""
        self._read_at = utc_now()

    @property
    def version(self) -> int | None:
        """The version of the records; `None` without deletions."""
        return self._stream_version

    @version.setter
    def version(self, version: int | None) -> None:
        self._stream_version = version

    def activate_version(self) -> None:
        """Let the target remove the rows of other versions."""
        if self._stream_version:
            self._write_activate_version_message(self._stream_version)

    @property
    def emit_activate_version_messages(self) -> bool:
        """Always false: the SDK would write the message before the first record."""
        return False

    @property
    def partitions(self) -> None:
        """None for the SDK: it would read partitions one after another."""
        return

    def get_replication_key_signpost(self, context: Context | None = None) -> None:  # noqa: ARG002
        """None: bookmarks are limited by the start of a scan, which may take several runs."""
        return

    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[Record, None, None]:
        with self.get_record_counter() as counter, self.get_sync_timer():
            try:
                # Closed at once: what a scan logs at its end stands before the line of its failure.
                with contextlib.closing(self.get_records(context)) as records:
                    for number, record in enumerate(records):
                        self._check_max_record_limit(current_record_index=number)
                        if write_messages:
                            self._write_record(record)
                        counter.increment()
                        yield record
            except TapCognitoError as error:
                self._on_failure(self.failure(error))
        if write_messages:
            self.write_state(self.tap_state)

    def _write_record(self, record: Record) -> None:
        is_sent = False
        for stream_map in self.stream_maps:
            try:
                mapped = stream_map.transform(record)
            except Exception as error:  # noqa: BLE001 - a user's expression may do anything
                raise TapCognitoError(
                    explain_failure(error, self.name, mapped_column(error))
                ) from None
            if mapped is not None:
                is_sent = True
                self._write_message(
                    RecordMessage(
                        stream=stream_map.stream_alias,
                        record=mapped,
                        version=self._stream_version,
                        time_extracted=self._read_at,
                    )
                )
        self.sent += is_sent


def mapped_column(error: BaseException) -> str | None:
    """Find the column whose expression failed, which no error of the SDK names.

    Args:
        error: What the SDK's mapper raised.

    Returns:
        The column; `None` if it isn't known, "" for a filter.
    """
    column = None
    for frame, _ in traceback.walk_tb(error.__traceback__):  # the evaluator has an `_eval` too
        if frame.f_code.co_name == "_eval" and "expr_parsed" in frame.f_locals:
            column = frame.f_locals.get("property_name") or ""
    return column


class SingerTap(CommandLineTap):
    """A tap whose settings, files and signals are handled by this package."""

    config_jsonschema = copy.deepcopy(settings.SCHEMA)  # the SDK adds its own settings to it
    message_writer_class = LineWriter

    # Of our own: BATCH ignores deselected columns, and a newer SDK adds settings with others.
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        PluginCapabilities.ACTIVATE_VERSION,
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    def __init__(
        self, *, catalog: Mapping[str, Any] | None = None, setup_mapper: bool = True, **options: Any
    ) -> None:
        super().__init__(setup_mapper=False, **options)
        if catalog is not None:
            catalog = json.loads(json.dumps(catalog))  # the SDK's own has tuples
            self._apply_catalog(catalogs.interpret(catalog, self.streams, "the catalog"))
        if setup_mapper:
            self.setup_mapper()

    @abstractmethod
    def read_all(self) -> None:
        """Read all selected streams, by `sync_streams`."""

    @property
    def _env_var_config(self) -> dict[str, Any]:
        """The settings of `--config=ENV`; the SDK would look for a `.env` file too."""
        self.append_builtin_config(self.config_jsonschema)
        return validation.read_environment(os.environ, self.config_jsonschema)

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        self.append_builtin_config(self.config_jsonschema)
        self._config = validation.normalize(self._config, self.config_jsonschema)
        problems = validation.validate(self._config, self.config_jsonschema)
        if problems and raise_errors:
            raise TapCognitoError("; ".join(problems))
        return problems

    def _setup_signal_handlers(self) -> None:
        """Leave signals to the command line: the SDK's way ends a stopped run with status 0."""

    def setup_mapper(self) -> None:
        """Make the SDK's mapper, once `stream_maps` was compared with the streams."""
        maps = self.config.get("stream_maps", {})
        values = self.config.get("stream_map_config") or {}
        if problems := list(validate_stream_maps(maps, values, self.streams)):
            raise TapCognitoError("; ".join(problems))
        # A copy: the mapper takes `__else__` out of what it is given.
        self._mapper = PluginMapper(copy.deepcopy(dict(self.config)), self.logger)
        register_streams(self.mapper, self.catalog)
        limit_expressions(self.mapper)

    def sync_all(self) -> None:  # type: ignore[misc] # final, but the SDK has no other place
        """Read all selected streams.

        Raises:
            StreamsFailedError: If several streams or pools couldn't be read; the others were.
            TapCognitoError: If one couldn't be read.
        """
        self.read_all()

    def sync_streams(self) -> None:
        """Read the selected streams, one after the other, without a line for each other."""
        self._reset_state_progress_markers()
        if self.state:
            self.state_writer.write_state(self.state)
        for stream in self.streams.values():
            if stream.selected:
                stream.sync()
                stream.finalize_state_progress_markers()

    def load_files(self, state: IO[str] | None, catalog: IO[str] | None) -> None:
        """Apply a state and a catalog.

        Raises:
            TapCognitoError: If one of them can't be read or applied.
        """
        if state:
            self.load_state(states.load_state(state, self.streams))
        if catalog:
            self._apply_catalog(catalogs.load_catalog(catalog, self.streams))

    def _apply_catalog(self, catalog: Catalog) -> None:
        self._input_catalog = catalog
        for stream in self.streams.values():
            stream.apply_catalog(catalog)
