"""dev.py on machines that aren't like the developers'."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

import dev
from tests.support.paths import ROOT
from tests.support.programs import run_program

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.programs
def test_an_unreachable_index_is_a_line_that_says_what_to_set(tmp_path: Path) -> None:
    """Without the package index it fails in one line, which names the variables for a TLS proxy."""
    for name in ("dev.py", "pyproject.toml", "requirements"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    done = run_program(
        [sys.executable, "dev.py", "check"],
        cwd=tmp_path,
        env={**os.environ, "PIP_INDEX_URL": "https://127.0.0.1:9", "PIP_RETRIES": "0"},
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("dev.py: `pip install` failed")
    assert "SSL_CERT_FILE and PIP_CERT" in last


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have certificates")
def test_the_systems_certificates_are_used_if_there_are_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let uv use the system's certificates, except where the system has none."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert not dev.has_system_certificates()
    (tmp_path / "proxy.pem").touch()
    assert dev.has_system_certificates()
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "missing"))
    assert not dev.has_system_certificates()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "proxy.pem"))
    assert dev.has_system_certificates()
