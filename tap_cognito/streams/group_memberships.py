"""The members of a pool's groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cognito.cognito.source import Nested
from tap_cognito.replication.columns import key
from tap_cognito.replication.stream import POOL_ID, CognitoStream

if TYPE_CHECKING:
    from tap_cognito.cognito.checkpoint import Checkpoint
    from tap_cognito.cognito.listing import Item, Listing, UserPool
    from tap_cognito.cognito.source import Source


class GroupMembershipsStream(CognitoStream):
    """Which user is in which group."""

    name = "group_memberships"
    primary_keys = ("user_pool_id", "group_name", "username")
    columns = (
        POOL_ID,
        key("group_name", "GroupName", "The name of the group."),
        key("username", "Username", "The name of the user."),
    )

    def source(self, pool: UserPool, checkpoint: Checkpoint) -> Source:
        """Read the members of all groups of the pool, groups side by side."""

        def members(group: Item) -> list[Listing]:
            name = group["GroupName"]
            listing = pool.listing("ListUsersInGroup", "Users", "Username", GroupName=name)
            return [listing.with_context(GroupName=name)]

        return Nested(
            pool.id, pool.listing("ListGroups", "Groups", "GroupName"), members, checkpoint
        )
