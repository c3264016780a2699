"""AWS's request quotas: those of an account in a region, and those of one pool.

https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tap_cognito.cognito.rate_limiter import RateLimiter

if TYPE_CHECKING:
    from collections.abc import Mapping

_CATEGORIES = {
    "ListUsers": "UserList",
    "ListUsersInGroup": "UserList",
    "AdminGetUser": "UserRead",
    "AdminGetUserAuthFactors": "UserRead",
    "AdminListDevices": "UserResourceRead",
    "AdminListUserAuthEvents": "UserResourceRead",
    "AdminListUserSessions": "UserResourceRead",
    "DescribeUserPool": "UserPoolRead",
    "ListUserPools": "UserPoolRead",
    "DescribeUserPoolClient": "UserPoolClientRead",
    "ListUserPoolClients": "UserPoolClientRead",
    # Not in AWS's list, so by their names.
    "GetUserPoolClientSessionConfiguration": "UserPoolClientRead",
    "ListUserPoolClientSecrets": "UserPoolClientRead",
}
_OTHERS = "UserPoolResourceRead"

_LIMITS = {
    "UserList": 30.0,
    "UserRead": 120.0,
    "UserResourceRead": 50.0,
    "UserPoolRead": 15.0,
    "UserPoolClientRead": 15.0,
    _OTHERS: 20.0,
}
"""Requests per second, for all pools of an account in a region together."""

_LIMIT_OF_A_POOL = 5.0
"""Requests per second of one operation on one pool, other than those that read users."""

_WITHOUT_LIMIT_OF_A_POOL = {"UserList", "UserRead", "UserResourceRead"}

_REMEMBERED = 256
"""How many limiters of pools are kept before idle ones are dropped."""


def category_of(operation: str) -> str:
    """Return the quota's category of an operation, by AWS's name."""
    return _CATEGORIES.get(operation, _OTHERS)


class Quotas:
    """The rate limiters of an account in one region. Threads share them.

    Args:
        limits: Requests per second by category, if they differ from AWS's defaults.
    """

    def __init__(self, limits: Mapping[str, float] | None = None) -> None:
        self._categories = {
            category: RateLimiter(limit)
            for category, limit in {**_LIMITS, **(limits or {})}.items()
        }
        self._pools: dict[tuple[str, str], RateLimiter] = {}
        self._lock = threading.Lock()

    def limiters(self, operation: str, pool_id: str | None) -> list[RateLimiter]:
        """List the limiters that a request must wait for.

        Args:
            operation: The API's name of the operation.
            pool_id: The pool that the request is about, if any.

        Returns:
            The limiters, the pool's own first.
        """
        category = category_of(operation)
        shared = self._categories[category]
        if pool_id is None or category in _WITHOUT_LIMIT_OF_A_POOL:
            return [shared]
        with self._lock:
            if len(self._pools) > _REMEMBERED:
                self._pools = {
                    key: limiter for key, limiter in self._pools.items() if not limiter.is_idle
                }
            own = self._pools.setdefault((operation, pool_id), RateLimiter(_LIMIT_OF_A_POOL))
        return [own, shared]

    def count(self) -> tuple[int, int]:
        """Return the number of requests so far, and how many of them AWS throttled."""
        limiters = self._categories.values()
        return (
            sum(limiter.requests for limiter in limiters),
            sum(limiter.throttled_requests for limiter in limiters),
        )
