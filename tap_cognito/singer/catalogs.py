"""What a catalog asks for: each wish is done or refused, in every spelling of Singer programs.

A selection may be in `metadata`, in `selected` of a stream, or in `selected` of its schema and of
the columns there, as older programs write it. Wishes for streams that aren't selected change
nothing.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import IO, TYPE_CHECKING, Any

from singer_sdk.singerlib import Catalog

from tap_cognito.errors import TapCognitoError, quoted
from tap_cognito.singer.files import first_error, read_object, where
from tap_cognito.singer.schemas import CATALOG

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from singer_sdk import Stream

    Breadcrumb: TypeAlias = tuple[str, ...]

_ANNOTATIONS = {
    *("default", "deprecated", "description", "examples", "inclusion", "selected", "title"),
    *("x-sql-datatype", "x-sql-datatype-properties"),
}
"""Keywords of a column's schema that let the same values through, with them or without."""

logger = logging.getLogger("tap-cognito")


def load_catalog(file: IO[str], streams: Mapping[str, Stream]) -> Catalog:
    """Read a catalog from a file, as `interpret` does.

    Raises:
        TapCognitoError: If it can't be read, or asks for what can't be done.
    """
    subject = f"--catalog {file.name}"
    return interpret(read_object(file, subject), streams, subject)


def interpret(content: Mapping[str, Any], streams: Mapping[str, Stream], subject: str) -> Catalog:
    """Turn a catalog into one that says all it means where the SDK looks for it.

    Args:
        content: The catalog.
        streams: The tap's streams by name.
        subject: What errors call the catalog.

    Returns:
        The streams' own keys, those of their columns that the catalog declares, whether each is
        selected, and the replication.

    Raises:
        TapCognitoError: If it isn't a Singer catalog, or another tap's, or asks for what can't be
            done.
    """
    if error := first_error(CATALOG, content):
        raise TapCognitoError(
            f"{subject} isn't a Singer catalog, at {where(error)}: make one with --discover"
        )
    entries = [_Entry(entry) for entry in content["streams"]]
    if not any(entry.name in streams for entry in entries):
        raise TapCognitoError(
            f"{subject} has none of this tap's streams ({', '.join(sorted(streams))}): "
            "is it another tap's? Make one with --discover"
        )
    # Where older programs mark one as selected, those without a word aren't.
    unmarked = not any(True in entry.older.values() for entry in entries)
    read: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if entry.raw.get("stream") not in {None, entry.name}:
            shown = quoted(entry.name, "a stream")
            logger.warning("%s: `stream` of %s isn't used, only its id", subject, shown)
        try:
            made = entry.read(streams.get(entry.name), unmarked=unmarked)
        except _Refusal as refusal:
            raise TapCognitoError(f"{subject} {refusal}") from None
        if made and entry.name in read:
            raise TapCognitoError(f"{subject} has `{entry.name}` twice: take one of them out")
        if made:
            read[entry.name] = made
    return Catalog.from_dict({"streams": list(read.values())})


class _Refusal(Exception):  # noqa: N818 - it becomes an error with the catalog's name
    """What can't be done, as the rest of a sentence that begins with the catalog."""


class _Entry:
    """A stream of a catalog."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw
        self.name: str = raw["tap_stream_id"]
        schema = raw.get("schema") or {}
        self.columns: dict[str, dict[str, Any]] = schema.get("properties") or {}
        self.metadata: defaultdict[Breadcrumb, dict[str, Any]] = defaultdict(dict)
        self.marks: defaultdict[Breadcrumb, set[bool]] = defaultdict(set)
        """What each breadcrumb's `selected` says, wherever it is said."""
        for item in raw.get("metadata") or ():
            breadcrumb = tuple(item["breadcrumb"])
            self.metadata[breadcrumb] |= item["metadata"]
            if item["metadata"].get("selected") is not None:
                self.marks[breadcrumb].add(item["metadata"]["selected"])
        self.older: dict[Breadcrumb, bool] = {}
        """What the schema says."""
        for breadcrumb, marked in (
            ((), schema),
            *((("properties", name), column) for name, column in self.columns.items()),
        ):
            if marked.get("selected") is not None:
                self.older[breadcrumb] = marked["selected"]
                self.marks[breadcrumb].add(marked["selected"])
        if raw.get("selected") is not None:
            self.marks[()].add(raw["selected"])

    def read(self, stream: Stream | None, *, unmarked: bool) -> dict[str, Any] | None:
        """Return the entry as the SDK takes it.

        Args:
            stream: The tap's stream of this name.
            unmarked: Whether the stream is selected if nothing is said of it.
        """
        default = unmarked
        if self.metadata:
            default = bool(self.metadata.get((), {}).get("selected-by-default"))
        is_selected = self._choice((), quoted(self.name, "a stream"), default=default)
        if stream and is_selected:
            return self._selected(stream)
        if is_selected:
            shown = quoted(self.name, "a stream")
            raise _Refusal(f"selects {shown}, which this tap doesn't have: take it out")
        if stream:
            return _bare(stream, stream.schema["properties"], {(): {"selected": False}})
        return None

    def _selected(self, stream: Stream) -> dict[str, Any]:
        self._check_keys(stream)
        self._check_breadcrumbs(stream)
        metadata: dict[Breadcrumb, dict[str, Any]] = {(): {"selected": True}}
        properties = {}
        for name, own in stream.schema["properties"].items():
            is_key, is_selected = name in stream.primary_keys, self._is_column_selected(name)
            if is_key and not is_selected:
                logger.info(
                    "`%s.%s` is of the key: it is sent though not selected", self.name, name
                )
            if name in self.columns:
                inclusion = "automatic" if is_key else "available"
                metadata["properties", name] = {"inclusion": inclusion, "selected": is_selected}
                used = is_key or is_selected
                properties[name] = self._schema(name, own) if used else own
        root = self.metadata.get((), {})
        return {
            **_bare(stream, properties, metadata),
            "replication_key": root.get("replication-key") or self.raw.get("replication_key"),
            "replication_method": root.get("replication-method")
            or self.raw.get("replication_method")
            or root.get("forced-replication-method"),
        }

    def _choice(self, breadcrumb: Breadcrumb, shown: str, *, default: bool) -> bool:
        marks = self.marks.get(breadcrumb, set())
        if len(marks) > 1:
            raise _Refusal(f"both selects and deselects {shown}: decide for one")
        return next(iter(marks), default)

    def _is_column_selected(self, name: str) -> bool:
        breadcrumb = ("properties", name)
        said, declared = self.metadata.get(breadcrumb, {}), self.columns.get(name, {})
        default = said.get("selected-by-default")
        if default is None:
            default = declared.get("inclusion") == "automatic" or True not in (
                self.older.get(("properties", other)) for other in self.columns
            )
        is_selected = self._choice(breadcrumb, f"`{self.name}.{name}`", default=bool(default))
        if is_selected and name not in self.columns and True in self.marks.get(breadcrumb, ()):
            raise _Refusal(
                f"selects `{self.name}.{name}`, but lacks it in `schema`: make one with --discover"
            )
        return is_selected and "unsupported" not in (
            said.get("inclusion"),
            declared.get("inclusion"),
        )

    def _check_keys(self, stream: Stream) -> None:
        keys = ", ".join(stream.primary_keys)
        if not set(stream.primary_keys) <= set(self.columns):
            raise _Refusal(
                f"lacks a column of the key of `{self.name}`: {keys}. Make one with --discover"
            )
        said = self.raw.get("key_properties"), self.metadata.get((), {}).get("table-key-properties")
        if any(names and set(names) != set(stream.primary_keys) for names in said):
            raise _Refusal(
                f"has another key for `{self.name}` than {keys}: take it out, or set "
                "`__key_properties__` in `stream_maps` if rows of other keys are meant"
            )

    def _check_breadcrumbs(self, stream: Stream) -> None:
        known = stream.schema["properties"]
        for name in self.columns:
            if name not in known:
                raise _Refusal(f"has {self._unknown(name)}: take it out")
        for breadcrumb in self.marks:
            match breadcrumb:
                case () | ("properties", _) if not breadcrumb or breadcrumb[1] in known:
                    pass
                case ("properties", name):
                    raise _Refusal(f"selects or deselects {self._unknown(name)}: take it out")
                case ("properties", name, *_) if name in known:
                    raise _Refusal(
                        f"selects or deselects a part of `{self.name}.{name}`: only whole columns "
                        f"can be{_instead(name)}"
                    )
                case _:
                    raise _Refusal(
                        f"has `selected` for `{self.name}` at a breadcrumb that is no column's: "
                        '["properties", "email"] is one'
                    )

    def _unknown(self, name: str) -> str:
        return f"{quoted(name, 'a column')} of `{self.name}`, which has no such column"

    def _schema(self, name: str, own: dict[str, Any]) -> dict[str, Any]:
        """Return the declared schema of a column, which must hold all that the tap sends in it."""
        declared = self.columns[name]
        limits = {
            keyword: value
            for keyword, value in declared.items()
            if keyword not in _ANNOTATIONS and value not in (None, True, {}, own.get(keyword))
        }
        kinds = set(_list(limits.pop("type", own["type"])))
        if limits or not kinds >= set(own["type"]):
            raise _Refusal(
                f"has a schema of `{self.name}.{name}` that doesn't hold what the tap sends "
                f"({_shown_schema(own)}): make one with --discover, in Meltano with "
                f"--refresh-catalog and without `schema`{_instead(name)}"
            )
        # `format` alone makes a timestamp of a text: without it, text is asked for.
        made = {**own, **{key: declared[key] for key in declared if key.startswith("x-")}}
        if declared.get("type"):
            made["type"] = _list(declared["type"])
            if not declared.get("format"):
                made.pop("format", None)
        return made


def _bare(
    stream: Stream, properties: dict[str, Any], metadata: Mapping[Breadcrumb, dict[str, Any]]
) -> dict[str, Any]:
    return {
        "tap_stream_id": stream.name,
        "stream": stream.name,
        "key_properties": list(stream.primary_keys),
        "schema": {**stream.schema, "properties": properties},
        "metadata": [
            {"breadcrumb": list(breadcrumb), "metadata": said}
            for breadcrumb, said in metadata.items()
        ],
    }


def _instead(column: str) -> str:
    if column == "attributes":
        return "; `attributes_include` and `attributes_exclude` choose attributes"
    return ""


def _list(kinds: str | list[str]) -> list[str]:
    return [kinds] if isinstance(kinds, str) else kinds


def _shown_schema(own: Mapping[str, Any]) -> str:
    return " or ".join((own.get("format", own["type"][0]), *own["type"][1:]))
