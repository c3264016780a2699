"""The second factors of each user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cognito.cognito.user_details import UserDetails
from tap_cognito.replication.columns import json_array, key, text
from tap_cognito.replication.stream import POOL_ID, CognitoStream

if TYPE_CHECKING:
    from tap_cognito.cognito.checkpoint import Checkpoint
    from tap_cognito.cognito.listing import UserPool
    from tap_cognito.cognito.source import Source


class UserMfaStream(CognitoStream):
    """The second factors of each user: one request a user."""

    name = "user_mfa"
    primary_keys = ("user_pool_id", "username")
    is_filtered = True
    columns = (
        POOL_ID,
        key("username", "Username", "The name of the user, unique in the pool."),
        text("preferred_mfa_setting", "PreferredMfaSetting", "The factor that is asked for first."),
        json_array(
            "mfa_settings",
            "UserMFASettingList",
            "The active factors: SMS_MFA, SOFTWARE_TOKEN_MFA, EMAIL_OTP.",
        ),
    )

    def source(self, pool: UserPool, checkpoint: Checkpoint) -> Source:  # noqa: ARG002
        """Request each user of the pool."""
        return UserDetails(pool, self.config.get("user_filter"), prove_empty=self.is_mirror)
