"""Runs whose requests an emulator answers in this process: a tenth of the time of HTTP."""

from __future__ import annotations

import copy
import functools
import threading
from typing import TYPE_CHECKING, Any

import boto3
import msgspec
from botocore.exceptions import ClientError

from tap_cognito.cognito import client, listing, quotas, users
from tap_cognito.cognito.client import CognitoClient
from tap_cognito.cognito.quotas import Quotas

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from emulator import Emulator


def hasten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tap divide small pools, and wait for nothing."""
    monkeypatch.setattr(client, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(client, "MAX_BACKOFF", 0.0)
    monkeypatch.setattr(listing, "_TOKEN_BACKOFF", 0.0)
    monkeypatch.setattr(quotas, "_LIMIT_OF_A_POOL", 1e9)
    monkeypatch.setattr(users, "LARGE_POOL", 200)


def answer_in_process(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an emulator answer all requests without HTTP, signatures and pace."""

    def make(*_: Any) -> CognitoClient:
        made: Any = copy.copy(_template())
        made.quotas = Quotas(dict.fromkeys(quotas._LIMITS, 1e9))  # noqa: SLF001
        made.called, made._lock = set(), threading.Lock()  # noqa: SLF001
        made._client, made._has_connected = _Client(emulator), True  # noqa: SLF001
        client_made: CognitoClient = made
        return client_made

    monkeypatch.setattr("tap_cognito.tap.CognitoClient", make)
    monkeypatch.setattr("tap_cognito.identity.credentials.create_session", lambda _: None)


class _Client:
    """What the tap uses of a client of boto3."""

    def __init__(self, emulator: Emulator) -> None:
        self.meta = _template()._client.meta  # noqa: SLF001
        self._emulator = emulator

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return functools.partial(self._call, self.meta.method_to_api_mapping[name])

    def _call(self, operation: str, **parameters: Any) -> Any:
        reply = self._emulator.answer(operation, parameters)
        if reply.code:
            answer: Any = {
                "Error": {"Code": reply.code, "Message": reply.message},
                "ResponseMetadata": {"HTTPStatusCode": reply.status},
            }
            raise ClientError(answer, operation)
        return msgspec.json.decode(reply.body)


@functools.cache
def _template() -> CognitoClient:
    session = boto3.Session("AKIAEXAMPLE", "example", region_name="us-east-1")
    return CognitoClient(session, Quotas())
