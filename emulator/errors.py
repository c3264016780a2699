"""What the service answers to a request that it refuses."""

from __future__ import annotations

INVALID = "InvalidParameterException"
PAGING_MARKER = "Paging Marker is Invalid for Request"


class ApiError(Exception):
    """An error that goes to the client: its code, its message, its HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
