"""Meltano projects of the tests: this one, with other programs."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from quickstart.pipeline import PLUGINS, PROJECT, Meltano
from tests.support.programs import PREFORK, TIMEOUT, emulator_config, start

if TYPE_CHECKING:
    import subprocess

    from emulator import Emulator
    from tests.support.forking import Forked
    from tests.support.tables import Database


class ForkedMeltano(Meltano):
    """Meltano as a fork, and its plugins as forks, of the same versions as those installed."""

    def __call__(self, *arguments: str) -> int:
        """Run a Meltano command, show its output and return its exit status."""
        return self.start(*arguments).wait(TIMEOUT)

    def start(self, *arguments: str) -> Forked | subprocess.Popen[bytes]:
        """Start a Meltano command that shows its output."""
        with ExitStack() as streams:
            command = [*PREFORK, *self.command(*arguments)]
            nothing = streams.enter_context(Path(os.devnull).open("rb"))
            shown = [streams.enter_context(os.fdopen(os.dup(fd), "wb")) for fd in (1, 2)]
            return start(
                self._stack,
                command,
                self.environment,
                nothing,
                *shown,
                cwd=self.project,
                imports=("meltano.cli",),
            )


PLACES = {"tap-cognito": "extractors", "target-postgres": "loaders"}
"""Where Meltano installs each plugin."""


def project(folder: Path, **programs: str) -> Path:
    """A copy of the project's meltano.yml whose plugins are programs of the test's own.

    Args:
        folder: Where to make it.
        programs: Each program's text by its plugin's name, with `_` for `-`; `{python}` in it is
            the interpreter of the plugin. The other plugin is the installed one.
    """
    text = (PROJECT / "meltano.yml").read_text(encoding="utf-8")
    for name, place in PLACES.items():
        installed = PLUGINS / place / name / "venv" / "bin"
        path = installed / name
        if content := programs.get(name.replace("-", "_")):
            path = folder / name
            path.write_text(content.format(python=installed / "python"))
            path.chmod(0o700)
        assert f"executable: {name}\n" in text
        text = text.replace(f"executable: {name}\n", f"executable: {path}\n")
    (folder / "meltano.yml").write_text(text, encoding="utf-8")
    return folder


def meltano_of_all_pools(stack: ExitStack, emulator: Emulator, database: Database) -> Meltano:
    """Meltano with the settings that load every pool of an emulator into a database."""
    pool_ids = json.dumps([pool.id for pool in emulator.pools])
    config = emulator_config(emulator, user_pool_ids=pool_ids)
    tap = {name: str(value) for name, value in config.items()}
    return Meltano(stack, tap, database.server, database.name)
