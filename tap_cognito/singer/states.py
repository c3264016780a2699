"""The state that a run is given, read so that a fault names its file."""

from __future__ import annotations

import json
import time
from typing import IO, TYPE_CHECKING, Any

from tap_cognito.dates import parse_date
from tap_cognito.errors import TapCognitoError
from tap_cognito.singer.files import first_error, read_object, where
from tap_cognito.singer.schemas import STATE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_DAY = 86_400
"""Seconds that clocks may differ by, and more: a bookmark beyond it wasn't made by a run."""

_STATE_ADVICE = "pass this tap's last STATE, or none to start over"
_VERSION_ADVICE = (
    "run without a state; if rows of the target's table have such an `_sdc_table_version`, set it "
    "to NULL there, else they are never removed"
)
_PRINTED = "the `singer_state` that `meltano state get` prints"
_WRAPPINGS = (
    ({"type", "value"}, "a whole STATE message", "what is in its `value`"),
    ({"singer_state"}, "what `meltano state get` prints", "what is in its `singer_state`"),
    ({"completed"}, "a file of Meltano's state backend", _PRINTED),
    ({"completed_state"}, "a row of Meltano's database", _PRINTED),
)
"""The keys of what a state is found in, what that is, and where the state is in it."""


def load_state(file: IO[str], streams: Collection[str]) -> dict[str, Any]:
    """Read a state.

    Args:
        file: The file.
        streams: The names of the tap's streams.

    Returns:
        The state; empty for a first run. It may be of an older version's form.

    Raises:
        TapCognitoError: If it isn't a Singer state, or another tap's, or one that no run has made.
    """
    subject = f"--state {file.name}"
    state = read_object(file, subject, _STATE_ADVICE)
    error = first_error(STATE, state)
    advice = _STATE_ADVICE
    if state and "bookmarks" not in state:
        fault, advice = _wrapping(state)
    elif error:
        fault = f"has an invalid structure at {where(error)}"
    elif set(state.get("bookmarks", ())) - set(streams):
        fault = "has bookmarks of streams of another tap"
    elif fault := next(filter(None, map(_version_fault, state.get("bookmarks", {}).values())), ""):
        advice = _VERSION_ADVICE
    else:
        fault = next(filter(None, map(_date_fault, _bookmarks(state))), "")
    if fault:
        raise TapCognitoError(f"{subject} {fault}: {advice}")
    return state


def _wrapping(state: Mapping[str, Any]) -> tuple[str, str]:
    """Say what a state is wrapped in, and what to do."""
    for names, what, part in _WRAPPINGS:
        if names <= set(state):
            return f"is {what}", f"give only {part}, or no state to start over"
    return "has no `bookmarks`", _STATE_ADVICE


def _bookmarks(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    bookmarks = list(state.get("bookmarks", {}).values())
    return [
        *bookmarks,
        *(part for whole in bookmarks for part in whole.get("partitions", ())),
        *(part for whole in bookmarks for part in whole.get("pools", {}).values()),
    ]


def _date_fault(bookmark: Mapping[str, Any]) -> str:
    for key in ("replication_key_value", "starting_replication_value", "updated_at"):
        if bookmark.get(key) is not None:
            try:
                seconds = parse_date(bookmark[key]).timestamp()
            except (ValueError, OverflowError):
                return "has a bookmark that isn't a date"
            if not 0 <= seconds <= time.time() + _DAY:
                return "has an implausible bookmark date"
    try:
        parse_date(bookmark.get("start_date") or "2020-01-01")
    except ValueError:
        return "has a `start_date` that isn't a date"
    return ""


def _version_fault(bookmark: Mapping[str, Any]) -> str:
    """A version is the time of a run: one of the future would stop deletions until then."""
    version = max(bookmark.get("version") or 0, saved_version(bookmark.get("scan")))
    if version <= (time.time() + _DAY) * 1000:
        return ""
    return "has a `version` that no run has made, or one whose clock was ahead"


def saved_version(scan: Any) -> int:
    """Return the version of a scan in a state, whatever its form; 0 without one."""
    if isinstance(scan, str):
        try:
            scan = json.loads(scan)
        except (ValueError, RecursionError):
            return 0
    version = scan.get("version") if isinstance(scan, dict) else None
    return version if isinstance(version, int) else 0
