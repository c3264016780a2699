"""The service itself: checks permission, quota and pool, then carries out the operation."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

from emulator import resources
from emulator.errors import ApiError
from emulator.resource_operations import OPERATIONS
from emulator.user_operations import UserOperations

if TYPE_CHECKING:
    from emulator.behaviour import Behaviour
    from emulator.pool import Pool, Wire

_LISTINGS = frozenset({"ListUsers", "ListUsersInGroup"})


class Api:
    """Answers requests that have arrived.

    Attributes:
        pools: The pools that are served, by id.
    """

    def __init__(self, pool: Pool, behaviour: Behaviour) -> None:
        """Serve `pool` as `behaviour` says at the time of each request."""
        self.pools = {pool.id: pool}
        self._behaviour = behaviour
        self._lock = threading.Lock()
        self._listings = 0
        self._bucket = float("inf")
        self._filled = time.monotonic()
        users = UserOperations(behaviour)
        self._operations = {
            **OPERATIONS,
            "ListUsers": users.list_users,
            "ListUsersInGroup": users.list_members,
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
        pool = self.pools.get(pool_id)
        if pool is None or operation in self._behaviour.not_found:
            message = f"User pool {pool_id} does not exist."
            raise ApiError("ResourceNotFoundException", message)
        answer = self._operations[operation](pool, parameters)
        return answer if isinstance(answer, str) else json.dumps(answer)

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
