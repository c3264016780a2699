"""How a pool keeps sessions, secrets, replicas and restores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.resources import ACCOUNT, DATES

if TYPE_CHECKING:
    from collections.abc import Iterable

# A fake secret, for tests to look for in a reader's output. AWS says that its value is never given.
CLIENT_SECRET_VALUE = "planted0client0secret0value0d5e1"  # noqa: S105

OFFERED_IN_REPLICAS = frozenset(
    {
        "AdminGetUser",
        "AdminListDevices",
        "AdminListUserAuthEvents",
        "DescribeIdentityProvider",
        "DescribeRiskConfiguration",
        "DescribeUserPool",
        "DescribeUserPoolClient",
        "DescribeUserPoolDomain",
        "GetLogDeliveryConfiguration",
        "GetUserPoolMfaConfig",
        "ListGroups",
        "ListIdentityProviders",
        "ListResourceServers",
        "ListUserPoolClients",
        "ListUserPoolClientSecrets",
        "ListUserPoolReplicas",
        "ListUserPools",
        "ListUsers",
        "ListUsersInGroup",
    }
)
"""Of the emulated operations those that AWS offers in the secondary region of a pool."""


def sessions(pool_id: str, *, is_tracked: bool) -> dict[str, Any]:
    """Return the answer of GetUserPoolSessionConfiguration; untracked ones are the default."""
    return {
        "UserPoolId": pool_id,
        "UserSessionTracking": "ENABLED" if is_tracked else "DISABLED",
        "TokenSession": {"MaxPerUser": 5 if is_tracked else 20},
    }


def client_sessions(client_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return what some clients have set, as ClientSSOSessionConfigType: no reuse, and a day."""
    return {
        client_id: {"MaxValidityMinutes": minutes}
        for client_id, minutes in zip(client_ids, (0, 1440), strict=False)
    }


def client_secrets(client_ids: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Return each client's secrets, as ClientSecretDescriptorType: two, none and one."""
    dates = ((1_577_934_245, 1_735_787_045), (), (1_577_934_245,))
    return {
        client_id: [
            {
                "ClientSecretId": f"{client_id}--{created}",
                "ClientSecretValue": CLIENT_SECRET_VALUE,
                "ClientSecretCreateDate": created,
            }
            for created in found
        ]
        for client_id, found in zip(client_ids, dates, strict=True)
    }


def replicas(pool_id: str) -> list[dict[str, Any]]:
    """Return the pool in its own region and its replica, as UserPoolReplicaType."""
    home, _, _ = pool_id.partition("_")
    other = "us-west-2" if home != "us-west-2" else "us-east-1"
    return [
        {
            "RegionName": region,
            "Status": status,
            "Role": role,
            "UserPoolArn": f"arn:aws:cognito-idp:{region}:{ACCOUNT}:userpool/{pool_id}",
        }
        for region, status, role in (
            (home, "ACTIVE", "PRIMARY"),
            (other, "INACTIVE", "SECONDARY"),
        )
    ]


def recoveries() -> list[dict[str, Any]]:
    """Return two restores, as RestorationType, the newest first: one is done, one was given up."""
    counts = {"CreateCount": 3, "UpdateCount": 12, "DeleteCount": 1}
    preview = [
        {"Entity": entity, **counts} for entity in ("Users", "Groups", "User MFAs", "Passkeys")
    ]
    return [
        {
            "RestoreId": f"{number}f0c1d2e-3a4b-4c5d-8e6f-0a1b2c3d4e5f",
            "RestoreStatus": status,
            "RestoreTimestamp": DATES["LastModifiedDate"] + number * 86_400,
            "TriggerTimestamp": DATES["LastModifiedDate"] + number * 86_400 + 3_600,
            "RestorePreview": preview,
        }
        for number, status in ((2, "RESTORE_COMPLETED"), (1, "PREVIEW_CANCELLED"))
    ]
