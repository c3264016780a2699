"""Reading an emulated pool with the package's API, without the tap around it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import boto3

from emulator import tokens
from tap_cognito.cognito import parallel
from tap_cognito.cognito.client import CognitoClient
from tap_cognito.cognito.details import Alternatives, Detail
from tap_cognito.cognito.listing import UserPool
from tap_cognito.cognito.quotas import Quotas
from tap_cognito.cognito.user_details import UserDetails
from tap_cognito.cognito.users import UserListings
from tests.support.in_process import client_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from emulator import Emulator
    from emulator.errors import ApiError
    from emulator.wire import Wire
    from tap_cognito.cognito.source import Source

Users = list[dict[str, Any]]

PACED = ("UserList", "UserRead", "UserResourceRead")
"""The quotas whose pace is a setting."""


def pool_of(emulator: Emulator, rate: float = 100_000) -> UserPool:
    """The pool of an emulator that answers in this process, at a pace that doesn't matter."""
    return UserPool(emulator.pool.id, client_of(emulator, Quotas(dict.fromkeys(PACED, rate))))


def served_pool(emulator: Emulator, rate: float = 100_000) -> UserPool:
    """The same pool, asked by HTTP: for what happens on the way."""
    return pool_at(emulator.url, emulator.pool.id, rate)


def pool_at(url: str, pool_id: str = "us-east-1_A", rate: float = 100_000) -> UserPool:
    """The pool at an endpoint, whatever serves it."""
    session = boto3.Session("key", "secret", region_name="us-east-1")
    return UserPool(pool_id, CognitoClient(session, Quotas(dict.fromkeys(PACED, rate)), url))


def pages(pool: UserPool, user_filter: str | None = None) -> Generator[Users, None, None]:
    """The pages of users that a scan returns."""
    return read([UserListings(pool, user_filter)])


def read(sources: Iterable[Source]) -> Generator[Users, None, None]:
    """The pages that sources of one region return; the first failure is raised."""
    for batch in parallel.read([sources], lambda _, items: items):
        if batch.error:
            raise batch.error
        yield batch.records


def details(pool: UserPool) -> UserDetails:
    """The second factors of the users of a pool, one by one."""
    return UserDetails(pool, Alternatives(Detail("AdminGetUserAuthFactors")))


def scan(emulator: Emulator, rate: float = 100_000, user_filter: str | None = None) -> Users:
    """All users that a scan returns."""
    return list(itertools.chain(*pages(pool_of(emulator, rate), user_filter)))


def refuse_token(
    user_filter: str, number: int, times: int = 3
) -> Callable[[str, Wire], ApiError | None]:
    """Refuse that token of a listing so often; three times, and the listing must begin again."""
    numbers = itertools.count(1)

    def refuse(_: str, parameters: Wire) -> ApiError | None:
        token = parameters.get("PaginationToken")
        if parameters.get("Filter") == user_filter and token:
            return tokens.refusal(token) if number <= next(numbers) < number + times else None
        return None

    return refuse
