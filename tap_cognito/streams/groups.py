"""The groups of a pool, and their members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cognito.cognito.source import Nested, OneListing
from tap_cognito.streams.base import POOL_ID, CognitoStream
from tap_cognito.streams.columns import date, integer, key, text

if TYPE_CHECKING:
    from tap_cognito.cognito.listing import Item, Listing, UserPool
    from tap_cognito.cognito.source import Source
    from tap_cognito.streams.state import PoolProgress


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

    def source(self, pool: UserPool, progress: PoolProgress) -> Source:  # noqa: ARG002
        """Read all groups of the pool."""
        return OneListing(pool.id, _groups(pool))


class GroupMembershipsStream(CognitoStream):
    """Which user is in which group."""

    name = "group_memberships"
    primary_keys = ("user_pool_id", "group_name", "username")
    columns = (
        POOL_ID,
        key("group_name", "GroupName", "The name of the group."),
        key("username", "Username", "The name of the user."),
    )

    def source(self, pool: UserPool, progress: PoolProgress) -> Source:
        """Read the members of all groups of the pool, groups side by side."""

        def members(group: Item) -> list[Listing]:
            name = group["GroupName"]
            listing = pool.listing("ListUsersInGroup", "Users", "Username", GroupName=name)
            return [listing.with_context(GroupName=name)]

        return Nested(pool.id, _groups(pool), members, done=progress.done)


def _groups(pool: UserPool) -> Listing:
    return pool.listing("ListGroups", "Groups", "GroupName")
