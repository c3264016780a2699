"""A user pool as its API shows it: requests, pages, what is retried and at which pace.

Nothing here knows Singer. The API is documented at
https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/ and its quotas at
https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html
"""

from __future__ import annotations

import itertools
import logging
import random
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import PaginationError

from tap_cognito.answers import (
    TOKENS,
    blank_if_cut_in_a_character,
    is_broken,
    is_throttled,
    parse_users,
    refuse_if_cut_off,
)
from tap_cognito.errors import TapCognitoError
from tap_cognito.pace import Pace
from tap_cognito.refusals import FAILURES, explain, explain_credentials

if TYPE_CHECKING:
    from collections.abc import Iterator

    import boto3
    from botocore.model import OperationModel

PAGE_SIZE = 60
"""Users in a full page, the most that ListUsers allows."""

ATTEMPTS = 9
"""How often a request may fail before the run gives up on it; throttling does not count."""

CONNECT_TIMEOUT = 5
READ_TIMEOUT = 10
"""Seconds. With `ATTEMPTS` and the back-off a complete outage ends a run in 103 s at the most."""

BACK_OFF = 0.05
"""Seconds that the first retry waits at the most; doubled for each further one."""

_OTHER_REQUESTS_PER_SECOND = 5.0
"""AWS's quota for one operation on one pool, other than those that list users."""

logger = logging.getLogger("tap-cognito.user_pool")


class Page(NamedTuple):
    """One answer of an operation that lists."""

    items: list[dict[str, Any]]
    is_last: bool


class UserPool:
    """One user pool, read through one boto3 client. Threads may share it.

    Args:
        session: The boto3 session whose credentials and region are used.
        pool_id: The id of the pool.
        endpoint_url: Where Cognito is, when it is not AWS's own endpoint.
        max_requests_per_second: The pace of ListUsers and ListUsersInGroup together, whose
            quota all pools of an account and region share.
    """

    def __init__(
        self,
        session: boto3.Session,
        pool_id: str,
        endpoint_url: str | None = None,
        max_requests_per_second: float = 24,
    ) -> None:
        self.pool_id = pool_id
        self._thread = threading.local()
        self.user_pace = Pace(max_requests_per_second)
        self._paces = defaultdict(
            lambda: Pace(_OTHER_REQUESTS_PER_SECOND),
            dict.fromkeys(("ListUsers", "ListUsersInGroup"), self.user_pace),
        )
        config = Config(
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            # botocore's retry loop with this class's rules: its own give up on throttling,
            # and take a page that was cut off for the last one.
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=32,
            user_agent_extra="tap-cognito",
        )
        try:
            _ = urlsplit(endpoint_url or "").port  # botocore would look at it at the first request
            self._client = session.client("cognito-idp", endpoint_url=endpoint_url, config=config)
        except FAILURES as error:
            raise explain_credentials(error) from None
        except ValueError:
            raise TapCognitoError(
                "`endpoint_url` is no URL that boto3 takes: its host may have letters, digits, "
                "hyphens and dots, its port is a number up to 65535"
            ) from None
        events: Any = self._client.meta.events
        events.register("before-parse.cognito-identity-provider.ListUsers", parse_users)
        events.register("before-parse.cognito-identity-provider", blank_if_cut_in_a_character)
        events.register("needs-retry.cognito-identity-provider", self._wait_to_retry)
        events.register("after-call.cognito-identity-provider", refuse_if_cut_off)

    def pages(
        self,
        operation: str,
        result: str,
        stop: threading.Event | None = None,
        **parameters: Any,
    ) -> Iterator[Page]:
        """Read all pages of an operation that boto3 can paginate, one after the other.

        Args:
            operation: The API's name of the operation, such as `ListUsers`.
            result: The key of an answer that holds the page, such as `Users`.
            stop: When it is set, no further request is made.
            parameters: Parameters of the operation beside the pool id, the token and the limit.

        Yields:
            The pages in the order of the API, dates as aware datetimes. A page may be empty; the
            last one is the one that came without a token.

        Raises:
            TapCognitoError: If a page cannot be had, or a token comes twice.
            RefusedParameterError: If a parameter or the token was refused.
            Stopped: If `stop` was set.
        """
        client: Any = self._client
        paginator = client.get_paginator(xform_name(operation))
        answers = iter(
            paginator.paginate(
                UserPoolId=self.pool_id, PaginationConfig={"PageSize": PAGE_SIZE}, **parameters
            )
        )
        landmark: str | None = None
        for number in itertools.count(1):
            self._wait_for_turn(operation, stop)
            try:
                answer = next(answers)
            except PaginationError:
                raise TapCognitoError(_ENDLESS) from None
            except FAILURES as error:
                raise explain(error, self._client, self.pool_id) from None
            # Like boto3's paginator: an empty token is none.
            token = next((answer[key] for key in TOKENS & answer.keys()), None) or None
            yield Page(answer[result], token is None)
            if token is None:
                return
            # Brent's loop detection: it needs no memory of all tokens.
            if token == landmark:
                raise TapCognitoError(_ENDLESS)
            if number & (number - 1) == 0:
                landmark = token

    def describe(
        self,
        operation: str,
        result: str,
        stop: threading.Event | None = None,
        **parameters: Any,
    ) -> dict[str, Any]:
        """Ask for one thing.

        Args:
            operation: The API's name of the operation, such as `DescribeUserPool`.
            result: The key of the answer that holds it, such as `UserPool`.
            stop: When it is set, no further request is made.
            parameters: Parameters of the operation beside the pool id.

        Returns:
            What the API says of it, dates as aware datetimes.

        Raises:
            TapCognitoError: If it cannot be had.
            Stopped: If `stop` was set.
        """
        self._wait_for_turn(operation, stop)
        try:
            call = getattr(self._client, xform_name(operation))
            answer: dict[str, Any] = call(UserPoolId=self.pool_id, **parameters)[result]
        except FAILURES as error:
            raise explain(error, self._client, self.pool_id) from None
        return answer

    def estimated_users(self, stop: threading.Event | None = None) -> int | None:
        """About how many users the pool has, by DescribeUserPool; `None` if it does not say.

        Args:
            stop: When it is set, no further request is made.

        Raises:
            TapCognitoError: If it cannot be had; a reader of users may lack the permission.
            Stopped: If `stop` was set.
        """
        pool = self.describe("DescribeUserPool", "UserPool", stop)
        return pool.get("EstimatedNumberOfUsers")

    def _wait_for_turn(self, operation: str, stop: threading.Event | None) -> None:
        """Wait until a request may be sent; `stop` ends this wait and those of its retries."""
        self._thread.stop = stop or threading.Event()
        self._paces[operation].wait(stop)

    def _wait_to_retry(
        self,
        response: tuple[Any, dict[str, Any]] | None,
        operation: OperationModel,
        caught_exception: Exception | None,
        request_dict: dict[str, Any],
        **_: Any,
    ) -> float | None:
        """Wait until a request may be sent again, if it is worth it.

        botocore asks this after each attempt. Throttled requests are sent again as often as it
        takes, at a slower pace; broken ones up to `ATTEMPTS` times in all, after botocore's own
        back-off for such faults: up to 50 ms, doubled each time.

        Returns:
            Seconds that botocore is still to wait; `None` if this was the last attempt.

        Raises:
            Stopped: If the reader was told to stop.
        """
        pace = self._paces[operation.name]
        stop: threading.Event = self._thread.stop
        if is_throttled(response):
            if rate := pace.throttled():
                logger.info("Cognito throttles %s: %.1f requests/s now", operation.name, rate)
        elif is_broken(response, operation, caught_exception):
            context = request_dict["context"]
            failures = context["failures"] = context.get("failures", 0) + 1
            if failures >= ATTEMPTS:
                return None
            if failures > 1:
                logger.info("%s failed %s times, trying again", operation.name, failures)
            stop.wait(random.random() * BACK_OFF * 2 ** (failures - 1))  # noqa: S311 - no secret
        else:
            return None
        pace.wait(stop)
        return 0.0


_ENDLESS = (
    "Cognito gave the same pagination token twice, the pages would never end: run again; "
    "if it stays, look at what `endpoint_url` points to"
)
