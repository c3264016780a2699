"""Quotas: requests per second in a category of operations, as token buckets."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

_OPERATIONS = {
    "UserList": "ListUsers ListUsersInGroup",
    "UserRead": "AdminGetUser AdminGetUserAuthFactors",
    # AWS's list of 2026 lacks the operations on sessions, secrets, replicas and restores.
    "UserResourceRead": "AdminListDevices AdminListUserAuthEvents AdminListUserSessions",
    "UserPoolRead": "DescribeUserPool ListUserPools",
    "UserPoolClientRead": (
        "DescribeUserPoolClient GetUserPoolClientSessionConfiguration ListUserPoolClients "
        "ListUserPoolClientSecrets"
    ),
    "UserPoolResourceRead": (
        "DescribeIdentityProvider DescribePointInTimeRecovery DescribeRiskConfiguration "
        "DescribeUserPoolDomain GetLogDeliveryConfiguration GetUserPoolMfaConfig "
        "GetUserPoolSessionConfiguration ListGroups ListIdentityProviders "
        "ListPointInTimeRecoveries ListResourceServers ListUserPoolReplicas"
    ),
    "GetProvisionedLimit": "GetProvisionedLimit",
}
OF_USERS = frozenset({"UserList", "UserRead", "UserResourceRead"})
"""The categories in which an operation on one pool has no quota of its own."""

CATEGORIES: Mapping[str, str] = {
    operation: category for category, names in _OPERATIONS.items() for operation in names.split()
}
"""The quota's category of each operation."""

AWS_QUOTAS: Mapping[str, float] = {
    "UserList": 30,
    "UserRead": 120,
    "UserResourceRead": 50,
    "UserPoolRead": 15,
    "UserPoolClientRead": 15,
    "UserPoolResourceRead": 20,
    "GetProvisionedLimit": 1,
}
"""AWS's defaults, requests per second in each account and region."""


@dataclass
class _Bucket:
    tokens: float
    filled: float


class Buckets:
    """Token buckets, each as large as a second's requests, full at first."""

    def __init__(self) -> None:
        """Begin without buckets."""
        self._buckets: dict[Hashable, _Bucket] = {}
        self._lock = threading.Lock()

    def take(self, wanted: Mapping[Hashable, float | None]) -> bool:
        """Take a token from each of some buckets, or from none if one is empty.

        Args:
            wanted: Requests per second by bucket, None for no limit.

        Returns:
            Whether the tokens were there.
        """
        now = time.monotonic()
        with self._lock:
            buckets = []
            for key, quota in wanted.items():
                if quota is None:
                    continue
                capacity = max(1.0, quota) if quota else 0.0
                bucket = self._buckets.setdefault(key, _Bucket(capacity, now))
                bucket.tokens = min(capacity, bucket.tokens + (now - bucket.filled) * quota)
                bucket.filled = now
                buckets.append(bucket)
            if any(bucket.tokens < 1 for bucket in buckets):
                return False
            for bucket in buckets:
                bucket.tokens -= 1
            return True
