"""`python -m quickstart`, ended by a signal at any moment without leaving anything behind."""

from __future__ import annotations

import sys

from quickstart import stopping


def main() -> int:
    """Run the demonstration; return the exit status."""
    stopping.on_signals()
    try:
        # It imports for a second, in which a signal may come.
        from quickstart.demo import run  # noqa: PLC0415

        return run()
    except stopping.Stopped as stopped:
        sys.stderr.write("\nStopped. Everything is cleaned up.\n")
        return 128 + stopped.number


if __name__ == "__main__":
    sys.exit(main())
