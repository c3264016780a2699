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

WITH_HISTORY = PROJECT / "examples" / "dbt"
"""The project that also builds the users' history and models, with dbt."""

# A URL, as uv takes a space in these variables for the end of a path.
_LOCK = (PROJECT / "requirements" / "dev.txt").as_uri()
_LOCKED = {"UV_BUILD_CONSTRAINT": _LOCK, "UV_CONSTRAINT": _LOCK}

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
        project: The folder of the project.
    """

    def __init__(
        self,
        stack: ExitStack,
        tap: Mapping[str, str],
        postgres: Postgres,
        database: str = "postgres",
        project: Path = PROJECT,
    ) -> None:
        self._stack = stack
        self.project = project
        scratch = stopping.folder(stack)
        self._env_file = scratch / "empty.env"
        self._env_file.touch()
        # Each project has plugins of its own: they are installed relative to it.
        own = "" if project == PROJECT else f"-{project.name}"
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
            "MELTANO_SYS_DIR_ROOT": f"{PLUGINS}{own}",
            "TMPDIR": str(scratch),
            **_LOCKED,
            "XDG_STATE_HOME": str(scratch),
        }

    def __call__(self, *arguments: str) -> int:
        """Run a Meltano command, show its output and return its exit status."""
        return stopping.start(
            self._stack, self.command(*arguments), cwd=self.project, env=self.environment
        ).wait()

    def command(self, *arguments: str) -> list[str | Path]:
        """Return how Meltano is started with these arguments."""
        meltano = Path(sysconfig.get_path("scripts")) / "meltano"
        return [meltano, "--env-file", self._env_file, *arguments]

    def install(self) -> int:
        """Install the plugins in their locked versions and return the exit status."""
        if code := self("install", "tap-cognito", "target-postgres"):
            return code
        if self.project != WITH_HISTORY:
            return 0
        # dbt has a lock of its own, which contradicts this one.
        locked = {name: self.environment.pop(name) for name in _LOCKED}
        try:
            return self("install", "dbt-postgres")
        finally:
            self.environment |= locked
