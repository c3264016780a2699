"""The requests that the emulator received, and their outcomes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        received: Monotonic seconds when it had arrived.
        answered: Monotonic seconds when its response, or its failure, was about to be sent.
        operation: Such as "ListUsers".
        filter: The Filter parameter, None without one.
        token: Whether it continued a listing.
        status: HTTP status of the response, 0 if none was sent.
        outcome: "ok", "throttled", "outage", the name of a fault, or the code of an error.
        pool_id: The UserPoolId parameter, None without one.
        region: The region of the signature.
        account: The account of the identity that signed.
    """

    received: float
    answered: float
    operation: str
    filter: str | None
    token: bool
    status: int
    outcome: str
    pool_id: str | None
    region: str
    account: str


@dataclass
class RequestLog:
    """All requests, in the order of their responses."""

    requests: list[Request] = field(default_factory=list)

    def matching(self, **fields: object) -> list[Request]:
        """Return the requests that have these values, such as `region="eu-west-1"`."""
        return [
            request
            for request in list(self.requests)
            if all(getattr(request, name) == value for name, value in fields.items())
        ]

    def count(
        self, operation: str | None = None, outcome: str | None = None, **fields: object
    ) -> int:
        """Count the requests of an operation, with an outcome, or with other values."""
        given = {"operation": operation, "outcome": outcome}
        wanted = {name: value for name, value in given.items() if value is not None}
        return len(self.matching(**wanted, **fields))

    def by_operation(self) -> dict[str, dict[str, int]]:
        """Count the requests by operation and outcome."""
        counts: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
        for request in list(self.requests):
            counts[request.operation][request.outcome] += 1
        return {operation: dict(outcomes) for operation, outcomes in counts.items()}

    def seconds(self, **fields: object) -> float:
        """Seconds from the first request to the last response, 0 without any.

        Args:
            fields: Values of the requests that count, such as `region="eu-west-1"`.
        """
        requests = self.matching(**fields)
        if not requests:
            return 0.0
        return max(request.answered for request in requests) - min(
            request.received for request in requests
        )
