"""The tap: settings in, streams out. It only wires."""

from __future__ import annotations

import copy
import functools
import os
from typing import IO, TYPE_CHECKING, Any, ClassVar

from singer_sdk import Stream, Tap
from singer_sdk.helpers.capabilities import (
    CapabilitiesEnum,
    PluginCapabilities,
    TapCapabilities,
)

from tap_cognito import credentials, secret_references, settings, singer_files, validation
from tap_cognito.errors import AccessDeniedError, TapCognitoError
from tap_cognito.stream_maps import register_streams, validate_stream_maps
from tap_cognito.streams import STREAMS
from tap_cognito.user_pool import UserPool
from tap_cognito.writer import LineWriter

if TYPE_CHECKING:
    import click

    from tap_cognito.stream import CognitoStream


class TapCognito(Tap):
    """Reads the users of an AWS Cognito user pool, and what else is in it."""

    name = "tap-cognito"
    config_jsonschema = copy.deepcopy(settings.SCHEMA)  # the SDK adds its own settings to it
    message_writer_class = LineWriter
    failures: list[TapCognitoError] | None = None
    """What the streams of a run could not read; `None` outside of a run."""

    # The SDK's default without BATCH: its files ignore deselected columns.
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        TapCapabilities.ACTIVATE_VERSION,
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
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
        # One for all of them, made when the first asks for it.
        user_pool = functools.cache(self.user_pool)
        return [stream(self, user_pool, self._on_denied) for stream in STREAMS]

    def _on_denied(self, stream: CognitoStream, error: AccessDeniedError) -> None:
        """Let the other streams be read; the run fails at its end.

        `--test` selects every stream: it fails only for those that a run reads by default.
        """
        failure = TapCognitoError(f"`{stream.name}`: {error}")
        if self.failures is not None:
            self.failures.append(failure)
        elif stream.selected_by_default:
            raise failure from None
        else:
            self.logger.warning("%s", failure)

    def user_pool(self) -> UserPool:
        """Make the pool of the settings; its credentials are looked up now."""
        return UserPool(
            credentials.create_session(secret_references.resolve_secrets(self.config)),
            self.config["user_pool_id"],
            self.config.get("endpoint_url"),
            self.config["max_requests_per_second"],
        )

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:
        """Read the files of `--config`, each once: it may be a pipe.

        Raises:
            TapCognitoError: If one of them is no JSON object.
        """
        read = super().cb_config(ctx, param, ())
        for path in value:
            if path == "ENV":
                read.parse_env = True
            else:
                read.config.update(singer_files.load_config(path))
        return read

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
            TapCognitoError: If the run cannot be made, or some stream could not be read.
        """
        super(Tap, cls).invoke(about=about, about_format=about_format)
        cls.print_version(print_fn=cls.logger.info)
        keys = {str(vars(stream)["name"]): vars(stream)["primary_keys"] for stream in STREAMS}
        tap = cls(
            config=config.config,
            parse_env_config=config.parse_env,
            state=singer_files.load_state(state, keys) if state else None,
            catalog=singer_files.load_catalog(catalog, keys) if catalog else None,
        )
        if not any(stream.selected for stream in tap.streams.values()):
            cls.logger.warning("The catalog selects no stream: there is nothing to do")
        tap.failures = []
        tap.sync_all()
        if tap.failures:
            *others, last = tap.failures
            for failure in others:
                cls.logger.error("%s", failure)
            raise last
