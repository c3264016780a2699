"""Actions that wait for a request."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


@dataclass
class _Entry:
    requests_left: int
    action: Callable[[], object]
    operations: Collection[str] | None


class Schedule:
    """Actions, each run when its request arrives."""

    def __init__(self) -> None:
        """Begin with no actions."""
        self._entries: list[_Entry] = []
        self._lock = threading.Lock()

    def add(
        self, number: int, action: Callable[[], object], operations: Collection[str] | None = None
    ) -> None:
        """Run `action` when the `number`-th request of these operations from now on arrives."""
        with self._lock:
            self._entries.append(_Entry(number, action, operations))

    def advance(self, operation: str) -> None:
        """Count a request, and run the actions that waited for it."""
        if not self._entries:
            return
        with self._lock:
            due = []
            for entry in self._entries:
                if entry.operations is None or operation in entry.operations:
                    entry.requests_left -= 1
                    if entry.requests_left == 0:
                        due.append(entry)
            self._entries = [entry for entry in self._entries if entry.requests_left > 0]
        for entry in due:
            entry.action()
