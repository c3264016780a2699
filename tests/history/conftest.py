"""dbt, as Meltano installs it for the example."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from quickstart.pipeline import WITH_HISTORY, Meltano

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from quickstart.postgres import Postgres
    from tests.support.tables import Database

_DRIVER = """
import sys
from dbt.cli.main import dbtRunner
for line in sys.stdin:
    result = dbtRunner().invoke(line.split())
    print("succeeded" if result.success else "failed", flush=True, file=sys.stderr)
"""
"""Runs dbt's commands, one a line, in a process that starts but once."""


class Dbt:
    """dbt in the example's project, for one database."""

    def __init__(self, python: Path, database: Database, folder: Path) -> None:
        """Start it.

        Args:
            python: The Python that has it.
            database: Where the models are.
            folder: For what it writes.
        """
        server = database.server
        self._log = folder / "dbt.log"
        environment = {
            **os.environ,
            "DBT_LOG_PATH": str(folder / "logs"),
            "DBT_TARGET_PATH": str(folder / "target"),
            "TARGET_POSTGRES_HOST": server.host,
            "TARGET_POSTGRES_PORT": str(server.port),
            "TARGET_POSTGRES_USER": server.user,
            "TARGET_POSTGRES_PASSWORD": server.password,
            "TARGET_POSTGRES_DATABASE": database.name,
        }
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [python, "-c", _DRIVER],
                cwd=WITH_HISTORY,
                env=environment,
                text=True,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.PIPE,
            )

    def __call__(self, command: str) -> None:
        """Run a command to a good end."""
        assert self._process.stdin
        assert self._process.stderr
        print(command, file=self._process.stdin, flush=True)
        for line in self._process.stderr:
            if line == "succeeded\n":
                return
            if line == "failed\n":
                break
        raise AssertionError(self._log.read_text())

    def close(self) -> None:
        """End it."""
        self._process.communicate()


@pytest.fixture(scope="session")
def dbt_plugins(postgres: Postgres) -> Path:
    """The example's plugins, installed, and the Python of its dbt."""
    with ExitStack() as stack:
        meltano = Meltano(stack, {}, postgres, project=WITH_HISTORY)
        assert meltano.install() == 0
        plugins = Path(meltano.environment["MELTANO_SYS_DIR_ROOT"])
    scripts = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    return plugins / "utilities" / "dbt-postgres" / "venv" / scripts


@pytest.fixture
def dbt(dbt_plugins: Path, tmp_path: Path) -> Iterator[Callable[[Database], Dbt]]:
    """Start dbt for a database."""
    with ExitStack() as stack:

        def start(database: Database) -> Dbt:
            made = Dbt(dbt_plugins, database, tmp_path)
            stack.callback(made.close)
            return made

        yield start
