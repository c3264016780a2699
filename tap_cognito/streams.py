"""The streams: which there are, and what a record of each looks like."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

from tap_cognito.errors import ResourceNotFoundError
from tap_cognito.progress import logged
from tap_cognito.scan import Scan
from tap_cognito.stream import CognitoStream, Column, Item, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk import Tap

    from tap_cognito.user_pool import UserPool

_TEXT = {"type": ["string", "null"]}
_KEY = {"type": ["string"]}
_BOOLEAN = {"type": ["boolean", "null"]}
_TIMESTAMP = {"type": ["string", "null"], "format": "date-time"}
_INTEGER = {"type": ["integer", "null"]}
_OBJECT = {"type": ["object", "null"]}
_ARRAY = {"type": ["array", "null"]}
"""Without the type of its items: target-postgres makes `jsonb` of it, else `jsonb[]`."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(value: Any) -> Any:
    """Replace what Postgres cannot store (NUL, lone surrogates) by U+FFFD, in a JSON value."""
    if isinstance(value, str):
        # The first test is the quick answer for nearly all.
        return value if value.isprintable() else _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {storable(key): storable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [storable(one) for one in value]
    return value


def _attributes(user: Item) -> dict[str, Any]:
    return {
        storable(one["Name"]): storable(one.get("Value")) for one in user.get("Attributes") or ()
    }


def _attribute_list(user: Item) -> list[dict[str, Any]]:
    return [
        {storable(one["Name"]): storable(one.get("Value"))} for one in user.get("Attributes") or ()
    ]


def _email(user: Item) -> Any:
    email = None
    for one in user.get("Attributes") or ():
        if one["Name"] == "email":
            email = one.get("Value")
    return storable(email)


def _key(name: str, key: str) -> Column:
    return Column(name, _KEY, lambda item: storable(item[key]))


def _value(name: str, schema: dict[str, Any], key: str) -> Column:
    return Column(name, schema, lambda item: storable(item.get(key)))


def _text(name: str, key: str) -> Column:
    return _value(name, _TEXT, key)


def _date(name: str, key: str) -> Column:
    return Column(name, _TIMESTAMP, lambda item: timestamp(item, key))


_POOL = _key("user_pool_id", "UserPoolId")


class UsersStream(CognitoStream):
    """The users of the pool, with the columns of the Cognito foreign table."""

    name = "users"
    primary_keys = ("username",)
    modified_key = "UserLastModifiedDate"
    columns = (
        _key("username", "Username"),
        Column("email", _TEXT, _email),
        _text("status", "UserStatus"),
        _value("enabled", _BOOLEAN, "Enabled"),
        _date("created_at", "UserCreateDate"),
        _date("updated_at", "UserLastModifiedDate"),
        Column("attributes", _OBJECT, _attributes),
    )

    def __init__(self, tap: Tap, *args: Any) -> None:
        if tap.config["attributes_format"] == "list":
            self.columns = (*self.columns[:-1], Column("attributes", _ARRAY, _attribute_list))
        super().__init__(tap, *args)

    def read(self, pool: UserPool) -> Iterator[list[Item]]:  # noqa: D102 - as in the base
        user_filter = self.config.get("user_filter")
        pages = Scan(pool, user_filter).pages()
        return logged(pages, self.logger, pool, is_whole_pool=not user_filter)

    def is_empty(self, pool: UserPool) -> bool:  # noqa: D102 - as in the base
        # The pool cannot say how many users a filter matches; the filter is taken at its word.
        return bool(self.config.get("user_filter")) or pool.estimated_users() == 0


class _OptionalStream(CognitoStream):
    """A stream that an existing pipeline did not ask for."""

    selected_by_default = False


class GroupsStream(_OptionalStream):
    """The groups of the pool."""

    name = "groups"
    primary_keys = ("user_pool_id", "group_name")
    modified_key = "LastModifiedDate"
    columns = (
        _POOL,
        _key("group_name", "GroupName"),
        _text("description", "Description"),
        _text("role_arn", "RoleArn"),
        _value("precedence", _INTEGER, "Precedence"),
        _date("created_at", "CreationDate"),
        _date("updated_at", "LastModifiedDate"),
    )

    def read(self, pool: UserPool) -> Iterator[list[Item]]:  # noqa: D102 - as in the base
        for page in pool.pages("ListGroups", "Groups"):
            yield page.items


class GroupMembershipsStream(_OptionalStream):
    """Which user is in which group."""

    name = "group_memberships"
    primary_keys = ("user_pool_id", "group_name", "username")
    columns = (_POOL, _key("group_name", "GroupName"), _key("username", "Username"))

    def read(self, pool: UserPool) -> Iterator[list[Item]]:  # noqa: D102 - as in the base
        # All groups first: the token of their next page would expire while members are read.
        groups = [group for page in pool.pages("ListGroups", "Groups") for group in page.items]
        for group in groups:
            name = group["GroupName"]
            # A group that is gone by now has no members.
            with contextlib.suppress(ResourceNotFoundError):
                for page in pool.pages("ListUsersInGroup", "Users", GroupName=name):
                    yield [{"GroupName": name, **user} for user in page.items]


class IdentityProvidersStream(_OptionalStream):
    """The identity providers of the pool, without their secrets."""

    name = "identity_providers"
    primary_keys = ("user_pool_id", "provider_name")
    modified_key = "LastModifiedDate"
    columns = (
        _POOL,
        _key("provider_name", "ProviderName"),
        _text("provider_type", "ProviderType"),
        _value("attribute_mapping", _OBJECT, "AttributeMapping"),
        _value("idp_identifiers", _ARRAY, "IdpIdentifiers"),
        _date("created_at", "CreationDate"),
        _date("updated_at", "LastModifiedDate"),
    )

    def read(self, pool: UserPool) -> Iterator[list[Item]]:  # noqa: D102 - as in the base
        is_described = any(
            self.mask["properties", name] for name in ("attribute_mapping", "idp_identifiers")
        )
        for page in pool.pages("ListIdentityProviders", "Providers"):
            if not is_described:
                yield page.items
                continue
            for one in page.items:
                with contextlib.suppress(ResourceNotFoundError):
                    yield [
                        pool.describe(
                            "DescribeIdentityProvider",
                            "IdentityProvider",
                            ProviderName=one["ProviderName"],
                        )
                    ]


class AppClientsStream(_OptionalStream):
    """The app clients of the pool, without their secrets."""

    name = "app_clients"
    primary_keys = ("user_pool_id", "client_id")
    columns = (_POOL, _key("client_id", "ClientId"), _text("client_name", "ClientName"))

    def read(self, pool: UserPool) -> Iterator[list[Item]]:  # noqa: D102 - as in the base
        for page in pool.pages("ListUserPoolClients", "UserPoolClients"):
            yield page.items


class UserPoolStream(_OptionalStream):
    """The pool itself: one row."""

    name = "user_pool"
    primary_keys = ("user_pool_id",)
    modified_key = "LastModifiedDate"
    columns = (
        _POOL,
        _text("id", "Id"),
        _text("arn", "Arn"),
        _text("name", "Name"),
        _text("status", "Status"),
        _value("estimated_number_of_users", _INTEGER, "EstimatedNumberOfUsers"),
        _text("mfa_configuration", "MfaConfiguration"),
        _text("deletion_protection", "DeletionProtection"),
        _text("domain", "Domain"),
        _value("schema_attributes", _ARRAY, "SchemaAttributes"),
        _value("policies", _OBJECT, "Policies"),
        _value("lambda_config", _OBJECT, "LambdaConfig"),
        _value("tags", _OBJECT, "UserPoolTags"),
        _date("created_at", "CreationDate"),
        _date("updated_at", "LastModifiedDate"),
    )

    def read(self, pool: UserPool) -> Iterator[list[Item]]:  # noqa: D102 - as in the base
        yield [pool.describe("DescribeUserPool", "UserPool")]


STREAMS: tuple[type[CognitoStream], ...] = (
    UsersStream,
    GroupsStream,
    GroupMembershipsStream,
    IdentityProvidersStream,
    AppClientsStream,
    UserPoolStream,
)
"""All streams of the tap."""
