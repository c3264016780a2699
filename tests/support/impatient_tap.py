"""As a program: tap-cognito, which retries for 0.3 s only, and has no quotas but the settings'."""

from __future__ import annotations

from tap_cognito import cli
from tap_cognito.cognito import client, quotas
from tests.support.clocks import UNLIMITED

if __name__ == "__main__":
    client.RETRY_SECONDS = client.START_SECONDS = 0.3
    for name, limit in UNLIMITED.items():
        setattr(quotas, name, limit)
    cli.main()
