"""Dates as text, as records, bookmarks and states have them."""

from __future__ import annotations

from datetime import datetime, timezone

LONGEST_DATE = 40
"""Characters of a text that may be a date."""


def parse_date(text: str) -> datetime:
    """Parse an ISO 8601 date or time; without an offset it is UTC.

    Args:
        text: The text.

    Returns:
        The moment, aware.

    Raises:
        ValueError: If it isn't a date.
    """
    if len(text) > LONGEST_DATE:
        raise ValueError
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))  # for Python 3.10
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def format_date(moment: datetime) -> str:
    """Format a date as records do: ISO 8601 in UTC, with milliseconds, without an offset.

    Args:
        moment: The moment, aware.

    Returns:
        The text, such as `2026-01-01T00:00:00.000`.
    """
    moment = moment.astimezone(timezone.utc).replace(tzinfo=None)
    return moment.isoformat(timespec="milliseconds")
