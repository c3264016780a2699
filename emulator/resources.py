"""A pool's groups, identity providers and app clients, and its own description."""

from __future__ import annotations

from typing import Any

# Fake, for tests to look for in a reader's output.
CLIENT_SECRET = "planted-client-secret-4f9d1c7a"  # noqa: S105
PROVIDER_SECRET = "planted-provider-secret-8b2e6d30"  # noqa: S105
PRIVATE_KEY = "planted-private-key-c51a9e44"
_DATES = {"CreationDate": 1_577_934_245.678, "LastModifiedDate": 1_735_787_045.123}
_ACCOUNT = "123456789012"


def arn(pool_id: str) -> str:
    """The ARN of a pool."""
    region, _, _ = pool_id.partition("_")
    return f"arn:aws:cognito-idp:{region}:{_ACCOUNT}:userpool/{pool_id}"


def groups(pool_id: str) -> list[dict[str, Any]]:
    """Three groups, as GroupType; optional fields are missing in some."""
    common = {"UserPoolId": pool_id, **_DATES}
    role = f"arn:aws:iam::{_ACCOUNT}:role/admins"
    return [
        {"GroupName": "admins", "Description": "All", "RoleArn": role, "Precedence": 0, **common},
        {"GroupName": "Köche", "Description": "", "Precedence": 10, **common},
        {"GroupName": "nobody", **common},
    ]


def providers(pool_id: str) -> list[dict[str, Any]]:
    """Two identity providers, as IdentityProviderType, with planted secrets."""
    oidc = {"client_id": "corporate", "client_secret": PROVIDER_SECRET, "oidc_issuer": "https://i"}
    apple = {"client_id": "app", "team_id": "T", "key_id": "K", "private_key": PRIVATE_KEY}
    mapping = {"email": "email", "username": "sub"}
    return [
        {
            "UserPoolId": pool_id,
            "ProviderName": name,
            "ProviderType": kind,
            "ProviderDetails": details,
            "AttributeMapping": mapping,
            "IdpIdentifiers": identifiers,
            **_DATES,
        }
        for name, kind, details, identifiers in (
            ("Corporate", "OIDC", oidc, ["example.com"]),
            ("SignInWithApple", "SignInWithApple", apple, []),
        )
    ]


def clients(pool_id: str) -> list[dict[str, Any]]:
    """Two app clients, as UserPoolClientType, one with a planted secret."""
    common = {"UserPoolId": pool_id, "RefreshTokenValidity": 30, **_DATES}
    backend = {
        "ClientId": "1example23456789backend0ab",
        "ClientName": "backend",
        "ClientSecret": CLIENT_SECRET,
        "TokenValidityUnits": {"AccessToken": "minutes", "RefreshToken": "days"},
        "ExplicitAuthFlows": ["ALLOW_REFRESH_TOKEN_AUTH"],
        "SupportedIdentityProviders": ["COGNITO", "Corporate"],
        "CallbackURLs": ["https://app.example.com/callback"],
        "AllowedOAuthFlowsUserPoolClient": True,
    }
    browser = {"ClientId": "2example23456789browser0ab", "ClientName": "browser"}
    return [{**backend, **common}, {**browser, **common}]


def description(pool_id: str) -> dict[str, Any]:
    """The pool itself, as UserPoolType."""
    kinds = dict.fromkeys(("sub", "name", "email", "phone_number", "custom:plan"), "String")
    return {
        "Id": pool_id,
        "Name": "emulated",
        "Arn": arn(pool_id),
        "Status": "Enabled",
        "Domain": "emulated",
        "DeletionProtection": "ACTIVE",
        "MfaConfiguration": "OPTIONAL",
        "UserPoolTier": "ESSENTIALS",
        "Policies": {"PasswordPolicy": {"MinimumLength": 12, "RequireNumbers": True}},
        "LambdaConfig": {"PreSignUp": f"arn:aws:lambda:us-east-1:{_ACCOUNT}:function:check"},
        "SchemaAttributes": [
            {"Name": name, "AttributeDataType": kind, "Mutable": name != "sub"}
            for name, kind in {**kinds, "email_verified": "Boolean"}.items()
        ],
        "AutoVerifiedAttributes": ["email"],
        "UsernameConfiguration": {"CaseSensitive": True},
        "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": False},
        "UserPoolTags": {"team": "accounts"},
        **_DATES,
    }
