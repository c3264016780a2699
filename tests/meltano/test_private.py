"""What Meltano writes where others may read: the loader's lines, the tap's resolved config."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import sysconfig
import threading
from configparser import ConfigParser
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from emulator import Emulator, Pool
from quickstart.pipeline import PLUGINS, PROJECT, Meltano
from tests.support.documents import blocks
from tests.support.programs import TIMEOUT, emulator_config, run_program
from tests.support.projects import ForkedMeltano

if TYPE_CHECKING:
    from tests.support.tables import Database

EXAMPLES = PROJECT / "examples"
SERVICE = ConfigParser(interpolation=None)
SERVICE.read_string(blocks("docs/scheduling.md", "ini")[0])
*_, CRON = blocks("docs/scheduling.md", "", "cron")[0].split("  ", 1)
"""The command of the crontab's line."""
LOGGING = blocks("docs/monitoring.md", "yaml", "What the loader prints")[0]
ADDRESS = "zqplanted@zqplanted.example"


@pytest.mark.usefixtures("_plugins")
@pytest.mark.parametrize("use_copy", ["true", "false"])
def test_a_refused_address_is_only_in_the_loaders_own_file(
    use_copy: str, database: Database, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """With the documented log config neither the log nor Meltano's copy shows what was refused."""
    with database.connect() as connection:
        connection.execute("create schema cognito")
        connection.execute(
            "create table cognito.users (username text primary key, email text unique, "
            "status text, enabled boolean, created_at timestamp, updated_at timestamp, "
            "attributes jsonb)"
        )
        connection.execute("insert into cognito.users values ('zq', %s)", [ADDRESS])
    log_config, own = tmp_path / "logging.yaml", tmp_path / "loader.log"
    assert "filename: loader.log" in LOGGING
    log_config.write_text(LOGGING.replace("loader.log", str(own)))
    pool = Pool(3)
    pool.change(pool.username(0), {"email": ADDRESS})
    with Emulator(pool) as emulator, ExitStack() as stack:
        config = {name: str(value) for name, value in emulator_config(emulator).items()}
        meltano = ForkedMeltano(stack, config, database.server, database.name)
        meltano.environment["TARGET_POSTGRES_USE_COPY"] = use_copy
        assert meltano(f"--log-config={log_config}", "run", "cognito-to-postgres") == 1
        (copy,) = Path(meltano.environment["XDG_STATE_HOME"]).rglob("elt.log")
        written = "".join((*capfd.readouterr(), copy.read_text(encoding="utf-8")))
    assert ADDRESS in own.read_text(encoding="utf-8")
    assert "Complete: 3 users read" in written
    assert "Loader failed" in written
    assert "zqplanted" not in written


def commands() -> dict[str, list[str]]:
    """Return how each example starts Meltano, in the folder /srv/cognito or by its name."""
    docker = (EXAMPLES / "docker" / "Dockerfile").read_text(encoding="utf-8")
    entry_point, arguments = re.findall(r"(?m)^(?:ENTRYPOINT|CMD) (.+)", docker)
    (airflow,) = re.findall(
        r'command = f"(.+)"', (EXAMPLES / "airflow" / "cognito.py").read_text(encoding="utf-8")
    )
    dagster = (EXAMPLES / "dagster" / "definitions.py").read_text(encoding="utf-8")
    (privately,) = re.findall(r"(?m)^PRIVATELY = (.+)", dagster)
    assert re.search(r'command=\[\s+\*PRIVATELY,\s+\*\("meltano"', dagster)
    umask = SERVICE["Service"]["UMask"]
    return {
        "cron": ["/bin/sh", "-c", CRON],
        "systemd": ["/bin/sh", "-c", f"umask {umask}; {SERVICE['Service']['ExecStart']}"],
        "docker": [*json.loads(entry_point), *json.loads(arguments)],
        "airflow": ["/bin/bash", "-c", airflow.replace("{job}", "staff")],
        "dagster": [*ast.literal_eval(privately), "meltano", "run"],
    }


@pytest.mark.programs
@pytest.mark.skipif(sys.platform == "win32", reason="the examples are for others")
@pytest.mark.parametrize("example", commands())
def test_an_example_lets_nobody_else_read_what_meltano_writes(example: str, tmp_path: Path) -> None:
    """It hands its arguments on to Meltano, which runs with a umask of 077."""
    program = tmp_path / ".venv" / "bin" / "meltano"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\numask\necho "$@"\n')
    program.chmod(0o700)
    command = [
        each.replace("/srv/cognito", shlex.quote(str(tmp_path))) for each in commands()[example]
    ]
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    ran = run_program(command, env={**os.environ, "PATH": path}, umask=0o022)
    umask, arguments = ran.stdout.splitlines()
    assert int(umask, 8) == 0o077
    assert re.search(
        r"(^| )(schedule run cognito-daily|run( staff| cognito-to-postgres)?)$", arguments
    )


@pytest.mark.usefixtures("_plugins")
@pytest.mark.skipif(sys.platform == "win32", reason="the examples are for others")
def test_a_run_that_was_killed_leaves_nothing_that_others_may_read(
    database: Database, tmp_path: Path
) -> None:
    """Cron's line is killed during a request: what is left of the config is its user's alone."""
    for kind in ("extractors", "loaders"):
        (tmp_path / kind).symlink_to(PLUGINS / kind)
    meltano_program = Path(sysconfig.get_path("scripts")) / "meltano"
    line = CRON.replace("cd /srv/cognito", f"cd {PROJECT}").replace(
        ".venv/bin/meltano", f"{meltano_program} --env-file {os.devnull}"
    )
    arrived = threading.Event()
    with Emulator(Pool(3), latency=60) as emulator, ExitStack() as stack:
        emulator.before_request(1, arrived.set)
        config = {name: str(value) for name, value in emulator_config(emulator).items()}
        environment = Meltano(stack, config, database.server, database.name).environment
        environment["MELTANO_SYS_DIR_ROOT"] = str(tmp_path)
        with subprocess.Popen(
            ["/bin/sh", "-c", line], env=environment, umask=0o022, start_new_session=True
        ) as run:
            assert arrived.wait(TIMEOUT)
            os.killpg(run.pid, signal.SIGKILL)
    left = [path for path in (tmp_path / "run").rglob("*") if not path.is_symlink()]
    (config_file,) = (path for path in left if path.match("tap-cognito/tap.*config.json"))
    assert config["aws_secret_access_key"] in config_file.read_text(encoding="utf-8")
    assert [path for path in (tmp_path / "run", *left) if path.stat().st_mode & 0o077] == []
