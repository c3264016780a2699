"""Detects mistakes in `stream_maps` before the first request.

The SDK ignores a stream that doesn't exist: a mask on personal data would silently do nothing. An
expression for a column that doesn't exist is no mistake: that is how a column is added.
"""

from __future__ import annotations

import ast
import difflib
import fnmatch
import re
from typing import TYPE_CHECKING, Any

from singer_sdk.singerlib import Catalog

from tap_cognito.errors import quoted
from tap_cognito.singer.expressions import TextTooLongError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from singer_sdk import Stream
    from singer_sdk.mapper import PluginMapper

_REMOVED = (None, "__NULL__")
_FILTER = "__filter__"
_USER_NAME = "username"
"""The column of a user's name, in every stream that has one."""
_LONGEST_NAME = 100
_LONGEST_EXPRESSION = 10_000
_NAMES = {
    *(
        "bool",
        "datetime",
        "fake",
        "float",
        "int",
        "json",
        "md5",
        "rand",
        "randint",
        "sha256",
        "str",
    ),
    *("_", "record", "config", "__stream_name__", "__original_stream_name__"),
}
"""What the SDK gives to an expression beside the columns, and `self` for a column that exists."""


def validate_stream_maps(
    stream_maps: Mapping[str, Any], values: Mapping[str, Any], streams: Mapping[str, Stream]
) -> Iterator[str]:
    """Find maps of streams and columns that don't exist, and expressions that can't work.

    Args:
        stream_maps: The value of the setting, as its JSON Schema allows it.
        values: That of `stream_map_config`.
        streams: The tap's streams by name.

    Yields:
        One sentence for each problem. Expressions aren't repeated: they may name people.
    """
    for pattern, value in stream_maps.items():
        if pattern == "__else__":
            continue
        definition: dict[str, Any] = value if isinstance(value, dict) else {}
        source = definition.get("__source__", pattern)
        matched = [stream for name, stream in streams.items() if fnmatch.fnmatch(name, source)]
        if not matched:
            yield f"`stream_maps` names a stream that doesn't exist{_similar(source, streams)}"
            continue
        subject = f"`stream_maps` of `{'`, `'.join(stream.name for stream in matched)}`"
        for problem in _column_problems(definition, values, matched):
            yield f"{subject} {problem}"
        if {"__source__", "__alias__"} <= set(definition):
            yield f"{subject} has `__source__` and `__alias__`: the map's name is the alias"
        for stream in matched:
            if missing := _missing_keys(definition, stream):
                yield (
                    f"`stream_maps` of `{stream.name}` leaves out {missing} of its key: keep it, "
                    "or set `__key_properties__`"
                )
    yield from _names_in_clear(stream_maps, streams)


def explain_failure(error: BaseException, stream: str, column: str | None) -> str:
    """Explain which expression failed while a record was mapped.

    Args:
        error: What the mapper raised: an error of the SDK, or whatever the expression did.
        stream: The name of the stream.
        column: The column of the expression; "" for a filter, `None` if it isn't known.

    Returns:
        One sentence with the column, and no value.
    """
    shown = "a column" if column is None else quoted(column or _FILTER, "a column")
    reason = type(error.__cause__ or error).__name__
    is_long = isinstance(error.__cause__ or error, TextTooLongError)
    advice = "it makes too long a text" if is_long else "does it take a null?"
    return (
        f"`stream_maps`: the expression for {shown} of `{stream}` fails on a record ({reason}): "
        f"{advice}"
    )


def register_streams(mapper: PluginMapper, catalog: Catalog) -> None:
    """Register the streams of a mapper.

    The SDK's way fails when there is a map for a stream that isn't selected: it takes the key
    columns away, and misses them. Such a stream keeps all its columns here; nobody reads it.

    Args:
        mapper: The mapper.
        catalog: The catalog of the run.
    """
    for entry in catalog.streams:
        if entry.metadata.resolve_selection()[()]:
            mapper.register_raw_streams_from_catalog(Catalog({entry.tap_stream_id: entry}))
        else:
            mapper.register_raw_stream_schema(
                entry.tap_stream_id, entry.schema.to_dict(), entry.key_properties
            )


def _names_in_clear(stream_maps: Mapping[str, Any], streams: Mapping[str, Stream]) -> Iterator[str]:
    """Find user names that one stream changes or drops, and another sends as they are."""
    hidden, clear = [], []
    for stream in streams.values():
        if stream.selected and _USER_NAME in stream.schema["properties"]:
            changes = [_changes_name(each) for each in _outputs(stream.name, stream_maps)]
            if changes and all(changes):
                hidden.append(stream.name)
            elif None in changes:
                clear.append(stream.name)
    if hidden and clear:
        yield (
            f"`stream_maps` changes `{_USER_NAME}` of `{'`, `'.join(hidden)}`, but not that of "
            f"`{'`, `'.join(clear)}`: change it alike, or write `{_USER_NAME}: {_USER_NAME}` there "
            "if it may stay"
        )


def _outputs(stream: str, stream_maps: Mapping[str, Any]) -> list[Any]:
    """Return the maps that make a stream's records: null where it is removed, {} where it isn't."""
    primary: Any = None if stream_maps.get("__else__", 0) in _REMOVED else {}
    others = []
    for pattern, value in stream_maps.items():
        if isinstance(value, dict) and "__source__" in value:
            if fnmatch.fnmatch(stream, value["__source__"]):
                others.append(value)
        elif fnmatch.fnmatch(stream, pattern):
            primary = None if value in _REMOVED else value
    return [each for each in (primary, *others) if each is not None]


def _changes_name(definition: Mapping[str, Any]) -> bool | None:
    """Whether a map changes the user's name; `None` if it says nothing of it."""
    if _USER_NAME not in definition:
        keys = definition.get("__key_properties__", [_USER_NAME]) or ()
        return True if "__else__" in definition and _USER_NAME not in keys else None
    return definition[_USER_NAME] not in {_USER_NAME, "self"}


def _column_problems(
    definition: Mapping[str, Any], values: Mapping[str, Any], streams: list[Stream]
) -> Iterator[str]:
    columns = {name for stream in streams for name in stream.schema["properties"]}
    given = {name for stream in streams for name in columns if _is_given(stream, name)}
    for column, expression in definition.items():
        if column in {"__else__", "__source__", "__alias__", "__key_properties__"}:
            continue
        if column.startswith("__") and column != _FILTER:
            yield f"has an option that doesn't exist{_similar(column, [_FILTER])}"
        elif expression in _REMOVED:
            if column not in columns and column != _FILTER:
                yield f"removes a column that doesn't exist{_similar(column, columns)}"
        else:
            for fault in _faults(expression, given, columns, values, itself=column in given):
                yield f"has an expression for {quoted(column, 'a column')} {fault}"


def _is_given(stream: Stream, column: str) -> bool:
    """Whether an expression finds the column in a record."""
    return column in stream.schema["properties"] and (
        not stream.selected or stream.mask["properties", column]
    )


def _faults(
    expression: str,
    given: Collection[str],
    columns: Collection[str],
    values: Mapping[str, Any],
    *,
    itself: bool,
) -> Iterator[str]:
    if len(expression) > _LONGEST_EXPRESSION:
        yield f"of more than {_LONGEST_EXPRESSION:,} characters"
        return
    try:
        nodes = list(ast.walk(ast.parse(expression, mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        yield "that can't be parsed"
        return
    for key in sorted(set(filter(None, map(_config_key, nodes)))):
        if not _is_set(values.get(key)):
            shown = quoted(key, "a key")
            yield f"with {shown} of `stream_map_config`, which is missing, empty or a bare variable"
    names = [node for node in nodes if isinstance(node, ast.Name)]
    bound = {name.id for name in names if isinstance(name.ctx, ast.Store)}
    for name in sorted({name.id for name in names} - bound - _NAMES - set(given)):
        if name == "self":
            if not itself:
                yield "with `self`, but there is no such column"
        elif name in columns:
            yield f"with the column `{name}`, which isn't selected"
        else:
            yield f"with a name that isn't a column{_similar(name, columns)}"


def _config_key(node: ast.AST) -> str:
    """Return the key of `stream_map_config` that must be there for a node; "" if it is no such."""
    match node:
        case (
            ast.Subscript(value=ast.Name(id="config"), slice=ast.Constant(value=str(key)))
            | ast.Call(
                func=ast.Attribute(value=ast.Name(id="config"), attr="get"),
                args=[ast.Constant(value=str(key))],
            )
        ):
            return key
        case ast.Attribute(value=ast.Name(id="config"), attr=key) if key not in dir(dict):
            return key
    return ""


def _is_set(value: Any) -> bool:
    """Whether there is a value: neither nothing nor a variable that nobody has put in."""
    is_variable = isinstance(value, str) and re.fullmatch(r"\$\w+|\$\{\w+\}", value)
    return value not in (None, "") and not is_variable


def _missing_keys(definition: Mapping[str, Any], stream: Stream) -> str:
    defined = {name for name, value in definition.items() if value not in _REMOVED}
    kept = set() if "__else__" in definition else set(stream.schema["properties"])
    kept -= {name for name, value in definition.items() if value in _REMOVED}
    keys = definition.get("__key_properties__", stream.primary_keys) or ()
    if missing := [key for key in keys if key not in kept | defined]:
        return ", ".join(quoted(key, "a column") for key in missing)
    return ""


def _similar(name: str, known: Collection[str]) -> str:
    similar = difflib.get_close_matches(name[:_LONGEST_NAME], known, n=1)
    return (
        f": did you mean `{similar[0]}`?" if similar else f": there are {', '.join(sorted(known))}"
    )
