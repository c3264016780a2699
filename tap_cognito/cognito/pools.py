"""The pools that a configuration selects, by region."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tap_cognito.cognito import parallel
from tap_cognito.cognito.listing import MOST_PARENTS, Listing, UserPool
from tap_cognito.cognito.responses import malformed
from tap_cognito.cognito.source import OneListing
from tap_cognito.errors import CredentialsError, TapCognitoError, bug

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tap_cognito.cognito.client import CognitoClient
    from tap_cognito.cognito.listing import Item
    from tap_cognito.cognito.source import Source


_POOL_ID = re.compile(r"[\w-]{1,40}_[0-9A-Za-z]{1,40}", re.ASCII)


class Region(NamedTuple):
    """The pools of one region, and its client."""

    client: CognitoClient
    pool_ids: list[str]
    named: frozenset[str] | None = None
    """The pools that the settings name, if others come from a pattern; else `None`."""
    failure: TapCognitoError | None = None
    """Why the pools of its pattern couldn't be listed."""

    def pools(self, limit: int | None = None) -> Iterator[UserPool]:
        """Return the pools, or the first few, in the order of their ids."""
        return (UserPool(pool_id, self.client) for pool_id in self.pool_ids[:limit])

    def gone(self, pool_ids: Iterable[str]) -> set[str]:
        """Ask ListUserPools which pools of a pattern were deleted meanwhile.

        Args:
            pool_ids: Pools that weren't found.

        Returns:
            Those that aren't listed any more. A pool that the settings name isn't among them, nor
            any if ListUserPools fails.
        """
        asked = set(pool_ids) & set(self.pool_ids)
        if self.named is None or not asked - self.named:
            return set()
        listed = _search({"": self.client})[""]
        return set() if isinstance(listed, TapCognitoError) else asked - self.named - set(listed)


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
        TapCognitoError: If a pattern matches none, or the pools of no region can be listed.
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
    regions = [
        _region(region, client, by_region[region], known.get(region))
        for region, client in clients.items()
    ]
    for region in regions:
        # Without any pool there is nothing to read; credentials are those of all regions.
        if region.failure and (
            isinstance(region.failure, CredentialsError) or not any(r.pool_ids for r in regions)
        ):
            raise region.failure
    return regions


def _region(
    region: str,
    client: CognitoClient,
    patterns: set[str],
    found: list[str] | TapCognitoError | None,
) -> Region:
    named = frozenset(patterns - {_any_of(region)})
    if found is None:
        return Region(client, sorted(named))
    if isinstance(found, TapCognitoError):
        failure = type(found)(f"`user_pool_ids`: {client.region} can't be searched: {found}")
        return Region(client, sorted(named), named, failure)
    matches = {pool_id for pool_id in found if region_of(pool_id) == region}
    if not matches:
        raise TapCognitoError(
            f"`user_pool_ids`: {_any_of(region)} matches no user pool in {client.region} of this "
            "account"
        )
    return Region(client, sorted(named | matches), named)


def _any_of(region: str) -> str:
    """Return the pattern of all pools of a region."""
    return f"{region}_*"


def _search(clients: Mapping[str, CognitoClient]) -> dict[str, list[str] | TapCognitoError]:
    """List the pools of regions, side by side."""
    found: dict[str, list[str]] = {region: [] for region in clients}
    failures: dict[str, TapCognitoError] = {}
    sources: dict[Source, str] = {}
    for region, client in clients.items():
        listing = Listing(client, "ListUserPools", "UserPools", key="Id")
        sources[OneListing("", listing)] = region
    for batch in parallel.read([[source] for source in sources], _ids):
        region = sources[batch.source]
        if batch.error:
            error = batch.error
            failures[region] = error if isinstance(error, TapCognitoError) else bug(error)
        if len(found[region]) > MOST_PARENTS:
            raise malformed("ListUserPools", "a list without end")
        found[region] += (record["Id"] for record in batch.records)
    return {**found, **failures}


def _ids(_: Source, pools: list[Item]) -> list[Item]:
    if not all(_POOL_ID.fullmatch(pool["Id"]) for pool in pools):
        raise malformed("ListUserPools", "an id that is none")
    return pools
