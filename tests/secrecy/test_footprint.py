"""What a run does to its machine: docs/security.md says that it is next to nothing."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from emulator import Emulator, Pool
from tap_cognito.streams import NAMES
from tests.support.catalogs import selected
from tests.support.programs import emulator_config, run_program

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.programs

PROGRAM = """
import os, sys

log = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT)
writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
changes = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "shutil.move"}
programs = {"os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen"}

def note(event, arguments):
    if event == "open":
        path, _, flags = arguments
        noted = isinstance(path, (str, bytes)) and flags & writing and path
    elif event == "socket.connect":
        noted = arguments[1]
    else:
        noted = event in changes | programs and arguments
    if noted:
        os.write(log, f"{event} {noted}\\n".encode())

sys.addaudithook(note)
from tap_cognito.cli import main
main()
"""


def test_a_run_makes_no_file_starts_no_program_and_asks_its_endpoint_only(tmp_path: Path) -> None:
    """A run of all streams does nothing else, by Python's own audit of the process."""
    folder = tmp_path / "folder"
    folder.mkdir()
    noted = tmp_path / "noted"
    with Emulator(Pool(90)) as emulator:
        config = emulator_config(emulator)
        files = {"config": config, "catalog": selected(*NAMES, config=config), "state": {}}
        arguments = []
        for option, content in files.items():
            path = tmp_path / f"{option}.json"
            path.write_text(json.dumps(content))
            arguments += [f"--{option}", str(path)]
        done = run_program(
            [sys.executable, "-c", PROGRAM, noted, *arguments],
            env={
                **{key: value for key, value in os.environ.items() if "COVERAGE" not in key},
                "HOME": str(folder),
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            },
            cwd=folder,
        )
        assert done.returncode == 0, done.stderr
        assert set(noted.read_text().splitlines()) == {
            f"socket.connect {('127.0.0.1', emulator.port)}"
        }
    assert not list(folder.iterdir())
