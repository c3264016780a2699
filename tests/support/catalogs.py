"""Catalogs of the tap, with a selection."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from tap_cognito.tap import TapCognito

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

ANY_POOL = {"user_pool_id": "us-east-1_Any"}
INCREMENTAL = {"replication_method": "INCREMENTAL", "replication_key": "updated_at"}


def selected(
    *streams: str,
    columns: Collection[str] | None = None,
    without: Collection[str] = (),
    catalog: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] = ANY_POOL,
    replication: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return a catalog with a selection.

    Args:
        streams: The streams that are selected.
        columns: The columns that are selected; if not given, all.
        without: The columns that aren't, of these.
        catalog: What the tap has discovered; if not given, what it discovers with `config`.
        config: The settings of the tap.
        replication: What the entries of the selected streams say of it, such as `INCREMENTAL`.
    """
    made = copy.deepcopy(dict(catalog or TapCognito(config=dict(config)).catalog_dict))
    for stream in made["streams"]:
        for each in stream["metadata"]:
            *_, column = each["breadcrumb"] or [None]
            each["metadata"]["selected"] = (
                (columns is None or column in columns) and column not in without
                if column
                else stream["stream"] in streams
            )
        if stream["stream"] in streams:
            stream.update(replication or {})
    return made
