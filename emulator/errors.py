"""The errors with which the service refuses a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

INVALID = "InvalidParameterException"


class ApiError(Exception):
    """An error that goes to the client: its code, its message, its HTTP status.

    `{request_id}` in a message stands for the id of the request.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def find(items: Mapping[str, dict[str, Any]], key: str, message: str) -> dict[str, Any]:
    """Return the resource with this key.

    Raises:
        ApiError: there is none; `message` says so.
    """
    if key not in items:
        raise ApiError("ResourceNotFoundException", message)
    return items[key]
