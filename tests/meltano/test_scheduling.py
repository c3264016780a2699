"""What runs the pipeline again and again, with the real Meltano: schedules, examples, locks."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
import threading
from configparser import ConfigParser
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import yaml

from emulator import Credential, Emulator, Pool, Role
from quickstart import stopping
from quickstart.pipeline import PLUGINS, PROJECT, Meltano
from quickstart.pool import KEYS
from tests.support.documents import blocks, shell
from tests.support.programs import TIMEOUT, emulator_config, load, run_program
from tests.support.projects import ForkedMeltano
from tests.support.tables import Database, wire_row
from tests.support.waiting import wait_until

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
def machine(database: Database, _plugins: None) -> Iterator[Callable[..., ForkedMeltano]]:
    """Make machines that load into the database and know nothing of each other."""
    with ExitStack() as stack:

        def make(emulator: Emulator, **environment: str) -> ForkedMeltano:
            config = {key: str(value) for key, value in emulator_config(emulator).items()}
            meltano = ForkedMeltano(stack, config, database.server, database.name)
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
    emulator: Emulator, machine: Callable[..., ForkedMeltano], capfd: pytest.CaptureFixture[str]
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
    """The CronJob runs once at a time, has no token, and sets nothing that Meltano would drop."""
    assert POD["automountServiceAccountToken"] is False
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
    machine: Callable[..., ForkedMeltano],
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
    machine: Callable[..., ForkedMeltano],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """With Meltano's own data in Postgres the second run is refused, the first one unharmed."""
    with postgres.connect() as connection:
        connection.execute(f"create database {database.name}_meltano".encode())
    uri = postgres.url(f"{database.name}_meltano").replace("postgresql:", "postgresql+psycopg:", 1)
    first, second = (machine(emulator, MELTANO_DATABASE_URI=uri) for _ in range(2))
    arrived, refused = threading.Event(), threading.Event()

    def hold() -> None:
        arrived.set()
        refused.wait(TIMEOUT)

    emulator.before_request(1, hold)
    run = first.start("run", "cognito-to-postgres")
    try:
        assert arrived.wait(TIMEOUT)
        assert second("run", "cognito-to-postgres") == 1
    finally:
        refused.set()
    assert run.wait(TIMEOUT) == 0
    assert re.search("Another '.*' pipeline is already running", capfd.readouterr().err)
    assert by_name(database.rows()) == expected(emulator)


def test_the_environment_mirror_removes_rows(
    emulator: Emulator, database: Database, machine: Callable[..., ForkedMeltano]
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
def several(pools: dict[str, Emulator], machine: Callable[..., ForkedMeltano]) -> Meltano:
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


# Dagster


DAGSTER = EXAMPLES / "dagster"
ACCOUNTS = ("111111111111", "222222222222")
REGIONS = ("us-east-1", "eu-west-1")
PLACES = [f"{account}_{region}" for account in ACCOUNTS for region in REGIONS]
HOME = "999999999999"
QUOTA = 30
POOLS, USERS = 20, 640
"""In each account and region, and in each of these pools: some 400 requests, which take 16 s."""
PATIENCE = 900
"""Seconds that partitions may take on a busy machine."""


def test_the_dagster_example_fits_this_project() -> None:
    """The example sets what Meltano knows, and never lets two runs of a partition overlap."""
    definitions = (DAGSTER / "definitions.py").read_text(encoding="utf-8")
    plugins = yaml_of(PROJECT / "meltano.yml")["plugins"]
    known = {
        f"TAP_COGNITO_{setting['name']}".upper() for setting in plugins["extractors"][0]["settings"]
    }
    known |= {
        f"TARGET_POSTGRES_{setting['name']}".upper()
        for setting in plugins["loaders"][0]["settings"]
    }
    names = set(re.findall(r'"(TAP_COGNITO_[A-Z_]+)"', definitions))
    assert names - known == {"TAP_COGNITO__LOAD_SCHEMA"}
    limits = yaml_of(DAGSTER / "dagster.yaml")["concurrency"]["runs"]["tag_concurrency_limits"]
    assert limits == [
        {"key": "dagster/partition", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
    ]


class Dagster:
    """Dagster with the example: its daemon, and its commands."""

    def __init__(self, stack: ExitStack, meltano: Meltano, folder: Path) -> None:
        self._home = folder / "home"
        self._home.mkdir()
        (self._home / "dagster.yaml").write_bytes((DAGSTER / "dagster.yaml").read_bytes())
        # Meltano's plugins are there already, its folders of this test aren't.
        own = folder / "meltano"
        own.mkdir()
        for kind in ("extractors", "loaders"):
            (own / kind).symlink_to(PLUGINS / kind)
        self._path = installed(DAGSTER, folder)
        self._environment = {
            **meltano.environment,
            "DAGSTER_GRPC_TIMEOUT_SECONDS": str(PATIENCE),
            "DAGSTER_HOME": str(self._home),
            "MELTANO_SYS_DIR_ROOT": str(own),
            "PATH": self._path,
        }
        del self._environment["MELTANO_DATABASE_URI"]
        # Otherwise the daemon and the first command may both create its databases, and one fails.
        migrate = [self._program("dagster"), "instance", "migrate"]
        subprocess.run(migrate, env=self._environment, capture_output=True, check=True)
        log = stack.enter_context((folder / "daemon.log").open("wb"))
        daemon = [self._program("dagster-daemon"), "run", "-f", str(DAGSTER / "definitions.py")]
        self._daemon = stopping.start(stack, daemon, env=self._environment, stdout=log, stderr=log)

    def __call__(self, *arguments: str) -> None:
        """Run a command on the example."""
        command = [self._program("dagster"), "job", *arguments]
        run = subprocess.run(
            [*command, "-f", DAGSTER / "definitions.py"],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr

    def load(self, *places: str) -> tuple[float, list[float]]:
        """Load partitions; return the seconds that all took together, and each of them."""
        before = len(self._runs())
        self("backfill", "-j", "load", "--partitions", ",".join(places), "--noprompt")

        def have_ended() -> bool:
            assert self._daemon.poll() is None, "Dagster's daemon has ended"
            return {status for status, *_ in self._runs()[before:]} <= {"SUCCESS", "FAILURE"}

        wait_until(have_ended, seconds=PATIENCE, every=0.5)
        runs = self._runs()[before:]
        assert [status for status, *_ in runs] == ["SUCCESS"] * len(places)
        together = max(end for *_, end in runs) - min(start for _, start, _ in runs)
        return together, [end - start for _, start, end in runs]

    def _runs(self) -> list[tuple[str, float, float]]:
        """Status, start and end of all runs, in order."""
        path = self._home / "history" / "runs.db"
        if not path.exists():
            return []
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            query = "select status, start_time, end_time from runs order by id"
            return database.execute(query).fetchall()

    def _program(self, name: str) -> str:
        return shutil.which(name, path=self._path) or name


@pytest.fixture
def accounts() -> Iterator[Emulator]:
    """Two accounts with two regions each and twenty pools in each of these, with AWS's quota."""
    pools = [
        Pool(USERS, 100 * place + number, f"{region}_{account[:3]}P{number}", account=account)
        for place, (account, region) in enumerate(itertools.product(ACCOUNTS, REGIONS))
        for number in range(POOLS)
    ]
    roles = {f"arn:aws:iam::{account}:role/cognito-reader": Role() for account in ACCOUNTS}
    keys = {KEYS["aws_access_key_id"]: Credential(KEYS["aws_secret_access_key"], account=HOME)}
    with Emulator(pools=pools, credentials=keys, roles=roles, quota=QUOTA) as emulator:
        yield emulator


@pytest.mark.slow
def test_dagster_loads_accounts_and_regions_side_by_side(
    accounts: Emulator,
    machine: Callable[..., ForkedMeltano],
    database: Database,
    tmp_path: Path,
    record_testsuite_property: Callable[[str, object], None],
) -> None:
    """Four partitions take little longer than one; one that is killed completes all the same."""
    meltano = machine(accounts, AWS_ENDPOINT_URL_STS=accounts.url)
    for name in ("USER_POOL_ID", "MAX_REQUESTS_PER_SECOND"):
        del meltano.environment[f"TAP_COGNITO_{name}"]

    with ExitStack() as stack:
        dagster = Dagster(stack, meltano, tmp_path)
        together, partitions = dagster.load(*PLACES)
        record_testsuite_property("seconds of four partitions", f"{together:.0f} {partitions}")
        record_testsuite_property("requests", json.dumps(accounts.log.by_operation()))
        assert accounts.log.count(outcome="throttled") == 0
        assert together < 0.6 * sum(partitions), partitions
        dagster("execute", "-j", "unite")
        check_every_user(accounts, database)

        with database.connect() as connection:
            connection.execute("truncate cognito_222222222222_eu_west_1.users")
        accounts.log.requests.clear()
        accounts.before_request(100, lambda: kill_meltano(PLACES[-1]), {"ListUsers"})
        dagster.load(PLACES[-1])
        assert accounts.log.count("AssumeRole") > 1
        check_every_user(accounts, database)

        alone, _ = dagster.load(PLACES[0])
        record_testsuite_property("seconds of one partition", f"{alone:.0f}")


def kill_meltano(place: str) -> None:
    """Kill the run of a partition."""
    (run,) = [
        process
        for process in psutil.process_iter(["cmdline"])
        if {"--state-id-suffix", place} <= set(process.info["cmdline"] or ())
    ]
    run.kill()


def check_every_user(emulator: Emulator, database: Database) -> None:
    """Compare the view with all pools."""
    found = database.rows("select place, user_pool_id, username, email from cognito.every_user")
    wanted = [
        (f"{pool.account}_{pool.region}", pool.id, *wire_row(user)[:2])
        for pool in emulator.pools
        for user in pool.users()
    ]
    assert sorted(found) == sorted(wanted)


# Airflow


@pytest.mark.slow
def test_airflow_loads_every_pool(
    pools: dict[str, Emulator], several: Meltano, database: Database, tmp_path: Path
) -> None:
    """The document's commands load the example's DAG and run it, one pool after the other."""
    (commands,) = blocks("docs/scheduling.md", "sh", "Airflow")
    examples = tmp_path / "examples"
    left_by_a_user = shutil.ignore_patterns(".venv", ".airflow", "__pycache__")
    shutil.copytree(EXAMPLES / "airflow", examples / "airflow", ignore=left_by_a_user)
    (examples / "several-pools").symlink_to(SEVERAL_POOLS)
    shell(commands, tmp_path, {**several.environment, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"})
    for schema, emulator in pools.items():
        found = database.rows(f"select * from {schema}.users")  # noqa: S608
        assert by_name(found) == expected(emulator)
    (_, end), (start, _) = sorted(times(emulator) for emulator in pools.values())
    assert end < start


@pytest.mark.programs
def test_the_timer_starts_what_cron_does() -> None:
    """Both units of docs/scheduling.md parse, and the service's command is the documented one."""
    units = []
    for text in blocks("docs/scheduling.md", "ini"):
        unit = ConfigParser(interpolation=None)
        unit.optionxform = str  # type: ignore[assignment,method-assign] # keep the case
        unit.read_string(text)
        units.append(unit)
    service, timer = units
    command = service["Service"]["ExecStart"]
    cron = blocks("docs/scheduling.md", "")[0].replace(
        "--log-level=warning --log-format=key-value ", ""
    )
    assert cron.endswith(command.removeprefix("/srv/cognito/") + "\n")
    assert service["Service"]["Type"] == "oneshot"
    assert timer["Timer"]["Persistent"] == "true"
    if analyze := shutil.which("systemd-analyze"):
        calendar = timer["Timer"]["OnCalendar"]
        run_program([analyze, "calendar", calendar]).check_returncode()
