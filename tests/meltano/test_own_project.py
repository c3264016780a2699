"""docs/own-project.md makes a project from nothing that loads what this repository's own does."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml

from emulator import Emulator, Pool
from quickstart import stopping
from tests.support.documents import blocks, shell
from tests.support.paths import ROOT
from tests.support.programs import emulator_config
from tests.support.projects import ForkedMeltano
from tests.support.tables import Database, wire_row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from quickstart.postgres import Postgres

pytestmark = [
    pytest.mark.usefixtures("_plugins"),
    pytest.mark.skipif(not (ROOT / "tap_cognito").is_dir(), reason="it installs the source tree"),
]

DOCUMENT = "docs/own-project.md"
MONITORING = "docs/monitoring.md"
SCHEDULING = "docs/scheduling.md"
CHECKOUT = "/path/to/tap-cognito"
(MAKE,) = (block for block in blocks(DOCUMENT, "sh") if "meltano init" in block)
(PROJECT_FILE,) = blocks(DOCUMENT, "yaml")
(VARIABLES,) = blocks(DOCUMENT, "")
RUN, MIRROR, INCREMENTS, UPGRADE = (block for block in blocks(DOCUMENT, "sh") if " run " in block)
CRON = blocks(SCHEDULING, "")[0].partition(".venv/bin/")[2]
SHAPE = """
select column_name, data_type, is_nullable from information_schema.columns
where table_schema = 'cognito' and table_name = 'users' order by ordinal_position
"""
STATUSES = "select username, status from cognito.users"
KEY = """
select column_name from information_schema.key_column_usage
where table_schema = 'cognito' and table_name = 'users' order by ordinal_position
"""


class Project(NamedTuple):
    """A project that was made as the document says."""

    folder: Path
    environment: dict[str, str]
    database: Database
    emulator: Emulator

    def run(self, commands: str) -> str:
        """Run commands of the document as they stand there; return what they logged."""
        return shell(commands, self.folder, self.environment)


def database_in_new_york(postgres: Postgres, name: str) -> Database:
    """An empty database whose time zone isn't UTC."""
    with postgres.connect() as connection:
        connection.execute(f"create database {name}".encode())
        connection.execute(f"alter database {name} set timezone to 'America/New_York'".encode())
    return Database(name, postgres)


@pytest.fixture(scope="module")
def project(postgres: Postgres) -> Iterator[Project]:
    """A project made by Meltano, with the blocks of the document, for a pool that lists users."""
    with ExitStack() as stack:
        scratch = stopping.folder(stack)
        pool = Pool(130)
        emulator = stack.enter_context(Emulator(pool))
        emulator.refused = {
            f"{pool.id}/{operation}": "AccessDeniedException"
            for operation in ("DescribeUserPool", "ListGroups", "ListUsersInGroup")
        }
        database = database_in_new_york(postgres, "own_project")
        environment = {
            "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
            "UV_CONSTRAINT": (ROOT / "requirements" / "dev.txt").as_uri(),
            # What only an emulated pool needs.
            "TAP_COGNITO_ENDPOINT_URL": emulator.url,
            "AWS_ACCESS_KEY_ID": "emulated",
            "AWS_SECRET_ACCESS_KEY": "emulated",
        }
        shell(MAKE, scratch, environment)
        folder = scratch / "warehouse"
        made = (folder / "meltano.yml").read_text()
        (identity,) = re.findall(r"(?m)^project_id: .+\n", made)
        (folder / "meltano.yml").write_text(identity + PROJECT_FILE.replace(CHECKOUT, str(ROOT)))
        values = {
            "TAP_COGNITO_USER_POOL_ID": pool.id,
            "TARGET_POSTGRES_HOST": postgres.host,
            "TARGET_POSTGRES_PORT": str(postgres.port),
            "TARGET_POSTGRES_USER": postgres.user,
            "TARGET_POSTGRES_PASSWORD": postgres.password,
            "TARGET_POSTGRES_DATABASE": database.name,
        }
        assert re.findall(r"(?m)^(\w+)=", VARIABLES) == list(values)
        (folder / ".env").write_text("".join(f"{name}={values[name]}\n" for name in values))
        yield Project(folder, environment, database, emulator)


def rows(database: Database) -> list[tuple[object, ...]]:
    """The users of a database, in order."""
    return sorted(database.rows())


def test_it_loads_the_table_of_this_repository(project: Project, postgres: Postgres) -> None:
    """With ListUsers allowed only, and a database in New York, the two projects' tables are one."""
    project.run(RUN)
    ours = database_in_new_york(postgres, "this_repository")
    with ExitStack() as stack:
        config = {name: str(value) for name, value in emulator_config(project.emulator).items()}
        assert ForkedMeltano(stack, config, postgres, ours.name)("run", "cognito-to-postgres") == 0
    expected = sorted(wire_row(user) for user in project.emulator.pool.users())
    assert rows(project.database) == rows(ours) == expected
    assert len(expected) == 130
    for query in (SHAPE, KEY):
        assert project.database.rows(query) == ours.rows(query) != []
    assert set(project.emulator.log.by_operation()) == {"ListUsers"}
    assert project.database.rows(
        "select table_schema, table_name from information_schema.tables "
        "where table_schema not in ('information_schema', 'pg_catalog')"
    ) == [("cognito", "users")]


@pytest.mark.slow
def test_it_can_be_monitored(project: Project) -> None:
    """The commands of docs/monitoring.md show the numbers of a run, and the state it has left."""
    run, numbers, _ = blocks(MONITORING, "sh", "JSON")
    project.run(run)
    shown = project.run(numbers)
    assert re.search(r"(?m)^tap-cognito users record_count 130$", shown)
    assert re.search(r"(?m)^tap-cognito users sync_duration \d", shown)
    for block in blocks(MONITORING, "sh", "State"):
        found = project.run(block.replace("dev:", "exact:"))
        assert "exact:tap-cognito-to-target-postgres" in found or "singer_state" in found


@pytest.mark.slow
def test_its_modes_do_what_they_say(project: Project, postgres: Postgres) -> None:
    """Increments send what has changed, a mirror lets deleted users go; an upgrade runs."""
    pool = project.emulator.pool
    for mode, commands in (("increments", INCREMENTS), ("mirror", MIRROR)):
        database = database_in_new_york(postgres, f"own_{mode}")
        there = project._replace(
            database=database,
            environment={**project.environment, "TARGET_POSTGRES_DATABASE": database.name},
        )
        there.run(commands)
        gone, changed = [user["Username"] for user in pool.users()][:2]
        with database.connect() as connection:
            connection.execute("update cognito.users set status = 'old'")
        pool.delete(gone)
        pool.change(changed, {"custom:plan": mode})
        there.run(commands)
        found = dict(database.rows(STATUSES))
        old = {name for name, status in found.items() if status == "old"}
        names: Any = {user["Username"] for user in pool.users()}
        if mode == "mirror":
            assert found.keys() == names
            assert not old
        else:
            assert found.keys() == names | {gone}
            assert changed not in old
            assert len(old) >= len(names) - 1
    project.run(UPGRADE)


@pytest.mark.slow
def test_its_settings_can_be_tried_first(project: Project) -> None:
    """The documented test of the settings succeeds, and fails for a pool that isn't there."""
    (commands,) = (block for block in blocks(DOCUMENT, "sh") if "config test" in block)
    assert "Plugin configuration is valid" in project.run(commands)
    assert "users: ok, by cognito-idp:ListUsers" in project.run("meltano invoke tap-cognito --test")


@pytest.mark.slow
def test_only_braces_are_expanded_in_its_variables(project: Project) -> None:
    """In `.env`, whatever the quotes: `$` alone stays, and so does all of the environment."""
    file = project.folder / "other.env"
    file.write_text(
        "TARGET_POSTGRES_HOST=a${SHOWN}$SHOWN$$\n"
        "TARGET_POSTGRES_USER='a${SHOWN}$SHOWN$$'\n"
        'TARGET_POSTGRES_DATABASE="a${SHOWN}$SHOWN$$"\n'
    )
    there = project._replace(
        environment={
            **project.environment,
            "SHOWN": "b",
            "TARGET_POSTGRES_PASSWORD": "a${SHOWN}$SHOWN$$",
        }
    )
    dump = f"meltano --log-level=error --env-file {file} invoke --dump=config target-postgres"
    config = json.loads(there.run(dump))
    assert [config[name] for name in ("host", "user", "database")] == ["ab$SHOWN$$"] * 3
    assert config["password"] == "a${SHOWN}$SHOWN$$"


@pytest.mark.slow
def test_cron_sends_a_mail_of_failures_only(project: Project) -> None:
    """Its command prints nothing of a success, and of a wrong password the cause, never it."""
    project.run(CRON)  # the first finds no state, and says so
    assert project.run(f"{CRON.rstrip()} 2>&1") == ""
    wrong = {"TARGET_POSTGRES_PASSWORD": "wr0ng-pass_phrase"}
    there = project._replace(environment={**project.environment, **wrong})
    shown = there.run(f"{CRON.rstrip()} 2>&1 || echo failed").splitlines()
    assert "password authentication failed for user" in shown[0]
    assert "wr0ng" not in "".join(shown)
    assert shown[-1] == "failed"
    assert len(shown) <= 6


def test_this_repository_knows_the_same_environments() -> None:
    """`mirror`, `increments` and `exact` mean the same in both projects, jobs and schedule too."""
    here, there = (
        yaml.safe_load(text)
        for text in ((ROOT / "meltano.yml").read_text(encoding="utf-8"), PROJECT_FILE)
    )
    environments = {each["name"]: each for each in here["environments"]}
    assert [environments.get(each["name"]) for each in there["environments"]] == there[
        "environments"
    ]
    assert (here["jobs"], here["schedules"]) == (there["jobs"], there["schedules"])
