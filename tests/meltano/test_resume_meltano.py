"""`meltano run` that is cut off, and run again, with the real target."""

from __future__ import annotations

import random
import signal
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING

import psutil
import pytest

from emulator import Emulator, Pool
from tap_cognito.cognito.parallel import CONCURRENCY
from tap_cognito.cognito.segments import sub_of
from tests.support.projects import meltano_of_all_pools, project

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.tables import Database

pytestmark = pytest.mark.usefixtures("_plugins")

DEATHS = ("SIGKILL", "SIGTERM", "SomethingNewException", "ExpiredTokenException")

PROGRAM = """\
#!{python}
from tap_cognito import cli
from tap_cognito.cognito import users

users.LARGE_POOL = 1_000
cli.main()
"""


def signal_tap(program: str, number: signal.Signals) -> None:
    """Send a signal to the tap that Meltano has started."""
    (tap,) = [
        process
        for process in psutil.Process().children(recursive=True)
        if program in process.cmdline()
    ]
    tap.send_signal(number)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("what", ["segments", "pools"])
def test_a_run_that_was_cut_off_goes_on(
    what: str, seed: int, database: Database, tmp_path: Path
) -> None:
    """The second run asks for what was missing or under way only, and the mirror is right."""
    folder = project(tmp_path, tap_cognito=PROGRAM)
    choose = random.Random(seed)  # noqa: S311 - repeatable
    death = DEATHS[seed % len(DEATHS)]
    if what == "segments":
        pools, moment = [Pool(4_000, sub_format="random")], choose.randint(60, 270)
    else:
        names = [f"us-east-1_P{number:02}" for number in range(40)]
        pools, moment = [Pool(30, *pool) for pool in enumerate(names)], choose.randint(17, 40)
    with ExitStack() as stack:
        emulator = stack.enter_context(Emulator(pools=pools, latency=0.1))
        meltano = meltano_of_all_pools(stack, emulator, database)
        command = ["--cwd", str(folder), "--environment=mirror", "run"]
        command += ["tap-cognito", "target-postgres"]

        def die() -> None:
            if death.startswith("SIG"):
                signal_tap(str(folder / "tap-cognito"), signal.Signals[death])
            else:
                emulator.refused = {"ListUsers": death}

        emulator.before_request(moment, die, {"ListUsers"})
        assert meltano(*command) != 0
        emulator.refused = {}
        first = listings(emulator)
        emulator.log.requests.clear()
        with database.connect() as connection:
            connection.execute(
                "insert into cognito.users (user_pool_id, username, _sdc_table_version)"
                "values (%s, 'who left before', 1)",
                [pools[0].id],
            )
        pool = choose.choice(pools)
        gone, created = choose.choice(list(pool.users())), pool.create()
        pool.delete(gone["Username"])
        assert meltano(*command) == 0
        second = listings(emulator)
        rows = Counter(database.rows("select user_pool_id, username from cognito.users"))
        truth = Counter((pool.id, name) for pool in pools for name in pool.usernames())
    # Sixteen were under way, and the pages of as many were read ahead.
    assert len(first & second) <= 2 * CONCURRENCY
    of_gone, of_created = (
        (pool.id, f'sub ^= "{sub_of(user)[:2]}"' if what == "segments" else None)
        for user in (gone, created)
    )
    if what == "segments":
        assert (pools[0].id, None) not in second
        filters = {text for _, text in first | second if text}
        assert len({text for text in filters if len(text) == len('sub ^= "00"')}) == 256
    # Who left after the reading of a listing leaves with the next complete scan.
    if of_gone in first and (of_gone not in second or rows[pool.id, gone["Username"]]):
        truth[pool.id, gone["Username"]] = 1
    if of_created not in second:
        del truth[pool.id, created["Username"]]
    assert rows == truth


def listings(emulator: Emulator) -> set[tuple[str | None, str | None]]:
    """Of which listings of users a page was returned."""
    return {
        (request.pool_id, request.filter)
        for request in emulator.log.matching(operation="ListUsers", outcome="ok")
    }
