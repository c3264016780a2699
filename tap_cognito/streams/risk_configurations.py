"""What a pool does about suspicious sign-ins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cognito.cognito.source import Nested
from tap_cognito.replication.columns import Column, date, json_object, storable
from tap_cognito.replication.stream import POOL_ID, CognitoStream

if TYPE_CHECKING:
    from tap_cognito.cognito.checkpoint import Checkpoint
    from tap_cognito.cognito.listing import Item, Listing, UserPool
    from tap_cognito.cognito.source import Source


_SETTINGS = (
    "CompromisedCredentialsRiskConfiguration",
    "AccountTakeoverRiskConfiguration",
    "RiskExceptionConfiguration",
)
_TAKEOVER_ACTIONS = tuple(
    f"Actions.{level}Action.{member}"
    for level in ("Low", "Medium", "High")
    for member in ("Notify", "EventAction")
)
_MESSAGES = tuple(
    f"NotifyConfiguration.{message}.{member}"
    for message in ("BlockEmail", "NoActionEmail", "MfaEmail")
    for member in ("Subject", "HtmlBody", "TextBody")
)


class RiskConfigurationsStream(CognitoStream):
    """The settings of threat protection: those of the pools, and those of app clients."""

    name = "risk_configurations"
    primary_keys = ("user_pool_id", "client_id")
    modified_key = "LastModifiedDate"
    columns = (
        POOL_ID,
        Column(
            "client_id",
            {"type": ["string"]},
            "The app client that the settings are for; ALL for the pool's own.",
            lambda risk: storable(risk.get("ClientId") or "ALL"),
        ),
        json_object(
            "compromised_credentials",
            "CompromisedCredentialsRiskConfiguration",
            "What is done about compromised passwords, and at which events.",
            "EventFilter",
            "Actions.EventAction",
        ),
        json_object(
            "account_takeover",
            "AccountTakeoverRiskConfiguration",
            "What is done about sign-ins of low, medium and high risk, and the messages about it.",
            "NotifyConfiguration.From",
            "NotifyConfiguration.ReplyTo",
            "NotifyConfiguration.SourceArn",
            *_MESSAGES,
            *_TAKEOVER_ACTIONS,
        ),
        json_object(
            "risk_exceptions",
            "RiskExceptionConfiguration",
            "The IP addresses that are always blocked, and those exempt from risk checks.",
            "BlockedIPRangeList",
            "SkippedIPRangeList",
        ),
        date("updated_at", "LastModifiedDate", "When the settings were last changed, in UTC."),
    )

    def source(self, pool: UserPool, checkpoint: Checkpoint) -> Source:
        """Read the settings of the pool, then those of each app client."""

        def describe(**client: str) -> Listing:
            return pool.listing("DescribeRiskConfiguration", "RiskConfiguration", **client)

        return Nested(
            pool.id,
            pool.listing("ListUserPoolClients", "UserPoolClients", "ClientId"),
            lambda client: [describe(ClientId=client["ClientId"])],
            checkpoint,
            first=describe(),
            keep=_has_settings,
        )


def _has_settings(risk: Item) -> bool:
    """Whether there is more than ids: a client without settings of its own has only these."""
    return any(risk.get(name) for name in _SETTINGS)
