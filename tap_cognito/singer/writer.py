"""Singer messages to stdout: whole lines, many at a time."""

from __future__ import annotations

import io
import sys
import time
from typing import TYPE_CHECKING

from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.singerlib import RecordMessage

from tap_cognito.errors import TapCognitoError

if TYPE_CHECKING:
    from singer_sdk.singerlib import Message

_FLUSH_BYTES = 1 << 16
_FLUSH_SECONDS = 0.2
_LONGEST_LINE = 1 << 22
"""Bytes. A line that fits into the buffer is never cut by a signal; 50 attributes of 2,048
characters, the most that Cognito allows, are less than a tenth of it."""


def buffer_stdout() -> None:
    """Put a buffer of whole lines before `sys.stdout`; the pipe behind it gets them later.

    Raises:
        BrokenPipeError: If the process was started without a stdout.
    """
    if sys.stdout is None:
        raise BrokenPipeError
    raw = io.FileIO(sys.stdout.fileno(), "wb", closefd=False)
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(raw, _LONGEST_LINE), encoding="utf-8")


def _unwritable(fault: str) -> TapCognitoError:
    return TapCognitoError(f"a record {fault}: check `stream_maps` and `endpoint_url`")


class LineWriter(MsgSpecWriter):
    """Writes records in bunches, and all other messages at once.

    The SDK's writer makes a system call for every record. Here the target gets records after
    64 KiB or 0.2 s, whichever comes first; SCHEMA, STATE and ACTIVATE_VERSION without delay.
    """

    def __init__(self) -> None:
        self._pending = 0
        self._flushed_at = time.monotonic()

    def write_message(self, message: Message) -> None:
        """Write one line.

        Args:
            message: The message.

        Raises:
            OSError: If stdout is closed or full.
            TapCognitoError: If it is no JSON, or a record that is too long: an expression of
                `stream_maps` may make any value, and an endpoint may send one.
        """
        try:
            line = self.format_message(message)
        except (MemoryError, OverflowError, RecursionError, TypeError, ValueError) as error:
            raise _unwritable(
                f"has a value that JSON can't hold ({type(error).__name__})"
            ) from None
        if isinstance(message, RecordMessage) and len(line) > _LONGEST_LINE:
            raise _unwritable(f"is longer than {_LONGEST_LINE >> 20} MiB")
        self._pending += sys.stdout.buffer.write(line)
        now = time.monotonic()
        if (
            self._pending >= _FLUSH_BYTES
            or now - self._flushed_at >= _FLUSH_SECONDS
            or not isinstance(message, RecordMessage)
        ):
            sys.stdout.buffer.flush()
            self._pending = 0
            self._flushed_at = now
