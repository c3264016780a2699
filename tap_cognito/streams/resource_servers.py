"""The resource servers of a pool, and the scopes of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cognito.cognito.source import OneListing
from tap_cognito.replication.columns import json_array, key, text
from tap_cognito.replication.stream import POOL_ID, CognitoStream

if TYPE_CHECKING:
    from tap_cognito.cognito.checkpoint import Checkpoint
    from tap_cognito.cognito.listing import UserPool
    from tap_cognito.cognito.source import Source


class ResourceServersStream(CognitoStream):
    """The resource servers of the pools."""

    name = "resource_servers"
    primary_keys = ("user_pool_id", "identifier")
    columns = (
        POOL_ID,
        key("identifier", "Identifier", "What its scopes begin with, such as the URL of an API."),
        text("name", "Name", "The name of the resource server."),
        json_array(
            "scopes",
            "Scopes",
            "The scopes that app clients may ask for.",
            "ScopeName",
            "ScopeDescription",
        ),
        text("managed_by", "ManagedBy", "COGNITO if AWS created it."),
    )

    def source(self, pool: UserPool, checkpoint: Checkpoint) -> Source:  # noqa: ARG002
        """Read all resource servers of the pool."""
        servers = pool.listing("ListResourceServers", "ResourceServers", "Identifier")
        return OneListing(pool.id, servers)
