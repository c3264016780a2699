"""examples/github-actions.yml: the steps that need no GitHub are run."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from emulator import Emulator, Pool
from quickstart import pool
from tests.support.paths import ROOT
from tests.support.programs import run_program

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.tables import Database

WORKFLOW = yaml.safe_load((ROOT / "examples" / "github-actions.yml").read_text(encoding="utf-8"))
JOB = WORKFLOW["jobs"]["load"]
STEPS: dict[str, Any] = {step.get("name", step.get("uses")): step for step in JOB["steps"]}


class GitHub(BaseHTTPRequestHandler):
    """GitHub's service of identity tokens, for one job."""

    def do_GET(self) -> None:
        """Answer with a token, if the job's own is there and the audience is AWS."""
        known = self.headers["Authorization"] == "bearer of-the-job"
        self.send_response(
            200 if known and self.path.endswith("&audience=sts.amazonaws.com") else 403
        )
        self.end_headers()
        self.wfile.write(json.dumps({"count": 1, "value": "a.b.c"}).encode())

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def github() -> Iterator[str]:
    """The address of the tokens."""
    with HTTPServer(("127.0.0.1", 0), GitHub) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/token?version=1"
        server.shutdown()


def step(name: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a step's commands as a runner does, with its variables."""
    values = {name: str(value) for name, value in STEPS[name].get("env", {}).items()}
    for variable, value in values.items():
        values[variable] = value.replace("${{ runner.temp }}", str(folder))
    environment = {**os.environ, "NO_PROXY": "127.0.0.1", **values, **more}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[name]["run"]]
    return run_program(command, env=environment, cwd=folder)


def test_two_runs_never_meet_and_no_key_is_stored() -> None:
    """One group waits for the run before; the job may do no more than read and ask for a token."""
    assert WORKFLOW["concurrency"] == {"group": "cognito-to-postgres", "cancel-in-progress": False}
    assert WORKFLOW["permissions"] == {}
    assert JOB["permissions"] == {"contents": "read", "id-token": "write"}
    text = (ROOT / "examples" / "github-actions.yml").read_text(encoding="utf-8")
    assert re.findall(r"secrets\.(\w+)", text) == ["DATABASE_URL"]


def test_its_actions_are_those_of_our_own_workflows() -> None:
    """The pinned commits are those that our CI runs, so that they are renewed together."""
    ours = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    used = [step["uses"] for step in JOB["steps"] if "uses" in step]
    assert len(used) == 2
    assert [action for action in used if action not in ours] == []


@pytest.mark.programs
@pytest.mark.parametrize(("token", "status"), [("of-the-job", 0), ("another", 22)])
def test_the_identity_is_fetched_or_the_step_fails(
    github: str, tmp_path: Path, token: str, status: int
) -> None:
    """The token is in a file that only its user reads; a refusal fails the step."""
    request = {"ACTIONS_ID_TOKEN_REQUEST_URL": github, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": token}
    ran = step("Get the run's identity", tmp_path, **request)
    assert ran.returncode == status, ran.stderr
    identity = tmp_path / "identity"
    assert identity.exists() == (status == 0)
    if identity.exists():
        assert identity.stat().st_mode & 0o777 == 0o600
        assert identity.read_text() == "a.b.c"


@pytest.mark.programs
def test_the_last_step_loads_the_pool(database: Database, tmp_path: Path) -> None:
    """Its variables are enough for the command to load a mirror of the pool."""
    command = tmp_path / "cognito-to-postgres"
    command.write_text(f"#!{sys.executable}\nfrom tap_cognito.load import main; main()\n")
    command.chmod(0o755)
    with Emulator(Pool(70)) as emulator:
        assert set(STEPS["Load"]["env"]) >= {"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"}
        keys = {f"TAP_COGNITO_{name.upper()}": value for name, value in pool.KEYS.items()}
        ran = step(
            "Load",
            tmp_path,
            PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
            PYTHONPATH=str(ROOT),
            TAP_COGNITO_ENDPOINT_URL=emulator.url,
            TAP_COGNITO_USER_POOL_ID=emulator.pool.id,
            TARGET_POSTGRES_SQLALCHEMY_URL=database.server.url(database.name),
            **keys,
        )
        users = {user["Username"] for user in emulator.pool.users()}
    assert ran.returncode == 0, ran.stderr
    assert {name for (name,) in database.rows("select username from cognito.users")} == users
    assert "_sdc_deleted_at" in dict(database.columns())
