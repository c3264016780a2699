"""What an emulated pool has beside users."""

from __future__ import annotations

from typing import TYPE_CHECKING

import botocore
import botocore.session
import pytest
from botocore.exceptions import ClientError

from emulator import Emulator, Pool, resources
from tests.support.emulated import client, code, seen

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Five hundred users, served."""
    with Emulator(Pool(500)) as serving:
        yield serving


def test_group_members_are_paged(emulator: Emulator) -> None:
    """ListUsersInGroup returns the members, also those that joined or left."""
    cognito, pool = client(emulator), emulator.pool
    left = next(pool.members("Köche"))["Username"]
    joined = pool.create()["Username"]
    pool.leave(left, "Köche")
    pool.join(joined, "Köche")
    listing = cognito.get_paginator("list_users_in_group")
    answers = listing.paginate(UserPoolId=pool.id, GroupName="Köche")
    found = [user["Username"] for page in answers for user in page["Users"]]
    assert found == [user["Username"] for user in pool.members("Köche")]
    assert len(found) > 60
    assert joined in found
    assert left not in found
    with pytest.raises(cognito.exceptions.ResourceNotFoundException):
        cognito.list_users_in_group(UserPoolId=pool.id, GroupName="missing")


def test_lists_of_resources_are_paged_and_described(emulator: Emulator) -> None:
    """Groups, providers and clients come page by page, secrets only in descriptions."""
    cognito, pool = client(emulator), {"UserPoolId": emulator.pool.id}
    first = cognito.list_groups(**pool, Limit=2)
    second = cognito.list_groups(**pool, Limit=2, NextToken=first["NextToken"])
    assert {g["GroupName"] for g in first["Groups"] + second["Groups"]} == set(emulator.pool.groups)
    assert "NextToken" not in second
    listed = cognito.list_identity_providers(**pool)["Providers"]
    secrets = set()
    for provider in listed:
        name = provider["ProviderName"]
        described = cognito.describe_identity_provider(**pool, ProviderName=name)
        secrets |= set(described["IdentityProvider"]["ProviderDetails"].values())
    apps = cognito.list_user_pool_clients(**pool, MaxResults=60)["UserPoolClients"]
    for app in apps:
        described = cognito.describe_user_pool_client(**pool, ClientId=app["ClientId"])
        secrets.add(described["UserPoolClient"].get("ClientSecret"))
    planted = {resources.CLIENT_SECRET, resources.PROVIDER_SECRET, resources.PRIVATE_KEY}
    assert planted < secrets
    assert not any(secret in f"{listed}{apps}" for secret in planted)


def test_the_estimate_of_users_can_be_set(emulator: Emulator) -> None:
    """The pool describes itself, with its true size unless another is set."""
    cognito, pool = client(emulator), emulator.pool
    described = cognito.describe_user_pool(UserPoolId=pool.id)["UserPool"]
    assert (described["Id"], described["EstimatedNumberOfUsers"]) == (pool.id, 500)
    pool.estimate = 7
    described = cognito.describe_user_pool(UserPoolId=pool.id)["UserPool"]
    assert described["EstimatedNumberOfUsers"] == 7
    pool.estimate = None
    described = cognito.describe_user_pool(UserPoolId=pool.id)["UserPool"]
    assert "EstimatedNumberOfUsers" not in described


def test_a_group_may_go_in_mid_run(emulator: Emulator) -> None:
    """A group that is deleted at a request is gone, for its members' next page too."""
    cognito, pool = client(emulator), emulator.pool
    meant = {"UserPoolId": pool.id, "GroupName": "Köche"}
    emulator.before_request(2, lambda: pool.groups.pop("Köche"), {"ListUsersInGroup"})
    cognito.list_groups(UserPoolId=pool.id)
    token = cognito.list_users_in_group(**meant)["NextToken"]
    with pytest.raises(ClientError, match="Group not found") as error:
        cognito.list_users_in_group(**meant, NextToken=token)
    assert code(error) == "ResourceNotFoundException"
    groups = cognito.list_groups(UserPoolId=pool.id)["Groups"]
    assert {group["GroupName"] for group in groups} == {"admins", "nobody"}


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("ListUsersInGroup", {"GroupName": "Köche"}),
        ("DescribeIdentityProvider", {"ProviderName": "Corporate"}),
    ],
)
def test_an_operation_may_deny_that_the_pool_exists(
    emulator: Emulator, operation: str, parameters: dict[str, str]
) -> None:
    """Every call answers ResourceNotFoundException, while all else says that the pool is there."""
    emulator.refused = {operation: "ResourceNotFoundException"}
    cognito, pool = client(emulator), {"UserPoolId": emulator.pool.id}
    with pytest.raises(ClientError) as error:
        getattr(cognito, botocore.xform_name(operation))(**pool, **parameters)
    assert code(error) == "ResourceNotFoundException"
    assert cognito.describe_user_pool(**pool)["UserPool"]
    assert len(cognito.list_groups(**pool)["Groups"]) == 3
    assert len(cognito.list_identity_providers(**pool)["Providers"]) == 2


def test_a_pool_may_go_in_mid_run(emulator: Emulator) -> None:
    """A pool that is removed at a request is unknown from then on, and may come back."""
    emulator.before_request(2, lambda: emulator.remove_pool(emulator.pool))
    cognito = client(emulator)
    outcomes = [seen(cognito, emulator.pool.id) for _ in range(3)]
    assert outcomes == ["Users", "ResourceNotFoundException", "ResourceNotFoundException"]
    emulator.add_pool(emulator.pool)
    assert seen(cognito, emulator.pool.id) == "Users"
