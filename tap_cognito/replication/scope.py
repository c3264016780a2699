"""What a stream is asked to read: what its scans and bookmarks belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tap_cognito.replication.state import digest

if TYPE_CHECKING:
    from collections.abc import Mapping

_SETTINGS = (
    "user_filter",
    "attributes_format",
    "attributes_include",
    "attributes_exclude",
    "user_pool_ids",
    "start_date",
    "stream_maps",
    "stream_map_config",
    "flattening_enabled",
    "flattening_max_depth",
    "flattening_max_key_length",
    "flattening_separator",
)
"""The settings that determine the rows of a scan, and their content."""


class Scope(NamedTuple):
    """What a stream is asked to read."""

    replication_method: str
    """FULL_TABLE or INCREMENTAL."""
    is_mirror: bool
    """Whether the target removes rows that a complete scan didn't find."""
    columns: tuple[str, ...]
    """The columns that are sent, without `user_pool_id`."""
    config: Mapping[str, Any]
    """The tap's settings."""
    is_filtered: bool
    """Whether `user_filter` applies."""

    @property
    def is_full_table(self) -> bool:
        """Whether all records are sent, not only those that changed."""
        return self.replication_method == "FULL_TABLE"

    @property
    def digest(self) -> str:
        """A hash of all that determines the rows of a scan, for the state."""
        return digest(
            [self.replication_method, self.is_mirror],
            self.columns,
            {name: self.config.get(name) for name in _SETTINGS},
        )
