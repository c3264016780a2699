"""The active sessions of each user."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tap_cognito.cognito.details import Detail
from tap_cognito.replication.columns import Column, date, json_object, key, text
from tap_cognito.replication.per_user import PerUserStream
from tap_cognito.replication.stream import POOL_ID

if TYPE_CHECKING:
    from tap_cognito.cognito.listing import Item, Listing, UserPool


def _session_id(session: Item) -> str:
    return hashlib.sha256(session["SessionId"].encode()).hexdigest()


class UserSessionsStream(PerUserStream):
    """The active sessions of each user: one request a user, where the pool tracks them."""

    name = "user_sessions"
    primary_keys = ("user_pool_id", "username", "session_id")
    details = (Detail("AdminListUserSessions", "Sessions", "SessionId"),)
    columns = (
        POOL_ID,
        key("username", "Username", "The name of the user, unique in the pool."),
        Column(
            "session_id",
            {"type": ["string"]},
            "The SHA-256 of the session's id: what the id itself opens isn't documented.",
            _session_id,
        ),
        text("session_type", "SessionType", "TOKEN for an app's tokens, SSO for managed login."),
        text("client_id", "ClientId", "The app client that the user has signed in to."),
        date("created_at", "CreateDate", "When the user signed in, in UTC."),
        date("last_active_at", "LastActiveDate", "When the session was last used, in UTC."),
        text("device_type", "DeviceType", "Such as Chrome on Windows 10."),
    )
    personal = (
        text("last_ip_address", "LastIPAddress", "The IP address that it was last used from."),
        json_object(
            "last_location",
            "LastLocation",
            "The city and country of that address.",
            "City",
            "Country",
        ),
    )

    def gate(self, pool: UserPool) -> Listing:
        """Ask whether the pool tracks sessions."""
        return pool.listing("GetUserPoolSessionConfiguration", None)

    def is_open(self, answer: Item) -> bool:
        """Whether it does."""
        return answer.get("UserSessionTracking") == "ENABLED"
