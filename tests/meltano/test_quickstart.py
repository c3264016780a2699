"""The quickstart, as a new user meets it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from quickstart import pipeline
from quickstart.postgres import Postgres
from tests.support.documents import blocks
from tests.support.paths import ROOT
from tests.support.programs import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("_plugins")

_, SHOWN = blocks("README.md", "", "Quickstart")
MINE = {
    "AWS_PROFILE": "mine",
    "MELTANO_ENVIRONMENT": "prod",
    "TAP_COGNITO_USER_POOL_ID": "us-east-1_Mine",
    "TARGET_POSTGRES_SQLALCHEMY_URL": "postgresql+psycopg://mine.invalid/mine",
}
"""Settings of a user's own pipeline, which the quickstart must not touch."""


FEW = (
    "-c",
    "import sys; from quickstart import __main__, demo; demo.USERS = 20; sys.exit(__main__.main())",
)
"""The quickstart with as many users as a run needs that is stopped."""


@contextmanager
def quickstart(*program: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Start the quickstart with its own folder for temporary files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server's user must get through
        with subprocess.Popen(
            [sys.executable, *program],
            cwd=ROOT,
            env={**os.environ, **MINE, "TMPDIR": name, "PYTHONUTF8": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        ) as process:
            try:
                yield process, folder
            finally:
                process.kill()


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        pytest.param(signal.SIGINT, "Creating", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, "meltano run", marks=pytest.mark.slow),
        (signal.SIGINT, "Beginning sync"),
    ],
)
def test_a_stop_leaves_nothing_behind(number: signal.Signals, moment: str) -> None:
    """Stopped halfway, it ends its programs and removes its files."""
    with quickstart(*FEW) as (process, folder):
        assert process.stdout
        assert any(moment in line for line in process.stdout)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        output, _ = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 128 + number, output
        assert "Everything is cleaned up" in output
        assert [child for child in children if child.is_running()] == []
        assert list(folder.iterdir()) == []


def test_it_runs_again_to_the_end() -> None:
    """After interrupted runs it loads all users, shows the README's sample and leaves nothing."""
    with quickstart("-m", "quickstart") as (process, folder):
        output, _ = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 0, output
        assert SHOWN in "".join(f"{line.rstrip()}\n" for line in output.splitlines())
        assert " attributes | jsonb" in output
        assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_the_folder_may_have_a_space_in_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meltano installs what the lock says, wherever the checkout is."""
    project = tmp_path / "a new folder"
    shutil.copytree(ROOT / "requirements", project / "requirements")
    shutil.copy(ROOT / "meltano.yml", project)
    monkeypatch.setattr(pipeline, "PROJECT", project)
    monkeypatch.setattr(pipeline, "PLUGINS", project / "plugins")
    with ExitStack() as stack:
        meltano = pipeline.Meltano(stack, {}, Postgres(0, ""))
        assert meltano("install", "--plugin-type", "loader") == 0
    assert list(project.glob("plugins/loaders/*/venv/bin/target-postgres"))
