"""Checks of a catalog's choices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cognito.errors import TapCognitoError
from tap_cognito.streams.bookmarks import REPLICATION_KEY

if TYPE_CHECKING:
    from tap_cognito.streams.base import CognitoStream


def check_columns(stream: CognitoStream) -> None:
    """Check that a stream has the columns that its catalog names.

    Raises:
        TapCognitoError: If it doesn't.
    """
    unknown = set(stream.effective_schema.get("properties", {})) - set(stream.schema["properties"])
    if unknown:
        raise TapCognitoError(
            f"`{stream.name}` has no column {min(unknown)}: take it out of the catalog"
        )


def check_replication(stream: CognitoStream) -> None:
    """Check that a stream can be replicated as its catalog asks.

    Raises:
        TapCognitoError: If it can't.
    """
    if stream.is_full_table:
        return
    if stream.replication_method != "INCREMENTAL" or not stream.modified_key:
        methods = "FULL_TABLE or INCREMENTAL" if stream.modified_key else "FULL_TABLE"
        raise TapCognitoError(
            f"`{stream.name}` has no replication method {stream.replication_method}: "
            f"set `replication-method` to {methods} in the catalog"
        )
    if stream.replication_key not in {REPLICATION_KEY, None}:
        raise TapCognitoError(
            f"`{stream.name}` has no replication key {stream.replication_key}: "
            f"set `replication-key` to {REPLICATION_KEY} in the catalog"
        )
    if not stream.is_selected(REPLICATION_KEY):
        raise TapCognitoError(
            f"`{stream.name}` is replicated by increments of {REPLICATION_KEY}, which isn't "
            f"selected: select `{stream.name}.{REPLICATION_KEY}`, or use FULL_TABLE"
        )
