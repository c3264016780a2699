"""How the users of a pool sign in and have signed in, each derived from the user's name."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from emulator.people import EXTERNAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.people import Mfa
    from emulator.wire import Wire

# Fake places and devices, for tests to look for in a reader's output.
ADDRESS = "203.0.113."
CITY = "Zqperson Springs"
DEVICE = "zqperson's phone"

_COUNTRY = "United States"
_FACTORS = {"SMS_MFA": "SMS_OTP", "EMAIL_OTP": "EMAIL_OTP", "SOFTWARE_TOKEN_MFA": "SOFTWARE_TOKEN"}
_TYPES = ("Chrome on Windows 10", "Safari on iOS 17", "okhttp on Android 14", "unknown")
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_NOW, _YEAR = 1_764_374_400, 31_536_000


class Details(dict[str, Any]):
    """Something about each user, by name: what was set, else what is derived.

    `KeyError` if there is no such user.
    """

    def __init__(self, derive: Callable[[str], Any]) -> None:
        """Derive what wasn't set from a user's name."""
        super().__init__()
        self._derive = derive

    def __missing__(self, username: str) -> Any:
        """Return what is derived for a user."""
        return self._derive(username)


def factors(user: Wire, mfa: Mfa) -> list[str]:
    """Return what a user may sign in with, as AuthFactorType; one of a provider with nothing.

    Of the others one in five has a passkey, some of these no password.
    """
    if user.get("UserStatus") == EXTERNAL:
        return []
    choose = _chance("factors", user["Username"])
    has_passkey = _happens(choose, 20)
    found = ["PASSWORD"] if not has_passkey or _happens(choose, 70) else []
    found += ["WEB_AUTHN"] if has_passkey else []
    return found + [_FACTORS[setting] for setting in sorted(mfa)]


def sessions(username: str, client_ids: list[str]) -> list[Wire]:
    """Return a user's active sessions, as SessionDescriptionType; one in three users has none."""
    choose = _chance("sessions", username)
    found: list[Wire] = []
    origin = None
    for _ in range(choose.choice((0, 0, 1, 1, 2, 5))):
        is_sso = _happens(choose, 30)
        created = _moment(choose)
        session: Wire = {
            "SessionId": ("sso" if is_sso else "tkn") + "".join(choose.choices(_LETTERS, k=25)),
            "SessionType": "SSO" if is_sso else "TOKEN",
            "ClientId": choose.choice(client_ids),
            "CreateDate": created,
            "LastActiveDate": min(created + choose.randrange(10**6), _NOW),
            "DeviceType": choose.choice(_TYPES),
            "LastIPAddress": f"{ADDRESS}{choose.randrange(1, 255)}",
            "LastLocation": _place(choose),
            "IsCurrentSession": False,
        }
        if origin and not is_sso:
            session["OriginSessionId"] = origin
        origin = session["SessionId"] if is_sso else origin
        found.append(session)
    return found


def auth_events(username: str) -> list[Wire]:
    """Return what a user has done, as AuthEventType, the newest first; some have done nothing."""
    choose = _chance("events", username)
    moments = sorted((_moment(choose) for _ in range(choose.choice((0, 1, 3, 9)))), reverse=True)
    return [_event(choose, moment) for moment in moments]


def devices(username: str, region: str) -> list[Wire]:
    """Return a user's remembered devices, as DeviceType; half of the users have none."""
    choose = _chance("devices", username)
    found = []
    for _ in range(choose.choice((0, 0, 1, 2))):
        created = _moment(choose)
        changed = min(created + choose.randrange(10**6), _NOW)
        attributes = {
            "device_name": DEVICE,
            "device_status": choose.choice(("valid", "invalid")),
            "last_ip_used": f"{ADDRESS}{choose.randrange(1, 255)}",
        }
        found.append(
            {
                "DeviceKey": f"{region}_{_uuid(choose)}",
                "DeviceAttributes": [
                    {"Name": name, "Value": value} for name, value in attributes.items()
                ],
                "DeviceCreateDate": created,
                "DeviceLastModifiedDate": changed,
                "DeviceLastAuthenticatedDate": changed,
            }
        )
    return found


def _event(choose: random.Random, moment: float) -> Wire:
    is_blocked = _happens(choose, 20)
    event: Wire = {
        "EventId": _uuid(choose),
        "EventType": choose.choice(("SignIn",) * 7 + ("SignUp", "ForgotPassword", "ResendCode")),
        "CreationDate": moment,
        "EventResponse": "Fail" if is_blocked else choose.choice(("Pass", "Pass", "InProgress")),
        "EventRisk": {
            "RiskDecision": "Block" if is_blocked else "NoRisk",
            "CompromisedCredentialsDetected": is_blocked,
        },
        "ChallengeResponses": [
            {"ChallengeName": "Password", "ChallengeResponse": "Success"},
            {"ChallengeName": "Mfa", "ChallengeResponse": "Failure" if is_blocked else "Success"},
        ],
        "EventContextData": {
            "IpAddress": f"{ADDRESS}{choose.randrange(1, 255)}",
            "DeviceName": DEVICE,
            "Timezone": "-05:00",
            **_place(choose),
        },
    }
    if is_blocked:
        event["EventRisk"]["RiskLevel"] = choose.choice(("Low", "Medium", "High"))
        feedback = {"FeedbackValue": "Invalid", "Provider": "Admin", "FeedbackDate": moment + 60}
        event["EventFeedback"] = feedback
    return event


def _chance(kind: str, username: str) -> random.Random:
    return random.Random(f"{kind} {username}")  # noqa: S311 - repeatable, not secret


def _happens(choose: random.Random, percent: int) -> bool:
    return choose.randrange(100) < percent


def _moment(choose: random.Random) -> float:
    return round(_NOW - choose.random() * _YEAR, 3)


def _place(choose: random.Random) -> Wire:
    is_known = _happens(choose, 80)
    return {"City": CITY, "Country": _COUNTRY} if is_known else {"Country": "unknown"}


def _uuid(choose: random.Random) -> str:
    text = f"{choose.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
