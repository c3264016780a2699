"""Emulated Cognito user pools at the wire, for tests and benchmarks."""

from __future__ import annotations

from emulator.faults import FAULTS, Faults
from emulator.planted import NEXT_KEY, OPERATORS, PEOPLE, PLACES, PLANTED, SECRETS
from emulator.pool import Pool
from emulator.quotas import AWS_QUOTAS
from emulator.requestlog import Request, RequestLog
from emulator.server import Emulator
from emulator.signing import Credential
from emulator.sts import Role

__all__ = [
    "AWS_QUOTAS",
    "FAULTS",
    "NEXT_KEY",
    "OPERATORS",
    "PEOPLE",
    "PLACES",
    "PLANTED",
    "SECRETS",
    "Credential",
    "Emulator",
    "Faults",
    "Pool",
    "Request",
    "RequestLog",
    "Role",
]
