"""What an answer is worth: how it is parsed, and whether it is throttled, broken or cut off.

The functions are handlers of botocore's events, or answer its questions.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ConnectionError, HTTPClientError  # noqa: A004 - botocore's name

from tap_cognito.errors import TapCognitoError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.model import OperationModel

TOKENS = frozenset({"PaginationToken", "NextToken"})
"""The keys under which an answer may say where the next page begins."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

_USER_DATES = {"UserCreateDate", "UserLastModifiedDate"}


def parse_users(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any
) -> None:
    """Parse a page of users in botocore's place, in a third of its CPU time.

    botocore walks through the shape of every attribute, and hands dates to dateutil. Whatever is
    no page of users is left to it.
    """
    try:
        answer = msgspec.json.decode(response_dict["body"])
        for user in answer["Users"]:
            for key in _USER_DATES & user.keys():
                user[key] = _EPOCH + timedelta(milliseconds=round(user[key] * 1000))
    except (msgspec.DecodeError, UnicodeDecodeError, LookupError, TypeError, AttributeError):
        return
    except (OverflowError, ValueError):
        raise TapCognitoError("Cognito sent a user with an impossible date") from None
    customized_response_dict.update(answer)
    response_dict["body"] = b"{}"


def blank_if_cut_in_a_character(response_dict: dict[str, Any], **_: Any) -> None:
    """Take a body that is no UTF-8 for no answer, where botocore's parser would raise."""
    try:
        response_dict["body"].decode()
    except UnicodeDecodeError:
        response_dict["body"] = b"{}"


def is_throttled(response: tuple[Any, dict[str, Any]] | None) -> bool:
    """Whether a request came too soon, by AWS or by a proxy before it."""
    if not response:
        return False
    code = response[1].get("Error", {}).get("Code")
    return response[0].status_code == HTTPStatus.TOO_MANY_REQUESTS or code in {
        "TooManyRequestsException",
        "ThrottlingException",
        "Throttling",
    }


def is_broken(
    response: tuple[Any, dict[str, Any]] | None,
    operation: OperationModel,
    caught_exception: Exception | None,
) -> bool:
    """Whether it is worth to send the request again."""
    if response is None:
        return isinstance(caught_exception, (ConnectionError, HTTPClientError))
    status = response[0].status_code
    return status in {500, 502, 503, 504} or _is_cut_off(status, response[1], operation)


def _is_cut_off(status: int, answer: Mapping[str, Any], operation: OperationModel) -> bool:
    """Whether an answer has nothing of what the operation returns beside a token.

    botocore takes a body that is no JSON, such as one whose end is missing, for an answer
    without members: read on, it would look like the last page.
    """
    shape = operation.output_shape
    promised = set(shape.members) - TOKENS if shape else set()
    has_nothing = all(answer.get(member) is None for member in promised)
    return status < 300 and bool(promised) and has_nothing  # noqa: PLR2004 - HTTP success


def refuse_if_cut_off(
    http_response: Any, parsed: dict[str, Any], model: OperationModel, **_: Any
) -> None:
    """Let no caller take an answer that was cut off for an empty one.

    Raises:
        TapCognitoError: If the answer has nothing of what the operation returns.
    """
    if _is_cut_off(http_response.status_code, parsed, model):
        raise TapCognitoError(
            f"Cognito's answer to {model.name} was cut off or no JSON, again and again: "
            "look at what stands between here and Cognito (a proxy, `endpoint_url`), then run again"
        )
