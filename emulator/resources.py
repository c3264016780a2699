"""A pool's groups, identity providers, app clients, resource servers and domains."""

from __future__ import annotations

from typing import Any

# Fake secrets, for tests to look for in a reader's output.
CLIENT_SECRET = "planted-client-secret-4f9d1c7a"  # noqa: S105
CLIENT_SECRET_NAME = "planted-client-secret-name-6a02c8d1"  # noqa: S105
PROVIDER_SECRET = "planted-provider-secret-8b2e6d30"  # noqa: S105
PRIVATE_KEY = "planted-private-key-c51a9e44"
ANALYTICS_EXTERNAL_ID = "planted-analytics-external-id-e9174b60"
ACCOUNT = "123456789012"
DATES = {"CreationDate": 1_577_934_245.67, "LastModifiedDate": 1_735_787_046.123}


def groups(pool_id: str) -> list[dict[str, Any]]:
    """Three groups, as GroupType; optional members are missing in some."""
    common = {"UserPoolId": pool_id, **DATES}
    role = f"arn:aws:iam::{ACCOUNT}:role/admins"
    return [
        {"GroupName": "admins", "Description": "All", "RoleArn": role, "Precedence": 0, **common},
        {"GroupName": "Köche", "Description": "", "Precedence": 10, **common},
        {"GroupName": "nobody", **common},
    ]


def providers(pool_id: str) -> list[dict[str, Any]]:
    """Two identity providers, as IdentityProviderType, with planted secrets."""
    oidc = {
        "client_id": "corporate",
        "client_secret": PROVIDER_SECRET,
        "oidc_issuer": "https://i",
        "authorize_scopes": "openid email",
        "attributes_request_method": "GET",
    }
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
            "AcrMapping": {"urn:example:mfa": "mfa"},
            **DATES,
        }
        for name, kind, details, identifiers in (
            ("Corporate", "OIDC", oidc, ["example.com"]),
            ("SignInWithApple", "SignInWithApple", apple, []),
        )
    ]


def clients(pool_id: str) -> list[dict[str, Any]]:
    """Three app clients, as UserPoolClientType.

    One has its own secret and everything else, one the least, and one a secret in Secrets Manager.
    """
    region, _, _ = pool_id.partition("_")
    backend = {
        "UserPoolId": pool_id,
        "ClientName": "backend",
        "ClientId": "1example23456789backend0ab",
        "ClientSecret": CLIENT_SECRET,
        "ClientSecretArn": f"arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:{CLIENT_SECRET_NAME}",
        "RefreshTokenValidity": 30,
        "AccessTokenValidity": 60,
        "IdTokenValidity": 60,
        "TokenValidityUnits": {
            "AccessToken": "minutes",
            "IdToken": "minutes",
            "RefreshToken": "days",
        },
        "ReadAttributes": ["email", "name", "custom:plan"],
        "WriteAttributes": ["name"],
        "ExplicitAuthFlows": ["ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"],
        "SupportedIdentityProviders": ["COGNITO", "Corporate"],
        "CallbackURLs": ["https://app.example.com/callback", "http://localhost:3000/callback"],
        "LogoutURLs": ["https://app.example.com/logout"],
        "DefaultRedirectURI": "https://app.example.com/callback",
        "AllowedOAuthFlows": ["code", "implicit"],
        "AllowedOAuthScopes": ["openid", "email", "https://api.example.com/read"],
        "AllowedOAuthFlowsUserPoolClient": True,
        "AnalyticsConfiguration": {
            "ApplicationId": "0123456789abcdef0123456789abcdef",
            "ApplicationArn": f"arn:aws:mobiletargeting:{region}:{ACCOUNT}:apps/0123456789abcdef",
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/analytics",
            "ExternalId": ANALYTICS_EXTERNAL_ID,
            "UserDataShared": False,
        },
        "PreventUserExistenceErrors": "ENABLED",
        "EnableTokenRevocation": True,
        "EnablePropagateAdditionalUserContextData": False,
        "AuthSessionValidity": 3,
        "RefreshTokenRotation": {"Feature": "ENABLED", "RetryGracePeriodSeconds": 10},
        "ClientType": "REGULAR",
        **DATES,
    }
    browser = {
        "UserPoolId": pool_id,
        "ClientName": "browser",
        "ClientId": "2example23456789browser0ab",
        "RefreshTokenValidity": 30,
        "AllowedOAuthFlowsUserPoolClient": False,
        "EnableTokenRevocation": False,
        **DATES,
    }
    managed = {
        "UserPoolId": pool_id,
        "ClientName": "managed",
        "ClientId": "3example23456789managed0ab",
        "ClientSecretArn": f"arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:cognito/managed",
        "AllowedOAuthFlows": ["client_credentials"],
        **DATES,
    }
    return [backend, browser, managed]


def resource_servers(pool_id: str) -> list[dict[str, Any]]:
    """Two resource servers, as ResourceServerType; one has no scopes."""
    read = {"ScopeName": "read", "ScopeDescription": "Read everything"}
    write = {"ScopeName": "write", "ScopeDescription": "Schreiben für Köche"}
    return [
        {
            "UserPoolId": pool_id,
            "Identifier": "https://api.example.com",
            "Name": "API",
            "Scopes": [read, write],
        },
        {
            "UserPoolId": pool_id,
            "Identifier": "sync",
            "Name": "sync",
            "Scopes": [],
            "ManagedBy": "COGNITO",
        },
    ]


def domains(pool_id: str, prefix: str, custom: str) -> list[dict[str, Any]]:
    """A prefix domain and a custom domain, as DomainDescriptionType."""
    region, _, _ = pool_id.partition("_")
    common = {
        "UserPoolId": pool_id,
        "AWSAccountId": ACCOUNT,
        "S3Bucket": f"aws-cognito-prod-{region}-assets",
        "Version": "20200102030405",
        "Status": "ACTIVE",
        "ManagedLoginVersion": 2,
    }
    failover = {"SecondaryRegion": "us-west-2", "PrimaryRoute53HealthCheckId": "0123-health"}
    return [
        {**common, "Domain": prefix, "CustomDomainConfig": {}},
        {
            **common,
            "Domain": custom,
            "CloudFrontDistribution": "d111111abcdef8.cloudfront.net",
            "CustomDomainConfig": {
                "CertificateArn": f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/0123",
                "SecurityPolicy": "TLS_V1_2_2021",
            },
            "Routing": {"Failover": failover},
        },
    ]
