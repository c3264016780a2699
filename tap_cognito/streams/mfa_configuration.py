"""The second factors that a pool allows or requires."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cognito.cognito.source import OneListing
from tap_cognito.replication.columns import json_object, text
from tap_cognito.replication.stream import POOL_ID, CognitoStream
from tap_cognito.streams.user_pool import SMS_MEMBERS

if TYPE_CHECKING:
    from tap_cognito.cognito.checkpoint import Checkpoint
    from tap_cognito.cognito.listing import UserPool
    from tap_cognito.cognito.source import Source


class MfaConfigurationStream(CognitoStream):
    """The second factors of the pools: one row for each."""

    name = "mfa_configuration"
    primary_keys = ("user_pool_id",)
    columns = (
        POOL_ID,
        text("mfa_configuration", "MfaConfiguration", "OFF, ON or OPTIONAL."),
        json_object(
            "sms_mfa_configuration",
            "SmsMfaConfiguration",
            "Codes by SMS: the message and how it is sent, without the external ids.",
            "SmsAuthenticationMessage",
            *(f"SmsConfiguration.{member}" for member in SMS_MEMBERS),
        ),
        json_object(
            "software_token_mfa_configuration",
            "SoftwareTokenMfaConfiguration",
            "Whether codes of an authenticator app are accepted.",
            "Enabled",
        ),
        json_object(
            "email_mfa_configuration",
            "EmailMfaConfiguration",
            "Codes by e-mail: the message.",
            "Message",
            "Subject",
        ),
        json_object(
            "web_authn_configuration",
            "WebAuthnConfiguration",
            "Passkeys: the relying party, and whether the user must be verified.",
            "RelyingPartyId",
            "UserVerification",
            "FactorConfiguration",
        ),
    )

    def source(self, pool: UserPool, checkpoint: Checkpoint) -> Source:  # noqa: ARG002
        """Read the pool's factors."""
        return OneListing(pool.id, pool.listing("GetUserPoolMfaConfig", None))
