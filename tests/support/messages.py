"""The Singer messages that a run has written."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from tap_cognito.singer.writer import buffer_stdout

if TYPE_CHECKING:
    from collections.abc import Iterator

Message = dict[str, Any]


@contextmanager
def buffered_stdout() -> Iterator[None]:
    """Write to stdout as the command line does: not with a system call for each record."""
    stdout = sys.stdout
    buffer_stdout()
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stdout = stdout


def messages_of(output: str | bytes) -> list[Message]:
    """Return the messages of an output, in order."""
    return [msgspec.json.decode(line) for line in output.splitlines()]


def of_type(messages: list[Message], kind: str) -> list[Message]:
    """Return the messages of one type, such as "RECORD"."""
    return [message for message in messages if message["type"] == kind]


def records_of(output: str | bytes) -> list[dict[str, Any]]:
    """Return the records of an output, in order."""
    return [message["record"] for message in of_type(messages_of(output), "RECORD")]
