"""The regions that a pool is in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cognito.cognito.source import OneListing
from tap_cognito.replication.columns import key, text
from tap_cognito.replication.stream import POOL_ID, CognitoStream

if TYPE_CHECKING:
    from tap_cognito.cognito.checkpoint import Checkpoint
    from tap_cognito.cognito.listing import UserPool
    from tap_cognito.cognito.source import Source


class ReplicasStream(CognitoStream):
    """The regions of the pools: the primary one, and that of a replica."""

    name = "replicas"
    primary_keys = ("user_pool_id", "region_name")
    columns = (
        POOL_ID,
        key("region_name", "RegionName", "The region."),
        text("role", "Role", "PRIMARY or SECONDARY."),
        text("status", "Status", "CREATING, ACTIVE, INACTIVE or DELETING."),
        text("arn", "UserPoolArn", "The ARN of the pool in the region."),
    )

    def source(self, pool: UserPool, checkpoint: Checkpoint) -> Source:  # noqa: ARG002
        """Read all regions of the pool."""
        replicas = pool.listing("ListUserPoolReplicas", "UserPoolReplicas", "RegionName")
        return OneListing(pool.id, replicas)
