"""The report: a table of numbers."""

from __future__ import annotations

import platform
import re
import statistics
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING

from verify.comparison import Comparison
from verify.plain import Reading
from verify.rows import Users

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PAGE_SIZE = 60


@dataclass
class Report:
    """What was found.

    Attributes:
        plain: The users that the plain loop read.
        plain_seconds: How long that took.
        whole: The requests of the plain loop.
        tap: The users that the tap read.
        tap_seconds: How long that took.
        tap_log: What the tap logged.
        segment: The requests of a plain loop with the filter `sub ^= "0"`.
        segment_users: The number of users that it read.
        comparison: What became of comparing the two.
    """

    plain: Users = field(default_factory=Users)
    plain_seconds: float = 0.0
    whole: Reading = field(default_factory=Reading)
    tap: Users = field(default_factory=Users)
    tap_seconds: float = 0.0
    tap_log: str = ""
    segment: Reading = field(default_factory=Reading)
    segment_users: int = 0
    comparison: Comparison = field(default_factory=Comparison)

    def __str__(self) -> str:
        """The report as a Markdown table."""
        return "\n".join(f"| {name} | {value} |" for name, value in self._rows())

    def _rows(self) -> Iterator[tuple[str, object]]:
        found, digits = self.comparison, self.plain.digits
        columns = ", ".join(f"{name}: {number}" for name, number in found.columns.items())
        yield "measured", "value"
        yield "---", "---"
        yield "result", "PASSED" if found.passed else "FAILED"
        yield "users: plain loop, tap", f"{len(self.plain.rows)}, {len(self.tap.rows)}"
        yield "read more than once: plain loop, tap", f"{self.plain.repeated}, {self.tap.repeated}"
        yield "equal in every value", found.equal
        yield "changed between the two readings", found.changed
        yield "only in the plain loop", found.missing
        yield "only in the tap", found.extra
        yield "different", f"{found.different} {columns}".strip()
        yield "different, but too many to read again", found.unread
        yield "seconds: plain loop, tap", f"{self.plain_seconds:.1f}, {self.tap_seconds:.1f}"
        yield "requests of the tap, of them throttled", self._requests_of_the_tap()
        yield from _listing("plain loop", self.whole)
        if self.segment.pages:
            yield (
                'users with `sub ^= "0"`: expected, read',
                f"{digits[0]['0']}, {self.segment_users}",
            )
            yield from _listing('`sub ^= "0"`', self.segment)
        yield (
            "`sub`: position, different digits",
            ", ".join(f"{position}: {len(count)}" for position, count in enumerate(digits, 1)),
        )
        yield "`sub` missing, or no UUID in lower case", self.plain.other_subs
        yield (
            "tap-cognito, Python, boto3",
            f"{version('tap-cognito')}, {platform.python_version()}, {version('boto3')}",
        )

    def _requests_of_the_tap(self) -> str:
        counts = re.findall(r"with ([\d,]+) requests \(([\d,]+) throttled\)", self.tap_log)
        return ", ".join(count.replace(",", "") for count in counts[-1]) if counts else "unknown"


def _listing(title: str, reading: Reading) -> Iterator[tuple[str, object]]:
    pages = reading.pages
    full, empty = pages.count(PAGE_SIZE), pages.count(0)
    yield (
        f"{title}: requests, throttled, failed",
        ", ".join(map(str, (len(reading.latencies), reading.throttled, reading.failed))),
    )
    yield (
        f"{title}: pages, full, short, empty",
        f"{len(pages)}, {full}, {len(pages) - full - empty}, {empty}",
    )
    yield f"{title}: users in a page, mean", f"{statistics.fmean(pages):.1f}"
    yield (
        f"{title}: latency in ms at 0, 50, 90, 99, 100%",
        ", ".join(f"{1000 * seconds:.0f}" for seconds in _quantiles(reading.latencies)),
    )


def _quantiles(values: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    return [ordered[round(part * (len(ordered) - 1))] for part in (0, 0.5, 0.9, 0.99, 1)]
