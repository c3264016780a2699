"""The identity providers of a pool, without their secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cognito.cognito.source import Nested, OneListing
from tap_cognito.streams.base import POOL_ID, CognitoStream
from tap_cognito.streams.columns import date, json_array, json_object, key, text

if TYPE_CHECKING:
    from tap_cognito.cognito.listing import Item, Listing, UserPool
    from tap_cognito.cognito.source import Source
    from tap_cognito.streams.state import PoolProgress

_DESCRIBED = ("attribute_mapping", "idp_identifiers")
"""The columns that only DescribeIdentityProvider knows."""


class IdentityProvidersStream(CognitoStream):
    """The identity providers of the pools."""

    name = "identity_providers"
    primary_keys = ("user_pool_id", "provider_name")
    modified_key = "LastModifiedDate"
    columns = (
        POOL_ID,
        key("provider_name", "ProviderName", "The name of the provider, unique in the pool."),
        text("provider_type", "ProviderType", "Such as SAML, OIDC, Google, SignInWithApple."),
        json_object("attribute_mapping", "AttributeMapping", "The pool's attribute to its own."),
        json_array("idp_identifiers", "IdpIdentifiers", "Identifiers that lead to the provider."),
        date("created_at", "CreationDate", "When the provider was created, in UTC."),
        date("updated_at", "LastModifiedDate", "When the provider was last changed, in UTC."),
    )

    def source(self, pool: UserPool, progress: PoolProgress) -> Source:
        """Read all providers of the pool, each by itself only if a column needs it."""
        providers = pool.listing("ListIdentityProviders", "Providers", "ProviderName")
        if not self.is_selected(*_DESCRIBED):
            return OneListing(pool.id, providers)

        def describe(provider: Item) -> Listing:
            name = provider["ProviderName"]
            return pool.listing("DescribeIdentityProvider", "IdentityProvider", ProviderName=name)

        return Nested(pool.id, providers, describe, progress.done)
