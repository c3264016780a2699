"""What was asked of the emulator, when, and what came of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        received: Monotonic seconds when it had arrived.
        answered: Monotonic seconds when its answer, or its failure, was about to be sent.
        operation: Such as "ListUsers".
        filter: The Filter parameter, None without one.
        token: Whether it went on with a chain.
        status: HTTP status of the answer, 0 if none was sent.
        outcome: "ok", "throttled", the name of a fault, or the code of an error.
    """

    received: float
    answered: float
    operation: str
    filter: str | None
    token: bool
    status: int
    outcome: str


@dataclass
class RequestLog:
    """All requests, in the order of their answers."""

    requests: list[Request] = field(default_factory=list)

    def count(self, operation: str | None = None, outcome: str | None = None) -> int:
        """Count the requests of an operation, with an outcome, or both."""
        return sum(
            operation in (None, each.operation) and outcome in (None, each.outcome)
            for each in list(self.requests)
        )

    def by_operation(self) -> dict[str, dict[str, int]]:
        """Count the requests by operation and outcome."""
        counts: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
        for each in list(self.requests):
            counts[each.operation][each.outcome] += 1
        return {operation: dict(outcomes) for operation, outcomes in counts.items()}

    def seconds(self) -> float:
        """Seconds from the first request to the last answer, 0 without any."""
        requests = list(self.requests)
        if not requests:
            return 0.0
        return max(each.answered for each in requests) - min(each.received for each in requests)
