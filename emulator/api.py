"""The service itself: checks permission, quota and pool, then carries out the operation."""

from __future__ import annotations

import itertools
import json
import threading
from typing import TYPE_CHECKING, NamedTuple

from emulator import paging, wire
from emulator.errors import INVALID, ApiError
from emulator.quotas import AWS_QUOTAS, CATEGORIES, OF_USERS, Buckets
from emulator.resource_operations import OPERATIONS
from emulator.upkeep import OFFERED_IN_REPLICAS
from emulator.user_details import UserDetails
from emulator.user_operations import UserOperations

if TYPE_CHECKING:
    from collections.abc import Hashable

    from emulator.behaviour import Behaviour
    from emulator.pool import Pool
    from emulator.wire import Wire


class Caller(NamedTuple):
    """The identity that sends a request, and the region that it sends it to.

    Attributes:
        account: The identity's account.
        region: The region of the signature.
        arn: The identity's ARN.
    """

    account: str
    region: str
    arn: str


class Api:
    """Answers requests that have arrived.

    Attributes:
        pools: The pools that are served, by account, region and id.
    """

    def __init__(self, behaviour: Behaviour) -> None:
        """Serve no pools yet, as `behaviour` says at the time of each request."""
        self.pools: dict[tuple[str, str, str], Pool] = {}
        self._behaviour = behaviour
        self._lock = threading.Lock()
        self._listings = 0
        self._throttled = itertools.count()
        self._buckets = Buckets()
        users = UserOperations(behaviour)
        self._operations = {
            **OPERATIONS,
            **UserDetails(behaviour).operations,
            "ListUsers": users.list_users,
            "ListUsersInGroup": users.list_members,
        }

    def answer(self, operation: str, parameters: Wire, caller: Caller) -> str:
        """Carry out an operation and return its answer as JSON.

        Raises:
            ApiError: the service would refuse the request.
        """
        answer = self._answer(operation, parameters, caller)
        amend = self._behaviour.amend
        return wire.dumps(amend(operation, parameters, json.loads(answer))) if amend else answer

    def _answer(self, operation: str, parameters: Wire, caller: Caller) -> str:
        pool_id = str(parameters.get("UserPoolId", "*"))
        if f"cognito-idp:{operation}" in self._behaviour.denied:
            raise _denial(operation, pool_id, caller)
        if operation not in CATEGORIES:
            raise ApiError("UnknownOperationException", f"{operation} is not emulated.")
        if not self._within_quota(operation, pool_id, caller):
            text = "Too many requests" if next(self._throttled) % 2 else "Rate exceeded"
            raise ApiError("TooManyRequestsException", text)
        self._refuse(operation, parameters, caller)
        if operation == "ListUserPools":
            return wire.dumps(self._list_pools(parameters, caller))
        if operation == "GetProvisionedLimit":
            return wire.dumps(self._limit(parameters))
        if operation == "DescribeUserPoolDomain":
            pool = self._pool_of_domain(str(parameters.get("Domain")), caller)
            if pool is None:
                return '{"DomainDescription":{}}'
        else:
            pool = self.pools.get((caller.account, caller.region, pool_id))
        if pool is None:
            raise _no_pool(pool_id)
        if pool.is_replica and operation not in OFFERED_IN_REPLICAS:
            message = f"{operation} is not supported in a secondary Region."
            raise ApiError("OperationNotEnabledException", message)
        answer = self._operations[operation](pool, parameters)
        return answer if isinstance(answer, str) else wire.dumps(answer)

    def _within_quota(self, operation: str, pool_id: str, caller: Caller) -> bool:
        behaviour, category = self._behaviour, CATEGORIES[operation]
        is_listing = category == "UserList"
        if is_listing:
            with self._lock:
                self._listings += 1
                if self._listings in behaviour.quota_drops:
                    behaviour.quota = behaviour.quota_drops[self._listings]
        quota = behaviour.quotas.get(category)
        if is_listing and behaviour.quota is not None:
            quota = behaviour.quota
        wanted: dict[Hashable, float | None] = {(category, caller.account, caller.region): quota}
        if category not in OF_USERS:
            wanted[operation, pool_id, caller.account, caller.region] = behaviour.quota_per_pool
        return self._buckets.take(wanted)

    def _refuse(self, operation: str, parameters: Wire, caller: Caller) -> None:
        refuse, refused = self._behaviour.refuse, self._behaviour.refused
        if refuse and (error := refuse(operation, parameters)):
            raise error
        if not refused:
            return
        pool_id = str(parameters.get("UserPoolId", "*"))
        scopes = ("", *(f"{scope}/" for scope in (pool_id, caller.region, caller.account)))
        for key in (scope + name for scope in scopes for name in (operation, "*")):
            if code := refused.get(key):
                if code == "AccessDeniedException":
                    raise _denial(operation, pool_id, caller)
                if code == "ResourceNotFoundException":
                    raise _no_pool(pool_id)
                status = 500 if code == "InternalErrorException" else 400
                raise ApiError(code, f"{operation} is refused.", status)

    def _limit(self, parameters: Wire) -> Wire:
        definition = parameters.get("LimitDefinition") or {}
        category = (definition.get("Attributes") or {}).get("Category", "")
        if category not in AWS_QUOTAS:
            raise ApiError(INVALID, f"No such category: {category}")
        free = int(AWS_QUOTAS[category])
        value = int(self._behaviour.quotas.get(category, free))
        limit = {"ProvisionedLimitValue": value, "FreeLimitValue": free}
        return {"Limit": {"LimitDefinition": definition, **limit}}

    def _list_pools(self, parameters: Wire, caller: Caller) -> Wire:
        members = ("Id", "Name", "LambdaConfig", "Status", "LastModifiedDate", "CreationDate")
        found = {
            pool_id: {name: pool.description[name] for name in members if name in pool.description}
            for (account, region, pool_id), pool in list(self.pools.items())
            if (account, region) == (caller.account, caller.region)
        }
        return paging.page(found, parameters, "UserPools", "MaxResults")

    def _pool_of_domain(self, domain: str, caller: Caller) -> Pool | None:
        for (account, region, _), pool in list(self.pools.items()):
            if (account, region) == (caller.account, caller.region) and domain in pool.domains:
                return pool
        return None


def _denial(operation: str, pool_id: str, caller: Caller) -> ApiError:
    action = f"cognito-idp:{operation}"
    resource = f"arn:aws:cognito-idp:{caller.region}:{caller.account}:userpool/{pool_id}"
    message = (
        f"User: {caller.arn} is not authorized to perform: {action} on resource: {resource} "
        f"because no identity-based policy allows the {action} action"
    )
    return ApiError("AccessDeniedException", message)


def _no_pool(pool_id: str) -> ApiError:
    return ApiError("ResourceNotFoundException", f"User pool {pool_id} does not exist.")
