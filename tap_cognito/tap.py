"""The tap: settings in, streams out. It only wires."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import click

from tap_cognito.cognito import pools
from tap_cognito.cognito.client import CognitoClient
from tap_cognito.cognito.quotas import Quotas
from tap_cognito.errors import StreamsFailedError, TapCognitoError
from tap_cognito.identity import credentials, secret_references
from tap_cognito.replication.per_user import PACE_SETTINGS
from tap_cognito.replication.progress import format_outcomes
from tap_cognito.singer.sdk import SingerTap
from tap_cognito.streams import NAMES, STREAMS

if TYPE_CHECKING:
    from singer_sdk import Stream

    from tap_cognito.cognito.pools import Region
    from tap_cognito.replication.stream import CognitoStream


class TapCognito(SingerTap):
    """Reads the users of AWS Cognito user pools, and what else is in them."""

    name = "tap-cognito"

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

    def read_all(self) -> None:
        """Read all selected streams.

        Raises:
            StreamsFailedError: If several streams or pools couldn't be read; the others were.
            TapCognitoError: If one couldn't be read, or none is selected.
        """
        self._require_streams()
        self._regions()  # without pools and credentials there is no run
        try:
            self.sync_streams()
        finally:
            self._log_result()
        self._raise_failures()

    def _log_result(self) -> None:
        """Log what came of all streams: the last line of a complete run."""
        outcomes = [stream.outcome for stream in self.selected_streams]
        self.logger.info("%s", format_outcomes(outcomes))

    def check_all(self) -> None:
        """Make the first request of each selected stream, and print a line for each.

        Raises:
            StreamsFailedError: If several streams may not be read.
            TapCognitoError: If one may not be read, or none is selected.
        """
        self._require_streams()
        for stream in self.selected_streams:
            try:
                click.echo(stream.check())
            except TapCognitoError as error:  # noqa: PERF203 - the others are tested too
                self._failures.append(TapCognitoError(f"`{stream.name}`: {error}"))
        self._raise_failures()

    def _require_streams(self) -> None:
        if not self.selected_streams:
            raise TapCognitoError(
                "the catalog selects no stream: check the names in `select` of Meltano, or "
                "`selected` in the catalog"
            )

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
                    **{quota: config[setting] for quota, setting in PACE_SETTINGS.items()},
                }
            )
            return CognitoClient(session, quotas, config.get("endpoint_url"), region)

        if patterns := config.get("user_pool_ids"):
            region = config.get("region")
            regions = pools.resolve(patterns, lambda prefix: client_of(region or prefix))
            self._failures += [found.failure for found in regions if found.failure]
            return regions
        client = client_of(None)
        pool_id = config["user_pool_id"]
        if client.region != pools.region_of(pool_id):
            self.logger.info("Reading %s in %s, as a replica", pool_id, client.region)
        return [pools.Region(client, [pool_id])]
