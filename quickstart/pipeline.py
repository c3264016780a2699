"""Runs the project's Meltano pipeline, isolated from its user's own settings and state."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from quickstart import stopping

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import ExitStack

    from quickstart.postgres import Postgres

PROJECT = Path(__file__).resolve().parent.parent

PLUGINS = Path(sys.prefix) / "meltano"
"""Where the plugins stay installed: in `.venv`, which is replaced when the lock changes."""

_FOREIGN = ("AWS_", "MELTANO_", "PG", "TAP_COGNITO_", "TARGET_POSTGRES_")


def forget_settings() -> None:
    """Remove the settings of a user's own pipelines: everything here is emulated and local."""
    for name in [name for name in os.environ if name.startswith(_FOREIGN)]:
        del os.environ[name]
    os.environ.update(NO_PROXY="127.0.0.1", no_proxy="127.0.0.1")


class Meltano:
    """Meltano with its state in a temporary folder, without its user's `.env`.

    Args:
        stack: Ends its commands when it closes.
        tap: Settings of tap-cognito.
        postgres: The server to load into.
        database: The database to load into.
    """

    def __init__(
        self,
        stack: ExitStack,
        tap: Mapping[str, str],
        postgres: Postgres,
        database: str = "postgres",
    ) -> None:
        self._stack = stack
        scratch = stopping.folder(stack)
        self._env_file = scratch / "empty.env"
        self._env_file.touch()
        # A URL, as uv takes a space in these variables for the end of a path.
        lock = (PROJECT / "requirements" / "dev.txt").as_uri()
        settings = {f"TAP_COGNITO_{name.upper()}": value for name, value in tap.items()}
        target = {
            "host": postgres.host,
            "port": str(postgres.port),
            "user": postgres.user,
            "password": postgres.password,
            "database": database,
        }
        settings |= {f"TARGET_POSTGRES_{name.upper()}": value for name, value in target.items()}
        self.environment = {
            **os.environ,
            **settings,
            "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
            "MELTANO_DATABASE_URI": f"sqlite:///{scratch / 'meltano.db'}",
            "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
            "MELTANO_SYS_DIR_ROOT": str(PLUGINS),
            "TMPDIR": str(scratch),
            "UV_BUILD_CONSTRAINT": lock,
            "UV_CONSTRAINT": lock,
            "XDG_STATE_HOME": str(scratch),
        }

    def __call__(self, *arguments: str) -> int:
        """Run a Meltano command, show its output and return its exit status."""
        meltano = Path(sysconfig.get_path("scripts")) / "meltano"
        return stopping.start(
            self._stack,
            [meltano, "--env-file", self._env_file, *arguments],
            cwd=PROJECT,
            env=self.environment,
        ).wait()
