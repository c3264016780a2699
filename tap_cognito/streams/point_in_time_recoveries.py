"""The restores of a pool to an earlier state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cognito.cognito.enriched import Extra
from tap_cognito.cognito.source import OneListing
from tap_cognito.replication.columns import date, key, of_extra, text
from tap_cognito.replication.stream import POOL_ID, CognitoStream

if TYPE_CHECKING:
    from tap_cognito.cognito.checkpoint import Checkpoint
    from tap_cognito.cognito.listing import UserPool
    from tap_cognito.cognito.source import Source

_DETAILS = Extra("DescribePointInTimeRecovery", "Restoration", parameters=("RestoreId",))


class PointInTimeRecoveriesStream(CognitoStream):
    """The restores of the pools."""

    name = "point_in_time_recoveries"
    primary_keys = ("user_pool_id", "restore_id")
    columns = (
        POOL_ID,
        key("restore_id", "RestoreId", "The id of the restore."),
        text("status", "RestoreStatus", "Such as RESTORE_COMPLETED or PREVIEW_CANCELLED."),
        of_extra(
            _DETAILS,
            date("triggered_at", "TriggerTimestamp", "When it was asked for, in UTC."),
            lambda found: found[0],
        ),
        date("restored_to", "RestoreTimestamp", "The time that the pool goes back to, in UTC."),
    )

    def source(self, pool: UserPool, checkpoint: Checkpoint) -> Source:  # noqa: ARG002
        """Read all restores of the pool."""
        restores = pool.listing("ListPointInTimeRecoveries", "Restorations", "RestoreId")
        return OneListing(pool.id, restores)
