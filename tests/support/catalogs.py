"""Catalogs of the tap, with a selection."""

from __future__ import annotations

import copy
import functools
import json
from typing import TYPE_CHECKING, Any

import msgspec

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
        streams: The streams that are selected, and in it; if none is named, all are in it.
        columns: The columns that are selected; if not given, all.
        without: The columns that aren't, of these.
        catalog: What the tap has discovered; if not given, what it discovers with `config`.
        config: The settings of the tap.
        replication: What the entries of the selected streams say of it, such as `INCREMENTAL`.
    """
    made: dict[str, Any] = (
        copy.deepcopy(dict(catalog))
        if catalog
        else msgspec.json.decode(_discovered(json.dumps(config, sort_keys=True)))
    )
    if streams:
        made["streams"] = [each for each in made["streams"] if each["stream"] in streams]
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


@functools.cache
def _discovered(config: str) -> bytes:
    """Discover a catalog once for the same settings."""
    return msgspec.json.encode(TapCognito(config=json.loads(config)).catalog_dict)
