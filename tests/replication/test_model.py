"""A model checker: random runs over random pools, and a table that a model of a target keeps.

Pools gain, lose and change users between runs and within them; runs are cut off at any message,
refused in the middle, or given an earlier state or one that a store has merged; settings change.
Whenever a run ends well the table must be what its mode promises. A failure prints its seed:
`MODEL_SEED=7 python3 dev.py test tests/replication/test_model.py`.
"""

from __future__ import annotations

import copy
import json
import os
import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from emulator import Emulator, Pool
from tap_cognito.cognito import client, users
from tap_cognito.dates import parse_date
from tap_cognito.errors import TapCognitoError
from tap_cognito.tap import TapCognito
from tests.support.catalogs import INCREMENTAL, selected
from tests.support.programs import emulator_config
from tests.support.states import bookmarks, merge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Capture = pytest.CaptureFixture[bytes]

Json = dict[str, Any]
Key = tuple[str, str]

MODES = ("exact", "mirror", "increments")
CHANGES: list[Json] = [
    {},
    {"attributes_exclude": ["name"]},
    {"attributes_format": "list"},
    {"stream_maps": {"users": {"__alias__": "people"}}},
    {"stream_maps": {"users": {"__filter__": "enabled"}}},
    {"start_date": "2020-01-01"},
]
"""Settings between which runs change: what is kept must notice."""


class Target:
    """The tables that a target keeps: rows and their versions by key, and the last state."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[Key, Json]] = {}
        self.versions: dict[tuple[str, Key], int] = {}

    def load(self, messages: Iterable[Json]) -> list[Json]:
        """Load messages; return the states among them."""
        states = []
        for message in messages:
            if message["type"] == "STATE":
                states.append(message["value"])
                continue
            if message["type"] == "SCHEMA":
                continue
            name = message["stream"]
            table = self.tables.setdefault(name, {})
            if message["type"] == "RECORD":
                key = (message["record"]["user_pool_id"], message["record"]["username"])
                table[key] = message["record"]
                self.versions[name, key] = message.get("version") or 0
            else:
                old = [key for key in table if self.versions[name, key] < message["version"]]
                for key in old:
                    del table[key]
        return states


class World:
    """Pools, a table and a state, and random events that happen to them.

    Args:
        seed: Decides all that happens.
        capture: Where the tap writes to.
    """

    def __init__(self, seed: int, capture: Capture) -> None:
        self.choose = random.Random(seed)  # noqa: S311 - repeatable
        self.mode = self.choose.choice(MODES)
        self.target = Target()
        self.state: Json | None = None
        self.settings: Json = {}
        self.error: TapCognitoError | None = None
        self._turn = 0
        self._capture = capture
        count = self.choose.randint(1, 4)
        sizes = [self.choose.choice([0, 1, 30, 61, 300]) for _ in range(count)]
        pools = [
            Pool(size, seed * 10 + number, f"us-east-1_M{number}")
            for number, size in enumerate(sizes)
        ]
        self.emulator = Emulator(pools=pools)
        self.present: set[Key] = set(dict(self.users()))

    def live(self) -> None:
        """Let users come, go and change."""
        for pool in self.emulator.pools:
            names = list(pool.usernames())
            for _ in range(self.choose.randint(0, 3)):
                event = self.choose.choice(["create", "delete", "change"])
                if event == "create" or not names:
                    pool.create()
                    continue
                name = names.pop(self.choose.randrange(len(names)))
                if event == "delete":
                    pool.delete(name)
                else:
                    pool.change(name, {"email": f"{self.choose.random()}@example.com"})

    def read(self, state: Json | None) -> tuple[list[Json], bool]:
        """Run the tap with a state; return what it wrote, and whether it ended well."""
        config = emulator_config(self.emulator, max_requests_per_second=1_000, **self.settings)
        del config["user_pool_id"]
        config["user_pool_ids"] = [pool.id for pool in self.emulator.pools]
        config["emit_activate_version_messages"] = self.mode == "mirror"
        replication = INCREMENTAL if self.mode == "increments" else None
        catalog = selected("users", config=config, replication=replication)
        is_complete = True
        try:
            TapCognito(config=config, catalog=catalog, state=copy.deepcopy(state)).sync_all()
        except TapCognitoError as error:
            self.error, is_complete = error, False
        self._turn += 1
        lines = self._capture.readouterr().out.splitlines()
        return [json.loads(line) for line in lines], is_complete

    def run(self) -> None:
        """Run once, and check the table if the run ended well."""
        self.present &= set(dict(self.users()))
        self.emulator.refused = {}
        within = self.choose.random()
        if within < 0.3:
            number = self.choose.randint(1, 12)
            pool = self.choose.choice([*(f"{each.id}/*" for each in self.emulator.pools), "*"])
            code = self.choose.choice(
                ["ExpiredTokenException", "SomethingNewException", "InternalErrorException"]
            )
            self.before_request(number, lambda: setattr(self.emulator, "refused", {pool: code}))
        elif within < 0.6:
            self.before_request(self.choose.randint(1, 12), self.live)
        is_refresh = self.choose.random() < 0.2
        messages, is_complete = self.read(None if is_refresh else self.state)
        if self.choose.random() < 0.3:
            messages, is_complete = messages[: self.choose.randint(0, len(messages))], False
        states = self.target.load(messages)
        self.keep(states, is_complete=is_complete, is_refresh=is_refresh)
        if is_complete:
            self.check()
            self.present = set(dict(self.users()))

    def before_request(self, number: int, action: Callable[[], object]) -> None:
        """Do something within the next run, if it makes so many requests."""
        turn = self._turn

        def act() -> None:
            if turn == self._turn:
                action()

        self.emulator.before_request(number, act)

    def keep(self, states: list[Json], *, is_complete: bool, is_refresh: bool) -> None:
        """Keep one of a run's states, as stores do: the last, a merged one, or an earlier one."""
        if not states:
            return
        new = states[-1] if is_complete else self.choose.choice(states)
        if is_refresh or self.choose.random() < 0.4:
            merged = copy.deepcopy(self.state or {})
            for state in states[: states.index(new) + 1]:
                merge(copy.deepcopy(state), merged)
            new = merged
        self.state = new

    def users(self) -> list[tuple[Key, Json]]:
        """All users of all pools, by key."""
        return [
            ((pool.id, user["Username"]), user)
            for pool in self.emulator.pools
            for user in pool.users()
        ]

    def wanted(self) -> dict[Key, Json]:
        """The users whom the table must have, by the settings."""
        maps = self.settings.get("stream_maps", {}).get("users", {})
        start = parse_date(self.settings.get("start_date") or "1970-01-01").timestamp()
        since = start if self.mode == "increments" else 0
        return {
            key: user
            for key, user in self.users()
            if (user["Enabled"] or "__filter__" not in maps)
            and user["UserLastModifiedDate"] >= since
        }

    def table(self) -> dict[Key, Json]:
        """The table, by the settings."""
        maps = self.settings.get("stream_maps", {}).get("users", {})
        return self.target.tables.get(maps.get("__alias__", "users"), {})

    def check(self) -> None:
        """Check that who was in the pools since the scan began, at the latest, is in the table."""
        missing = self.present & self.wanted().keys() - self.table().keys()
        assert not missing, f"{len(missing)} are missing"


def explore(seed: int, capture: Capture) -> None:
    """Play one game: some runs, then two undisturbed ones, after which the table is exact."""
    world = World(seed, capture)
    with world.emulator:
        for _ in range(world.choose.randint(2, 6)):
            world.live()
            if world.choose.random() < 0.2:
                world.settings = world.choose.choice(CHANGES)
            world.run()
        world.live()
        world.emulator.refused = {}
        for _ in range(2):  # the first may complete a scan that began before
            messages, is_complete = world.read(world.state)
            assert is_complete, world.error
            world.state = world.target.load(messages)[-1]
        exact(world)


def exact(world: World) -> None:
    """Check that nothing in the table is out of date, and that a mirror has nobody else."""
    table, expected = world.table(), world.wanted()
    assert expected.keys() <= table.keys()
    for key, user in expected.items():
        attributes = {each["Name"]: each.get("Value") for each in user["Attributes"]}
        assert table[key]["email"] == attributes.get("email")
        assert type(table[key]["attributes"]) is (
            list if world.settings.get("attributes_format") == "list" else dict
        )
    if world.mode == "mirror":
        assert table.keys() == expected.keys()
    if world.mode == "increments":
        assert bookmarks(world.state).keys() >= {
            pool.id for pool in world.emulator.pools if len(pool)
        }


@contextmanager
def naming(seed: int) -> Iterator[None]:
    """Let a failure name the seed."""
    try:
        yield
    except BaseException as error:
        error.args = (f"MODEL_SEED={seed}: {error}",)
        raise


def play(seeds: Iterable[int], capture: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Play the games of some seeds; a failure names its own."""
    monkeypatch.setattr(client, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(users, "LARGE_POOL", 200)
    chosen = os.environ.get("MODEL_SEED")
    for seed in [int(chosen)] if chosen else seeds:
        with naming(seed):
            explore(seed, capture)


@pytest.mark.whole_pools
def test_any_history_of_runs_ends_with_the_right_table(
    capfdbinary: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A good run has who was there throughout, two are exact; 46 has an end that was merged."""
    play([46, *range(5)], capfdbinary, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(20))
def test_many_histories_of_runs_end_with_the_right_table(
    capfdbinary: Capture, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    """The same for 10,000 seeds."""
    play(range(500 * batch, 500 * (batch + 1)), capfdbinary, monkeypatch)
