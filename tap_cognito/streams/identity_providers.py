"""The identity providers of a pool, without their secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cognito.cognito.source import Nested, OneListing
from tap_cognito.replication.columns import date, json_array, json_object, key, text
from tap_cognito.replication.stream import POOL_ID, CognitoStream

if TYPE_CHECKING:
    from tap_cognito.cognito.checkpoint import Checkpoint
    from tap_cognito.cognito.listing import Item, Listing, UserPool
    from tap_cognito.cognito.source import Source

_DETAILS = (
    "ActiveEncryptionCertificate",
    "EncryptedResponses",
    "IDPInit",
    "IDPSignout",
    "MetadataURL",
    "RequestSigningAlgorithm",
    "SLORedirectBindingURI",
    "SSORedirectBindingURI",
    "api_version",
    "attributes_request_method",
    "attributes_url",
    "attributes_url_add_attributes",
    "authorize_scopes",
    "authorize_url",
    "client_id",
    "jwks_uri",
    "key_id",
    "oidc_issuer",
    "team_id",
    "token_request_method",
    "token_url",
)
"""Members known to be harmless: `client_secret`, `private_key` and unknown ones are dropped."""

_DESCRIBED = ("provider_details", "attribute_mapping", "acr_mapping", "idp_identifiers")
"""The columns that only DescribeIdentityProvider returns."""


class IdentityProvidersStream(CognitoStream):
    """The identity providers of the pools."""

    name = "identity_providers"
    primary_keys = ("user_pool_id", "provider_name")
    modified_key = "LastModifiedDate"
    columns = (
        POOL_ID,
        key("provider_name", "ProviderName", "The name of the provider, unique in the pool."),
        text("provider_type", "ProviderType", "Such as SAML, OIDC, Google, SignInWithApple."),
        json_object(
            "provider_details",
            "ProviderDetails",
            "Its client id, scopes, URLs and other settings that are known not to be secret.",
            *_DETAILS,
        ),
        json_object("attribute_mapping", "AttributeMapping", "The pool's attribute to its own."),
        json_object("acr_mapping", "AcrMapping", "The pool's authentication context to its own."),
        json_array("idp_identifiers", "IdpIdentifiers", "Identifiers that lead to the provider."),
        date("created_at", "CreationDate", "When the provider was created, in UTC."),
        date("updated_at", "LastModifiedDate", "When the provider was last changed, in UTC."),
    )

    def source(self, pool: UserPool, checkpoint: Checkpoint) -> Source:
        """Read all providers of the pool, and describe each only if a column needs it."""
        providers = pool.listing("ListIdentityProviders", "Providers", "ProviderName")
        if not self.is_selected(*_DESCRIBED):
            return OneListing(pool.id, providers)

        def describe(provider: Item) -> list[Listing]:
            name = provider["ProviderName"]
            return [
                pool.listing(
                    "DescribeIdentityProvider",
                    "IdentityProvider",
                    "ProviderName",
                    ProviderName=name,
                )
            ]

        return Nested(pool.id, providers, describe, checkpoint)
