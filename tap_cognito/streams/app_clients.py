"""The app clients of a pool, without their secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cognito.cognito.enriched import Extra
from tap_cognito.cognito.source import Nested, OneListing
from tap_cognito.replication.columns import (
    Column,
    boolean,
    date,
    integer,
    json_array,
    json_object,
    key,
    of_extra,
    text,
)
from tap_cognito.replication.stream import POOL_ID, CognitoStream

if TYPE_CHECKING:
    from tap_cognito.cognito.checkpoint import Checkpoint
    from tap_cognito.cognito.listing import Item, Listing, UserPool
    from tap_cognito.cognito.source import Source

_LISTED = (
    POOL_ID,
    key("client_id", "ClientId", "The id of the app client."),
    text("client_name", "ClientName", "The name of the app client."),
)
_DESCRIBED = (
    text("client_type", "ClientType", "REGULAR, or DCR for one that registered itself."),
    Column(
        "has_secret",
        {"type": ["boolean", "null"]},
        "Whether it has a client secret; without one it is a public client.",
        lambda client: bool(client.get("ClientSecret") or client.get("ClientSecretArn")),
    ),
    json_array("explicit_auth_flows", "ExplicitAuthFlows", "The sign-in flows that it may use."),
    boolean(
        "allowed_oauth_flows_user_pool_client",
        "AllowedOAuthFlowsUserPoolClient",
        "Whether it may use OAuth 2.0 at all.",
    ),
    json_array("allowed_oauth_flows", "AllowedOAuthFlows", "code, implicit, client_credentials."),
    json_array("allowed_oauth_scopes", "AllowedOAuthScopes", "The scopes that it may ask for."),
    json_array("callback_urls", "CallbackURLs", "Where users may be sent after a sign-in."),
    json_array("logout_urls", "LogoutURLs", "Where users may be sent after a sign-out."),
    text("default_redirect_uri", "DefaultRedirectURI", "The default callback URL."),
    json_array(
        "supported_identity_providers",
        "SupportedIdentityProviders",
        "Which providers its users sign in with; COGNITO is the pool itself.",
    ),
    json_array("read_attributes", "ReadAttributes", "The attributes that it may read."),
    json_array("write_attributes", "WriteAttributes", "The attributes that it may write."),
    integer("access_token_validity", "AccessTokenValidity", "How long an access token is valid."),
    integer("id_token_validity", "IdTokenValidity", "How long an ID token is valid."),
    integer("refresh_token_validity", "RefreshTokenValidity", "How long a refresh token is valid."),
    json_object(
        "token_validity_units",
        "TokenValidityUnits",
        "The unit of each of these. The default is hours, and days for a refresh token.",
        "AccessToken",
        "IdToken",
        "RefreshToken",
    ),
    json_object(
        "refresh_token_rotation",
        "RefreshTokenRotation",
        "Whether each use of a refresh token replaces it.",
        "Feature",
        "RetryGracePeriodSeconds",
    ),
    boolean(
        "enable_token_revocation", "EnableTokenRevocation", "Whether refresh tokens can be revoked."
    ),
    integer(
        "auth_session_validity", "AuthSessionValidity", "Minutes that a sign-in may take to finish."
    ),
    text(
        "prevent_user_existence_errors",
        "PreventUserExistenceErrors",
        "ENABLED if errors don't reveal whether a user exists, LEGACY if they do.",
    ),
    boolean(
        "enable_propagate_additional_user_context_data",
        "EnablePropagateAdditionalUserContextData",
        "Whether it may pass on its users' IP addresses to threat protection.",
    ),
    json_object(
        "analytics_configuration",
        "AnalyticsConfiguration",
        "The Pinpoint application that gets its statistics, without the external id.",
        "ApplicationId",
        "ApplicationArn",
        "RoleArn",
        "UserDataShared",
    ),
    date("created_at", "CreationDate", "When the app client was created, in UTC."),
    date("updated_at", "LastModifiedDate", "When the app client was last changed, in UTC."),
)
"""The columns that only DescribeUserPoolClient returns."""

_SESSION = Extra("GetUserPoolClientSessionConfiguration", parameters=("ClientId",))
_SECRETS = Extra("ListUserPoolClientSecrets", "ClientSecrets", parameters=("ClientId",))


def _age(secrets: list[Item]) -> Item:
    """Return how many secrets there are and since when, without their ids and values."""
    dates = list(filter(None, (secret.get("ClientSecretCreateDate") for secret in secrets)))
    return {
        "Count": len(secrets),
        "Oldest": min(dates, default=None),
        "Newest": max(dates, default=None),
    }


_REQUESTED = (
    of_extra(
        _SESSION,
        integer(
            "sso_session_minutes",
            "MaxValidityMinutes",
            "How long after a sign-in users of other clients need no further one; 0 for never.",
        ),
        lambda found: found[0].get("SSOSession") or {},
    ),
    of_extra(_SECRETS, integer("secret_count", "Count", "How many secrets it has."), _age),
    of_extra(
        _SECRETS,
        date("oldest_secret_created_at", "Oldest", "When the oldest of them was made, in UTC."),
        _age,
    ),
    of_extra(
        _SECRETS,
        date("newest_secret_created_at", "Newest", "When the newest of them was made, in UTC."),
        _age,
    ),
)
"""The columns that cost a request more for each client, by one of two operations."""


class AppClientsStream(CognitoStream):
    """The app clients of the pools."""

    name = "app_clients"
    primary_keys = ("user_pool_id", "client_id")
    modified_key = "LastModifiedDate"
    columns = (*_LISTED, *_DESCRIBED, *_REQUESTED)

    def source(self, pool: UserPool, checkpoint: Checkpoint) -> Source:
        """Read all app clients of the pool, and describe each only if a column needs it."""
        clients = pool.listing("ListUserPoolClients", "UserPoolClients", "ClientId")
        if not self.is_selected(*(column.name for column in _DESCRIBED)):
            return OneListing(pool.id, clients)

        def describe(client: Item) -> list[Listing]:
            client_id = client["ClientId"]
            return [
                pool.listing(
                    "DescribeUserPoolClient", "UserPoolClient", "ClientId", ClientId=client_id
                )
            ]

        return Nested(pool.id, clients, describe, checkpoint)
