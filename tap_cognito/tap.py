"""The tap: settings in, streams out. It only wires."""

from __future__ import annotations

import copy
import functools
import os
from typing import IO, TYPE_CHECKING, Any, ClassVar

import click
from singer_sdk import Stream, Tap
from singer_sdk.helpers.capabilities import CapabilitiesEnum, PluginCapabilities

from tap_cognito import credentials, secret_references, settings, singer_files, validation
from tap_cognito.cognito import pools
from tap_cognito.cognito.client import CognitoClient
from tap_cognito.cognito.quotas import Quotas
from tap_cognito.errors import StreamsFailedError, TapCognitoError
from tap_cognito.stream_maps import register_streams, validate_stream_maps
from tap_cognito.streams import NAMES, STREAMS
from tap_cognito.writer import LineWriter

if TYPE_CHECKING:
    from tap_cognito.cognito.pools import Region
    from tap_cognito.streams.base import CognitoStream

_TEST = "tap_cognito.test"
"""The key of click's context under which `--test` waits until all files are read."""


class TapCognito(Tap):
    """Reads the users of AWS Cognito user pools, and what else is in them."""

    name = "tap-cognito"
    config_jsonschema = copy.deepcopy(settings.SCHEMA)  # the SDK adds its own settings to it
    message_writer_class = LineWriter

    # The SDK's without BATCH: its files ignore deselected columns.
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        capability for capability in Tap.capabilities if capability is not PluginCapabilities.BATCH
    ]

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
        if problems := list(validate_stream_maps(maps, self.streams)):
            raise TapCognitoError("; ".join(problems))
        super(Tap, self).setup_mapper()
        register_streams(self.mapper, self.catalog)

    def discover_streams(self) -> list[Stream]:
        """List the streams; no request is made."""
        self._failures: list[TapCognitoError] = []
        self._regions = functools.cache(self.find_pools)
        return [stream(self, self._regions, self._failures.append) for stream in STREAMS]

    @property
    def streams(self) -> dict[str, Stream]:
        """The streams in the order in which they are read, where the SDK sorts them by name."""
        streams = super().streams
        return {name: streams[name] for name in NAMES}

    @property
    def selected_streams(self) -> list[CognitoStream]:
        """The streams that a run reads."""
        streams: Any = self.streams.values()
        return [stream for stream in streams if stream.selected]

    def sync_all(self) -> None:  # type: ignore[misc] # final, but the SDK has no other place
        """Read all selected streams.

        Raises:
            StreamsFailedError: If several streams or pools could not be read; the others were.
            TapCognitoError: If one could not be read.
        """
        if self.selected_streams:
            self._regions()  # without pools and credentials there is no run
        super().sync_all()
        self._raise_failures()

    def check_all(self) -> None:
        """Make the first request of each selected stream, and print a line for each.

        Raises:
            StreamsFailedError: If several streams may not be read.
            TapCognitoError: If one may not be read, or none is selected.
        """
        if not self.selected_streams:
            raise TapCognitoError("the catalog selects no stream: there is nothing to test")
        for stream in self.selected_streams:
            try:
                click.echo(stream.check())
            except TapCognitoError as error:  # noqa: PERF203 - the others are tested too
                self._failures.append(TapCognitoError(f"`{stream.name}`: {error}"))
        self._raise_failures()

    def _raise_failures(self) -> None:
        failures, self._failures[:] = list(self._failures), []
        if len(failures) > 1:
            raise StreamsFailedError(failures)
        if failures:
            raise failures[0]

    def find_pools(self) -> list[Region]:
        """Find the pools of the settings; credentials are looked up now."""
        config = self.config
        session = credentials.create_session(secret_references.resolve_secrets(config))

        def client_of(region: str | None) -> CognitoClient:
            quotas = Quotas(
                {
                    "UserList": config["max_requests_per_second"],
                    "UserRead": config["user_mfa_requests_per_second"],
                }
            )
            return CognitoClient(session, quotas, config.get("endpoint_url"), region)

        if patterns := config.get("user_pool_ids"):
            region = config.get("region")
            return pools.resolve(patterns, lambda prefix: client_of(region or prefix))
        client = client_of(None)
        pool_id = config["user_pool_id"]
        if client.region != pools.region_of(pool_id):
            self.logger.info("Reading %s in %s, as a replica", pool_id, client.region)
        return [pools.Region(client, [pool_id])]

    # The command line

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:
        """Read the files of `--config`, each once: it may be a pipe.

        Raises:
            TapCognitoError: If one of them isn't a JSON object.
        """
        read = super().cb_config(ctx, param, ())
        for path in value:
            if path == "ENV":
                read.parse_env = True
            else:
                read.config.update(singer_files.load_config(path))
        return read

    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Take note of `--test`; the SDK would run it before a catalog is read."""
        if value == "all":
            ctx.meta[_TEST] = True
        else:
            super().cb_test(ctx, param, value)

    @classmethod
    def invoke(  # type: ignore[override]
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: Any = None,
        state: IO[str] | None = None,
        catalog: IO[str] | None = None,
    ) -> None:
        """Run the tap for the command line; the arguments are the SDK's.

        Raises:
            TapCognitoError: If the run can't be made, or some stream couldn't be read.
        """
        super(Tap, cls).invoke(about=about, about_format=about_format)
        cls.print_version(print_fn=cls.logger.info)
        make = functools.partial(cls, config=config.config, parse_env_config=config.parse_env)
        keys = {name: stream.primary_keys for name, stream in make().streams.items()}
        tap = make(
            state=singer_files.load_state(state, keys) if state else None,
            catalog=singer_files.load_catalog(catalog, keys) if catalog else None,
        )
        if click.get_current_context().meta.get(_TEST):
            tap.check_all()
            return
        if not tap.selected_streams:
            cls.logger.warning("The catalog selects no stream: there is nothing to do")
        tap.sync_all()
