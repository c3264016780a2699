"""`cognito-to-postgres`: one command, by environment variables alone."""

from __future__ import annotations

import json
import os
import signal
import socket
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from emulator import Emulator, Pool
from tap_cognito.load import _settings
from tests.support.programs import (
    COGNITO_TO_POSTGRES,
    TIMEOUT,
    emulator_config,
    run_forked,
    start,
)
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    from tests.support.forking import Forked
    from tests.support.tables import Database

pytestmark = pytest.mark.programs


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulated pool."""
    with Emulator(Pool(300)) as running:
        yield running


def environment(emulator: Emulator, database: Database, **more: Any) -> dict[str, str]:
    """The variables of both ends."""
    settings = emulator_config(emulator, **more)
    return {
        "TARGET_POSTGRES_SQLALCHEMY_URL": database.server.url(database.name),
        **{f"TAP_COGNITO_{name.upper()}": str(value) for name, value in settings.items()},
    }


def run(env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return run_forked(COGNITO_TO_POSTGRES, env)


@contextmanager
def running(
    env: dict[str, str],
) -> Iterator[tuple[Forked | subprocess.Popen[bytes], Callable[[], tuple[int, str]]]]:
    """The command under way, and how to wait for its exit status and what it has logged."""
    with ExitStack() as stack:
        nothing = stack.enter_context(Path(os.devnull).open("r+"))
        log = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8"))
        program = start(stack, COGNITO_TO_POSTGRES, env, nothing, nothing, log)

        def end() -> tuple[int, str]:
            status = program.wait(TIMEOUT)
            log.seek(0)
            return status, log.read()

        yield program, end


def names(database: Database) -> set[str]:
    """The users in the table."""
    return {name for (name,) in database.rows("select username from cognito.users")}


def users(emulator: Emulator) -> set[str]:
    """The users of the pool."""
    return {user["Username"] for user in emulator.pool.users()}


def test_it_loads_a_pool(emulator: Emulator, database: Database) -> None:
    """The table has the users and the documented columns; the last line is the result."""
    ended = run(environment(emulator, database))
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
    assert names(database) == users(emulator)
    assert [name for name, _ in database.columns()] == [
        "username", "email", "status", "enabled", "created_at", "updated_at", "attributes",
    ]  # fmt: skip
    assert "| Complete: 300 users read, 300 sent; " in ended.stderr.splitlines()[-1]
    assert "env var" not in ended.stderr  # the SDK says it of every run


def test_rows_of_deleted_users_leave_the_table(emulator: Emulator, database: Database) -> None:
    """With the tap's setting for deletions the target needs no settings of its own."""
    env = environment(emulator, database, emit_activate_version_messages=True)
    assert run(env).returncode == 0
    gone = next(iter(users(emulator)))
    emulator.pool.delete(gone)
    ended = run(env)
    assert ended.returncode == 0, ended.stderr
    assert names(database) == users(emulator)
    assert gone not in names(database)


@pytest.mark.parametrize(
    ("replaced", "by", "reason"),
    [
        ("postgres:{password}@", "postgres:wr0ng-pass_phrase@", "refuses the user or the password"),
        ("/{name}", "/missing", "there is no database of this name"),
        (":{port}/", ":1/", "nothing listens there"),
    ],
)
def test_a_wrong_database_is_one_sentence(
    emulator: Emulator, database: Database, replaced: str, by: str, reason: str
) -> None:
    """The database is tried before the pool; the line doesn't show the password."""
    env = environment(emulator, database)
    server = database.server
    known = replaced.format(password=server.password, name=database.name, port=server.port)
    url = env["TARGET_POSTGRES_SQLALCHEMY_URL"]
    env["TARGET_POSTGRES_SQLALCHEMY_URL"] = url.replace(known, by)
    assert url != env["TARGET_POSTGRES_SQLALCHEMY_URL"]
    ended = run(env)
    (line,) = ended.stderr.splitlines()
    assert reason in line
    assert "wr0ng" not in line
    assert server.password not in line
    assert ended.returncode == 1
    assert emulator.log.count() == 0


def test_a_silent_database_is_one_sentence(emulator: Emulator, database: Database) -> None:
    """A server that accepts and never answers ends the run, in seconds that its address may set."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        env = environment(emulator, database)
        env["TARGET_POSTGRES_SQLALCHEMY_URL"] = (
            f"postgresql://loader:secret@127.0.0.1:{silent.getsockname()[1]}/warehouse"
        )
        env["PGCONNECT_TIMEOUT"] = "2"  # the shortest there is
        ended = run(env)
    (line,) = ended.stderr.splitlines()
    assert "no answer in time" in line
    assert ended.returncode == 1


@pytest.mark.parametrize(("mirror", "expected"), [(None, "False"), ("0", "False"), ("Yes", "True")])
def test_the_target_has_the_settings_of_the_documented_table(
    mirror: str | None, expected: str
) -> None:
    """It loads by COPY into the schema cognito; the tap's setting for deletions is the target's."""
    given = {} if mirror is None else {"TAP_COGNITO_EMIT_ACTIVATE_VERSION_MESSAGES": mirror}
    made = _settings(given)
    names = ("ADD_RECORD_METADATA", "ACTIVATE_VERSION", "HARD_DELETE")
    assert {made[f"TARGET_POSTGRES_{name}"] for name in names} == {expected}
    assert made["TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA"] == "cognito"
    assert made["TARGET_POSTGRES_USE_COPY"] == "true"
    own = {f"TARGET_POSTGRES_{name}": "own" for name in (*names, "USE_COPY")}
    assert own.items() <= _settings(given | own).items()


def test_a_silent_database_is_waited_for_ten_seconds() -> None:
    """The limit, which is two minutes without it, holds where nothing else is set."""
    assert _settings({})["PGCONNECT_TIMEOUT"] == "10"
    assert _settings({"PGCONNECT_TIMEOUT": "60"})["PGCONNECT_TIMEOUT"] == "60"


@pytest.mark.parametrize("kind", ["view", "foreign table"])
def test_a_foreign_table_in_the_way_ends_the_run_before_the_first_request(
    emulator: Emulator, database: Database, kind: str
) -> None:
    """Who moves over from a foreign table, or has replaced it by a view, is told the setting."""
    with database.connect() as connection:
        connection.execute("create schema cognito")
        if kind == "view":
            connection.execute("create view cognito.users as select 'ada' as username")
        else:
            connection.execute("create foreign data wrapper cognito_wrapper")
            connection.execute("create server s foreign data wrapper cognito_wrapper")
            connection.execute("create foreign table cognito.users (username text) server s")
    ended = run(environment(emulator, database))
    (line,) = ended.stderr.splitlines()
    assert "set TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA to another schema" in line
    assert ended.returncode == 1
    assert emulator.log.count() == 0


def test_a_partitioned_table_is_loaded_into(emulator: Emulator, database: Database) -> None:
    """The table may be an administrator's own, in partitions."""
    with database.connect() as connection:
        connection.execute("create schema cognito")
        connection.execute(
            "create table cognito.users (username text primary key) partition by hash (username)"
        )
        connection.execute(
            "create table cognito.users_0 partition of cognito.users "
            "for values with (modulus 1, remainder 0)"
        )
    ended = run(environment(emulator, database))
    assert ended.returncode == 0, ended.stderr
    assert names(database) == users(emulator)


LOCKED = """select pid from pg_locks join pg_database on pg_database.oid = database
where locktype = 'advisory' and granted and datname = current_database()"""


def test_a_second_run_is_refused_and_the_first_one_goes_on(
    emulator: Emulator, database: Database
) -> None:
    """Two runs would keep one state; the lock ends with the run that has it."""
    env = environment(emulator, database)
    with database.connect() as connection:
        connection.execute("create schema cognito")
        connection.execute(
            "create table cognito._tap_cognito_state (pools text primary key, state text)"
        )
        connection.execute("begin")
        connection.execute("lock table cognito._tap_cognito_state")  # the first run waits for it
        with running(env) as (_, end):
            try:
                wait_until(lambda: bool(database.rows(LOCKED)), every=0.05)
                second = run(env)
            finally:
                connection.execute("commit")
            status, logged = end()
    (line,) = second.stderr.splitlines()
    assert "another cognito-to-postgres loads the same pools" in line
    assert second.returncode == 1
    assert status == 0, logged
    assert names(database) == users(emulator)
    assert not database.rows(LOCKED)


def test_a_lost_lock_harms_no_run(emulator: Emulator, database: Database) -> None:
    """A pooler or a firewall may hang up on the session that only holds the lock."""
    with running(environment(emulator, database)) as (_, end):
        wait_until(lambda: bool(database.rows(LOCKED)), every=0.05)
        assert database.rows(LOCKED.replace("select pid", "select pg_terminate_backend(pid)"))
        status, logged = end()
    assert status == 0, logged
    assert "| Complete: 300 users read, 300 sent; " in logged.splitlines()[-1]
    assert names(database) == users(emulator)


def test_a_missing_setting_is_one_sentence(emulator: Emulator, database: Database) -> None:
    """Without a database the line names its variables."""
    env = environment(emulator, database)
    del env["TARGET_POSTGRES_SQLALCHEMY_URL"]
    ended = run(env)
    (line,) = ended.stderr.splitlines()
    assert "set TARGET_POSTGRES_SQLALCHEMY_URL, or TARGET_POSTGRES_HOST" in line
    assert ended.returncode == 1


def test_a_tap_that_may_not_read_ends_the_run_before_the_first_record(database: Database) -> None:
    """The tap's own line is the last one, its status the command's, and no table is made."""
    with Emulator(Pool(10), denied={"cognito-idp:ListUsers"}) as denying:
        ended = run(environment(denying, database))
    assert "attach this IAM policy" in ended.stderr.splitlines()[-1]
    assert ended.returncode == 1
    assert not database.rows("select 1 from pg_tables where tablename = 'users'")


def test_a_target_that_fails_is_one_sentence_without_values(
    emulator: Emulator, database: Database
) -> None:
    """A table that can't take the rows fails the run, and no user's value is shown."""
    with database.connect() as connection:
        connection.execute("create schema cognito")
        connection.execute(
            "create table cognito.users (username text primary key, "
            "email text check (email is null), status text, enabled boolean, "
            "created_at timestamp, updated_at timestamp, attributes jsonb)"
        )
    ended = run(environment(emulator, database))
    last = ended.stderr.splitlines()[-1]
    assert "target-postgres failed: CheckViolation" in last
    assert ended.returncode == 1
    assert "example.com" not in ended.stderr
    assert database.server.password not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_stopped_run_is_resumed_without_a_file(database: Database) -> None:
    """What SIGTERM leaves is loaded and kept in the schema; the next run reads only the rest."""
    with Emulator(Pool(3_000)) as slow:
        env = environment(slow, database, max_requests_per_second=12)
        with running(env) as (program, end):
            wait_until(lambda: slow.log.count("ListUsers") > 57)
            program.send_signal(signal.SIGTERM)
            status, logged = end()
        assert status == 128 + signal.SIGTERM, logged
        assert "stopped by SIGTERM" in logged.splitlines()[-1]
        ((state,),) = database.rows("select state from cognito._tap_cognito_state")
        assert "scan" in json.loads(state)["bookmarks"]["users"]
        ended = run(environment(slow, database))
        assert ended.returncode == 0, ended.stderr
        assert "Resuming the scan that was cut off" in ended.stderr
        assert names(database) == users(slow)
