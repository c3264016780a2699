"""Everything planted for tests to look for in a reader's output and logs."""

from __future__ import annotations

from emulator.configuration import EUMS_EXTERNAL_ID, SMS_EXTERNAL_ID
from emulator.people import LOGINS
from emulator.resources import (
    ANALYTICS_EXTERNAL_ID,
    CLIENT_SECRET,
    CLIENT_SECRET_NAME,
    PRIVATE_KEY,
    PROVIDER_SECRET,
)
from emulator.sts import SECRET, TOKEN

SECRETS = (
    CLIENT_SECRET,
    CLIENT_SECRET_NAME,
    PROVIDER_SECRET,
    PRIVATE_KEY,
    SMS_EXTERNAL_ID,
    EUMS_EXTERNAL_ID,
    ANALYTICS_EXTERNAL_ID,
    SECRET,
    TOKEN,
)
"""Secrets, which may be in no output at all."""

PEOPLE = (*LOGINS, *(f"{login}." for login in LOGINS.values()), "@example.com", "+1555")
"""Parts of the users' names, addresses and numbers, which may be in no log and no error."""

PLANTED = SECRETS + PEOPLE
