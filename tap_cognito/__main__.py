"""`python -m tap_cognito` is the command `tap-cognito`."""

from __future__ import annotations

from tap_cognito.cli import main

if __name__ == "__main__":
    main()
