"""The tap's settings: what they are called and what they mean.

A new setting is one more `th.Property` here, and its lines in `meltano.yml`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th

if TYPE_CHECKING:
    from collections.abc import Mapping

_POOL_ID = r"^[\w-]+_[0-9A-Za-z]+$(?!\n)"
_REGION = r"^[a-z]{2,}(-[a-z]+)+-[0-9]+$(?!\n)"

SCHEMA: dict[str, Any] = th.PropertiesList(
    th.Property(
        "user_pool_id",
        th.StringType(pattern=_POOL_ID, max_length=55),
        required=True,
        title="User pool id",
        description="The user pool to read. Its page in the Cognito console shows the id.",
        examples=["us-east-1_AbCdEf123"],
    ),
    th.Property(
        "region",
        th.StringType(pattern=_REGION),
        title="AWS region",
        description="The region of the user pool. Default: the part of the pool id before `_`, "
        "when it is a region.",
        examples=["us-east-1"],
    ),
    th.Property(
        "aws_access_key_id",
        th.StringType(min_length=1),
        secret=True,
        title="AWS access key id",
        description="The id of an access key, or a reference to it. Without it and a profile, "
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
    ),
    th.Property(
        "api_key_id",
        th.StringType(min_length=1),
        title="Secret in Supabase Vault",
        description="The id, key id or name of the access key's secret in Supabase Vault, "
        "instead of `aws_secret_access_key`; needs `vault_url`.",
        examples=["cognito_secret_access_key"],
    ),
    th.Property(
        "vault_url",
        th.StringType(min_length=1),
        secret=True,
        title="Supabase Vault URL",
        description="The Postgres URL of the database that holds Supabase Vault, or a reference "
        "to it. Needs `tap-cognito[vault]`.",
        examples=["env://VAULT_URL"],
    ),
    th.Property(
        "aws_session_token",
        th.StringType(min_length=1),
        secret=True,
        title="AWS session token",
        description="The session token that temporary keys need beside the secret, or a "
        "reference to it.",
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
        description="The role to read the pool with, such as one of the pool's account. It is "
        "assumed with the identity of the settings above.",
        examples=["arn:aws:iam::123456789012:role/cognito-reader"],
    ),
    th.Property(
        "aws_assume_role_external_id",
        th.StringType(min_length=1),
        secret=True,
        title="External id",
        description="The external id that the role's trust policy asks for, or a reference to it.",
    ),
    th.Property(
        "aws_assume_role_session_name",
        th.StringType(pattern=r"^[\w+=,.@-]{2,64}$(?!\n)"),
        default="tap-cognito",
        title="Role session name",
        description="How the role's session is called in CloudTrail.",
    ),
    th.Property(
        "endpoint_url",
        th.StringType(pattern=r"^https?://[^/\s@]+(/\S*)?$(?!\n)"),
        title="Endpoint URL",
        description="Where Cognito is, for an emulator or a proxy. Default: AWS's own endpoint "
        "for the region.",
        examples=["http://localhost:5000"],
    ),
    th.Property(
        "user_filter",
        th.StringType(min_length=1, max_length=256),
        title="User filter",
        description="Read only the users that match this filter of ListUsers: one condition on "
        "one standard attribute, by `=` or `^=` (starts with).",
        examples=['status = "Enabled"', 'email ^= "a"'],
    ),
    th.Property(
        "attributes_format",
        th.StringType,
        default="object",
        allowed_values=["object", "list"],
        title="Attributes format",
        description="The form of the column `attributes`: `object` is one JSON object, name to "
        "value; `list` is the foreign table's array of one-key objects.",
    ),
    th.Property(
        "max_requests_per_second",
        th.IntegerType(minimum=1, maximum=1000),
        default=24,
        title="Requests per second",
        description="The pace of ListUsers and ListUsersInGroup. An account may send 30 a second "
        "in each region, all its pools and applications together; the default leaves them a fifth.",
    ),
    th.Property(
        "start_date",
        th.DateTimeType,
        title="Start date",
        description="For INCREMENTAL replication: users last changed before it are not sent.",
        examples=["2026-01-01T00:00:00Z"],
    ),
    th.Property(
        "lookback_seconds",
        th.IntegerType(minimum=0, maximum=31_536_000),
        default=600,
        title="Look-back",
        description="For INCREMENTAL replication: how long before the bookmark the next run "
        "begins, because Cognito may show a change late.",
    ),
    th.Property(
        "emit_activate_version_messages",
        th.BooleanType,
        default=False,
        title="Emit ACTIVATE_VERSION messages",
        description="For FULL_TABLE replication: after a scan that came to its end, let the target "
        "remove or mark the rows of users that are no longer in the pool.",
    ),
    additional_properties=False,
).to_dict()


def region(config: Mapping[str, Any]) -> str | None:
    """The pool's region: the setting, else the start of the pool id, else `None`."""
    if config.get("region"):
        return str(config["region"])
    start = str(config["user_pool_id"]).partition("_")[0]
    return start if re.match(_REGION, start) else None
