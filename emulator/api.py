"""The operations of the service on one pool, and how they may be made to behave."""

from __future__ import annotations

import base64
import json
import random
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from emulator import filters, resources
from emulator.errors import INVALID, PAGING_MARKER, ApiError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from emulator.faults import Faults
    from emulator.pool import Pool, Wire
    from emulator.signing import Credential

_LISTINGS = frozenset({"ListUsers", "ListUsersInGroup"})
_PAGE = 60
_BEYOND = 1 << 62


@dataclass(kw_only=True)
class Behaviour:
    """What a test sets, at the start or while the pool is served.

    Attributes:
        latency: Seconds added to each answer.
        quota: Listings of users per second (also the size of the bucket), None for no limit.
        quota_drops: New quota by the number of the listing of users that it begins with, from 1.
        denied: IAM actions that are refused, such as "cognito-idp:DescribeUserPool".
        ignore_filter: Whether ListUsers returns all users whatever the Filter.
        refuse_filter: Whether ListUsers refuses every Filter.
        token_lifetime: Pages of users after which a chain's token has expired, None for never.
        token_expiries: How many tokens expire at most, None for no limit.
        token_loop: Pages of users after which a chain goes round for ever, None for never.
        reorder: Whether each chain of users has an order of its own.
        empty_pages: Share of the pages of users that are empty, with a token; as often, one more
            empty page follows the last user.
        short_pages: Share of the pages of users that hold fewer users than there are.
        seed: What decides on order and on empty and short pages.
        credentials: Known credentials by access key id; None accepts every request.
        faults: What goes wrong on the way, None for nothing.
        slow_seconds: How long the answer to a request is held back that the fault "slow" hits.
    """

    latency: float = 0.0
    quota: float | None = None
    quota_drops: Mapping[int, float | None] = field(default_factory=dict)
    denied: Collection[str] = frozenset()
    ignore_filter: bool = False
    refuse_filter: bool = False
    token_lifetime: int | None = None
    token_expiries: int | None = None
    token_loop: int | None = None
    reorder: bool = False
    empty_pages: float = 0.0
    short_pages: float = 0.0
    seed: int = 0
    credentials: Mapping[str, Credential] | None = None
    faults: Faults | None = None
    slow_seconds: float = 5.0


class Api:
    """Answers requests that have arrived."""

    def __init__(self, pool: Pool, behaviour: Behaviour) -> None:
        """Serve `pool` as `behaviour` says at the time of each request."""
        self._pool = pool
        self._behaviour = behaviour
        self._random = random.Random(behaviour.seed)  # noqa: S311 - repeatable, not secret
        self._lock = threading.Lock()
        self._listings = 0
        self._bucket = float("inf")
        self._filled = time.monotonic()
        self._operations = {
            "DescribeIdentityProvider": self._describe_provider,
            "DescribeUserPool": self._describe_pool,
            "DescribeUserPoolClient": self._describe_client,
            "ListGroups": self._list_groups,
            "ListIdentityProviders": self._list_providers,
            "ListUserPoolClients": self._list_clients,
            "ListUsers": self._list_users,
            "ListUsersInGroup": self._list_members,
        }

    def answer(self, operation: str, parameters: Wire) -> str:
        """Carry out an operation and return its answer as JSON.

        Raises:
            ApiError: the service would refuse the request.
        """
        pool_id = str(parameters.get("UserPoolId"))
        if (action := f"cognito-idp:{operation}") in self._behaviour.denied:
            message = (
                "User: arn:aws:iam::123456789012:user/reader is not authorized to perform: "
                f"{action} on resource: {resources.arn(pool_id)} "
                f"because no identity-based policy allows the {action} action"
            )
            raise ApiError("AccessDeniedException", message)
        if operation not in self._operations:
            raise ApiError("UnknownOperationException", f"{operation} is not emulated.")
        if operation in _LISTINGS and not self._within_quota():
            raise ApiError("TooManyRequestsException", "Rate exceeded")
        if pool_id != self._pool.id:
            message = f"User pool {pool_id} does not exist."
            raise ApiError("ResourceNotFoundException", message)
        return self._operations[operation](parameters)

    def _within_quota(self) -> bool:
        with self._lock:
            self._listings += 1
            behaviour, now = self._behaviour, time.monotonic()
            if self._listings in behaviour.quota_drops:
                behaviour.quota = behaviour.quota_drops[self._listings]
            if (quota := behaviour.quota) is None:
                return True
            capacity = max(1.0, quota) if quota else 0.0
            self._bucket = min(capacity, self._bucket + (now - self._filled) * quota)
            self._filled = now
            if self._bucket < 1:
                return False
            self._bucket -= 1
            return True

    def _list_users(self, parameters: Wire) -> str:
        if parameters.get("AttributesToGet"):
            raise ApiError(INVALID, "AttributesToGet is not emulated.")
        text = parameters.get("Filter") or ""
        if text and self._behaviour.refuse_filter:
            raise ApiError(INVALID, "Filter is not supported.")
        condition = filters.parse("" if self._behaviour.ignore_filter else text)
        return self._users(parameters, f"ListUsers {text}", "PaginationToken", condition=condition)

    def _list_members(self, parameters: Wire) -> str:
        group = str(parameters.get("GroupName"))
        _find(self._pool.groups, group, "Group not found.")
        return self._users(parameters, f"ListUsersInGroup {group}", "NextToken", group=group)

    def _users(
        self,
        parameters: Wire,
        chain: str,
        token_name: str,
        *,
        condition: filters.Condition | None = None,
        group: str | None = None,
    ) -> str:
        limit = _limit(parameters, "Limit")
        behaviour, given = self._behaviour, parameters.get(token_name)
        mask, pages, after = _position(given, chain) if given else (self._order(), 0, -1)
        if given and self._expired(pages):
            raise ApiError(INVALID, PAGING_MARKER)
        with self._lock:
            empty, trailing = (self._random.random() < behaviour.empty_pages for _ in range(2))
            if self._random.random() < behaviour.short_pages:
                limit = self._random.randint(1, limit)
        users, last = self._pool.page(limit, after, mask=mask, condition=condition, group=group)
        if empty:
            users, last = [], after
        elif trailing and last is None:
            last = _BEYOND
        answer = f'{{"Users":[{",".join(users)}]'
        if behaviour.token_loop is not None and pages >= behaviour.token_loop:
            pages, last = 0, -1
        if last is not None:
            answer += f',"{token_name}":"{_token(chain, mask, pages + 1, last)}"'
        return answer + "}"

    def _order(self) -> int:
        if not self._behaviour.reorder:
            return 0
        with self._lock:
            return self._random.getrandbits(max(2, len(self._pool).bit_length()))

    def _expired(self, pages: int) -> bool:
        behaviour = self._behaviour
        with self._lock:
            if behaviour.token_lifetime is None or pages < behaviour.token_lifetime:
                return False
            if behaviour.token_expiries is None:
                return True
            behaviour.token_expiries -= 1
            return behaviour.token_expiries >= 0

    def _list_groups(self, parameters: Wire) -> str:
        return _list(self._pool.groups, parameters, "Groups", "Limit")

    def _list_providers(self, parameters: Wire) -> str:
        shown = ("ProviderName", "ProviderType", "CreationDate", "LastModifiedDate")
        found = _only(self._pool.providers, shown)
        return _list(found, parameters, "Providers", "MaxResults")

    def _list_clients(self, parameters: Wire) -> str:
        found = _only(self._pool.clients, ("ClientId", "ClientName", "UserPoolId"))
        return _list(found, parameters, "UserPoolClients", "MaxResults")

    def _describe_provider(self, parameters: Wire) -> str:
        name = str(parameters.get("ProviderName"))
        found = _find(self._pool.providers, name, f"Identity provider {name} does not exist.")
        return json.dumps({"IdentityProvider": found})

    def _describe_client(self, parameters: Wire) -> str:
        name = str(parameters.get("ClientId"))
        found = _find(self._pool.clients, name, f"User pool client {name} does not exist.")
        return json.dumps({"UserPoolClient": found})

    def _describe_pool(self, _parameters: Wire) -> str:
        estimate = {"EstimatedNumberOfUsers": len(self._pool)}
        return json.dumps({"UserPool": estimate | self._pool.description})


def _find(items: Mapping[str, Wire], name: str, message: str) -> Wire:
    if name not in items:
        raise ApiError("ResourceNotFoundException", message)
    return items[name]


def _only(items: Mapping[str, Wire], fields: Collection[str]) -> dict[str, Wire]:
    return {
        name: {field: item[field] for field in fields if field in item}
        for name, item in items.items()
    }


def _list(items: Mapping[str, Wire], parameters: Wire, name: str, limit_name: str) -> str:
    limit, given = _limit(parameters, limit_name), parameters.get("NextToken")
    after = _position(given, name)[2] if given else ""
    names = sorted(each for each in items if each > after)
    answer: Wire = {name: [items[each] for each in names[:limit]]}
    if len(names) > limit:
        answer["NextToken"] = _token(name, 0, 0, names[limit - 1])
    return json.dumps(answer)


def _limit(parameters: Wire, name: str) -> int:
    limit = parameters.get(name) or _PAGE
    if not isinstance(limit, int) or not 0 < limit <= _PAGE:
        raise ApiError(INVALID, f"Value '{limit}' at '{name}' failed to satisfy constraint.")
    return limit


def _token(*parts: str | int) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def _position(token: str, chain: str) -> tuple[int, int, Any]:
    try:
        belongs_to, mask, pages, after = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError):
        belongs_to = mask = pages = after = None
    if belongs_to != chain:
        raise ApiError(INVALID, PAGING_MARKER)
    return mask, pages, after
