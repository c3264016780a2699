"""The pool itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cognito.cognito.enriched import Extra
from tap_cognito.cognito.source import OneListing
from tap_cognito.replication.columns import (
    Column,
    date,
    integer,
    json_array,
    json_object,
    of_extra,
    text,
)
from tap_cognito.replication.stream import POOL_ID, CognitoStream

if TYPE_CHECKING:
    from tap_cognito.cognito.checkpoint import Checkpoint
    from tap_cognito.cognito.listing import UserPool
    from tap_cognito.cognito.source import Source

SMS_MEMBERS = (
    "SnsCallerArn",
    "SnsRegion",
    "EumsSms.CallerArn",
    "EumsSms.OriginationIdentity",
    "EumsSms.ConfigurationSetName",
    "EumsSms.InEntityId",
    "EumsSms.InTemplateId",
    "EumsSms.Region",
)
"""How SMS are sent, without the external ids: they work as passwords of the roles."""

_PASSWORD = (
    "MinimumLength",
    "RequireUppercase",
    "RequireLowercase",
    "RequireNumbers",
    "RequireSymbols",
    "PasswordHistorySize",
    "TemporaryPasswordValidityDays",
)
_TRIGGERS = (
    "PreSignUp",
    "CustomMessage",
    "PostConfirmation",
    "PreAuthentication",
    "PostAuthentication",
    "DefineAuthChallenge",
    "CreateAuthChallenge",
    "VerifyAuthChallengeResponse",
    "PreTokenGeneration",
    "UserMigration",
)
_VERSIONED_TRIGGERS = (
    "PreTokenGenerationConfig",
    "CustomSMSSender",
    "CustomEmailSender",
    "InboundFederation",
)

_IDENTITY: tuple[Column, ...] = (
    POOL_ID,
    text("id", "Id", "The id, as the API returns it."),
    text("arn", "Arn", "The ARN."),
    text("name", "Name", "The name of the pool."),
    text("status", "Status", "No longer used by AWS."),
    text("tier", "UserPoolTier", "The feature plan: LITE, ESSENTIALS or PLUS."),
    integer("estimated_number_of_users", "EstimatedNumberOfUsers", "AWS's estimate."),
    text("deletion_protection", "DeletionProtection", "ACTIVE or INACTIVE."),
    text("domain", "Domain", "The prefix of the domain of managed login."),
    text("custom_domain", "CustomDomain", "The custom domain of managed login."),
    json_object("tags", "UserPoolTags", "The tags."),
)
_SIGN_IN: tuple[Column, ...] = (
    text("mfa_configuration", "MfaConfiguration", "OFF, ON or OPTIONAL."),
    json_object(
        "policies",
        "Policies",
        "The password and sign-in policies.",
        "SignInPolicy.AllowedFirstAuthFactors",
        *(f"PasswordPolicy.{member}" for member in _PASSWORD),
    ),
    json_object(
        "username_configuration",
        "UsernameConfiguration",
        "Whether the case of user names matters.",
        "CaseSensitive",
    ),
    json_array(
        "username_attributes", "UsernameAttributes", "The attributes that serve as user names."
    ),
    json_array(
        "alias_attributes", "AliasAttributes", "The attributes to sign in with beside the name."
    ),
    json_object(
        "account_recovery_setting",
        "AccountRecoverySetting",
        "How users who forgot their password get in again, by priority.",
        "RecoveryMechanisms.Priority",
        "RecoveryMechanisms.Name",
    ),
    json_object(
        "admin_create_user_config",
        "AdminCreateUserConfig",
        "Whether only administrators create users, and how they invite them.",
        "AllowAdminCreateUserOnly",
        "UnusedAccountValidityDays",
        "InviteMessageTemplate.SMSMessage",
        "InviteMessageTemplate.EmailMessage",
        "InviteMessageTemplate.EmailSubject",
    ),
    json_object(
        "device_configuration",
        "DeviceConfiguration",
        "Whether devices are remembered, and who decides.",
        "ChallengeRequiredOnNewDevice",
        "DeviceOnlyRememberedOnUserPrompt",
    ),
    json_object(
        "add_ons",
        "UserPoolAddOns",
        "Threat protection: OFF, AUDIT or ENFORCED.",
        "AdvancedSecurityMode",
        "AdvancedSecurityAdditionalFlows.CustomAuthMode",
    ),
    json_object(
        "dcr_configuration",
        "DcrConfiguration",
        "Whether app clients may register themselves, and what they may do.",
        "EnableStatus",
        "OpenDcrEnabled",
        "AuthenticatedGrantTypes",
        "OpenDcrGrantTypes",
        "AllowedScopes",
    ),
    json_object(
        "acr_configuration",
        "AcrConfiguration",
        "The authentication contexts, by their names.",
        "*.AcrValue",
    ),
)
_ATTRIBUTES: tuple[Column, ...] = (
    json_array(
        "schema_attributes",
        "SchemaAttributes",
        "The attributes that users may have.",
        "Name",
        "AttributeDataType",
        "DeveloperOnlyAttribute",
        "Mutable",
        "Required",
        "NumberAttributeConstraints.MinValue",
        "NumberAttributeConstraints.MaxValue",
        "StringAttributeConstraints.MinLength",
        "StringAttributeConstraints.MaxLength",
    ),
    json_array(
        "auto_verified_attributes",
        "AutoVerifiedAttributes",
        "The attributes that Cognito verifies by itself.",
    ),
    json_object(
        "user_attribute_update_settings",
        "UserAttributeUpdateSettings",
        "The attributes whose new value counts only when it is verified.",
        "AttributesRequireVerificationBeforeUpdate",
    ),
)
_MESSAGES: tuple[Column, ...] = (
    json_object(
        "verification_message_template",
        "VerificationMessageTemplate",
        "The messages that verify an address or a number.",
        "SmsMessage",
        "EmailMessage",
        "EmailSubject",
        "EmailMessageByLink",
        "EmailSubjectByLink",
        "DefaultEmailOption",
    ),
    text("sms_verification_message", "SmsVerificationMessage", "The same by SMS, the older form."),
    text(
        "email_verification_message",
        "EmailVerificationMessage",
        "The same by e-mail, the older form.",
    ),
    text("email_verification_subject", "EmailVerificationSubject", "The subject of that e-mail."),
    text(
        "sms_authentication_message", "SmsAuthenticationMessage", "The message with a code by SMS."
    ),
    json_object(
        "email_configuration",
        "EmailConfiguration",
        "How e-mails are sent.",
        "SourceArn",
        "ReplyToEmailAddress",
        "EmailSendingAccount",
        "From",
        "ConfigurationSet",
    ),
    text("email_configuration_failure", "EmailConfigurationFailure", "Why they can't be sent."),
    json_object(
        "sms_configuration",
        "SmsConfiguration",
        "How SMS are sent, without the external ids.",
        *SMS_MEMBERS,
    ),
    text("sms_configuration_failure", "SmsConfigurationFailure", "Why they can't be sent."),
)
_INTEGRATION: tuple[Column, ...] = (
    json_object(
        "lambda_config",
        "LambdaConfig",
        "The Lambda triggers.",
        "KMSKeyID",
        *_TRIGGERS,
        *(
            f"{trigger}.{member}"
            for trigger in _VERSIONED_TRIGGERS
            for member in ("LambdaArn", "LambdaVersion")
        ),
    ),
    json_object(
        "key_configuration",
        "KeyConfiguration",
        "Whose key encrypts the users, and its ARN.",
        "KeyType",
        "KmsKeyArn",
    ),
    json_object(
        "issuer_configuration",
        "IssuerConfiguration",
        "Which form of issuer the tokens have.",
        "Type",
    ),
    date("created_at", "CreationDate", "When the pool was created, in UTC."),
    date("updated_at", "LastModifiedDate", "When the pool was last changed, in UTC."),
)
_SESSIONS = Extra("GetUserPoolSessionConfiguration")
_OF_SESSIONS: tuple[Column, ...] = (
    of_extra(
        _SESSIONS,
        text("session_tracking", "UserSessionTracking", "Whether sessions are tracked: ENABLED."),
        lambda found: found[0],
    ),
    of_extra(
        _SESSIONS,
        integer("max_sessions_per_user", "MaxPerUser", "The most sessions that a user may have."),
        lambda found: found[0].get("TokenSession") or {},
    ),
)
"""The columns that cost a request more."""


class UserPoolStream(CognitoStream):
    """The pools themselves: one row for each."""

    name = "user_pool"
    primary_keys = ("user_pool_id",)
    modified_key = "LastModifiedDate"
    columns = (*_IDENTITY, *_SIGN_IN, *_ATTRIBUTES, *_MESSAGES, *_INTEGRATION, *_OF_SESSIONS)

    def source(self, pool: UserPool, checkpoint: Checkpoint) -> Source:  # noqa: ARG002
        """Describe the pool."""
        return OneListing(pool.id, pool.description)
