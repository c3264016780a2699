"""A model checker: random runs over random pools, and a table that a model of a target keeps.

Pools gain, lose and change users, groups and members between runs and within them, and come and go;
runs are cut off at any message, refused in the middle, lose tokens and the ends of lists, are given
an earlier state or one that a store has merged; settings change; a pool or a group fails for good.
Whenever a run ends well the table must be what its mode promises. A failure prints its seed:
`MODEL_SEED=7 python3 dev.py test tests/replication/test_model.py`.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from emulator.errors import ApiError
from tests.support.histories import CHANGES, CODES, World
from tests.support.in_process import answer_in_process, hasten
from tests.support.states import bookmarks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ON_THE_WIRE = 50
"""Of so many seeds one speaks HTTP; the others are answered in this process."""


def explore(world: World) -> None:
    """Play one game: some runs, then two undisturbed ones, after which the table is exact."""
    for _ in range(world.choose.randint(2, 6)):
        world.live()
        if world.stream == "users" and world.choose.random() < 0.2:
            world.settings = world.choose.choice(CHANGES)
        world.run()
    if world.choose.random() < 0.2:
        world.calm()
        let_one_fail(world)
    world.live()
    world.calm()
    for _ in range(2):  # the first may complete a scan that began before
        run_to_the_end(world)
    world.check_values(world.wanted())
    if world.mode == "mirror":
        assert world.table().keys() == world.wanted().keys()
    if world.mode == "increments":
        having = {key[0] for key in world.rows()}
        assert bookmarks(world.state, world.stream).keys() >= having
    if world.settings.get("attributes_format") == "list":
        table = world.table()
        assert all(type(table[key]["attributes"]) is list for key in world.wanted())


def run_to_the_end(world: World, *, fails: bool | None = False) -> None:
    """Run once, and keep the state; `fails` says whether it must fail."""
    messages, is_complete = world.read(world.state)
    assert is_complete is not fails, world.error
    world.state = world.target.load(messages)[-1]


def let_one_fail(world: World) -> None:
    """Refuse all requests about one pool, or one group: the others are read anew all the same."""
    pools = sorted(pool.id for pool in world.emulator.pools)
    groups = {key[:2] for key in world.rows()} if world.stream == "group_memberships" else set()
    if len(groups) > 1:
        failing: Any = world.choose.choice(sorted(groups))
    elif len(pools) > 1:
        failing = (world.choose.choice(pools),)
    else:
        return
    error = ApiError(world.choose.choice(CODES[1:]), "No.", 400)

    def refuse(_: str, parameters: dict[str, Any]) -> ApiError | None:
        asked = (parameters.get("UserPoolId"), parameters.get("GroupName"))
        return error if asked[: len(failing)] == failing else None

    world.emulator.refuse = refuse
    run_to_the_end(world, fails=None)  # it may complete a scan in which the rest was read before
    for _ in range(3):
        run_to_the_end(world, fails=True)
    world.live(pools=False)
    if len(failing) > 1 and failing not in {key[:2] for key in world.rows()}:
        return  # the group was deleted: nothing fails
    for _ in range(2):
        run_to_the_end(world, fails=True)
        others = {key: row for key, row in world.wanted().items() if key[: len(failing)] != failing}
        world.check_values(others)


@contextmanager
def naming(seed: int) -> Iterator[None]:
    """Let a failure name the seed."""
    try:
        yield
    except BaseException as error:
        error.args = (f"MODEL_SEED={seed}: {error}",)
        raise


def play(seeds: Iterable[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Play the games of some seeds; a failure names its own."""
    hasten(monkeypatch)
    chosen = os.environ.get("MODEL_SEED")
    for seed in [int(chosen)] if chosen else seeds:
        world = World(seed)
        with naming(seed), monkeypatch.context() as patch:
            if seed % ON_THE_WIRE:
                answer_in_process(world.emulator, patch)
                explore(world)
            else:
                with world.emulator:
                    explore(world)


@pytest.mark.whole_pools
def test_any_history_of_runs_ends_with_the_right_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A good run has who was there throughout, two are exact; 17 has an end that was merged."""
    play([*range(20), 35], monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(20))
def test_many_histories_of_runs_end_with_the_right_table(
    monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    """The same for 10,000 seeds."""
    play(range(500 * batch, 500 * (batch + 1)), monkeypatch)
