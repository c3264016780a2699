"""The factors of each user."""

from __future__ import annotations

from tap_cognito.cognito.details import Detail
from tap_cognito.replication.columns import json_array, key, text
from tap_cognito.replication.per_user import PerUserStream
from tap_cognito.replication.stream import POOL_ID


class UserMfaStream(PerUserStream):
    """The factors that each user signs in with: one request a user."""

    name = "user_mfa"
    primary_keys = ("user_pool_id", "username")
    details = (Detail("AdminGetUserAuthFactors"), Detail("AdminGetUser"))
    columns = (
        POOL_ID,
        key("username", "Username", "The name of the user, unique in the pool."),
        text("preferred_mfa_setting", "PreferredMfaSetting", "The factor that is asked for first."),
        json_array(
            "mfa_settings",
            "UserMFASettingList",
            "The active second factors: SMS_MFA, SOFTWARE_TOKEN_MFA, EMAIL_OTP.",
        ),
        json_array(
            "auth_factors",
            "ConfiguredUserAuthFactors",
            "What the user can sign in with: PASSWORD, WEB_AUTHN (a passkey), SOFTWARE_TOKEN, "
            "SMS_OTP, EMAIL_OTP. Null where it is unknown.",
        ),
    )
