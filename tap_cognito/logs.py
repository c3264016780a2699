"""Redacts everything written to stderr: no secret, control character or value gets through.

`install` puts it in place, for the command line. From then on whatever writes to `sys.stderr`
passes `clean`, and every log record is made by `_Record`, whatever handler takes it.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
import threading
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import unquote, urlsplit

from tap_cognito.errors import bug

if TYPE_CHECKING:
    from types import TracebackType

_LONGEST = 2_000
"""Characters of a line, or of a text in a line of JSON."""

_READ = 4 * _LONGEST
"""Characters of a text that are looked at."""

_LONG = 16
_SHORT = 8
_WORD = re.compile(r"[A-Za-z]+|[a-z0-9]+([-_.:][a-z0-9]+)*")

_HEAD = 40
"""Characters that a longer secret, such as a session token, is known by."""

_SECRET_VARIABLE = re.compile(r"(SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|PRIVATE|ACCESS_KEY)")
_NO_SECRET = re.compile(r"(FILE|PATH|URI|URL)$")

_LIBRARIES = ("boto3", "botocore", "psycopg", "singer_sdk.mapper", "urllib3")
"""They log requests, answers, records and expressions at DEBUG, and parts of them above it."""

_REFRESHES = ("botocore.credentials", "botocore.tokens")

_PLACEHOLDER = re.compile(r"%(\(\w+\))?[-#0+ ]*[\d.*]*[a-zA-Z]")

logger = logging.getLogger("tap-cognito")


class _Secrets:
    """The secrets that a run knows, as one pattern that finds any of them."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, value: str) -> None:
        if value not in self._known and _is_recognizable(value):
            self._known.add(value)
            longest_first = sorted(self._known, key=len, reverse=True)
            self._pattern = re.compile(
                "|".join(map(_in_any_notation, longest_first)), re.IGNORECASE
            )

    def mask(self, text: str) -> str:
        return self._pattern.sub("***", text) if self._pattern else text


_secrets = _Secrets()


def hide(*values: str | None) -> None:
    """Mask values in all that is written to stderr from now on.

    A short value that could be a word or a name, such as a password `postgres`, isn't masked:
    the mask in a well-known line would tell what it is. The texts themselves never hold one.

    Args:
        values: Secrets; `None` and empty ones are left out.
    """
    for value in values:
        if value:
            _secrets.add(value)


def clean(text: str) -> str:
    """Make a line fit for a terminal and for other people's eyes.

    Args:
        text: A line without its line break; JSON stays JSON.

    Returns:
        It, without known secrets, control and bidirectional characters, and what is beyond 2,000
        characters.
    """
    if text.startswith("{"):
        try:
            return json.dumps(_clean_json(json.loads(text)), separators=(",", ":"))
        except (ValueError, RecursionError):
            pass
    read = text[:_READ]
    printable = "".join(
        character if character.isprintable() else " " * character.isspace() for character in read
    )
    masked = _secrets.mask(printable)
    if len(text) > _READ:
        masked = masked[:-_HEAD]  # it may end with a part of a secret
    return masked if len(masked) <= _LONGEST else f"{masked[: _LONGEST - 1]}…"


def install() -> None:
    """Put the door in place, before anything is logged."""
    hide(*_secrets_of_environment())
    if sys.stderr is not None and not isinstance(sys.stderr, _RedactingStream):
        sys.stderr = _RedactingStream(sys.stderr)
    logging.setLogRecordFactory(_Record)
    logging.raiseExceptions = False  # a record that can't be formatted would be shown raw
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_exception
    threading.excepthook = lambda hook: _log_exception(
        hook.exc_type, hook.exc_value, hook.exc_traceback
    )
    sys.unraisablehook = lambda hook: _log_exception(
        hook.exc_type, hook.exc_value, hook.exc_traceback
    )


def quiet_libraries() -> None:
    """Hold the libraries at INFO, whatever the logging config says."""
    for name in [*logging.root.manager.loggerDict, *_LIBRARIES]:
        if _is_library(name):
            library = logging.getLogger(name)
            library.setLevel(max(library.level, logging.INFO))
    for name in _REFRESHES:
        # With a traceback for each request; what follows from them is said once.
        logging.getLogger(name).addFilter(_has_no_traceback)
    logging.getLogger("tap-cognito").addFilter(_says_something)


def _says_something(record: logging.LogRecord) -> bool:
    """Drop the SDK's lines on where settings come from, which have no switch."""
    return record.msg not in {
        "Parsing env var for settings config...",
        "Skipping parse of env var settings...",
    }


class _Record(logging.LogRecord):
    """A log record of one clean line. Its traceback has frames, but no texts of exceptions."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if _is_library(self.name):
            self.msg, self.args = _PLACEHOLDER.sub("…", str(self.msg)), None
        if not self.args:
            self.msg = clean(str(self.msg))
        if self.exc_info and self.exc_info[0]:
            self.exc_info = _without_values(*self.exc_info)

    def getMessage(self) -> str:  # noqa: N802 - logging's name
        return clean(super().getMessage())


class _RedactingStream(io.TextIOBase):
    """A stderr that takes whole lines and cleans each."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._pending = ""
        self._lock = threading.RLock()

    def write(self, text: str) -> int:
        with self._lock:
            *lines, self._pending = (self._pending + text).split("\n")
            self._stream.writelines(f"{clean(line)}\n" for line in lines)
        return len(text)

    def flush(self) -> None:
        with self._lock:
            if self._pending:  # a question to a person, such as for an MFA code
                self._stream.write(clean(self._pending))
                self._pending = ""
            self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def writable(self) -> bool:
        return True


def _is_recognizable(value: str) -> bool:
    return len(value) >= _LONG or (len(value) >= _SHORT and not _WORD.fullmatch(value))


def _in_any_notation(secret: str) -> str:
    """A pattern for a secret as it is, percent-encoded in any part, or escaped in a literal."""
    pattern = ""
    for character in secret[:_HEAD]:
        percent = "".join(f"%{byte:02x}" for byte in character.encode())
        escaped = re.escape(json.dumps(character)[1:-1])
        plus = r"|\+" if character == " " else ""
        pattern += rf"(?:\\{{0,4}}{re.escape(character)}|{percent}|{escaped}{plus})"
    return pattern + (r"\S*" if len(secret) > _HEAD else "")


def _secrets_of_environment() -> list[str]:
    secrets = []
    for name, value in os.environ.items():
        if _SECRET_VARIABLE.search(name.upper()) and not _NO_SECRET.search(name.upper()):
            secrets.append(value)
        if "://" in value and (password := _password(value)):
            secrets.append(unquote(password))
    return secrets


def _password(url: str) -> str | None:
    try:
        return urlsplit(url).password
    except ValueError:
        return None


def _clean_json(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value) if not value.startswith("{") else clean(f" {value}")[1:]
    if isinstance(value, dict):
        return {_clean_json(key): _clean_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean_json(item) for item in value]
    return value


def _is_library(name: str) -> bool:
    return any(name == library or name.startswith(f"{library}.") for library in _LIBRARIES)


def _has_no_traceback(record: logging.LogRecord) -> bool:
    return not record.exc_info


def _without_values(
    kind: type[BaseException], _: BaseException | None, trace: TracebackType | None
) -> tuple[type[BaseException], BaseException, TracebackType | None]:
    """An exception's information with one of the same name in its place, which holds nothing."""
    blank = type(kind.__name__, (Exception,), {"__module__": kind.__module__})
    return blank, blank(), trace


def _log_exception(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    if kind is not SystemExit:
        logger.error("%s", bug((error or kind()).with_traceback(trace)))
        logger.debug("%s", kind.__name__, exc_info=_without_values(kind, None, trace))
