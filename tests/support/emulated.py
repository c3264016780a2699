"""What the tests of the emulator share: a real client, and what it reads."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from emulator import Emulator, Pool, people
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


def answering(answer: str) -> Emulator:
    """Make a pool that gives the same answer to every request."""
    return Emulator(Pool(1), respond=lambda *_: answer)


def client(
    emulator: Emulator,
    key: str = "dummy",
    token: str | None = None,
    timeout: float = 10,
    region: str = "us-east-1",
) -> Any:
    """Make a real client that makes one attempt for each request."""
    return boto3.client(
        "cognito-idp",
        endpoint_url=emulator.url,
        region_name=region,
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key=key,
        aws_session_token=token,
        config=Config(retries={"mode": "standard", "total_max_attempts": 1}, read_timeout=timeout),
    )


def pages(emulator: Emulator, **parameters: Any) -> Iterator[list[dict[str, Any]]]:
    """Read the pages of a listing of users."""
    cognito = client(emulator)
    token: dict[str, str] = {}
    while True:
        page = cognito.list_users(UserPoolId=emulator.pool.id, **parameters, **token)
        yield page["Users"]
        if "PaginationToken" not in page:
            return
        token = {"PaginationToken": page["PaginationToken"]}


def made_users(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the list to which each emulated user that is made from now on adds its ordinal."""
    made: list[int] = []
    make = people.user

    def note(ordinal: int, key: bytes) -> str:
        made.append(ordinal)
        return make(ordinal, key)

    monkeypatch.setattr(people, "user", note)
    return made


def names(emulator: Emulator, **parameters: Any) -> list[str]:
    """Read the user names of a listing."""
    return [user["Username"] for page in pages(emulator, **parameters) for user in page]


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    """Return the code of the error that the client raised."""
    return str(error.value.response["Error"]["Code"])


def seen(cognito: Any, pool_id: str) -> object:
    """Return what a client sees of one ListUsers: an error's code or class, or "Users"."""
    try:
        answer = cognito.list_users(UserPoolId=pool_id)
    except ClientError as error:
        return error.response["Error"]["Code"]
    except BotoCoreError as error:
        return type(error)
    return "Users" if "Users" in answer else "no Users"


@contextlib.contextmanager
def process(*options: str) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """Run the command; yield its process and the line that it wrote."""
    command = [sys.executable, "-m", "emulator", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as running:
        try:
            assert running.stdout
            yield running, json.loads(running.stdout.readline())
        finally:
            running.kill()
