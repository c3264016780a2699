"""Meltano projects of the tests: this one, with other programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from quickstart.pipeline import PLUGINS, PROJECT, Meltano
from tests.support.programs import emulator_config

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from emulator import Emulator
    from tests.support.tables import Database

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
