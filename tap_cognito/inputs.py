"""The files that a run is given: config, catalog and state, read so that a fault names its file."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import IO, Any

from singer_sdk.helpers._compat import datetime_fromisoformat
from singer_sdk.singerlib import Catalog

from tap_cognito.errors import TapCognitoError

_DAY = 86_400
"""Seconds that clocks may differ by, and more: a bookmark beyond it was not made by a run."""


def config(path: str) -> dict[str, Any]:
    """Read a config file.

    Args:
        path: Where it is.

    Returns:
        The settings in it, not yet checked.

    Raises:
        TapCognitoError: If it cannot be read or is no JSON object.
    """
    try:
        text = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no valid path"
        raise TapCognitoError(f"--config {path[:200]}: {reason}") from None
    return _object(text, f"--config {path}")


def catalog(file: IO[str], streams: set[str]) -> Catalog:
    """Read a catalog.

    Args:
        file: The file.
        streams: The names of the tap's streams.

    Returns:
        The catalog.

    Raises:
        TapCognitoError: If it is no Singer catalog, or one of another tap.
    """
    name = f"--catalog {file.name}"
    read = _object(_bytes(file), name)
    try:
        for stream in read["streams"]:
            _choose_replication(stream)
        parsed = Catalog.from_dict(read)
    except (LookupError, TypeError, AttributeError, ValueError):
        raise TapCognitoError(f"{name} is no Singer catalog: make one with --discover") from None
    if not streams & {entry.tap_stream_id for entry in parsed.streams}:
        raise TapCognitoError(
            f"{name} has none of this tap's streams ({', '.join(sorted(streams))}): "
            "is it of another tap? Make one with --discover"
        )
    return parsed


def state(file: IO[str], streams: set[str]) -> dict[str, Any]:
    """Read a state.

    Args:
        file: The file.
        streams: The names of the tap's streams.

    Returns:
        The state; empty for a first run.

    Raises:
        TapCognitoError: If it is no Singer state, or one of another tap.
    """
    name = f"--state {file.name}"
    read = _object(_bytes(file), name)
    bookmarks = read.get("bookmarks", {})
    if read and "bookmarks" not in read:
        fault = "has no `bookmarks`"
    elif not isinstance(bookmarks, dict) or not all(
        isinstance(one, dict) for one in bookmarks.values()
    ):
        fault = "has `bookmarks` of another form"
    elif foreign := set(bookmarks) - streams:
        fault = f"is of another tap, it has a bookmark of {min(foreign)}"
    else:
        fault = next(filter(None, map(_bookmark_fault, bookmarks.values())), "")
    if not fault:
        return read
    raise TapCognitoError(f"{name} {fault}: give the last STATE of this tap, or none to start over")


def _bookmark_fault(bookmark: dict[str, Any]) -> str:
    if "partitions" in bookmark:
        return "is of another tap, it has partitions"
    if not isinstance(bookmark.get("progress_markers", {}), dict):
        return "has `progress_markers` of another form"
    value = bookmark.get("replication_key_value")
    if value is None:
        return ""
    try:
        seconds = datetime_fromisoformat(value).timestamp()
        if not 0 <= seconds <= time.time() + _DAY:
            return f"has a bookmark that no run has made, {value}"
    except (TypeError, ValueError, OverflowError):
        return "has a bookmark that is no date"
    return ""


def _choose_replication(stream: dict[str, Any]) -> None:
    """Put the metadata's choice of replication, Singer's own place, where the SDK looks first."""
    for entry in stream["metadata"]:
        for key in ("replication-method", "replication-key"):
            if not entry["breadcrumb"] and entry["metadata"].get(key):
                stream[key.replace("-", "_")] = entry["metadata"][key]


def _bytes(file: IO[str]) -> bytes:
    return Path(file.name).read_bytes() if file.name != "<stdin>" else file.read().encode()


def _object(text: bytes, name: str) -> dict[str, Any]:
    try:
        read = json.loads(text.decode(), parse_constant=_refuse)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise TapCognitoError(f"{name} is no JSON: {error.msg}, {where}") from None
    except (ValueError, RecursionError):
        raise TapCognitoError(f"{name} is no JSON in UTF-8, or nested too deep") from None
    if not isinstance(read, dict):
        raise TapCognitoError(f"{name} must be a JSON object")
    return read


def _refuse(constant: str) -> None:
    """NaN and Infinity, which Python takes and JSON does not have."""
    raise ValueError(constant)
