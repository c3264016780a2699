"""The ids that AWS gives its responses: a proxy that repeats a response repeats its id."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

from tap_cognito.cognito.responses import SpoiledResponseError

_REMEMBERED = 10_000


class RepeatedResponseError(SpoiledResponseError):
    """A response that was received before, to another request."""

    reason = "was that to an earlier request"


class RequestIds:
    """The ids of the last responses: AWS gives each its own. Threads may share it."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, response_dict: dict[str, Any], **_: Any) -> None:
        """Handle botocore's event `before-parse`.

        Raises:
            RepeatedResponseError: If the response was received before. A server that gives all the
                same id isn't AWS: nothing follows from it.
        """
        request_id = response_dict["headers"].get("x-amzn-RequestId")
        if not request_id:
            return
        with self._lock:
            if request_id in self._last:
                if len(self._last) > 1:
                    raise RepeatedResponseError
                return
            self._last[request_id] = None
            if len(self._last) > _REMEMBERED:
                self._last.popitem(last=False)
