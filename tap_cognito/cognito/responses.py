"""Responses: received within bounds, parsed, and truncated ones told from the last page."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from io import BytesIO
from types import NoneType
from typing import TYPE_CHECKING, Any

import msgspec
import urllib3
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError, HTTPClientError, ReadTimeoutError
from botocore.utils import parse_timestamp

from tap_cognito.cognito import large_responses
from tap_cognito.cognito.deadlines import deadline
from tap_cognito.errors import TapCognitoError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.awsrequest import AWSPreparedRequest
    from botocore.model import OperationModel

TOKENS = ("PaginationToken", "NextToken")
"""The members of a response that may say where the next page begins: the first that isn't null."""

MAX_BODY_BYTES = 32 << 20
"""More than 60 users with 50 attributes of 2,048 characters, the most that Cognito allows."""

MAX_SECONDS = 30.0
"""Seconds in which a response must have arrived, from its first byte to its last."""

_CHUNK = 1 << 16
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_DATES = {
    "ClientSecretCreateDate",
    "CreateDate",
    "CreationDate",
    "DeviceCreateDate",
    "DeviceLastAuthenticatedDate",
    "DeviceLastModifiedDate",
    "LastActiveDate",
    "LastModifiedDate",
    "RestoreTimestamp",
    "TriggerTimestamp",
    "UserCreateDate",
    "UserLastModifiedDate",
}
_LONGEST_DATE = 64
_LONGEST_KEY = 2_048
"""Characters of what identifies an item, many of which are kept; AWS's names have 128."""


class SpoiledResponseError(Exception):
    """A response that isn't the one to this request; a retry may get that.

    Attributes:
        reason: What is wrong with it.
    """

    reason = ""


class TruncatedResponseError(SpoiledResponseError):
    """A response without any of the operation's members."""

    reason = "is truncated or isn't JSON"


class MalformedResponseError(TapCognitoError):
    """A response that Cognito wouldn't send."""


def malformed(operation: str, reason: str) -> MalformedResponseError:
    """Report a malformed response, without quoting it."""
    return MalformedResponseError(
        f"the response to {operation} is malformed ({reason}): check proxies and `endpoint_url`"
    )


class _Body(BytesIO):
    """A body as botocore reads it."""

    def stream(self) -> Iterator[bytes]:
        yield self.getvalue()


def receive(
    send: Callable[[AWSPreparedRequest], AWSResponse], request: Any, **_: Any
) -> AWSResponse:
    """Send a request and read the response, within limits of size and time.

    Args:
        send: Sends a request over HTTP and returns the response with its body unread.
        request: The request.

    Returns:
        The response with its body.

    Raises:
        HTTPClientError: If the body can't be read.
        ReadTimeoutError: If it takes too long.
        MalformedResponseError: If it is too large.
        AnotherIsUnderWayError: If it is large, and another large one is under way.
    """
    request.stream_output = True  # botocore leaves the body unread
    with deadline(MAX_SECONDS):
        response: Any = send(request)
        body = _read(response.raw)
    return AWSResponse(response.url, response.status_code, response.headers, body)


def _read(raw: Any) -> _Body:
    end = time.monotonic() + MAX_SECONDS
    body = _Body()
    while True:
        try:
            chunk = raw.read1(_CHUNK)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raw.close()
            raise HTTPClientError(error=type(error).__name__) from None
        if not chunk:
            break
        body.write(chunk)
        try:
            large_responses.check(body.tell())
        except large_responses.AnotherIsUnderWayError:
            raw.close()
            raise
        if body.tell() > MAX_BODY_BYTES:
            raw.close()
            raise malformed("a request", "too large")
        if time.monotonic() > end:
            raw.close()
            raise ReadTimeoutError(endpoint_url="")
    return body


def parse(
    operation_model: OperationModel,
    response_dict: dict[str, Any],
    customized_response_dict: dict[str, Any],
    **_: Any,
) -> None:
    """Parse a successful response in botocore's place, in a third of its CPU time.

    botocore treats a body that isn't valid JSON, such as one that is cut off, as a response without
    members, which looks like the last page. The function handles botocore's event `before-parse`;
    errors are left to botocore.

    Raises:
        ClientError: If it is an error all the same.
        TruncatedResponseError: If the body has none of the operation's members.
        MalformedResponseError: If it is nested too deep for a parser.
    """
    if response_dict["status_code"] >= HTTPStatus.MULTIPLE_CHOICES:
        return
    try:
        answer = _decode(response_dict["body"])
    except RecursionError:
        raise malformed(operation_model.name, "nested too deep") from None
    shape = operation_model.output_shape
    expected = set(shape.members).difference(TOKENS) if shape else set()
    if isinstance(answer, dict) and isinstance(answer.get("__type"), str):
        code = answer["__type"].rpartition("#")[2].partition(":")[0]
        said = {"Code": code, "Message": _error(answer).get("message", "")}
        error: Any = {"Error": said, "ResponseMetadata": {"HTTPStatusCode": 200}}
        raise ClientError(error, operation_model.name)
    if not isinstance(answer, dict) or all(answer.get(member) is None for member in expected):
        raise TruncatedResponseError
    customized_response_dict.update(answer)
    response_dict["body"] = b"{}"


def _decode(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        try:
            return json.loads(body.decode())  # it accepts lone surrogates
        except ValueError:
            raise TruncatedResponseError from None


def clean_error(response_dict: dict[str, Any], **_: Any) -> None:
    """Keep of a failed response what botocore can parse: code and message, if they are texts."""
    if response_dict["status_code"] < HTTPStatus.MULTIPLE_CHOICES:
        return
    try:
        answer = _decode(response_dict["body"])
    except (TruncatedResponseError, RecursionError):
        answer = None
    response_dict["body"] = json.dumps(_error(answer)).encode()


def _error(answer: Any) -> dict[str, str]:
    answer = answer if isinstance(answer, dict) else {}
    found = {
        "__type": answer.get("__type"),
        "message": answer.get("message", answer.get("Message")),
    }
    return {name: text for name, text in found.items() if isinstance(text, str)}


def items_of(
    operation: str, answer: dict[str, Any], result: str | None, key: str | None
) -> list[dict[str, Any]]:
    """Take the items out of a response.

    Args:
        operation: The API's name of the operation.
        answer: The response.
        result: The member that holds a list of items or one item, or the path to it, with dots;
            `None` for the response itself.
        key: The member that every item must have, if any.

    Returns:
        The items, their dates as aware datetimes.

    Raises:
        MalformedResponseError: If there are no such items, or a date is impossible.
    """
    found: Any = answer
    for member in result.split(".") if result else ():
        found = found.get(member) if isinstance(found, dict) else None
    items = [found] if isinstance(found, dict) else found
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise malformed(operation, f"no {result}")
    if key and not all(isinstance(item.get(key), str) for item in items):
        raise malformed(operation, f"{result or 'an answer'} without {key}")
    if key and any(len(item[key]) > _LONGEST_KEY for item in items):
        raise malformed(operation, f"{key} is too long")
    if not all(map(_has_attributes, items)):
        raise malformed(operation, "attributes of another form")
    for item in items:
        for name in _DATES & item.keys():
            if item[name] is not None:
                item[name] = _date(operation, item[name])
    return items


def _has_attributes(user: dict[str, Any]) -> bool:
    """Return whether a user's attributes, if there are any, are names with texts."""
    attributes = user.get("Attributes")
    if attributes is None:
        return True
    return isinstance(attributes, list) and all(
        isinstance(attribute, dict)
        and isinstance(attribute.get("Name"), str)
        and isinstance(attribute.get("Value", ""), (str, NoneType))
        for attribute in attributes
    )


def _date(operation: str, value: Any) -> datetime:
    """Parse a date, which is epoch seconds on the wire; emulators also send ISO 8601 text."""
    try:
        if type(value) in {int, float}:
            return _EPOCH + timedelta(milliseconds=round(value * 1000))
        if isinstance(value, str) and len(value) <= _LONGEST_DATE:
            moment = parse_timestamp(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    except (OverflowError, ValueError):
        pass
    raise malformed(operation, "an impossible date")
