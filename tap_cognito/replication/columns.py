"""Columns: names, JSON schemas, descriptions, and how to make their values from the API's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_cognito.dates import format_date

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from typing import TypeAlias

    from tap_cognito.cognito.enriched import Extra
    from tap_cognito.cognito.listing import Item

    _Tree: TypeAlias = dict[str, "_Tree"]

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Column(NamedTuple):
    """One column of a stream."""

    name: str
    type: dict[str, Any]
    """Its JSON schema."""
    description: str
    value: Callable[[Item], Any]
    """Makes its value, ready for JSON, from an item of the API."""
    extra: Extra | None = None
    """The operation that is called for each item if the column is selected."""

    @property
    def schema(self) -> dict[str, Any]:
        """Its JSON schema with its description, for the catalog."""
        return {**self.type, "description": self.description}


def storable(value: Any) -> Any:
    """Replace what Postgres can't store (NUL, lone surrogates) by U+FFFD, in a JSON value."""
    if isinstance(value, str):
        # The first test is quick and settles nearly all values.
        return value if value.isprintable() else _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {storable(key): storable(member) for key, member in value.items()}
    if isinstance(value, list):
        return [storable(member) for member in value]
    return value


def timestamp(item: Mapping[str, Any], member: str) -> str | None:
    """Format a date of the API as ISO 8601: UTC, with milliseconds, without an offset.

    With an offset, a target that loads it into a column without a time zone shifts it by the
    database's time zone.
    """
    moment: datetime | None = item.get(member)
    return None if moment is None else format_date(moment)


def key(name: str, member: str, description: str) -> Column:
    """Make a text column that is never null."""
    return Column(name, {"type": ["string"]}, description, lambda item: storable(item[member]))


def text(name: str, member: str, description: str) -> Column:
    """Make a text column."""
    return _column(name, "string", member, description)


def boolean(name: str, member: str, description: str) -> Column:
    """Make a boolean column."""
    return _column(name, "boolean", member, description)


def integer(name: str, member: str, description: str) -> Column:
    """Make an integer column."""
    return _column(name, "integer", member, description)


def json_object(name: str, member: str, description: str, *allowed: str) -> Column:
    """Make a column of JSON objects.

    Args:
        name: Its name.
        member: The API's name of its value.
        description: Its meaning.
        allowed: The members that are let through, as paths with dots; `*` is any name. None where
            names and values are the pool's own, as those of tags are.
    """
    return _json(name, "object", member, description, allowed)


def json_array(name: str, member: str, description: str, *allowed: str) -> Column:
    """Make a column of JSON arrays; the arguments are those of `json_object`.

    The type of its members isn't declared: target-postgres makes `jsonb` of it, else `jsonb[]`.
    """
    return _json(name, "array", member, description, allowed)


def date(name: str, member: str, description: str) -> Column:
    """Make a timestamp column."""
    schema = {"type": ["string", "null"], "format": "date-time"}
    return Column(name, schema, description, lambda item: timestamp(item, member))


def of_extra(extra: Extra, column: Column, within: Callable[[list[Item]], Item]) -> Column:
    """Make a column of what a further operation returns; it is null where there is no answer.

    Args:
        extra: The operation.
        column: The column of an item that it returns.
        within: Finds this item, or makes one, among those that it returned.
    """

    def value(item: Item) -> Any:
        found = item.get(extra.operation)
        return None if found is None else column.value(within(found))

    return column._replace(value=value, extra=extra)


def _column(name: str, kind: str, member: str, description: str) -> Column:
    schema = {"type": [kind, "null"]}
    return Column(name, schema, description, lambda item: storable(item.get(member)))


def _json(name: str, kind: str, member: str, description: str, allowed: Iterable[str]) -> Column:
    schema = {"type": [kind, "null"]}
    tree = _tree(allowed)
    return Column(
        name, schema, description, lambda item: storable(_let_through(item.get(member), tree))
    )


def _tree(paths: Iterable[str]) -> _Tree:
    tree: _Tree = {}
    for path in paths:
        branch = tree
        for name in path.split("."):
            branch = branch.setdefault(name, {})
    return tree


def _let_through(value: Any, allowed: _Tree) -> Any:
    """Drop what isn't allowed, at any depth: it may be a secret."""
    if value is None or not allowed:
        return value
    if isinstance(value, list):
        return [_let_through(item, allowed) for item in value]
    return {
        name: _let_through(member, branch)
        for name, member in value.items()
        if (branch := allowed.get(name, allowed.get("*"))) is not None
    }
