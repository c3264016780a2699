"""The tap's settings: what they are called, what they mean, what to do about a wrong value.

A new setting is one more `th.Property` here. `python3 dev.py docs` writes it into the documents
and `meltano.yml`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th

if TYPE_CHECKING:
    from collections.abc import Mapping

_REGION = r"^[a-z]{2,}(-[a-z]+)+-[0-9]+$(?!\n)"
POOL_ID = r"^[\w-]+_[0-9A-Za-z]+$(?!\n)"
_POOL_ID_OR_PATTERN = r"^[\w-]+_([0-9A-Za-z]+|\*)$(?!\n)"
PERSONAL_COLUMNS = (
    "user_sessions.last_ip_address",
    "user_sessions.last_location",
    "user_auth_events.event_context",
    "user_devices.device_name",
    "user_devices.last_ip_address",
)
"""Columns that no default and no wildcard selects."""

_PACE = "set it to a whole number from 1 to 1000; "

SCHEMA: dict[str, Any] = th.PropertiesList(
    th.Property(
        "user_pool_id",
        th.StringType(pattern=POOL_ID, max_length=55),
        title="User pool id",
        description="The user pool to read. Its page in the Cognito console shows the id. "
        "Set this or `user_pool_ids`.",
        examples=["us-east-1_AbCdEf123"],
        advice="set it to the id of a user pool, such as us-east-1_AbCdEf123",
    ),
    th.Property(
        "user_pool_ids",
        th.ArrayType(th.StringType(pattern=_POOL_ID_OR_PATTERN, max_length=55)),
        title="User pool ids",
        description="Several user pools to read in one run: pool ids and patterns. A pattern is a "
        "region, `_` and `*`, which stands for any id.",
        examples=[["eu-west-1_*", "us-east-1_AbCdEf123"]],
        advice='set it to a list of pool ids and patterns, such as ["eu-west-1_*"]',
        minItems=1,
        uniqueItems=True,
    ),
    th.Property(
        "region",
        th.StringType(pattern=_REGION),
        title="AWS region",
        description="The region to read the pool in, such as that of a replica. Default: the part "
        "of the pool id before `_`, when it is a region.",
        examples=["us-east-1"],
        advice="set it to an AWS region, such as us-east-1",
    ),
    th.Property(
        "aws_access_key_id",
        th.StringType(min_length=1),
        secret=True,
        title="AWS access key id",
        description="The id of an access key, or a reference to it. Without a key or a profile, "
        "boto3's default credential chain is used: environment, shared config and SSO, "
        "container, web identity, instance.",
        examples=["AKIAIOSFODNN7EXAMPLE", "env://COGNITO_KEY_ID"],
    ),
    th.Property(
        "aws_secret_access_key",
        th.StringType(min_length=1),
        secret=True,
        title="AWS secret access key",
        description="The secret of the access key, or a reference to it.",
        examples=["file:///run/secrets/cognito", "aws-ssm:///cognito/reader-secret"],
        requires_properties=["aws_access_key_id"],
    ),
    th.Property(
        "api_key_id",
        th.StringType(min_length=1),
        title="Secret in Supabase Vault",
        description="The id, key id or name of the access key's secret in Supabase Vault, "
        "instead of `aws_secret_access_key`; needs `vault_url`.",
        examples=["cognito_secret_access_key"],
        requires_properties=["aws_access_key_id", "vault_url"],
    ),
    th.Property(
        "vault_url",
        th.StringType(min_length=1),
        secret=True,
        title="Supabase Vault URL",
        description="The Postgres URL of the database that holds Supabase Vault, or a reference "
        "to it. Needs the extra `vault`.",
        examples=["env://VAULT_URL"],
    ),
    th.Property(
        "aws_session_token",
        th.StringType(min_length=1),
        secret=True,
        title="AWS session token",
        description="The session token of temporary keys, or a reference to it.",
        requires_properties=["aws_access_key_id"],
    ),
    th.Property(
        "aws_profile",
        th.StringType(min_length=1),
        title="AWS profile",
        description="A profile of the shared AWS config and credentials files.",
    ),
    th.Property(
        "aws_assume_role_arn",
        th.StringType(pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/\S+$(?!\n)"),
        title="AWS role",
        description="The role to read the pool with, such as one of the pool's account. The "
        "identity of the settings above assumes it.",
        examples=["arn:aws:iam::123456789012:role/cognito-reader"],
        advice="set it to a role such as arn:aws:iam::123456789012:role/reader",
    ),
    th.Property(
        "aws_assume_role_external_id",
        th.StringType(min_length=1),
        secret=True,
        title="External id",
        description="The external id that the role's trust policy asks for, or a reference to it.",
        requires_properties=["aws_assume_role_arn"],
    ),
    th.Property(
        "aws_assume_role_session_name",
        th.StringType(pattern=r"^[\w+=,.@-]{2,64}$(?!\n)"),
        default="tap-cognito",
        title="Role session name",
        description="The name of the role's session in CloudTrail.",
        advice="set it to 2 to 64 letters, digits or characters of +=,.@-",
    ),
    th.Property(
        "endpoint_url",
        th.StringType(pattern=r"^https?://[^/\s@?#]+(/[^\s@?#]*)?$(?!\n)"),
        title="Endpoint URL",
        description="The address of Cognito, for an emulator or a proxy. Default: AWS's own "
        "endpoint for the region.",
        examples=["http://localhost:5000"],
        advice="set it to an http:// or https:// URL without a user, a password or a query, "
        "or leave it out",
    ),
    th.Property(
        "allow_http",
        th.BooleanType,
        default=False,
        title="Allow HTTP",
        description="Send requests, which carry session tokens, over `http://` to hosts other "
        "than this machine.",
    ),
    th.Property(
        "user_filter",
        th.StringType(min_length=1, max_length=256),
        title="User filter",
        description="Read only the users that match this filter of ListUsers: one condition on "
        "one standard attribute, with `=` or `^=` (starts with).",
        examples=['status = "Enabled"', 'email ^= "a"'],
        advice="ListUsers takes up to 256 characters",
    ),
    th.Property(
        "attributes_format",
        th.StringType,
        default="object",
        allowed_values=["object", "list"],
        title="Attributes format",
        description="The form of the column `attributes`: `object` is one JSON object of names and "
        "values; `list` is the foreign table's array of one-key objects.",
    ),
    th.Property(
        "attributes_include",
        th.ArrayType(th.StringType(min_length=1)),
        title="Attributes to include",
        description="The only attributes to keep in the column `attributes`, by name. All others "
        "never leave the tap.",
        examples=[["sub", "custom:tenant"]],
        advice='set it to a list of attribute names, such as ["sub", "custom:tenant"]',
    ),
    th.Property(
        "attributes_exclude",
        th.ArrayType(th.StringType(min_length=1)),
        title="Attributes to exclude",
        description="Attributes to leave out of the column `attributes`, by name. They never "
        "leave the tap.",
        examples=[["email", "phone_number"]],
        advice='set it to a list of attribute names, such as ["email", "phone_number"]',
    ),
    th.Property(
        "max_requests_per_second",
        th.IntegerType(minimum=1, maximum=1000),
        default=24,
        title="Requests per second",
        description="The pace of ListUsers and ListUsersInGroup. An account may send 30 a second "
        "per region, for all its pools and applications; the default leaves a fifth to others.",
        advice=f"{_PACE}AWS's quota is 30",
    ),
    th.Property(
        "user_mfa_requests_per_second",
        th.IntegerType(minimum=1, maximum=1000),
        default=10,
        title="Requests per second of user_mfa",
        description="The pace of AdminGetUserAuthFactors and AdminGetUser, one of which the stream "
        "`user_mfa` calls for each user. Their quota, 120 a second unless AWS raised it, is shared "
        "with sign-ins.",
        advice=f"{_PACE}AWS's quota is 120, shared with sign-ins",
    ),
    th.Property(
        "user_details_requests_per_second",
        th.IntegerType(minimum=1, maximum=1000),
        default=10,
        title="Requests per second of sessions, events and devices",
        description="The pace of the operations that the streams `user_sessions`, "
        "`user_auth_events` and `user_devices` call for each user. Their quota, 50 a second unless "
        "AWS raised it, is shared with the applications.",
        advice=f"{_PACE}AWS's quota is 50, shared with the applications",
    ),
    th.Property(
        "personal_columns",
        th.ArrayType(th.StringType(allowed_values=list(PERSONAL_COLUMNS))),
        title="Personal columns",
        description="Columns with addresses, places and devices of users, which exist only if they "
        f"are named here: {', '.join(f'`{name}`' for name in PERSONAL_COLUMNS)}.",
        examples=[["user_sessions.last_ip_address"]],
        advice='set it to a list of columns, such as ["user_sessions.last_ip_address"]',
    ),
    th.Property(
        "start_date",
        th.DateTimeType,
        title="Start date",
        description="For INCREMENTAL replication: users last changed before it aren't sent.",
        examples=["2026-01-01T00:00:00Z"],
    ),
    th.Property(
        "lookback_seconds",
        th.IntegerType(minimum=0, maximum=31_536_000),
        default=600,
        title="Look-back",
        description="For INCREMENTAL replication: how far before the bookmark the next run "
        "starts, because Cognito may show a change late.",
        advice="set it to a number of seconds, up to a year",
    ),
    th.Property(
        "emit_activate_version_messages",
        th.BooleanType,
        default=False,
        title="Emit ACTIVATE_VERSION messages",
        description="For FULL_TABLE replication: after a complete scan, let the target remove or "
        "mark the rows of users that are no longer in the pool.",
    ),
    th.Property(
        "resume_within_hours",
        th.NumberType(minimum=0, maximum=8760),
        default=6,
        title="Resume within",
        description="A run continues a scan that was cut off if its last progress was at most this "
        "many hours ago, and its beginning ten times as many; otherwise it starts over. 0: never.",
        advice="set it to a number of hours, up to a year, or to 0",
    ),
    additional_properties=False,
).to_dict()
"""The JSON Schema of the settings. `advice`, beside a rule, says what to do when it is broken."""

SECRETS = tuple(name for name, setting in SCHEMA["properties"].items() if setting.get("secret"))
"""The settings whose values are secret, or references to secrets."""


def pools(config: Mapping[str, Any]) -> list[str]:
    """List the pool ids and patterns of a configuration.

    Args:
        config: The tap's settings.

    Returns:
        The values of `user_pool_ids`, or that of `user_pool_id` alone.
    """
    return config.get("user_pool_ids") or [config["user_pool_id"]]


def region(config: Mapping[str, Any]) -> str | None:
    """Return the region of the first pool; STS and secret stores are asked there.

    Args:
        config: The tap's settings.

    Returns:
        The setting `region`, else the start of the pool id, else `None`.
    """
    if config.get("region"):
        return str(config["region"])
    start = pools(config)[0].partition("_")[0]
    return start if re.match(_REGION, start) else None
