"""As a program: tap-cognito, which retries a failing request for 0.3 s only."""

from __future__ import annotations

from tap_cognito import cli
from tap_cognito.cognito import client

if __name__ == "__main__":
    client.RETRY_SECONDS = client.START_SECONDS = 0.3
    cli.main()
