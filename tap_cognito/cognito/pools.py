"""The pools that a configuration selects, by region."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tap_cognito.cognito import parallel
from tap_cognito.cognito.listing import Listing, UserPool
from tap_cognito.cognito.responses import malformed
from tap_cognito.cognito.source import OneListing
from tap_cognito.errors import TapCognitoError, bug

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tap_cognito.cognito.client import CognitoClient
    from tap_cognito.cognito.source import Source


_POOL_ID = re.compile(r"[\w-]{1,40}_[0-9A-Za-z]{1,40}", re.ASCII)


class Region(NamedTuple):
    """The pools of one region, and its client."""

    client: CognitoClient
    pool_ids: list[str]

    def pools(self, limit: int | None = None) -> Iterator[UserPool]:
        """Return the pools, or the first few, in the order of their ids."""
        return (UserPool(pool_id, self.client) for pool_id in self.pool_ids[:limit])


def region_of(pool_id: str) -> str:
    """Return the region that a pool id, or a pattern of ids, begins with."""
    return pool_id.partition("_")[0]


def resolve(patterns: Iterable[str], client_of: Callable[[str], CognitoClient]) -> list[Region]:
    """Find the pools that ids and patterns stand for.

    Args:
        patterns: Pool ids, and patterns such as `eu-west-1_*`: all that begin with the region.
        client_of: Makes the client of a region.

    Returns:
        The regions with their pools; ListUserPools is only called for regions with a pattern.

    Raises:
        TapCognitoError: If the pools can't be listed, or a pattern matches none.
    """
    by_region: dict[str, set[str]] = {}
    for pattern in patterns:
        by_region.setdefault(region_of(pattern), set()).add(pattern)
    clients = {region: client_of(region) for region in by_region}
    known = _search(
        {
            region: client
            for region, client in clients.items()
            if _any_of(region) in by_region[region]
        }
    )
    for region, pool_ids in known.items():
        matches = {pool_id for pool_id in pool_ids if region_of(pool_id) == region}
        if not matches:
            raise TapCognitoError(
                f"`user_pool_ids`: {_any_of(region)} matches no user pool in "
                f"{clients[region].region} of this account"
            )
        by_region[region] = by_region[region] - {_any_of(region)} | matches
    return [Region(clients[region], sorted(pool_ids)) for region, pool_ids in by_region.items()]


def _any_of(region: str) -> str:
    """Return the pattern of all pools of a region."""
    return f"{region}_*"


def _search(clients: Mapping[str, CognitoClient]) -> dict[str, list[str]]:
    """List the pools of regions, side by side."""
    found: dict[str, list[str]] = {region: [] for region in clients}
    sources: dict[Source, str] = {}
    for region, client in clients.items():
        listing = Listing(client, "ListUserPools", "UserPools", key="Id")
        sources[OneListing("", listing)] = region
    for batch in parallel.read([[source] for source in sources], lambda _, pools: pools):
        region = sources[batch.source]
        if batch.error:
            error = batch.error if isinstance(batch.error, TapCognitoError) else bug(batch.error)
            where = clients[region].region
            raise type(error)(f"`user_pool_ids`: {where} can't be searched: {error}")
        for pool in batch.records:
            if not _POOL_ID.fullmatch(pool["Id"]):
                raise malformed("ListUserPools", "an id that is none")
            found[region].append(pool["Id"])
    return found
