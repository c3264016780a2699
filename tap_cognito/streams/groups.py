"""The groups of a pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cognito.cognito.source import OneListing
from tap_cognito.replication.columns import date, integer, key, text
from tap_cognito.replication.stream import POOL_ID, CognitoStream

if TYPE_CHECKING:
    from tap_cognito.cognito.checkpoint import Checkpoint
    from tap_cognito.cognito.listing import UserPool
    from tap_cognito.cognito.source import Source


class GroupsStream(CognitoStream):
    """The groups of the pools."""

    name = "groups"
    primary_keys = ("user_pool_id", "group_name")
    modified_key = "LastModifiedDate"
    columns = (
        POOL_ID,
        key("group_name", "GroupName", "The name of the group, unique in the pool."),
        text("description", "Description", "What the group is for."),
        text("role_arn", "RoleArn", "The IAM role that its members assume in an identity pool."),
        integer("precedence", "Precedence", "Which group's role counts: the lowest number wins."),
        date("created_at", "CreationDate", "When the group was created, in UTC."),
        date("updated_at", "LastModifiedDate", "When the group was last changed, in UTC."),
    )

    def source(self, pool: UserPool, checkpoint: Checkpoint) -> Source:  # noqa: ARG002
        """Read all groups of the pool."""
        return OneListing(pool.id, pool.listing("ListGroups", "Groups", "GroupName"))
