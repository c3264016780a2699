"""The pool itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cognito.cognito.source import OneListing
from tap_cognito.streams.base import POOL_ID, CognitoStream
from tap_cognito.streams.columns import date, integer, json_array, json_object, text

if TYPE_CHECKING:
    from tap_cognito.cognito.listing import UserPool
    from tap_cognito.cognito.source import Source
    from tap_cognito.streams.state import PoolProgress


class UserPoolStream(CognitoStream):
    """The pools themselves: one row for each."""

    name = "user_pool"
    primary_keys = ("user_pool_id",)
    modified_key = "LastModifiedDate"
    columns = (
        POOL_ID,
        text("id", "Id", "The id, as the API returns it."),
        text("arn", "Arn", "The ARN."),
        text("name", "Name", "The name of the pool."),
        text("status", "Status", "Not used by AWS any more."),
        integer("estimated_number_of_users", "EstimatedNumberOfUsers", "An estimate of AWS's."),
        text("mfa_configuration", "MfaConfiguration", "OFF, ON or OPTIONAL."),
        text("deletion_protection", "DeletionProtection", "ACTIVE or INACTIVE."),
        text("domain", "Domain", "The prefix of the domain of managed login."),
        json_array("schema_attributes", "SchemaAttributes", "The attributes that users may have."),
        json_object("policies", "Policies", "The password and sign-in policies."),
        json_object("lambda_config", "LambdaConfig", "The Lambda triggers."),
        json_object("tags", "UserPoolTags", "The tags."),
        date("created_at", "CreationDate", "When the pool was created, in UTC."),
        date("updated_at", "LastModifiedDate", "When the pool was last changed, in UTC."),
    )

    def source(self, pool: UserPool, progress: PoolProgress) -> Source:  # noqa: ARG002
        """Describe the pool."""
        return OneListing(pool.id, pool.listing("DescribeUserPool", "UserPool"))
