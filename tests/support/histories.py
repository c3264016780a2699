"""Random histories of pools and runs, and the tables that a model of a target keeps of them."""

from __future__ import annotations

import contextlib
import copy
import functools
import io
import json
import random
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from emulator import Emulator, Pool
from tap_cognito.cognito.listing import PAGE_SIZE
from tap_cognito.dates import parse_date
from tap_cognito.errors import TapCognitoError
from tap_cognito.tap import TapCognito
from tests.support.catalogs import INCREMENTAL, selected
from tests.support.programs import emulator_config
from tests.support.states import merge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


Json = dict[str, Any]
Key = tuple[str, ...]

MODES = ("exact", "mirror", "increments")
STREAMS = ("users", "users", "users", "groups", "group_memberships")
CHANGES: list[Json] = [
    {},
    {"attributes_exclude": ["name"]},
    {"attributes_format": "list"},
    {"stream_maps": {"users": {"__alias__": "people"}}},
    {"stream_maps": {"users": {"__filter__": "enabled"}}},
    {"start_date": "2020-01-01"},
]
"""Settings between which runs of users change: what is kept must notice."""
CODES = ("ExpiredTokenException", "SomethingNewException", "InternalErrorException")
_FILTERS = [f'sub ^= "{digit}"' for digit in "0123456789abcdef"]


@functools.cache
def _catalog(stream: str, replication: bool, settings: str) -> Json:
    made = selected(
        stream, config=json.loads(settings), replication=INCREMENTAL if replication else None
    )
    made["streams"] = [each for each in made["streams"] if each["stream"] == stream]
    return made


class Row(NamedTuple):
    """What a table must have of a thing."""

    value: Any
    """Something of it that changes."""
    is_enabled: bool = True
    changed: float = 0.0
    """When it changed, in epoch seconds."""


class Target:
    """The tables that a target keeps: rows and their versions by key, and the last state."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[Key, Json]] = {}
        self.versions: dict[tuple[str, Key], int] = {}
        self._keys: dict[str, list[str]] = {}

    def load(self, messages: Iterable[Json]) -> list[Json]:
        """Load messages; return the states among them."""
        states = []
        for message in messages:
            if message["type"] == "STATE":
                states.append(message["value"])
                continue
            name = message["stream"]
            if message["type"] == "SCHEMA":
                self._keys[name] = message["key_properties"]
                continue
            table = self.tables.setdefault(name, {})
            if message["type"] == "RECORD":
                key = tuple(message["record"][column] for column in self._keys[name])
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
    """

    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)  # noqa: S311 - repeatable
        self.stream = self.choose.choice(STREAMS)
        self.mode = self.choose.choice(MODES[: 2 if self.stream == "group_memberships" else 3])
        self.by_pattern = self.choose.random() < 0.3
        self.lookback = self.choose.choice([0, 600])
        self.target = Target()
        self.state: Json | None = None
        self.settings: Json = {}
        self.error: TapCognitoError | None = None
        self._turn = 0
        self._number = seed * 100
        self._gone: list[Pool] = []
        self._page = self.choose.choice([7, 7, 60])
        self._cut_in = 0
        self._may_lack = False
        pools = [self._new_pool() for _ in range(self.choose.randint(1, 4))]
        self.emulator = Emulator(pools=pools)
        self.emulator.respond = self._respond
        self.present = self.rows()

    def _new_pool(self) -> Pool:
        self._number += 1
        size = self.choose.choice([0, 1, 8, 30, 61, 61, 130])
        return Pool(size, self._number, f"us-east-1_M{self._number}")

    def _respond(self, operation: str, parameters: Json, carry_out: Callable[[], str]) -> str:
        """Answer with small pages, one of which may have lost its token."""
        for limit, size in (("Limit", self._page), ("MaxResults", 2)):
            if limit in parameters:
                parameters[limit] = size if operation != "ListGroups" else 2
        text = carry_out()
        # The end of a first page that has room for more users is believed.
        may_end = "PaginationToken" in parameters or self._page == PAGE_SIZE
        if operation == "ListUsers" and self._cut_in and may_end and '"PaginationToken"' in text:
            self._cut_in -= 1
            if not self._cut_in:
                return text.partition(',"PaginationToken"')[0] + "}"
        return text

    # What happens to the pools

    def live(self, *, pools: bool = True) -> None:
        """Let users, groups and members come, go and change; pools too where a pattern is read."""
        if pools and self.by_pattern and self.choose.random() < 0.2:
            self._move_pools()
        for pool in list(self.emulator.pools):
            for _ in range(self.choose.randint(0, 3)):
                if self.stream == "users" or self.choose.random() < 0.3:
                    self._touch_user(pool)
                else:
                    self._touch_group(pool)

    def _move_pools(self) -> None:
        pools = list(self.emulator.pools)
        if len(pools) > 1 and self.choose.random() < 0.5:
            gone = self.choose.choice(pools)
            self.emulator.remove_pool(gone)
            self._gone.append(gone)
        elif self._gone and self.choose.random() < 0.5:
            self.emulator.add_pool(self._gone.pop())
        else:
            self.emulator.add_pool(self._new_pool())

    def _touch_user(self, pool: Pool) -> None:
        names = list(pool.usernames())
        event = self.choose.choice(["create", "delete", "change"])
        if event == "create" or not names:
            pool.create()
            return
        name = self.choose.choice(names)
        if event == "delete":
            pool.delete(name)
        else:
            pool.change(name, {"email": f"{self.choose.random()}@example.com"})

    def _touch_group(self, pool: Pool) -> None:
        groups, names = sorted(pool.groups), list(pool.usernames())
        event = self.choose.choice(["create", "delete", "change", "join", "join", "leave"])
        if event == "create" or not groups:
            name, now = f"group-{self.choose.randrange(10)}", time.time()
            dates = {"CreationDate": now, "LastModifiedDate": now}
            pool.groups.setdefault(name, {"GroupName": name, "UserPoolId": pool.id, **dates})
            return
        group = self.choose.choice(groups)
        members = [user["Username"] for user in pool.members(group)]
        others = sorted(set(names) - set(members))
        if event == "delete":
            del pool.groups[group]
        elif event == "change":
            text = str(self.choose.random())
            changed = {"Description": text, "LastModifiedDate": time.time()}
            pool.groups[group] = {**pool.groups[group], **changed}
        elif event == "join" and others:
            pool.join(self.choose.choice(others), group)
        elif event == "leave" and members:
            pool.leave(self.choose.choice(members), group)

    # What the tap reads

    def read(self, state: Json | None) -> tuple[list[Json], bool]:
        """Run the tap with a state; return what it wrote, and whether it ended well."""
        pool_ids = [pool.id for pool in self.emulator.pools]
        config = emulator_config(
            self.emulator,
            lookback_seconds=self.lookback,
            **copy.deepcopy(self.settings),
            user_pool_ids=["us-east-1_*"] if self.by_pattern else pool_ids,
        )
        config["emit_activate_version_messages"] = self.mode == "mirror"
        shape = {**config, "user_pool_ids": ["us-east-1_*"], "endpoint_url": "http://localhost"}
        catalog = _catalog(self.stream, self.mode == "increments", json.dumps(shape))
        is_complete = True
        written = io.BytesIO()
        with contextlib.redirect_stdout(io.TextIOWrapper(written, encoding="utf-8")) as output:
            try:
                TapCognito(config=config, catalog=catalog, state=copy.deepcopy(state)).sync_all()
            except TapCognitoError as error:
                self.error, is_complete = error, False
            output.flush()
            lines = written.getvalue().splitlines()
        self._turn += 1
        return [json.loads(line) for line in lines], is_complete

    def run(self) -> None:
        """Run once, and check the table if the run ended well."""
        there = self.rows()
        self.present = {key: row for key, row in self.present.items() if key in there}
        self.calm()
        self._disturb()
        is_refresh = self.choose.random() < 0.2
        messages, is_complete = self.read(None if is_refresh else self.state)
        if self.choose.random() < 0.3:
            messages, is_complete = messages[: self.choose.randint(0, len(messages))], False
        states = self.target.load(messages)
        self._keep(states, is_complete=is_complete, is_refresh=is_refresh)
        if is_complete:
            self._check()
            self._may_lack = False
            self.present = self.rows()

    def calm(self) -> None:
        """Let nothing disturb the next run."""
        self.emulator.refused, self.emulator.refuse, self.emulator.ends_early = {}, None, {}
        self.emulator.token_lifetime = self.emulator.token_expiries = None
        self._cut_in = 0

    def _disturb(self) -> None:
        """Let something happen within the next run, or nothing."""
        within = self.choose.random()
        number = self.choose.randint(1, 12)
        if within < 0.25:
            pool = self.choose.choice([*(f"{each.id}/*" for each in self.emulator.pools), "*"])
            code = self.choose.choice(CODES)
            self._before_request(number, lambda: setattr(self.emulator, "refused", {pool: code}))
        elif within < 0.5:
            self._before_request(number, self.live)
        elif within < 0.65:
            self.emulator.token_lifetime = self.choose.randint(1, 3)
            self.emulator.token_expiries = self.choose.choice([1, 2, 5, None])
        elif within < 0.8 and self.stream == "users" and self.mode != "increments":
            self._end_early(number)

    def _end_early(self, number: int) -> None:
        """Lose one token, or let each listing of a kind end after some pages."""
        kind, pages = self.choose.randrange(3), self.choose.randint(1, 3)
        pages += self._page < PAGE_SIZE
        self._may_lack = True
        if kind == 0:
            self._cut_in = number
        else:
            self.emulator.ends_early = dict.fromkeys([""] if kind == 1 else _FILTERS, pages)

    def _before_request(self, number: int, action: Callable[[], object]) -> None:
        """Do something within the next run, if it makes so many requests."""
        turn = self._turn

        def act() -> None:
            if turn == self._turn:
                action()

        self.emulator.before_request(number, act)

    def _keep(self, states: list[Json], *, is_complete: bool, is_refresh: bool) -> None:
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

    # What the table must have

    def rows(self) -> dict[Key, Row]:
        """What is in all pools, by key."""
        return {
            (pool.id, *key): row
            for pool in self.emulator.pools
            for key, row in getattr(self, f"_{self.stream}")(pool)
        }

    @staticmethod
    def _users(pool: Pool) -> Iterator[tuple[Key, Row]]:
        for user in pool.users():
            attributes = {each["Name"]: each.get("Value") for each in user["Attributes"]}
            changed = user["UserLastModifiedDate"]
            yield (user["Username"],), Row(attributes.get("email"), user["Enabled"], changed)

    @staticmethod
    def _groups(pool: Pool) -> Iterator[tuple[Key, Row]]:
        for name, group in list(pool.groups.items()):
            yield (name,), Row(group.get("Description"), changed=group["LastModifiedDate"])

    @staticmethod
    def _group_memberships(pool: Pool) -> Iterator[tuple[Key, Row]]:
        for name in list(pool.groups):
            for user in pool.members(name):
                yield (name, user["Username"]), Row(None)

    def wanted(self, rows: dict[Key, Row] | None = None) -> dict[Key, Row]:
        """The rows that the table must have, by the settings, of these or of all."""
        maps = self.settings.get("stream_maps", {}).get("users", {})
        start = parse_date(self.settings.get("start_date") or "1970-01-01").timestamp()
        since = start if self.mode == "increments" else 0
        return {
            key: row
            for key, row in (self.rows() if rows is None else rows).items()
            if (row.is_enabled or "__filter__" not in maps) and row.changed >= since
        }

    def table(self) -> dict[Key, Json]:
        """The table, by the settings."""
        maps = self.settings.get("stream_maps", {}).get("users", {})
        return self.target.tables.get(maps.get("__alias__", self.stream), {})

    def _check(self) -> None:
        """Check that who was in the pools since the scan began, at the latest, is in the table.

        If a list ended early in the scan, as many may be missing as docs/reliability.md says.
        """
        expected = self.wanted(self.present).keys() & self.wanted().keys()
        missing = expected - self.table().keys()
        for pool in self.emulator.pools:
            count = sum(pool.id == key[0] for key in missing)
            allowed = max(60, 0.1 * len(pool)) if self._may_lack else 0
            assert count <= allowed, f"{count} of {len(pool)} are missing of {pool.id}"

    def check_values(self, expected: dict[Key, Row]) -> None:
        """Check that these rows are in the table, as they are now."""
        table = self.table()
        assert expected.keys() <= table.keys(), f"{len(expected.keys() - table.keys())} missing"
        column = {"users": "email", "groups": "description"}.get(self.stream)
        for key, row in expected.items():
            assert column is None or table[key][column] == row.value, "out of date"
