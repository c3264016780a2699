"""The API read in the plainest way: one request after the other, tokens followed by hand."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore import exceptions
from botocore.parsers import ResponseParserError

if TYPE_CHECKING:
    from collections.abc import Iterator

THROTTLING = frozenset(
    {"LimitExceededException", "RequestThrottledException", "ThrottlingException"}
    | {"TooManyRequestsException"}
)
_TRANSIENT = (exceptions.ConnectionError, exceptions.HTTPClientError, ResponseParserError)
_SERVER_ERROR = 500
_ATTEMPTS = 8
_LONGEST_WAIT = 5.0
"""Seconds between two attempts at the same page."""


class ReadingError(Exception):
    """The API can't be read; the message names the error and nothing else of the response."""


@dataclass
class Reading:
    """How one listing was read.

    Attributes:
        pages: The number of users in each page.
        latencies: The seconds that each request took, failed ones too.
        throttled: The number of requests that were refused for their pace.
        failed: The number of requests that failed otherwise, truncated responses among them.
    """

    pages: list[int] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    throttled: int = 0
    failed: int = 0


class Plain:
    """Reads the users of a pool.

    Args:
        client: A boto3 client of Cognito that doesn't retry.
        pool_id: The pool.
        rate: Requests a second at most.
    """

    def __init__(self, client: Any, pool_id: str, rate: float) -> None:
        self._client = client
        self._pool_id = pool_id
        self._interval = 1 / rate
        self._next = 0.0

    def users(
        self, reading: Reading, user_filter: str | None = None, max_pages: float = float("inf")
    ) -> Iterator[dict[str, Any]]:
        """Read one listing.

        Args:
            reading: Takes note of how it is read.
            user_filter: A filter of ListUsers.
            max_pages: Where to stop.

        Yields:
            The users as boto3 returns them.

        Raises:
            ReadingError: If a request fails again and again.
        """
        parameters = {"UserPoolId": self._pool_id}
        if user_filter:
            parameters["Filter"] = user_filter
        while len(reading.pages) < max_pages:
            page = self._page(reading, parameters)
            reading.pages.append(len(page["Users"]))
            yield from page["Users"]
            if "PaginationToken" not in page:
                return
            parameters["PaginationToken"] = page["PaginationToken"]

    def user(self, name: str) -> dict[str, Any] | None:
        """Read one user, if there is one of this name."""
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        found = self.users(Reading(), f'username = "{escaped}"')
        return next((user for user in found if user["Username"] == name), None)

    def _page(self, reading: Reading, parameters: dict[str, str]) -> dict[str, Any]:
        """Request a page until it arrives complete."""
        for attempt in range(_ATTEMPTS):
            time.sleep(max(0.0, self._next - time.monotonic()))
            start = time.monotonic()
            self._next = start + self._interval
            code = "a truncated response"
            try:
                page: dict[str, Any] = self._client.list_users(**parameters)
                if "Users" in page:
                    return page
                # boto3 takes a body that isn't valid JSON for a response without members.
                reading.failed += 1
            except exceptions.ClientError as error:
                code = error.response["Error"]["Code"]
                code = code if re.fullmatch(r"[\w.]{1,80}", code) else "an unknown error"
                if code in THROTTLING:
                    reading.throttled += 1
                elif error.response["ResponseMetadata"]["HTTPStatusCode"] >= _SERVER_ERROR:
                    reading.failed += 1
                else:
                    raise ReadingError(f"ListUsers failed with {code}") from None
            except _TRANSIENT as error:
                code = type(error).__name__
                reading.failed += 1
            except exceptions.BotoCoreError as error:
                raise ReadingError(f"ListUsers failed with {type(error).__name__}") from None
            finally:
                reading.latencies.append(time.monotonic() - start)
            self._next += min(_LONGEST_WAIT, 0.1 * 2**attempt)
        raise ReadingError(f"ListUsers failed {_ATTEMPTS} times in a row, at last with {code}")
