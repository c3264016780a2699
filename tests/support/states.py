"""States as runs write them: made, and read."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from tap_cognito.dates import format_date
from tap_cognito.tap import TapCognito
from tests.support.catalogs import ANY_POOL, INCREMENTAL, selected

Json = dict[str, Any]


def with_bookmark(moment: datetime, pool_id: str, stream: str = "users", **config: Any) -> Json:
    """A state with a bookmark of one pool, as a run with these settings leaves it."""
    settings = {**ANY_POOL, **config}
    catalog = selected(stream, replication=INCREMENTAL)
    tap: Any = TapCognito(config=settings, catalog=catalog)
    bookmark = {
        "updated_at": format_date(moment),
        "start_date": settings.get("start_date"),
        "scope": tap.streams[stream].scope.bookmark,
    }
    return {"bookmarks": {stream: {"scan": None, "pools": {pool_id: bookmark}}}}


def merge(source: Json, destination: Json) -> Json:
    """Merge a state into an older one as Meltano does: objects at depth, all else is replaced."""
    for key, value in source.items():
        if isinstance(value, dict):
            merge(value, destination.setdefault(key, {}))
        else:
            destination[key] = value
    return destination


def bookmarks(state: Json | None, stream: str = "users") -> dict[str, datetime]:
    """The bookmarks of a state by pool; a pool without one is left out."""
    pools = (state or {}).get("bookmarks", {}).get(stream, {}).get("pools") or {}
    return {
        pool_id: datetime.fromisoformat(each["updated_at"]).replace(tzinfo=timezone.utc)
        for pool_id, each in pools.items()
        if each["updated_at"]
    }


def scan_of(state: Json | None, stream: str = "users") -> Json:
    """What a state has of a scan that was cut off; nothing if it has none."""
    saved = (state or {}).get("bookmarks", {}).get(stream, {}).get("scan")
    found: Json = json.loads(saved) if saved else {}
    return found
