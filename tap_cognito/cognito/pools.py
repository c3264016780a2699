"""Which pools a configuration means, and where to ask for them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from tap_cognito.cognito.listing import Listing, UserPool
from tap_cognito.errors import TapCognitoError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tap_cognito.cognito.client import CognitoClient


class Region(NamedTuple):
    """The pools of one region, and where to ask for them."""

    client: CognitoClient
    pool_ids: list[str]

    def pools(self, limit: int | None = None) -> Iterator[UserPool]:
        """Give the pools, or so many of them, in the order of their ids."""
        return (UserPool(pool_id, self.client) for pool_id in self.pool_ids[:limit])


def region_of(pool_id: str) -> str:
    """Give the region that a pool id, or a pattern of ids, begins with."""
    return pool_id.partition("_")[0]


def resolve(patterns: Iterable[str], client_of: Callable[[str], CognitoClient]) -> list[Region]:
    """Find the pools that ids and patterns mean.

    Args:
        patterns: Pool ids, and patterns such as `eu-west-1_*`. The part before `_` is a region.
        client_of: Makes the client of a region.

    Returns:
        The regions with their pools; ListUserPools is asked for regions with a pattern only.

    Raises:
        TapCognitoError: If the pools can't be listed, or a pattern matches none.
    """
    by_region: dict[str, list[str]] = {}
    for pattern in patterns:
        by_region.setdefault(region_of(pattern), []).append(pattern)
    return [_resolve_region(wanted, client_of(region)) for region, wanted in by_region.items()]


def _resolve_region(patterns: Iterable[str], client: CognitoClient) -> Region:
    found = {pattern for pattern in patterns if not pattern.endswith("*")}
    if prefixes := {pattern.removesuffix("*") for pattern in patterns} - found:
        known = _list(client)
        for prefix in prefixes:
            matches = {pool_id for pool_id in known if pool_id.startswith(prefix)}
            if not matches:
                raise TapCognitoError(
                    f"`user_pool_ids`: {prefix}* matches no user pool in {client.region} of this "
                    "account"
                )
            found |= matches
    return Region(client, sorted(found))


def _list(client: CognitoClient) -> list[str]:
    listing = Listing(client, "ListUserPools", "UserPools", key="Id")
    pages = listing.read(threading.Event())
    try:
        return [pool["Id"] for page in pages if page for pool in page.items]
    except TapCognitoError as error:
        raise type(error)(f"`user_pool_ids`: {client.region} can't be searched: {error}") from None
