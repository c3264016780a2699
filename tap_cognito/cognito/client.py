"""One request to Cognito: signed by boto3, paced by the quotas, retried while it may succeed."""

from __future__ import annotations

import logging
import random
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ProxyConnectionError,
    SSLError,
)

from tap_cognito.cognito import large_responses
from tap_cognito.cognito.deadlines import keep_deadlines
from tap_cognito.cognito.rate_limiter import Cancelled
from tap_cognito.cognito.request_ids import RequestIds
from tap_cognito.cognito.responses import (
    SpoiledResponseError,
    clean_error,
    parse,
    receive,
)
from tap_cognito.error_codes import ErrorKind, classify, is_page
from tap_cognito.error_messages import Request, cause, from_botocore
from tap_cognito.errors import TapCognitoError, UnreadableError
from tap_cognito.local_faults import make_client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import boto3
    from botocore.model import Shape

    from tap_cognito.cognito.quotas import Quotas
    from tap_cognito.cognito.rate_limiter import RateLimiter

RETRY_SECONDS = 60.0
"""Seconds for which a failing request is retried; a throttled one is retried without limit."""

START_SECONDS = 10.0
"""The same before AWS was ever reached: then a setting is probably wrong."""

UNKNOWN_SECONDS = 5.0
"""The same for an operation that can be done without and was never answered: the endpoint may not
know it, and emulators answer with a server error then."""

CONNECT_TIMEOUT = 5
READ_TIMEOUT = 10
"""Seconds without a byte."""

MAX_BACKOFF = 10.0
"""Seconds a retry waits at most; the first waits up to 50 ms, each further one twice as long."""

_BASE_BACKOFF = 0.05

_MANY_THROTTLES = 10
"""A warning is logged each time one request has been throttled this often."""

_UNCONNECTED = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError, SSLError)
"""The host or the proxy refuses connections, or drops packets; or TLS isn't agreed on."""

logger = logging.getLogger("tap-cognito.client")


class CognitoClient:
    """Cognito in one region, for one identity. Threads may share it.

    Args:
        session: The boto3 session whose credentials and region are used.
        quotas: The account's rate limiters in this region.
        endpoint_url: Cognito's address, if it isn't AWS's own endpoint.
        region: The region, if it isn't the session's.

    Attributes:
        called: The names of the operations called so far.

    Raises:
        TapCognitoError: If boto3 refuses `endpoint_url`, a variable or a setting of the profile.
    """

    def __init__(
        self,
        session: boto3.Session,
        quotas: Quotas,
        endpoint_url: str | None = None,
        region: str | None = None,
    ) -> None:
        self.quotas = quotas
        self.called: set[str] = set()
        self._lock = threading.Lock()
        self._failing_since: float | None = None
        self._has_connected = False
        self._answered: set[str] = set()
        config = Config(
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            # Not botocore's retries: they give up on throttling, and mistake a truncated page
            # for the last one.
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=32,
            user_agent_extra="tap-cognito",
        )
        self._endpoint_url = endpoint_url
        self._client = make_client(
            session, "cognito-idp", region_name=region, endpoint_url=endpoint_url, config=config
        )
        events = self._client.meta.events
        # Not public, but botocore has no other way to its HTTP session with the proxies,
        # certificates and timeouts of the config.
        http_session = self._client._endpoint.http_session  # noqa: SLF001
        keep_deadlines(http_session)
        send = http_session.send
        events.register("before-send.cognito-identity-provider", partial(receive, send))
        events.register("before-parse.cognito-identity-provider", RequestIds().check)
        events.register("before-parse.cognito-identity-provider", parse)
        events.register("before-parse.cognito-identity-provider", clean_error)

    @property
    def region(self) -> str:
        """The region that the client calls."""
        return str(self._client.meta.region_name)

    def parameters(self, operation: str) -> Mapping[str, Shape]:
        """Return an operation's parameters by name, from botocore's model."""
        model = self._client.meta.service_model.operation_model(operation)
        members: Mapping[str, Shape] = model.input_shape.members
        return members

    def call(
        self,
        operation: str,
        parameters: Mapping[str, Any],
        cancel: threading.Event,
        max_throttles: int | None = None,
        *,
        is_dispensable: bool = False,
    ) -> dict[str, Any]:
        """Send one request, and retry it as needed.

        Args:
            operation: The API's name of the operation, such as `ListUsers`.
            parameters: Its parameters.
            cancel: Ends every wait when it is set.
            max_throttles: How often it may be throttled; `None` for without limit.
            is_dispensable: Whether it can be done without.

        Returns:
            The response.

        Raises:
            TapCognitoError: If it fails; the message says what to do.
            Cancelled: If `cancel` was set.
        """
        limiters = self.quotas.limiters(operation, parameters.get("UserPoolId"))
        send = getattr(self._client, xform_name(operation))
        self.called.add(operation)
        began: float | None = None
        failures = throttles = 0
        while True:
            _wait_for(limiters, cancel)
            try:
                answer = _send(send, parameters, limiters, cancel)
            except (BotoCoreError, ClientError, SpoiledResponseError) as error:
                kind = _kind(error)
                if kind is not ErrorKind.TRANSIENT:
                    self._note_answer(operation)
                if kind is ErrorKind.THROTTLED:
                    throttles += 1
                    _slow_down(operation, limiters, throttles)
                    began = None
                    if throttles != max_throttles:
                        continue
                failures += 1
                began = self._note_failure(began, error)
                limit = self._patience(operation, is_dispensable=is_dispensable)
                if kind is not ErrorKind.TRANSIENT or time.monotonic() - began > limit:
                    raise self._explain(error, kind, operation, parameters) from None
                if failures > 1:
                    reason = cause(error)
                    logger.info("%s failed %s times, retrying: %s", operation, failures, reason)
            else:
                self._note_answer(operation)
                return answer
            backoff = min(MAX_BACKOFF, _BASE_BACKOFF * 2 ** (failures - 1))
            if cancel.wait(random.random() * backoff):  # noqa: S311 - jitter
                raise Cancelled

    def _patience(self, operation: str, *, is_dispensable: bool) -> float:
        if not self._has_connected:
            return START_SECONDS
        is_known = operation in self._answered or not is_dispensable
        return RETRY_SECONDS if is_known else UNKNOWN_SECONDS

    def _note_answer(self, operation: str) -> None:
        self._failing_since = None
        self._has_connected = True
        self._answered.add(operation)

    def _note_failure(self, began: float | None, error: Exception) -> float:
        """Return when a request began to fail: no request outlives a complete outage."""
        with self._lock:
            self._has_connected |= not (isinstance(error, _UNCONNECTED) or is_page(error))
            now = time.monotonic()
            if self._failing_since is None:
                self._failing_since = now
            return min(self._failing_since, now if began is None else began)

    def _explain(
        self, error: Exception, kind: ErrorKind, operation: str, parameters: Mapping[str, Any]
    ) -> TapCognitoError:
        if isinstance(error, SpoiledResponseError):
            return UnreadableError(
                f"the response to {operation} {error.reason}, repeatedly: check proxies and "
                "`endpoint_url`"
            )
        request = Request(operation, self._client, parameters.get("UserPoolId"), self._endpoint_url)
        return from_botocore(error, kind, request)


def _send(
    send: Callable[..., dict[str, Any]],
    parameters: Mapping[str, Any],
    limiters: list[RateLimiter],
    cancel: threading.Event,
) -> dict[str, Any]:
    """Send a request, and once more if its large response has to wait for another one."""
    try:
        return send(**parameters)
    except large_responses.AnotherIsUnderWayError:
        large_responses.wait(cancel)
        _wait_for(limiters, cancel)
        return send(**parameters)


def _kind(error: Exception) -> ErrorKind:
    return ErrorKind.TRANSIENT if isinstance(error, SpoiledResponseError) else classify(error)


def _wait_for(limiters: list[RateLimiter], cancel: threading.Event) -> None:
    for limiter in limiters:
        limiter.acquire(cancel)


def _slow_down(operation: str, limiters: list[RateLimiter], throttles: int) -> None:
    for limiter in limiters:
        if rate := limiter.on_throttled():
            logger.info("Cognito throttles %s: %.1f requests/s now", operation, rate)
    if throttles % _MANY_THROTTLES == 0:
        logger.warning(
            "Cognito has throttled the same %s %s times: something else uses up the account's "
            "quota",
            operation,
            throttles,
        )
