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
from emulator.sign_ins import ADDRESS, CITY, DEVICE
from emulator.signing import OPERATOR, ROLE
from emulator.sts import SECRET, TOKEN
from emulator.upkeep import CLIENT_SECRET_VALUE

SECRETS = (
    CLIENT_SECRET,
    CLIENT_SECRET_NAME,
    CLIENT_SECRET_VALUE,
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

PLACES = (ADDRESS, CITY, DEVICE)
"""Where from and with what users sign in: in no log and no error, and in no output unasked."""

OPERATORS = (ROLE, OPERATOR)
"""Who reads: the role and the session that AWS's denials name, which may be in no log."""

NEXT_KEY = "zqperson.next.key@zqperson.example"
"""A name for pagination tokens to hold (see `Behaviour.next_key`), which may be in no output."""

PLANTED = SECRETS + PEOPLE + PLACES
