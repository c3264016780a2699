"""The app clients of a pool, without their secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cognito.cognito.source import OneListing
from tap_cognito.streams.base import POOL_ID, CognitoStream
from tap_cognito.streams.columns import key, text

if TYPE_CHECKING:
    from tap_cognito.cognito.listing import UserPool
    from tap_cognito.cognito.source import Source
    from tap_cognito.streams.state import PoolProgress


class AppClientsStream(CognitoStream):
    """The app clients of the pools."""

    name = "app_clients"
    primary_keys = ("user_pool_id", "client_id")
    columns = (
        POOL_ID,
        key("client_id", "ClientId", "The id of the app client."),
        text("client_name", "ClientName", "The name of the app client."),
    )

    def source(self, pool: UserPool, progress: PoolProgress) -> Source:  # noqa: ARG002
        """Read all app clients of the pool."""
        return OneListing(
            pool.id, pool.listing("ListUserPoolClients", "UserPoolClients", "ClientId")
        )
