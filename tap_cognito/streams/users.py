"""The users of a pool, with the columns of the Cognito foreign table."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from tap_cognito.cognito.users import UserListings
from tap_cognito.errors import TapCognitoError
from tap_cognito.replication.columns import Column, boolean, date, key, storable, text
from tap_cognito.replication.stream import POOL_ID, CognitoStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from singer_sdk import Tap

    from tap_cognito.cognito.checkpoint import Checkpoint
    from tap_cognito.cognito.listing import Item, UserPool
    from tap_cognito.cognito.source import Source


def _email(user: Item) -> Any:
    email = None
    for attribute in user.get("Attributes") or ():
        if attribute["Name"] == "email":
            email = attribute.get("Value")
    return storable(email)


class UsersStream(CognitoStream):
    """The users of the pools."""

    name = "users"
    selected_by_default = True
    is_filtered = True
    primary_keys: Sequence[str] = ("username",)
    modified_key = "UserLastModifiedDate"
    columns: Sequence[Column] = (
        key("username", "Username", "The name of the user, unique in the pool."),
        Column(
            "email",
            {"type": ["string", "null"]},
            "The attribute `email`.",
            _email,
        ),
        text(
            "status", "UserStatus", "Such as CONFIRMED, FORCE_CHANGE_PASSWORD, EXTERNAL_PROVIDER."
        ),
        boolean("enabled", "Enabled", "Whether the user may sign in."),
        date("created_at", "UserCreateDate", "When the user was created, in UTC."),
        date("updated_at", "UserLastModifiedDate", "When the user was last changed, in UTC."),
    )

    def __init__(self, tap: Tap, *args: Any) -> None:
        self.columns = (*self.columns, _attributes_column(tap))
        if tap.config.get("user_pool_ids"):
            self.columns = (POOL_ID, *self.columns)
            self.primary_keys = (POOL_ID.name, *self.primary_keys)
        super().__init__(tap, *args)

    def source(self, pool: UserPool, checkpoint: Checkpoint) -> Source:
        """Read all users of the pool, in segments if that is faster."""
        return UserListings(
            pool, self.config.get("user_filter"), checkpoint, prove_empty=self.is_mirror
        )

    def check(self) -> str:
        """Make the first request in each region, and ask how many users there are."""
        counts = []
        for region in self._regions():
            for pool in region.pools(1):
                users = UserListings(pool, self.config.get("user_filter"))
                users.start()
                for listing in users.take_step().listings:
                    next(listing.read(threading.Event()))
                counts.append(f"{pool.id} has {_estimate(pool)}")
        return f"{self.name}: ok, by cognito-idp:ListUsers; {', '.join(counts)}"


def _attributes_column(tap: Tap) -> Column:
    """Make the column `attributes`, in the form and with the attributes of the settings."""
    kept = _attribute_filter(tap)
    if tap.config["attributes_format"] == "list":
        return Column(
            "attributes",
            {"type": ["array", "null"]},
            "The attributes, `sub` and `email` included: an array of one-key objects.",
            lambda user: [
                {storable(attribute["Name"]): storable(attribute.get("Value"))}
                for attribute in kept(user.get("Attributes") or ())
            ],
        )
    return Column(
        "attributes",
        {"type": ["object", "null"]},
        "The attributes, `sub` and `email` included: name to value.",
        lambda user: {
            storable(attribute["Name"]): storable(attribute.get("Value"))
            for attribute in kept(user.get("Attributes") or ())
        },
    )


def _attribute_filter(tap: Tap) -> Callable[[Iterable[Item]], Iterable[Item]]:
    """Make a function that keeps the attributes that the settings allow."""
    included = tap.config.get("attributes_include")
    excluded = tap.config.get("attributes_exclude")
    if included is not None:
        names = frozenset(included)
        return lambda attributes: [item for item in attributes if item["Name"] in names]
    if excluded:
        names = frozenset(excluded)
        return lambda attributes: [item for item in attributes if item["Name"] not in names]
    return lambda attributes: attributes


def _estimate(pool: UserPool) -> str:
    try:
        (page,) = pool.description.read(threading.Event())
    except TapCognitoError:
        return "an unknown number of users (cognito-idp:DescribeUserPool isn't allowed, or fails)"
    count = page.items[0].get("EstimatedNumberOfUsers") if page else None
    return f"about {count:,} users" if isinstance(count, int) else "an unknown number of users"
