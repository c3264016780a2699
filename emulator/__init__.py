"""One emulated Cognito user pool at the wire, for tests and benchmarks."""

from __future__ import annotations

from emulator.faults import FAULTS, Faults
from emulator.pool import Pool
from emulator.requestlog import Request, RequestLog
from emulator.server import Emulator
from emulator.signing import Credential

__all__ = ["FAULTS", "Credential", "Emulator", "Faults", "Pool", "Request", "RequestLog"]
