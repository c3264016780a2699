"""Faults on the way: errors, proxies, resets, truncated bodies, slowness, outages."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

_PROXY = b"<html><head><title>Bad Gateway</title></head><body>proxy error</body></html>"


@dataclass(frozen=True)
class Fault:
    """How the response to a request is spoiled.

    Attributes:
        status: HTTP status that goes with `code` or `page`.
        code: Error code instead of the true response.
        page: HTML instead of the true response.
        keep: Part of the body that is sent, None if nothing at all is sent, not even headers.
        length: What Content-Length counts: bytes sent, bytes of the whole body; or no such header.
        end: Whether the connection stays open, is closed or is reset afterwards.
        slow: Whether the response comes only after the emulator's `slow_seconds`.
        burst: How many requests in a row are hit.
    """

    status: int = 200
    code: str | None = None
    page: bytes | None = None
    keep: float | None = 1.0
    length: Literal["sent", "whole", "none"] = "sent"
    end: Literal["open", "close", "reset"] = "open"
    slow: bool = False
    burst: int = 1


FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        "error-500": Fault(status=500, code="InternalErrorException"),
        "error-503": Fault(status=503, code="ServiceUnavailableException"),
        "html-502": Fault(status=502, page=_PROXY),
        "html-200": Fault(page=_PROXY),
        "reset-before-answer": Fault(keep=None, end="reset"),
        "reset-within-body": Fault(keep=0.5, length="whole", end="reset"),
        "cut-length-right": Fault(keep=0.5, length="sent", end="close"),
        "cut-length-wrong": Fault(keep=0.5, length="whole", end="close"),
        "cut-no-length": Fault(keep=0.5, length="none", end="close"),
        "slow": Fault(slow=True),
        "throttling-burst": Fault(status=400, code="TooManyRequestsException", burst=5),
    }
)
_CODES = {
    429: "TooManyRequestsException",
    500: "InternalErrorException",
    503: "ServiceUnavailableException",
}


@dataclass(frozen=True)
class Outage:
    """A time in which every request of some operations fails.

    Attributes:
        end: Monotonic seconds at which it is over.
        status: HTTP status of every response, None for connections that are reset instead.
        operations: Which operations it hits, None for all.
    """

    end: float
    status: int | None = 503
    operations: Container[str] | None = None

    def hits(self, operation: str) -> bool:
        """Whether it hits a request that arrives now."""
        applies = self.operations is None or operation in self.operations
        return applies and time.monotonic() < self.end

    @property
    def fault(self) -> Fault:
        """The fault of each request: an error of the service, or one of a proxy."""
        if self.status is None:
            return FAULTS["reset-before-answer"]
        if self.status in _CODES:
            return Fault(status=self.status, code=_CODES[self.status])
        return Fault(status=self.status, page=_PROXY)


@dataclass
class Faults:
    """A mix of faults that hit requests at random, the same ones for the same seed.

    Attributes:
        names: Keys of `FAULTS`, equally likely.
        rate: Share of the requests that are hit; 1.0 is a complete outage.
        seed: Decides which requests are hit, and by which fault.
        limit: How many are hit at most, None for no limit.
        skip: How many requests are spared at first.
        operations: Which operations may be hit, None for all.
    """

    names: tuple[str, ...]
    rate: float = 1.0
    seed: int = 0
    limit: int | None = None
    skip: int = 0
    operations: Container[str] | None = None
    _burst: list[str] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse names that are not in `FAULTS`."""
        if unknown := set(self.names) - set(FAULTS):
            message = f"no such fault: {', '.join(sorted(unknown))}"
            raise ValueError(message)
        self._random = random.Random(self.seed)  # noqa: S311 - repeatable, not secret
        self._lock = threading.Lock()

    def draw(self, operation: str) -> str | None:
        """Decide on one request: the name of the fault that hits it, or None."""
        with self._lock:
            if self.operations is not None and operation not in self.operations:
                return None
            if self.skip > 0:
                self.skip -= 1
                return None
            if not self._burst and self._random.random() < self.rate:
                name = self._random.choice(self.names)
                self._burst = [name] * FAULTS[name].burst
            if not self._burst or self.limit == 0:
                return None
            if self.limit is not None:
                self.limit -= 1
            return self._burst.pop()
