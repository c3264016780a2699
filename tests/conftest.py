"""The servers that the tests of a process share: one Postgres, one moto."""

from __future__ import annotations

import gc
import itertools
import os
import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from quickstart import pool
from quickstart import postgres as embedded
from quickstart.pipeline import Meltano, forget_settings
from tap_cognito.cognito import quotas
from tests.support.botocore_once import prepare_botocore
from tests.support.clocks import UNLIMITED
from tests.support.identities import SecretStores, secret_stores
from tests.support.selection import Scheduling, mark, note_programs, stays_in_process, turn
from tests.support.tables import Database, memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quickstart.postgres import Postgres


def pytest_configure() -> None:
    """Keep what is set for real pools and databases away from the tests.

    And the certificates of a proxy on the way to them, which take most of a client's time.
    Let SIGTERM end the tests as Ctrl-C does, with all that they have started. SIGHUP, which
    programs that are started by nohup ignore, is as usual.
    """
    forget_settings()
    os.environ.pop("REQUESTS_CA_BUNDLE", None)
    # As for pytest itself: the SDK's warning, which would be a line of each program.
    os.environ["PYTHONWARNINGS"] = "ignore:Python 3.10 reached its end of life"
    note_programs()
    prepare_botocore()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Mark what runs in this process, and what of it is fast; and sort."""
    for item in items:
        mark(item)
    items.sort(key=turn)


def pytest_collection_finish() -> None:
    """Let the garbage collector leave what was imported alone, and come less often.

    It takes a fifth of the time otherwise.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Check that a test that is to stay in this process does so, while its fixtures are made."""
    with stays_in_process(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Check it while the test runs."""
    with stays_in_process(item):
        return (yield)


def pytest_xdist_auto_num_workers() -> int:
    """Take two processes for each processor, up to four: many tests wait for programs."""
    return min(2 * (os.cpu_count() or 1), 4)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    """Choose how the tests are distributed over processes."""
    return Scheduling(config, log)


_numbers = itertools.count(1)


@pytest.fixture
def _unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pace but that of the settings: for tests of what has 5 requests/s at AWS."""
    for name, limit in UNLIMITED.items():
        monkeypatch.setattr(quotas, name, limit)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One Postgres server for all tests."""
    with embedded.serve(memory()) as server:
        yield server


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Database]:
    """A database of the test's own."""
    fresh = Database(f"test_{next(_numbers)}", postgres)
    with postgres.connect() as connection:
        # A copy of files, which are in memory, and not of their content in the log too.
        connection.execute(f"create database {fresh.name} strategy file_copy".encode())
        yield fresh
        connection.execute(f"drop database {fresh.name} with (force)".encode())


@pytest.fixture(scope="session")
def _plugins(postgres: Postgres) -> None:
    """Meltano's plugins, installed."""
    with ExitStack() as stack:
        assert Meltano(stack, {}, postgres)("install") == 0


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """One server of moto for all tests."""
    with pool.serve() as url:
        yield url


@pytest.fixture(scope="session")
def moto_pool(moto_url: str) -> pool.Pool:
    """A pool of 130 users, three pages, and one of everything else; no test changes it."""
    made = pool.create(moto_url)
    pool.populate(made, 130)
    here = {"UserPoolId": made.id}
    made.client.create_group(GroupName="staff", Precedence=1, **here)
    for user in made.users()[::2]:
        made.client.admin_add_user_to_group(GroupName="staff", Username=user["Username"], **here)
    made.client.create_identity_provider(
        ProviderName="Google", ProviderType="Google", ProviderDetails={"client_id": "1"}, **here
    )
    return made


@pytest.fixture(scope="module")
def stores(
    postgres: Postgres, moto_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SecretStores]:
    """Where the secrets lie."""
    with secret_stores(postgres, moto_url, tmp_path_factory.mktemp("secrets")) as made:
        yield made
