"""Catalogs with a selection."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def only(catalog: Mapping[str, Any], columns: Iterable[str]) -> dict[str, Any]:
    """Select these columns of `users` in a catalog, and no other stream."""
    selected: dict[str, Any] = copy.deepcopy(dict(catalog))
    for stream in selected["streams"]:
        for entry in stream["metadata"]:
            if entry["breadcrumb"]:
                entry["metadata"]["selected"] = entry["breadcrumb"][-1] in columns
            else:
                entry["metadata"]["selected"] = stream["stream"] == "users"
    return selected
