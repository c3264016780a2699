"""What the emulated service refuses, and what goes wrong on the way to it."""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ReadTimeoutError,
)

from emulator import AWS_QUOTAS, FAULTS, OPERATORS, Emulator, Faults, Pool, faults
from tests.support.emulated import client, code, names, seen
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Five hundred users, served."""
    with Emulator(Pool(500)) as serving:
        yield serving


def test_the_quota_is_a_bucket_that_fills_by_itself(emulator: Emulator) -> None:
    """Requests over the quota are throttled, later ones aren't."""
    emulator.quota = 2
    cognito = client(emulator)
    throttled = "TooManyRequestsException"
    outcomes = [seen(cognito, emulator.pool.id) for _ in range(4)]
    assert outcomes == ["Users", "Users", throttled, throttled]
    assert emulator.log.count("ListUsers", "throttled") == 2
    cognito.list_groups(UserPoolId=emulator.pool.id)
    wait_until(lambda: seen(cognito, emulator.pool.id) != throttled)


def test_the_quota_can_drop_at_a_request(emulator: Emulator) -> None:
    """From the given listing on, the new quota holds."""
    emulator.quota_drops = {3: 0, 4: None}
    cognito = client(emulator)
    outcomes = [seen(cognito, emulator.pool.id) for _ in range(4)]
    assert outcomes == ["Users", "Users", "TooManyRequestsException", "Users"]


def test_each_category_has_a_quota_of_its_own(emulator: Emulator) -> None:
    """Categories are throttled apart from each other, those without a quota not at all."""
    emulator.quotas = {**AWS_QUOTAS, "UserRead": 2, "UserPoolClientRead": 1}
    cognito, pool = client(emulator), {"UserPoolId": emulator.pool.id}
    name = emulator.pool.username(0)
    cognito.list_user_pool_clients(**pool)
    with pytest.raises(cognito.exceptions.TooManyRequestsException):
        cognito.describe_user_pool_client(**pool, ClientId="any")
    for _ in range(2):
        cognito.admin_get_user(**pool, Username=name)
    with pytest.raises(cognito.exceptions.TooManyRequestsException):
        cognito.admin_get_user(**pool, Username=name)
    assert cognito.list_users(**pool)["Users"]
    emulator.quotas = {}
    assert cognito.admin_get_user(**pool, Username=name)["UserAttributes"]


def test_one_operation_on_one_pool_has_a_quota(emulator: Emulator) -> None:
    """The quota for a pool counts each operation alone, and spares those on users."""
    emulator.quotas, emulator.quota_per_pool = AWS_QUOTAS, 1
    cognito, pool = client(emulator), {"UserPoolId": emulator.pool.id}
    cognito.list_groups(**pool)
    cognito.describe_user_pool(**pool)
    with pytest.raises(cognito.exceptions.TooManyRequestsException):
        cognito.list_groups(**pool)
    assert [seen(cognito, emulator.pool.id) for _ in range(3)] == ["Users"] * 3


def test_latency_is_added_to_each_answer(emulator: Emulator) -> None:
    """An answer takes the set time."""
    emulator.latency = 0.1
    cognito = client(emulator)
    cognito.list_groups(UserPoolId=emulator.pool.id)
    assert emulator.log.seconds() >= 0.1


def test_denied_actions_are_refused_in_the_words_of_aws(emulator: Emulator) -> None:
    """A denied action is an AccessDeniedException that names role, session and resource."""
    emulator.denied = {"cognito-idp:DescribeUserPool"}
    role = "/".join(OPERATORS)
    message = (
        f"User: arn:aws:sts::123456789012:assumed-role/{role} is not authorized to perform: "
        "cognito-idp:DescribeUserPool on resource: arn:aws:cognito-idp:us-east-1:"
    )
    with pytest.raises(ClientError, match=message) as error:
        client(emulator).describe_user_pool(UserPoolId=emulator.pool.id)
    assert code(error) == "AccessDeniedException"
    assert emulator.log.count(outcome="AccessDeniedException") == 1
    assert len(names(emulator)) == 500


SEEN = {
    "error-500": "InternalErrorException",
    "error-503": "ServiceUnavailableException",
    "html-502": "502",
    "html-200": "no Users",
    "reset-before-answer": ConnectionClosedError,
    "reset-within-body": ConnectionClosedError,
    "cut-length-right": "no Users",
    "cut-length-wrong": "no Users",
    "cut-no-length": "no Users",
    "slow": ReadTimeoutError,
    "throttling-burst": "TooManyRequestsException",
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_seen_by_the_client(emulator: Emulator, name: str) -> None:
    """A fault hits the request that it is meant for, is logged, and ends."""
    emulator.slow_seconds = 1
    emulator.faults = Faults((name,), skip=1, limit=1, operations={"ListUsers"})
    cognito = client(emulator, timeout=0.5 if name == "slow" else 10)
    cognito.list_groups(UserPoolId=emulator.pool.id)
    assert [seen(cognito, emulator.pool.id) for _ in range(3)] == ["Users", SEEN[name], "Users"]
    wait_until(lambda: emulator.log.count() >= 4)  # The slow answer is still on its way.
    assert emulator.log.count("ListUsers", name) == 1


def test_an_answer_may_be_another(emulator: Emulator) -> None:
    """A setting makes the answer to each request, alone or from what it would have been."""
    emulator.respond = lambda operation, _, carry_out: (
        '{"Users":[]}' if operation == "ListUsers" else carry_out()
    )
    assert names(emulator) == []
    assert client(emulator).list_groups(UserPoolId=emulator.pool.id)["Groups"]


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("reset-before-answer", "reset without a byte"),
        ("reset-within-body", "reset with half of the body"),
        ("cut-length-right", "closed with all of the length"),
        ("cut-length-wrong", "closed with half of the body"),
        ("cut-no-length", "closed without a length"),
    ],
)
def test_connections_end_as_the_fault_says(emulator: Emulator, name: str, end: str) -> None:
    """Resets are resets, clean ends are clean, and Content-Length is as the fault says."""
    emulator.faults = Faults((name,))
    body = json.dumps({"UserPoolId": emulator.pool.id})
    target = "X-Amz-Target: AWSCognitoIdentityProviderService.ListUsers"
    request = f"POST / HTTP/1.1\r\n{target}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    received, how = b"", "closed"
    with socket.create_connection(("127.0.0.1", emulator.port)) as connection:
        connection.sendall(request.encode())
        try:
            while data := connection.recv(65536):
                received += data
        except ConnectionResetError:
            how = "reset"
    if not received:
        assert f"{how} without a byte" == end
        return
    head, _, rest = received.partition(b"\r\n\r\n")
    _, _, length = head.partition(b"Content-Length: ")
    if not length:
        assert f"{how} without a length" == end
    elif int(length.split()[0]) == len(rest):
        assert f"{how} with all of the length" == end
    else:
        assert int(length.split()[0]) // 2 == len(rest)
        assert f"{how} with half of the body" == end
    with pytest.raises(ValueError, match="line 1"):
        json.loads(rest)


def test_a_fault_at_rate_one_hits_every_request(emulator: Emulator) -> None:
    """At rate 1 nothing succeeds until the faults are taken away."""
    emulator.faults = Faults(("error-503",))
    cognito = client(emulator)
    outcomes = {seen(cognito, emulator.pool.id) for _ in range(10)}
    assert outcomes == {"ServiceUnavailableException"}
    emulator.faults = None
    assert seen(cognito, emulator.pool.id) == "Users"


def test_faults_come_by_seed_and_rate() -> None:
    """The same seed draws the same faults, about as often as the rate says."""

    def draw(seed: int) -> list[str | None]:
        faults = Faults(("error-500", "slow"), rate=0.1, seed=seed)
        return [faults.draw("ListUsers") for _ in range(2000)]

    assert draw(1) == draw(1) != draw(2)
    counts = Counter(draw(1))
    assert set(counts) == {None, "error-500", "slow"}
    assert 120 < 2000 - counts[None] < 280
    with pytest.raises(ValueError, match="no such fault: typo"):
        Faults(("typo",))


def test_throttling_comes_in_bursts() -> None:
    """One draw throttles several requests in a row."""
    faults = Faults(("throttling-burst",), rate=0.01, seed=3)
    drawn = [faults.draw("ListUsers") is not None for _ in range(1000)]
    runs = [len(list(run)) for hit, run in itertools.groupby(drawn) if hit]
    assert runs
    assert all(run % 5 == 0 for run in runs)


def test_an_outage_lasts_its_seconds(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage fails every request until its time is over, and the log says so."""
    cognito = client(emulator)
    emulator.outage(100)
    began = time.monotonic()
    for later in (0, 50, 99, 101):
        monkeypatch.setattr(faults, "time", SimpleNamespace(monotonic=lambda: began + later))  # noqa: B023
        seen(cognito, emulator.pool.id)
    answers = [(request.outcome, request.status) for request in emulator.log.requests]
    assert answers == [("outage", 503)] * 3 + [("ok", 200)]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (503, "ServiceUnavailableException"),
        (500, "InternalErrorException"),
        (429, "TooManyRequestsException"),
        (502, "502"),
        (None, ConnectionClosedError),
    ],
)
def test_an_outage_may_hit_one_operation(
    emulator: Emulator, status: int | None, expected: object
) -> None:
    """An outage of one operation fails it with the wanted status, and no other operation."""
    cognito = client(emulator)
    emulator.outage(60, status, {"ListUsers"})
    assert seen(cognito, emulator.pool.id) == expected
    assert cognito.list_groups(UserPoolId=emulator.pool.id)["Groups"]
    assert emulator.log.count("ListUsers", "outage") == 1
    assert emulator.log.requests[0].status == (status or 0)


def test_an_outage_may_begin_at_a_request(emulator: Emulator) -> None:
    """An action before the n-th request of some operations decides about that request already."""
    cognito = client(emulator)
    emulator.before_request(3, lambda: emulator.outage(60), {"ListUsers"})
    outcomes = [seen(cognito, emulator.pool.id)]
    cognito.list_groups(UserPoolId=emulator.pool.id)
    outcomes += [seen(cognito, emulator.pool.id) for _ in range(3)]
    assert outcomes == ["Users", "Users", *["ServiceUnavailableException"] * 2]
