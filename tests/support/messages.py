"""The Singer messages that a run has written."""

from __future__ import annotations

import json
from typing import Any

Message = dict[str, Any]


def messages_of(output: str | bytes) -> list[Message]:
    """Return the messages of an output, in order."""
    return [json.loads(line) for line in output.splitlines()]


def of_type(messages: list[Message], kind: str) -> list[Message]:
    """Return the messages of one type, such as "RECORD"."""
    return [message for message in messages if message["type"] == kind]


def records_of(output: str | bytes) -> list[dict[str, Any]]:
    """Return the records of an output, in order."""
    return [message["record"] for message in of_type(messages_of(output), "RECORD")]
