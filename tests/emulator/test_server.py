"""The emulated service as a server: signatures, its log, its process."""

from __future__ import annotations

import json
import signal
import socket
import time
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
)

from emulator import Credential, Emulator, Pool
from tests.support.emulated import client, code, names, process, seen

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Five hundred users, served."""
    with Emulator(Pool(500)) as serving:
        yield serving


def test_only_its_own_pool_and_operations_are_known(emulator: Emulator) -> None:
    """Another pool or operation is an error."""
    cognito = client(emulator)
    with pytest.raises(ClientError, match="User pool us-east-1_X does not exist") as error:
        cognito.list_users(UserPoolId="us-east-1_X")
    assert code(error) == "ResourceNotFoundException"
    with pytest.raises(ClientError):
        cognito.list_devices(AccessToken="x")


def test_signatures_are_checked(emulator: Emulator) -> None:
    """Only the right secret of a known key that hasn't expired is accepted, in its region."""
    pool = {"UserPoolId": emulator.pool.id}
    emulator.credentials = {"AKIDEXAMPLE": Credential("s3cret", "token")}
    assert client(emulator, "s3cret", "token").list_users(**pool)["Users"]
    with pytest.raises(ClientError, match="Canonical String for this request") as error:
        client(emulator, "wrong", "token").list_users(**pool)
    assert code(error) == "InvalidSignatureException"
    assert "x-amz-security-token:token" in str(error.value)
    for credentials in ({}, {"AKIDEXAMPLE": Credential("s3cret", "other")}):
        emulator.credentials = credentials
        with pytest.raises(ClientError) as error:
            client(emulator, "s3cret", "token").list_users(**pool)
        assert code(error) == "UnrecognizedClientException"
    emulator.credentials = {"AKIDEXAMPLE": Credential("s3cret", None, time.time() - 1)}
    with pytest.raises(ClientError) as error:
        client(emulator, "s3cret").list_users(**pool)
    assert code(error) == "ExpiredTokenException"
    emulator.credentials = {"AKIDEXAMPLE": Credential("s3cret")}
    with pytest.raises(ClientError, match="valid region, not 'eu-west-1'") as error:
        client(emulator, "s3cret", region="eu-west-1").list_users(**pool)
    assert code(error) == "InvalidSignatureException"


def test_the_log_tells_what_was_asked(emulator: Emulator) -> None:
    """Each request is logged with its filter, its token and its outcome."""
    names(emulator, Filter='sub ^= "a"', Limit=30)
    first, second, *_ = emulator.log.requests
    assert (first.operation, first.filter, first.token) == ("ListUsers", 'sub ^= "a"', False)
    assert (second.token, second.status, second.outcome) == (True, 200, "ok")
    assert first.received < first.answered < second.received
    assert emulator.log.seconds() > 0


def test_a_client_that_dies_within_its_request_asked_nothing(
    emulator: Emulator, capfd: pytest.CaptureFixture[str]
) -> None:
    """Half a request has no effect, and no traceback."""
    with socket.create_connection(("127.0.0.1", emulator.port)) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert emulator.log.count() == 0
    assert capfd.readouterr().err == ""


def test_it_stops_and_starts_again_at_the_same_place() -> None:
    """A stopped service is gone for its clients until it is back."""
    emulator = Emulator(Pool(10))
    with emulator:
        cognito = client(emulator)
        assert seen(cognito, emulator.pool.id) == "Users"
    assert seen(cognito, emulator.pool.id) in {ConnectionClosedError, EndpointConnectionError}
    with emulator:
        assert seen(cognito, emulator.pool.id) == "Users"


def control(emulator: Emulator, method: str, path: str) -> Any:
    """What the process says about itself."""
    connection = HTTPConnection("127.0.0.1", emulator.port)
    connection.request(method, path)
    answer = json.load(connection.getresponse())
    connection.close()
    return answer


@pytest.mark.programs
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_runs_as_a_process(number: signal.Signals) -> None:
    """The command prints its address, serves, reports, resets, and ends cleanly."""
    with process("--users", "61", "--seed", "5", "--quota", "30") as (running, ready):
        emulator = Emulator(Pool(61, 5, ready["pool_id"]), port=int(ready["url"].split(":")[2]))
        assert names(emulator) == [user["Username"] for user in emulator.pool.users()]
        stats = control(emulator, "GET", "/_stats")
        assert stats["requests"] == {"ListUsers": {"ok": 2}}
        assert stats["users"] == 61
        assert stats["seconds"] > 0
        assert control(emulator, "POST", "/_reset")["requests"] == {}
        running.send_signal(number)
        assert running.wait(5) == 0
