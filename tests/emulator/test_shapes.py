"""The emulator's answers have the shapes of botocore's model of the service."""

from __future__ import annotations

import json
from datetime import datetime
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import botocore
import botocore.session
import pytest

from emulator import PLANTED, Emulator, Pool, sts
from tests.support.emulated import client

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL: Any = botocore.session.get_session().get_service_model("cognito-idp")
pytestmark = pytest.mark.skipif(
    "ClientSecretArn" not in MODEL.shape_for("UserPoolClientType").members,
    reason="the emulator has members that an older model lacks",
)
LIMIT = {"LimitClass": "API_CATEGORY", "Attributes": {"Category": "UserRead"}}
CLIENT = "1example23456789backend0ab"
RESTORE = "2f0c1d2e-3a4b-4c5d-8e6f-0a1b2c3d4e5f"
REQUESTS: list[tuple[str, dict[str, Any]]] = [
    ("AdminGetUser", {}),
    ("AdminGetUserAuthFactors", {}),
    ("AdminListDevices", {"Limit": 1}),
    ("AdminListUserAuthEvents", {"MaxResults": 1}),
    ("AdminListUserAuthEvents", {}),
    ("AdminListUserSessions", {}),
    ("DescribeIdentityProvider", {"ProviderName": "Corporate"}),
    ("DescribePointInTimeRecovery", {"RestoreId": RESTORE}),
    ("DescribeRiskConfiguration", {}),
    ("DescribeRiskConfiguration", {"ClientId": CLIENT}),
    ("DescribeUserPool", {}),
    ("DescribeUserPoolClient", {"ClientId": CLIENT}),
    ("DescribeUserPoolClient", {"ClientId": "3example23456789managed0ab"}),
    ("DescribeUserPoolDomain", {"Domain": "emulated-emulated1"}),
    ("DescribeUserPoolDomain", {"Domain": "emulated1.auth.example.com"}),
    ("DescribeUserPoolDomain", {"Domain": "unknown"}),
    ("GetLogDeliveryConfiguration", {}),
    ("GetProvisionedLimit", {"LimitDefinition": LIMIT}),
    ("GetUserPoolClientSessionConfiguration", {"ClientId": CLIENT}),
    ("GetUserPoolMfaConfig", {}),
    ("GetUserPoolSessionConfiguration", {}),
    ("ListGroups", {"Limit": 1}),
    ("ListGroups", {}),
    ("ListIdentityProviders", {"MaxResults": 1}),
    ("ListPointInTimeRecoveries", {"MaxResults": 1}),
    ("ListResourceServers", {"MaxResults": 1}),
    ("ListResourceServers", {}),
    ("ListUserPoolClientSecrets", {"ClientId": CLIENT}),
    ("ListUserPoolClients", {"MaxResults": 1}),
    ("ListUserPoolReplicas", {}),
    ("ListUserPools", {"MaxResults": 1}),
    ("ListUsers", {}),
    ("ListUsersInGroup", {"GroupName": "Köche"}),
]
BUSY = 218
"""A user with two factors, a passkey, sessions of both kinds, events and devices."""
OPTIONAL = "DescribeUserPoolDomain.DomainDescription.CustomDomainConfig.CertificateArn is missing"
"""AWS answers an empty CustomDomainConfig for a prefix domain."""
UNUSED = {
    "AdminGetUser.MFAOptions",  # no longer used
    "ListUserPoolClientSecrets.NextToken",  # a client has two secrets at most
    "ListUserPools.UserPools.ReplicaRegions",  # of a primary pool
    "ListUsers.Users.MFAOptions",
    "ListUsersInGroup.Users.MFAOptions",
}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """Two pools of five hundred users, served."""
    pages = {"AdminListUserSessions": 4}
    pools = [Pool(500), Pool(1, pool_id="us-east-1_Emulated2")]
    with Emulator(pools=pools, page_sizes=pages) as serving:
        yield serving


def full(emulator: Emulator, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a request, with the pool and a user with two factors."""
    if operation.startswith("Admin"):
        parameters = {"Username": emulator.pool.username(BUSY), **parameters}
    if operation in {"DescribeUserPoolDomain", "GetProvisionedLimit", "ListUserPools"}:
        return parameters
    return {"UserPoolId": emulator.pool.id, **parameters}


def raw(emulator: Emulator, operation: str, parameters: dict[str, Any]) -> Any:
    """The JSON of an answer."""
    connection = HTTPConnection("127.0.0.1", emulator.port)
    headers = {"X-Amz-Target": f"AWSCognitoIdentityProviderService.{operation}"}
    connection.request("POST", "/", json.dumps(full(emulator, operation, parameters)), headers)
    answer = json.load(connection.getresponse())
    connection.close()
    return answer


TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "timestamp": (float, int),  # whole seconds in one of the two notations
}


def problems(shape: Any, value: Any, path: str) -> Iterator[str]:
    """Where a value isn't what a shape says."""
    kind = shape.type_name
    if kind == "structure":
        yield from (f"{path}.{name} is unknown" for name in value.keys() - shape.members.keys())
        yield from (f"{path}.{name} is missing" for name in shape.required_members - value.keys())
        for name in value.keys() & shape.members.keys():
            yield from problems(shape.members[name], value[name], f"{path}.{name}")
    elif kind == "list":
        for item in value:
            yield from problems(shape.member, item, path)
    elif kind == "map":
        for item in value.values():
            yield from problems(shape.value, item, path)
    elif type(value) not in TYPES[kind]:
        yield f"{path} is no {kind}: {value!r}"
    elif kind == "string" and shape.enum and value not in shape.enum:
        yield f"{path} cannot be {value!r}"


def paths(shape: Any, path: str, value: Any = None) -> Iterator[str]:
    """All members that a shape has, or those of them that a value has."""
    kind = shape.type_name
    if kind == "structure":
        for name, member in shape.members.items():
            if value is None or name in value:
                yield f"{path}.{name}"
                yield from paths(member, f"{path}.{name}", value and value[name])
    elif kind == "list":
        for item in [None] if value is None else value:
            yield from paths(shape.member, path, item)
    elif kind == "map" and shape.value.type_name == "structure":
        for item in [None] if value is None else value.values():
            yield from paths(shape.value, path, item)


@pytest.mark.parametrize(("operation", "parameters"), REQUESTS)
def test_answers_have_the_shapes_of_the_api(
    emulator: Emulator, operation: str, parameters: dict[str, Any]
) -> None:
    """No member is unknown, of another type, or missing although it is required."""
    answer = raw(emulator, operation, parameters)
    shape = MODEL.operation_model(operation).output_shape
    assert set(problems(shape, answer, operation)) <= {OPTIONAL}


@pytest.mark.parametrize("operation", sorted({operation for operation, _ in REQUESTS}))
def test_every_member_of_the_api_is_there(emulator: Emulator, operation: str) -> None:
    """Each member of the model, at any depth, is in an answer; a new one is noticed."""
    shape = MODEL.operation_model(operation).output_shape
    found = {
        path
        for name, parameters in REQUESTS
        if name == operation
        for path in paths(shape, operation, raw(emulator, operation, parameters))
    }
    missing = set(paths(shape, operation)) - found
    assert {path for path in missing if not path.startswith(tuple(UNUSED))} == set()


def plain(value: Any) -> Any:
    """A parsed answer as it was in JSON."""
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items() if name != "ResponseMetadata"}
    return value


@pytest.mark.parametrize(("operation", "parameters"), REQUESTS)
def test_clients_read_all_of_an_answer(
    emulator: Emulator, operation: str, parameters: dict[str, Any]
) -> None:
    """What boto3 makes of an answer is the answer."""
    call = getattr(client(emulator), botocore.xform_name(operation))
    parsed = call(**full(emulator, operation, parameters))
    assert plain(parsed) == raw(emulator, operation, parameters)


def test_everything_planted_is_in_the_answers(emulator: Emulator) -> None:
    """Each secret, and each part of a person, can be found by a reader."""
    requests = [*REQUESTS, ("DescribeIdentityProvider", {"ProviderName": "SignInWithApple"})]
    answers = [
        json.dumps(raw(emulator, operation, parameters), ensure_ascii=False).replace("\\\\", "\\")
        for operation, parameters in requests
    ]
    text = "".join(answers).replace('\\"', '"')
    assert [item for item in PLANTED if item not in text] == [sts.SECRET, sts.TOKEN]
