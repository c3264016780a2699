"""Believable users, each derived from its ordinal and sixteen random bytes."""

from __future__ import annotations

import json
import random
from hashlib import blake2b
from typing import Literal

from emulator import federation
from emulator.wire import date

SubFormat = Literal["mixed", "random", "regional"]

LOGINS = {
    "Ada Lovelace": "ada",
    "Jürgen Groß": "juergen",
    "山田 太郎": "yamada",
    "Zoë O'Hara": "zoe",
    'Robert "Bob" Tables': "bob",
    "Σωκράτης": "sokrates",
    "محمد علي": "mohamed",
    "Back\\Slash": "back",
    "👩‍🚀 Sally": "sally",
    "Grace Hopper": "grace",
}
"""The names of users, and the beginnings of their user names."""


Mfa = tuple[str, ...]
"""MFA settings, the preferred one first."""

_NAMES = tuple((json.dumps(name, ensure_ascii=False), login) for name, login in LOGINS.items())
EXTERNAL = "EXTERNAL_PROVIDER"
"""The status of a provider's user."""

_PLANS = ("free", "free", "team", "business", "", None)
_STATUSES = (
    *("CONFIRMED",) * 11,
    *("UNCONFIRMED",) * 3,
    *(EXTERNAL,) * 2,
    *("FORCE_CHANGE_PASSWORD", "RESET_REQUIRED", "ARCHIVED", "COMPROMISED"),
)
_MFA: tuple[Mfa, ...] = (
    *((),) * 5,
    ("SOFTWARE_TOKEN_MFA",),
    ("SMS_MFA",),
    ("EMAIL_OTP",),
    ("SMS_MFA", "SOFTWARE_TOKEN_MFA"),
    ("SOFTWARE_TOKEN_MFA", "SMS_MFA"),
)
_EPOCH_MS, _SIX_YEARS_MS, _YEAR_MS = 1_546_300_800_000, 189_000_000_000, 31_536_000_000
_VERSION = bytes(byte & 0x0F | 0x40 for byte in range(256))
_VARIANT = bytes(byte & 0x3F | 0x80 for byte in range(256))


# Digits 2, 4, 6 and 8 of a `sub` in newer pools, where they were seen.
_REGIONS = {
    "us-east-1": "4848",
    "eu-west-1": "2544",
    "us-west-2": "8130",
    "eu-central-1": "3482",
    "eu-north-1": "0c9c",
}


def keys(count: int, seed: int | str, region: str, sub_format: SubFormat, first: int = 0) -> bytes:
    """Return `count` random UUIDs of 16 bytes, one after the other.

    Args:
        count: How many.
        seed: Decides on them.
        region: Whose digits they have, if they are as in newer pools.
        sub_format: As in older pools, version-4 UUIDs, or as in newer ones, or by turns.
        first: The ordinal of the first one.
    """
    joined = bytearray(random.Random(seed).randbytes(16 * count))  # noqa: S311 - repeatable
    joined[8::16] = joined[8::16].translate(_VARIANT)
    if sub_format != "regional":
        joined[6::16] = joined[6::16].translate(_VERSION)
    if sub_format != "random":
        start, step = (0, 16) if sub_format == "regional" else ((first + 1) % 2 * 16, 32)
        digits = _REGIONS.get(region) or blake2b(region.encode()).hexdigest()[:4]
        for index, digit in enumerate(f"{digits}01"):
            second_digit = bytes(byte & 0xF0 | int(digit, 16) for byte in range(256))
            places = slice(start + index, None, step)
            joined[places] = joined[places].translate(second_digit)
        places = slice(start + 6, None, step)
        joined[places] = b"\x70" * len(joined[places])
    return bytes(joined)


def sub(key: bytes) -> str:
    """The text of a UUID."""
    text = key.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def user(ordinal: int, key: bytes) -> str:
    """A user as the JSON that goes over the wire."""
    # Text by hand: it is several times as fast as a dictionary and json.dumps.
    luck, percent = divmod(int.from_bytes(blake2b(key, digest_size=16).digest(), "big"), 100)
    luck, name_index = divmod(luck, len(_NAMES))
    luck, plan_index = divmod(luck, len(_PLANS))
    luck, status_index = divmod(luck, len(_STATUSES))
    luck, since = divmod(luck, _SIX_YEARS_MS)
    name, login = _NAMES[name_index]
    plan = _PLANS[plan_index]
    created = _EPOCH_MS + since
    changed = created + (luck % _YEAR_MS if percent % 3 else 0)
    status = _STATUSES[status_index]
    username, identity = f"{login}.{ordinal}", sub(key)
    is_local = federation.is_linked(ordinal) or not (
        status == EXTERNAL or federation.is_link(ordinal)
    )
    attributes = f'{{"Name":"name","Value":{name}}}'
    if percent % 20:
        attributes += f',{{"Name":"email","Value":"{username}@example.com"}}'
        verified = "true" if percent % 9 else "false"
        attributes += f',{{"Name":"email_verified","Value":"{verified}"}}'
    if plan is not None:
        value = f',"Value":"{plan}"' if plan else ""
        attributes += f',{{"Name":"custom:plan"{value}}}'
    if percent % 4 == 0:
        attributes += f',{{"Name":"phone_number","Value":"+1555{ordinal:07d}"}}'
    if is_local and federation.is_linked(ordinal):
        status = "CONFIRMED"
        attributes += "," + federation.attribute(ordinal + 1, "linked", created, is_primary=False)
    elif not is_local:
        status = EXTERNAL
        login = "linked" if federation.is_link(ordinal) else login
        attributes += "," + federation.attribute(ordinal, login, created, is_primary=True)
        username = federation.username(ordinal, login)
    # Answers up to 2023 have `sub` first, those since 2025 last.
    own = f'{{"Name":"sub","Value":"{identity}"}}'
    attributes = f"{attributes},{own}" if plan_index % 2 else f"{own},{attributes}"
    return (
        f'{{"Username":"{identity if percent % 2 and is_local else username}",'
        f'"Attributes":[{attributes}],'
        f'"UserCreateDate":{date(created)},"UserLastModifiedDate":{date(changed)},'
        f'"Enabled":{"true" if percent % 25 else "false"},"UserStatus":"{status}"}}'
    )


def mfa(ordinal: int) -> Mfa:
    """A user's MFA settings; half of the users have none."""
    return _MFA[ordinal % len(_MFA)]
