"""Meltano merges states into those that it has: runs go on rightly from what it makes of them."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from emulator import Emulator, Pool
from tests.support.projects import meltano_of_all_pools, project

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.tables import Database

pytestmark = pytest.mark.usefixtures("_plugins")

POOLS = [Pool(30, number, f"us-east-1_P{number:02}") for number in range(40)]

TARGET = """\
#!{python}
from target_postgres.target import TargetPostgres

TargetPostgres._MAX_RECORD_AGE_IN_MINUTES = 0.01
TargetPostgres.cli()
"""


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["auto", "merge"])
@pytest.mark.parametrize("mode", ["exact", "mirror", "increments"])
def test_a_run_after_a_full_refresh_reads_every_pool(
    mode: str, strategy: str, database: Database, tmp_path: Path
) -> None:
    """A scan that was cut off before a full refresh is never resumed after it, in any mode."""
    folder = project(tmp_path, target_postgres=TARGET)
    pools = [Pool(30, number, pool.id) for number, pool in enumerate(POOLS)]
    with ExitStack() as stack:
        emulator = stack.enter_context(Emulator(pools=pools, latency=0.1))
        meltano = meltano_of_all_pools(stack, emulator, database)
        if mode == "increments":
            chosen = {"replication-method": "INCREMENTAL", "replication-key": "updated_at"}
            meltano.environment["TAP_COGNITO__METADATA"] = json.dumps({"users": chosen})
        command = ["--cwd", str(folder)]
        command += ["--environment=mirror"] if mode == "mirror" else []
        command += ["run", f"--state-strategy={strategy}"]
        both = ["tap-cognito", "target-postgres"]
        fail_at(25, emulator)
        assert meltano(*command, *both) != 0  # leaves a scan that was cut off
        emulator.refused = {}
        assert meltano(*command, "--full-refresh", *both) == 0
        change_everybody(pools)
        emulator.log.requests.clear()
        assert meltano(*command, *both) == 0
        asked = {each.pool_id for each in emulator.log.matching(operation="ListUsers")}
        assert asked >= {pool.id for pool in pools}
        assert rows(database) == truth(pools)
        # The same, but the full refresh is cut off too: the next run completes it.
        fail_at(25, emulator)
        assert meltano(*command, "--full-refresh", *both) != 0
        emulator.refused = {}
        assert meltano(*command, *both) == 0
        assert rows(database) == truth(pools)


@pytest.mark.slow
def test_another_load_schema_is_a_table_of_its_own(database: Database, tmp_path: Path) -> None:
    """A run that would resume a scan loads all into the new schema: Meltano tells the tap."""
    folder = project(tmp_path, target_postgres=TARGET)
    pools = [Pool(30, number, pool.id) for number, pool in enumerate(POOLS)]
    with ExitStack() as stack:
        emulator = stack.enter_context(Emulator(pools=pools, latency=0.1))
        meltano = meltano_of_all_pools(stack, emulator, database)
        command = ["--cwd", str(folder), "run", "tap-cognito", "target-postgres"]
        fail_at(25, emulator)
        assert meltano(*command) != 0
        emulator.refused = {}
        meltano.environment["TAP_COGNITO__LOAD_SCHEMA"] = "another"
        assert meltano(*command) == 0
    loaded = set(database.rows("select user_pool_id, username from another.users"))
    assert loaded == {(pool.id, name) for pool in pools for name in pool.usernames()}


def fail_at(number: int, emulator: Emulator) -> None:
    """Let a run fail at this request."""
    refuse = {"ListUsers": "ExpiredTokenException"}
    emulator.before_request(number, lambda: setattr(emulator, "refused", refuse))


def change_everybody(pools: list[Pool]) -> None:
    """Change every user, so that a row that isn't read anew is wrong."""
    for pool in pools:
        for name in list(pool.usernames()):
            pool.change(name, {"email": f"{name}@new.example.com"})


def rows(database: Database) -> dict[tuple[str, str], str]:
    """The table: the address of each user."""
    return {
        (pool_id, name): email
        for pool_id, name, email in database.rows(
            "select user_pool_id, username, email from cognito.users"
        )
    }


def truth(pools: list[Pool]) -> dict[tuple[str, str], str]:
    """What the table must be."""
    return {
        (pool.id, name): f"{name}@new.example.com" for pool in pools for name in pool.usernames()
    }
