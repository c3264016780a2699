"""`python -m quickstart`: a signal may end it at any moment, and it leaves nothing behind."""

from __future__ import annotations

import sys

from quickstart import stopping


def main() -> int:
    """Run the demonstration and return the exit status."""
    stopping.raise_on_signals()
    try:
        # Imported late: a signal may arrive during the second that this takes.
        from quickstart.demo import run  # noqa: PLC0415

        return run()
    except stopping.Interrupted as interrupted:
        sys.stderr.write("\nInterrupted. Everything is cleaned up.\n")
        return 128 + interrupted.number


if __name__ == "__main__":
    sys.exit(main())
