"""Runs whose requests an emulator answers in this process: a tenth of the time of HTTP."""

from __future__ import annotations

import copy
import functools
import threading
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from tap_cognito.cognito import client, listing, quotas, users
from tap_cognito.cognito.client import CognitoClient
from tap_cognito.cognito.quotas import Quotas
from tap_cognito.cognito.responses import parse

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
    """Let an emulator answer all requests of taps without HTTP, signatures and pace."""

    def make(_: object, __: Quotas, ___: object, region: str | None) -> CognitoClient:
        unlimited = Quotas(dict.fromkeys(quotas._LIMITS, 1e9))  # noqa: SLF001
        return client_of(emulator, unlimited, region)

    monkeypatch.setattr(quotas, "_LIMIT_OF_A_POOL", 1e9)
    monkeypatch.setattr("tap_cognito.tap.CognitoClient", make)
    monkeypatch.setattr("tap_cognito.identity.credentials.create_session", lambda _: None)


def client_of(emulator: Emulator, paced: Quotas, region: str | None = None) -> CognitoClient:
    """Make a client whose requests an emulator answers without HTTP and signatures.

    Args:
        emulator: It needn't be served.
        paced: The pace of the requests.
        region: Default that of the emulator's first pool.
    """
    region = region or emulator.pool.region
    made = copy.copy(_template(region))
    vars(made).update(
        quotas=paced,
        called=set(),
        _answered=set(),
        _lock=threading.Lock(),
        _client=_Client(emulator, region),
    )
    return made


class _Client:
    """What the tap uses of a client of boto3."""

    def __init__(self, emulator: Emulator, region: str) -> None:
        self.meta = _template(region)._client.meta  # noqa: SLF001
        self._emulator = emulator

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return functools.partial(self._call, self.meta.method_to_api_mapping[name])

    def _call(self, operation: str, **parameters: Any) -> Any:
        reply = self._emulator.answer(operation, parameters, self.meta.region_name)
        if reply.code:
            error: Any = {
                "Error": {"Code": reply.code, "Message": reply.message},
                "ResponseMetadata": {"HTTPStatusCode": reply.status},
            }
            raise ClientError(error, operation)
        answer: dict[str, Any] = {}
        model = self.meta.service_model.operation_model(operation)
        parse(model, {"status_code": reply.status, "body": reply.body}, answer)
        return answer


@functools.cache
def _template(region: str) -> CognitoClient:
    session = boto3.Session("AKIAEXAMPLE", "example", region_name=region)
    return CognitoClient(session, Quotas())
