"""The logs that a pool writes, and their destinations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cognito.cognito.source import OneListing
from tap_cognito.replication.columns import json_object, key, text
from tap_cognito.replication.stream import POOL_ID, CognitoStream

if TYPE_CHECKING:
    from tap_cognito.cognito.checkpoint import Checkpoint
    from tap_cognito.cognito.listing import UserPool
    from tap_cognito.cognito.source import Source


class LogDeliveryStream(CognitoStream):
    """The logs of the pools."""

    name = "log_delivery"
    primary_keys = ("user_pool_id", "event_source")
    columns = (
        POOL_ID,
        key("event_source", "EventSource", "What is logged: userNotification or userAuthEvents."),
        text("log_level", "LogLevel", "ERROR or INFO."),
        json_object(
            "cloud_watch_logs_configuration",
            "CloudWatchLogsConfiguration",
            "The log group, if it is CloudWatch Logs.",
            "LogGroupArn",
        ),
        json_object("s3_configuration", "S3Configuration", "The bucket, if it is S3.", "BucketArn"),
        json_object(
            "firehose_configuration",
            "FirehoseConfiguration",
            "The stream, if it is Data Firehose.",
            "StreamArn",
        ),
    )

    def source(self, pool: UserPool, checkpoint: Checkpoint) -> Source:  # noqa: ARG002
        """Read all logs of the pool."""
        logs = "LogDeliveryConfiguration.LogConfigurations"
        return OneListing(pool.id, pool.listing("GetLogDeliveryConfiguration", logs))
