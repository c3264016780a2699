"""The identities of users who sign in with a provider, each derived from an ordinal.

A user of a provider is called as the provider and its id for that person; pools that don't
distinguish upper and lower case show that in lower case. Where it is linked to a local user, both
are users of the pool, and both have the identity among their attributes.
"""

from __future__ import annotations

import json
from typing import NamedTuple

_EVERY = 25
_PROVIDERS = (("Google", "Google"), ("Corporate", "OIDC"), ("SignInWithApple", "SignInWithApple"))


class Identity(NamedTuple):
    """Who somebody is to a provider."""

    provider: str
    kind: str
    user_id: str


def is_linked(ordinal: int) -> bool:
    """Return whether the user of this number is a local one that the next user is linked to."""
    return ordinal % _EVERY == _EVERY - 2


def is_link(ordinal: int) -> bool:
    """Return whether the user of this number is a provider's that is linked to the one before."""
    return ordinal % _EVERY == _EVERY - 1


def identity(ordinal: int, login: str) -> Identity:
    """Return the identity of the provider's user of this number; its id ends with the number."""
    provider, kind = _PROVIDERS[ordinal % len(_PROVIDERS)]
    if provider == "Google":
        return Identity(provider, kind, f"1{ordinal * 2_654_435_761 % 10**12:012}{ordinal:08}")
    if provider == "Corporate":
        return Identity(provider, kind, f"{login.capitalize()}.{ordinal}")
    return Identity(provider, kind, f"000{ordinal % 1000:03}.{ordinal * 40_503:032x}.{ordinal:04}")


def username(ordinal: int, login: str) -> str:
    """Return the user name of the provider's user of this number."""
    found = identity(ordinal, login)
    name = f"{found.provider}_{found.user_id}"
    return name.lower() if ordinal % 2 else name


def attribute(ordinal: int, login: str, since: int, *, is_primary: bool) -> str:
    """Return the attribute `identities` as JSON, whose value is JSON in a text.

    Args:
        ordinal: The number of the provider's user.
        login: How its id begins, where the provider has such ids.
        since: When the identity was added, in epoch milliseconds.
        is_primary: Whether the user that has the attribute is that of the provider.
    """
    found = identity(ordinal, login)
    value = {
        "userId": found.user_id,
        "providerName": found.provider,
        "providerType": found.kind,
        "issuer": None,
        "primary": is_primary,
        "dateCreated": since,
    }
    text = json.dumps([value], separators=(",", ":")).replace('"', '\\"')
    return f'{{"Name":"identities","Value":"{text}"}}'
