"""A pool's own description, and how it signs in, notifies, protects and logs."""

from __future__ import annotations

from typing import Any, Literal

from emulator.resources import ACCOUNT, DATES

# Fake secrets, for tests to look for in a reader's output.
SMS_EXTERNAL_ID = "planted-sms-external-id-7d30f1b9"
EUMS_EXTERNAL_ID = "planted-eums-external-id-2c84a6e5"

Tier = Literal["LITE", "ESSENTIALS", "PLUS"]

_CODE = "Your code is {####}"


def arn(pool_id: str) -> str:
    """Return the ARN of a pool."""
    region, _, _ = pool_id.partition("_")
    return f"arn:aws:cognito-idp:{region}:{ACCOUNT}:userpool/{pool_id}"


def is_bare(pool_id: str) -> bool:
    """Return whether a pool has set up little, which its id decides."""
    return pool_id[-1] in "02468"


def description(pool_id: str, tier: Tier) -> dict[str, Any]:
    """Return the pool itself, as UserPoolType: every member that the tier has.

    `Domain` and `CustomDomain` are derived from the id.
    """
    region, _, suffix = pool_id.partition("_")
    described: dict[str, Any] = {
        "Id": pool_id,
        "Name": "emulated",
        "Arn": arn(pool_id),
        "Status": "Enabled",
        "Domain": f"emulated-{suffix.lower()}",
        "CustomDomain": f"{suffix.lower()}.auth.example.com",
        "DeletionProtection": "ACTIVE",
        "MfaConfiguration": "OPTIONAL",
        "UserPoolTier": tier,
        "Policies": {
            "PasswordPolicy": {
                "MinimumLength": 12,
                "RequireUppercase": True,
                "RequireLowercase": True,
                "RequireNumbers": True,
                "RequireSymbols": False,
                "TemporaryPasswordValidityDays": 7,
            }
        },
        "LambdaConfig": _triggers(region),
        "SchemaAttributes": _schema(),
        "AutoVerifiedAttributes": ["email"],
        "AliasAttributes": ["preferred_username"],
        "UsernameAttributes": [],
        "SmsVerificationMessage": _CODE,
        "EmailVerificationMessage": _CODE,
        "EmailVerificationSubject": "Your code",
        "VerificationMessageTemplate": {
            "SmsMessage": _CODE,
            "EmailMessage": _CODE,
            "EmailSubject": "Your code",
            "EmailMessageByLink": "{##Verify##}",
            "EmailSubjectByLink": "Verify",
            "DefaultEmailOption": "CONFIRM_WITH_CODE",
        },
        "SmsAuthenticationMessage": _CODE,
        "UserAttributeUpdateSettings": {"AttributesRequireVerificationBeforeUpdate": ["email"]},
        "DeviceConfiguration": {
            "ChallengeRequiredOnNewDevice": True,
            "DeviceOnlyRememberedOnUserPrompt": False,
        },
        "EmailConfiguration": {
            "SourceArn": f"arn:aws:ses:{region}:{ACCOUNT}:identity/auth.example.com",
            "ReplyToEmailAddress": "support@auth.example.com",
            "EmailSendingAccount": "DEVELOPER",
            "From": "Example <no-reply@auth.example.com>",
            "ConfigurationSet": "mail",
        },
        "SmsConfiguration": _sms(),
        "SmsConfigurationFailure": "InvalidSmsRoleAccessPolicyException",
        "EmailConfigurationFailure": "EmailSendingDisabled",
        "UserPoolTags": {"team": "accounts"},
        "AdminCreateUserConfig": {
            "AllowAdminCreateUserOnly": False,
            "UnusedAccountValidityDays": 7,
            "InviteMessageTemplate": {
                "SMSMessage": "{username} {####}",
                "EmailMessage": "{username} {####}",
                "EmailSubject": "Welcome",
            },
        },
        "UserPoolAddOns": {"AdvancedSecurityMode": "OFF"},
        "DcrConfiguration": {
            "EnableStatus": "Disabled",
            "OpenDcrEnabled": False,
            "AuthenticatedGrantTypes": ["code"],
            "OpenDcrGrantTypes": [],
            "AllowedScopes": ["openid"],
        },
        "UsernameConfiguration": {"CaseSensitive": True},
        "AccountRecoverySetting": {
            "RecoveryMechanisms": [{"Priority": 1, "Name": "verified_email"}]
        },
        "KeyConfiguration": {
            "KeyType": "CUSTOMER_MANAGED_KEY",
            "KmsKeyArn": f"arn:aws:kms:{region}:{ACCOUNT}:key/0123",
        },
        "IssuerConfiguration": {"Type": "ORIGINAL"},
        "AcrConfiguration": {"urn:example:mfa": {"AcrValue": "mfa"}},
        **DATES,
    }
    if is_bare(pool_id):
        described |= {"EmailConfiguration": {}, "LambdaConfig": {}, "UserPoolTags": {}}
        del described["DeviceConfiguration"]
    if tier != "LITE":
        described["Policies"]["SignInPolicy"] = {"AllowedFirstAuthFactors": ["PASSWORD"]}
    if tier == "PLUS":
        described["Policies"]["PasswordPolicy"]["PasswordHistorySize"] = 5
        described["UserPoolAddOns"] = {
            "AdvancedSecurityMode": "ENFORCED",
            "AdvancedSecurityAdditionalFlows": {"CustomAuthMode": "AUDIT"},
        }
    return described


def mfa(tier: Tier) -> dict[str, Any]:
    """Return the answer of GetUserPoolMfaConfig; factors by e-mail need a higher tier."""
    configuration: dict[str, Any] = {
        "SmsMfaConfiguration": {"SmsAuthenticationMessage": _CODE, "SmsConfiguration": _sms()},
        "SoftwareTokenMfaConfiguration": {"Enabled": True},
        "MfaConfiguration": "OPTIONAL",
    }
    if tier != "LITE":
        configuration["EmailMfaConfiguration"] = {"Message": _CODE, "Subject": "Your code"}
        configuration["WebAuthnConfiguration"] = {
            "RelyingPartyId": "auth.example.com",
            "UserVerification": "required",
            "FactorConfiguration": "SINGLE_FACTOR",
        }
    return configuration


def risk(pool_id: str, client_id: str | None = None) -> dict[str, Any]:
    """Return a RiskConfigurationType of the pool or of one client."""
    region, _, _ = pool_id.partition("_")
    mail = {"Subject": "Sign-in", "HtmlBody": "<p>New sign-in</p>", "TextBody": "New sign-in"}
    configuration = {
        "UserPoolId": pool_id,
        "CompromisedCredentialsRiskConfiguration": {
            "EventFilter": ["SIGN_IN", "PASSWORD_CHANGE"],
            "Actions": {"EventAction": "BLOCK"},
        },
        "AccountTakeoverRiskConfiguration": {
            "NotifyConfiguration": {
                "From": "no-reply@auth.example.com",
                "ReplyTo": "support@auth.example.com",
                "SourceArn": f"arn:aws:ses:{region}:{ACCOUNT}:identity/auth.example.com",
                "BlockEmail": mail,
                "NoActionEmail": mail,
                "MfaEmail": mail,
            },
            "Actions": {
                "LowAction": {"Notify": False, "EventAction": "NO_ACTION"},
                "MediumAction": {"Notify": True, "EventAction": "MFA_IF_CONFIGURED"},
                "HighAction": {"Notify": True, "EventAction": "BLOCK"},
            },
        },
        "RiskExceptionConfiguration": {
            "BlockedIPRangeList": ["192.0.2.0/24"],
            "SkippedIPRangeList": ["198.51.100.0/24"],
        },
        "LastModifiedDate": DATES["LastModifiedDate"],
    }
    return configuration | ({"ClientId": client_id} if client_id else {})


def log_delivery(pool_id: str, tier: Tier) -> list[dict[str, Any]]:
    """Return what is logged, as LogConfigurationType; sign-ins only in the highest tier."""
    region, _, _ = pool_id.partition("_")
    group = {"LogGroupArn": f"arn:aws:logs:{region}:{ACCOUNT}:log-group:cognito"}
    notifications = {
        "LogLevel": "ERROR",
        "EventSource": "userNotification",
        "CloudWatchLogsConfiguration": group,
    }
    sign_ins = {
        "LogLevel": "INFO",
        "EventSource": "userAuthEvents",
        "S3Configuration": {"BucketArn": "arn:aws:s3:::sign-ins"},
        "FirehoseConfiguration": {
            "StreamArn": f"arn:aws:firehose:{region}:{ACCOUNT}:deliverystream/sign-ins"
        },
    }
    return [notifications, sign_ins] if tier == "PLUS" else [notifications]


def _triggers(region: str) -> dict[str, Any]:
    function = f"arn:aws:lambda:{region}:{ACCOUNT}:function:check"
    simple = (
        "PreSignUp CustomMessage PostConfirmation PreAuthentication PostAuthentication "
        "DefineAuthChallenge CreateAuthChallenge VerifyAuthChallengeResponse PreTokenGeneration "
        "UserMigration"
    )
    versions = {
        "PreTokenGenerationConfig": "V2_0",
        "CustomSMSSender": "V1_0",
        "CustomEmailSender": "V1_0",
        "InboundFederation": "V1_0",
    }
    return {
        **dict.fromkeys(simple.split(), function),
        **{
            name: {"LambdaVersion": version, "LambdaArn": function}
            for name, version in versions.items()
        },
        "KMSKeyID": f"arn:aws:kms:{region}:{ACCOUNT}:key/0123",
    }


def _schema() -> list[dict[str, Any]]:
    lengths = {"MinLength": "0", "MaxLength": "2048"}
    text = {"AttributeDataType": "String", "StringAttributeConstraints": lengths}
    number = {
        "AttributeDataType": "Number",
        "NumberAttributeConstraints": {"MinValue": "0", "MaxValue": "100"},
    }
    kinds: dict[str, dict[str, Any]] = {
        **dict.fromkeys(("sub", "name", "email", "phone_number", "custom:plan"), text),
        "email_verified": {"AttributeDataType": "Boolean"},
        "custom:seats": number,
    }
    return [
        {
            "Name": name,
            **kind,
            "DeveloperOnlyAttribute": False,
            "Mutable": name != "sub",
            "Required": name == "sub",
        }
        for name, kind in kinds.items()
    ]


def _sms() -> dict[str, Any]:
    return {
        "SnsCallerArn": f"arn:aws:iam::{ACCOUNT}:role/sms",
        "ExternalId": SMS_EXTERNAL_ID,
        "SnsRegion": "us-east-1",
        "EumsSms": {
            "CallerArn": f"arn:aws:iam::{ACCOUNT}:role/eums",
            "ExternalId": EUMS_EXTERNAL_ID,
            "OriginationIdentity": "Example",
            "ConfigurationSetName": "sms",
            "InEntityId": "1101",
            "InTemplateId": "1107",
            "Region": "us-east-1",
        },
    }
