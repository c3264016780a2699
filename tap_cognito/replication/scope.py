"""What a stream is asked to write: what its scans and bookmarks belong to, compared here."""

from __future__ import annotations

import fnmatch
import hashlib
import json
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CAUSES = {
    "table": "the table (`__alias__`, `__source__`, Meltano's `load_schema`)",
    "key": "the key (`user_pool_ids` or `user_pool_id`, `__key_properties__`)",
    "rows": "which rows it has (`user_filter`, `__filter__`)",
    "content": "the columns (selection, attributes, `stream_maps`, flattening)",
    "replication": "the replication (method, deletions, `start_date`)",
}
"""The parts of a scope, and what changes each of them."""

_FLATTENING = ("flattening_max_depth", "flattening_max_key_length", "flattening_separator")


class Output(NamedTuple):
    """A table that a stream writes: itself, or what a stream map makes of it."""

    name: str
    key: Sequence[str]
    schema: Mapping[str, Any]
    """The JSON schema of its records."""


class Scope:
    """What a stream is asked to write.

    What would put other rows or values into a table belongs in; what wouldn't, such as the order of
    lists, names of settings that have their default, paces, credentials, the look-back, maps of
    other streams, or which pools there are, doesn't: each pool has its own bookmark.

    Args:
        stream: The name of the stream.
        outputs: The tables that it writes.
        config: The tap's settings.
        replication_method: FULL_TABLE or INCREMENTAL.
        is_mirror: Whether the target removes rows that a complete scan didn't find.
        is_filtered: Whether `user_filter` applies.
        place: Where the loader puts the tables, as far as the tap is told.
    """

    def __init__(  # noqa: PLR0913 - all that there is to compare
        self,
        stream: str,
        outputs: Sequence[Output],
        config: Mapping[str, Any],
        replication_method: str,
        *,
        is_mirror: bool,
        is_filtered: bool = False,
        place: str | None = None,
    ) -> None:
        self.config = config
        self.is_mirror = is_mirror
        self.is_full_table = replication_method == "FULL_TABLE"
        self._stream = stream
        self._outputs = outputs
        self._is_filtered = is_filtered
        self._place = place

    @cached_property
    def bookmark(self) -> str:
        """What a bookmark belongs to, as text for the state: a digest of each part."""
        maps = self._maps()
        names = sorted(output.name for output in self._outputs)
        rows = {name: each.get("__filter__") for name, each in maps.items()}
        content: list[Any] = [
            {output.name: _form(output.schema) for output in self._outputs},
            {name: _without_options(each) for name, each in maps.items()},
        ]
        if maps:
            content += [self.config.get("stream_map_config"), self.config.get("faker_config")]
        if self.config.get("flattening_enabled"):
            content += [self.config.get(name) for name in _FLATTENING]
        if any("attributes" in output.schema.get("properties", {}) for output in self._outputs):
            content.append(self._attributes())
        parts = {
            "table": [names, self._place],
            "key": {output.name: list(output.key) for output in self._outputs},
            "rows": [self._filter, {name: each for name, each in rows.items() if each}],
            "content": content,
        }
        return " ".join(f"{name}={_digest(value)}" for name, value in parts.items())

    @cached_property
    def scan(self) -> str:
        """What a scan belongs to, as text for the state."""
        start = None if self.is_full_table else self.config.get("start_date")
        return f"{self.bookmark} replication={_digest([self.is_full_table, self.is_mirror, start])}"

    @property
    def _filter(self) -> Any:
        return (self.config.get("user_filter") or None) if self._is_filtered else None

    def _maps(self) -> dict[str, Mapping[str, Any]]:
        """Return the stream maps of this stream."""
        found: dict[str, Mapping[str, Any]] = {}
        for name, value in (self.config.get("stream_maps") or {}).items():
            definition = value if isinstance(value, dict) else {}
            if fnmatch.fnmatchcase(self._stream, str(definition.get("__source__", name))):
                found[name] = definition
        return found

    def _attributes(self) -> Any:
        """Return which attributes are sent: of both lists the first counts alone."""
        included = self.config.get("attributes_include")
        if included is not None:
            return ["include", sorted(set(included))]
        return ["exclude", sorted(set(self.config.get("attributes_exclude") or ()))]


def changes(saved: str, now: str) -> str:
    """Say what differs between what was kept and what is asked for now.

    Args:
        saved: The text of a scope in the state.
        now: The text of the scope of this run.

    Returns:
        The parts that differ, for a line in the log; empty if none does.
    """
    if saved == now:
        return ""
    known, wanted = (
        dict(part.split("=", 1) for part in text.split() if "=" in part) for text in (saved, now)
    )
    differing = [_CAUSES[name] for name in wanted if known.get(name) != wanted[name]]
    return " and ".join(differing) or "what an older version noted"


def _digest(value: Any) -> str:
    """Return a short hash of something, which shows nothing of it."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _without_options(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a map says of columns: tables, keys and rows are parts of their own."""
    of_other_parts = {"__alias__", "__source__", "__filter__", "__key_properties__"}
    return {name: value for name, value in definition.items() if name not in of_other_parts}


def _form(schema: Any) -> Any:
    """Return a schema without what only describes."""
    if isinstance(schema, dict):
        return {
            key: _form(value)
            for key, value in schema.items()
            if key not in {"description", "title"} or isinstance(value, dict)  # a column's name
        }
    return [_form(each) for each in schema] if isinstance(schema, (list, tuple)) else schema
