"""What runs the pipeline again and again, with the real Meltano: schedules, examples, locks."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from emulator import Emulator, Pool
from interruption import wait_until
from quickstart.pipeline import PLUGINS, PROJECT, Meltano
from support import TIMEOUT, Database, emulator_config, load, wire_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from quickstart.postgres import Postgres

EXAMPLES = PROJECT / "examples"
SEVERAL_POOLS = EXAMPLES / "several-pools"
INCREMENTAL = {"users": {"replication-method": "INCREMENTAL", "replication-key": "updated_at"}}
SCRIPTS = Path(sysconfig.get_path("scripts"))


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A pool of two pages."""
    with Emulator(Pool(70)) as emulator:
        yield emulator


@pytest.fixture
def machine(database: Database, _plugins: None) -> Iterator[Callable[..., Meltano]]:
    """Make machines that load into the database and know nothing of each other."""
    with ExitStack() as stack:

        def make(emulator: Emulator, **environment: str) -> Meltano:
            config = {key: str(value) for key, value in emulator_config(emulator).items()}
            meltano = Meltano(stack, config, database.server, database.name)
            meltano.environment |= environment
            return meltano

        yield make


def yaml_of(path: Path) -> Any:
    """A YAML file's content."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def by_name(rows: list[tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    """Rows of the users, by user name."""
    return {row[0]: row for row in rows}


def expected(emulator: Emulator) -> dict[str, tuple[Any, ...]]:
    """The rows of an emulated pool."""
    return by_name([wire_row(user) for user in emulator.pool.users()])


def test_the_schedule_is_listed(
    emulator: Emulator, machine: Callable[..., Meltano], capfd: pytest.CaptureFixture[str]
) -> None:
    """An orchestrator can read what to run, and when, as JSON."""
    assert machine(emulator)("schedule", "list", "--format=json") == 0
    (schedule,) = json.loads(capfd.readouterr().out)["schedules"]["job"]
    assert (schedule["name"], schedule["cron_interval"]) == ("cognito-daily", "0 0 * * *")
    assert schedule["job"]["tasks"] == ["tap-cognito target-postgres"]


# Past one machine


CRONJOB = yaml_of(EXAMPLES / "kubernetes-cronjob.yaml")
POD = CRONJOB["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def test_the_cronjob_fits_this_project() -> None:
    """It is never run twice at a time, and sets nothing that Meltano would drop."""
    assert (CRONJOB["apiVersion"], CRONJOB["kind"]) == ("batch/v1", "CronJob")
    assert CRONJOB["spec"]["concurrencyPolicy"] == "Forbid"
    (container,) = POD["containers"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        volume["name"] for volume in POD["volumes"]
    }
    plugins = yaml_of(PROJECT / "meltano.yml")["plugins"]
    known = {
        f"{plugin['name']}_{setting['name']}".replace("-", "_").upper()
        for plugin in (*plugins["extractors"], *plugins["loaders"])
        for setting in plugin["settings"]
    }
    names = {each["name"] for each in container["env"]}
    assert {name for name in names if not name.startswith("MELTANO_")} < known
    assert {"MELTANO_ENVIRONMENT", "MELTANO_STATE_BACKEND_URI"} < names


def test_the_schedule_needs_no_local_state(
    emulator: Emulator,
    database: Database,
    machine: Callable[..., Meltano],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The CronJob's command goes on from the bookmark that another machine has left.

    The environment and Meltano's `metadata` choose; the state backend is a folder.
    """
    shared = {
        "MELTANO_ENVIRONMENT": "prod",
        "MELTANO_STATE_BACKEND_URI": f"file://{tmp_path}",
        "TAP_COGNITO__METADATA": json.dumps(INCREMENTAL),
    }
    # The look-back covers the one who was last changed before.
    for records in (70, 2):
        assert machine(emulator, **shared)(*POD["containers"][0]["args"]) == 0
        assert f" {records} records" in capfd.readouterr().err
        assert by_name(database.rows()) == expected(emulator)
        changed = next(emulator.pool.users())["Username"]
        emulator.pool.change(changed, {"custom:plan": "changed"})
    (state,) = tmp_path.glob("**/state.json")
    assert state.parent.name == "prod:tap-cognito-to-target-postgres"


def test_two_machines_do_not_run_one_pipeline_at_a_time(
    emulator: Emulator,
    database: Database,
    postgres: Postgres,
    machine: Callable[..., Meltano],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """With Meltano's own data in Postgres the second run is refused, the first one unharmed."""
    with postgres.connect() as connection:
        connection.execute(f"create database {database.name}_meltano".encode())
    uri = postgres.url(f"{database.name}_meltano").replace("postgresql:", "postgresql+psycopg:", 1)
    first, second = (machine(emulator, MELTANO_DATABASE_URI=uri) for _ in range(2))
    emulator.latency = 2.5
    command = [str(SCRIPTS / "meltano"), "--env-file", os.devnull, "run", "cognito-to-postgres"]
    with subprocess.Popen(command, cwd=PROJECT, env=first.environment) as run:
        wait_until(lambda: emulator.log.count("ListUsers") > 0)
        assert second("run", "cognito-to-postgres") == 1
        assert run.wait(TIMEOUT) == 0
    assert re.search("Another '.*' pipeline is already running", capfd.readouterr().err)
    assert by_name(database.rows()) == expected(emulator)


def test_the_environment_mirror_removes_rows(
    emulator: Emulator, database: Database, machine: Callable[..., Meltano]
) -> None:
    """With `--environment=mirror` who is gone from the pool is gone from the table."""
    load(emulator_config(emulator), database.target_config)
    gone = next(emulator.pool.users())["Username"]
    emulator.pool.delete(gone)
    assert machine(emulator)("--environment=mirror", "run", "cognito-to-postgres") == 0
    assert by_name(database.rows("select username from cognito.users")) == {
        name: (name,) for name in expected(emulator)
    }


# Several pools


@pytest.fixture
def pools() -> Iterator[dict[str, Emulator]]:
    """The pools of the example, by schema."""
    extractors = yaml_of(SEVERAL_POOLS / "meltano.yml")["plugins"]["extractors"]
    inherited = [each for each in extractors if "inherit_from" in each]
    with ExitStack() as stack:
        yield {
            each["load_schema"]: stack.enter_context(
                Emulator(Pool(70 + size, size, each["config"]["user_pool_id"]))
            )
            for size, each in enumerate(inherited)
        }


@pytest.fixture
def several(pools: dict[str, Emulator], machine: Callable[..., Meltano]) -> Meltano:
    """A machine with the example, its pools emulated."""
    meltano = machine(next(iter(pools.values())))
    for name in ("USER_POOL_ID", "ENDPOINT_URL"):
        del meltano.environment[f"TAP_COGNITO_{name}"]
    for name, emulator in pools.items():
        meltano.environment[f"TAP_COGNITO_{name.upper()}_ENDPOINT_URL"] = emulator.url
    # Its plugins are this project's, installed from another place.
    meltano.environment["MELTANO_SYS_DIR_ROOT"] = str(PLUGINS.with_name("meltano-several-pools"))
    meltano.environment["MELTANO_PROJECT_ROOT"] = str(SEVERAL_POOLS)
    return meltano


def test_several_pools_have_a_schema_each(
    pools: dict[str, Emulator], several: Meltano, database: Database
) -> None:
    """The example loads each pool into a schema of its own."""
    assert len(pools) == 2
    assert several("--cwd", str(SEVERAL_POOLS), "run", "all-pools") == 0
    for schema, emulator in pools.items():
        found = database.rows(f"select * from {schema}.users")  # noqa: S608
        assert by_name(found) == expected(emulator)


# Orchestrators


def installed(example: Path, folder: Path) -> str:
    """Install an example's orchestrator into an environment of its own; return a PATH with it."""
    environment = folder / "venv"
    uv = str(SCRIPTS / "uv")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    install = (uv, "pip", "install", "--quiet", "--python", environment)
    subprocess.run([*install, "--requirement", example / "requirements.txt"], check=True)
    scripts = environment / ("Scripts" if os.name == "nt" else "bin")
    return os.pathsep.join([str(scripts), str(SCRIPTS), os.environ["PATH"]])


def times(emulator: Emulator) -> tuple[float, float]:
    """When the first request to a pool came, and when the last one was answered."""
    requests = emulator.log.requests
    return min(one.received for one in requests), max(one.answered for one in requests)


def test_the_assets_are_jobs_of_the_example() -> None:
    """Dagster's example runs jobs that its Meltano project has, one for each pool."""
    tree = ast.parse((EXAMPLES / "dagster" / "definitions.py").read_text(encoding="utf-8"))
    (jobs,) = [
        ast.literal_eval(each.value)
        for each in tree.body
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "JOBS"
    ]
    project = yaml_of(SEVERAL_POOLS / "meltano.yml")
    assert set(jobs) == {job["name"] for job in project["jobs"] if len(job["tasks"]) == 1}
    assert len(jobs) == 2


@pytest.mark.slow
def test_dagster_loads_one_pool_at_a_time(
    pools: dict[str, Emulator], several: Meltano, database: Database, tmp_path: Path
) -> None:
    """Dagster loads the example's asset graph, and its job loads every pool, never two at once."""
    for emulator in pools.values():
        emulator.latency = 4  # long enough for runs that start together to overlap
    example = EXAMPLES / "dagster"
    path = installed(example, tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_bytes((example / "dagster.yaml").read_bytes())
    environment = {
        **several.environment,
        "DAGSTER_HOME": str(home),
        "PATH": path,
    }
    job = ("job", "execute", "-f", str(example / "definitions.py"), "-j", "every_pool")
    run = subprocess.run(
        [shutil.which("dagster", path=path) or "dagster", *job],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    for schema, emulator in pools.items():
        found = database.rows(f"select * from {schema}.users")  # noqa: S608
        assert by_name(found) == expected(emulator)
    (_, end), (start, _) = sorted(times(emulator) for emulator in pools.values())
    assert end < start


@pytest.mark.slow
def test_airflow_loads_every_pool(
    pools: dict[str, Emulator], several: Meltano, database: Database, tmp_path: Path
) -> None:
    """Airflow loads the example's DAG and runs it, one pool after the other."""
    example = EXAMPLES / "airflow"
    path = installed(example, tmp_path)
    environment = {
        **several.environment,
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(example),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PATH": path,
    }
    for command in (["db", "migrate"], ["dags", "test", "cognito"]):
        run = subprocess.run(
            [shutil.which("airflow", path=path) or "airflow", *command],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
    for schema, emulator in pools.items():
        found = database.rows(f"select * from {schema}.users")  # noqa: S608
        assert by_name(found) == expected(emulator)
    (_, end), (start, _) = sorted(times(emulator) for emulator in pools.values())
    assert end < start
