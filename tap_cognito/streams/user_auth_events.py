"""The sign-ins and other events that threat protection has recorded of each user."""

from __future__ import annotations

from tap_cognito.cognito.details import Detail
from tap_cognito.replication.columns import date, json_array, json_object, key, text
from tap_cognito.replication.per_user import PerUserStream
from tap_cognito.replication.stream import POOL_ID


class UserAuthEventsStream(PerUserStream):
    """The events of each user: one request a user or more, with threat protection (Plus)."""

    name = "user_auth_events"
    primary_keys = ("user_pool_id", "username", "event_id")
    modified_key = "CreationDate"
    modified_column = "created_at"
    details = (Detail("AdminListUserAuthEvents", "AuthEvents", "EventId", "CreationDate"),)
    columns = (
        POOL_ID,
        key("username", "Username", "The name of the user, unique in the pool."),
        key("event_id", "EventId", "The id of the event."),
        text("event_type", "EventType", "Such as SignIn, SignUp, ForgotPassword."),
        date("created_at", "CreationDate", "When it happened, in UTC."),
        text("event_response", "EventResponse", "Pass, Fail or InProgress."),
        json_object(
            "event_risk",
            "EventRisk",
            "What threat protection decided, the risk, and whether the password was known.",
            "RiskDecision",
            "RiskLevel",
            "CompromisedCredentialsDetected",
        ),
        json_array(
            "challenge_responses",
            "ChallengeResponses",
            "The challenges, and whether the user met them.",
            "ChallengeName",
            "ChallengeResponse",
        ),
        json_object(
            "event_feedback",
            "EventFeedback",
            "What an administrator said of it.",
            "FeedbackValue",
            "Provider",
        ),
    )
    personal = (
        json_object(
            "event_context",
            "EventContextData",
            "The IP address, device, time zone, city and country.",
            "IpAddress",
            "DeviceName",
            "Timezone",
            "City",
            "Country",
        ),
    )
