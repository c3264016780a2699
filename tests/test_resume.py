"""A scan that was cut off goes on where it was, and the table is right in the end."""

from __future__ import annotations

import copy
import itertools
import json
import math
import random
import re
from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from emulator import Emulator, Pool
from support import emulator_config
from tap_cognito.cognito import users
from tap_cognito.errors import TapCognitoError
from tap_cognito.tap import TapCognito

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Capture = pytest.CaptureFixture[bytes]

Json = dict[str, Any]

PAGE = users.PAGE_SIZE
MODES = ("exact", "mirror", "increments")
KEYS = {
    "users": ("user_pool_id", "username"),
    "group_memberships": ("user_pool_id", "group_name", "username"),
}


class Messages(NamedTuple):
    """What a run has written, or a part of it."""

    list: list[Json]

    def of(self, kind: str) -> list[Json]:
        """The messages of a type."""
        return [message for message in self.list if message["type"] == kind]

    @property
    def state(self) -> Json | None:
        """The last state."""
        states = self.of("STATE")
        return states[-1]["value"] if states else None

    def cut(self, number: int) -> Messages:
        """What was written when a run was killed after so many messages."""
        return Messages(self.list[:number])


class Table(dict[tuple[Any, ...], Json]):
    """A table as a target keeps it: rows by key, and the version of each."""

    def __init__(self) -> None:
        super().__init__()
        self._versions: dict[tuple[Any, ...], int] = {}

    def load(self, messages: Messages) -> None:
        """Load what a run has written."""
        for message in messages.list:
            if message["type"] == "RECORD":
                record = message["record"]
                key = tuple(record.get(name) for name in KEYS[message["stream"]])
                self[key] = record
                self._versions[key] = message.get("version", 0)
            elif message["type"] == "ACTIVATE_VERSION":
                for key in [key for key in self if self._versions[key] < message["version"]]:
                    del self[key]


class Source:
    """Emulated pools, and the tap in this process that reads one stream of them.

    Args:
        emulator: Serves the pools.
        capture: Where the tap writes to.
        mode: One of `MODES`.
        stream: What is read.
        config: Further settings.
    """

    def __init__(
        self, emulator: Emulator, capture: Capture, mode: str, stream: str, **config: Any
    ) -> None:
        self.emulator = emulator
        self.mode = mode
        self._stream = stream
        self._capture = capture
        self._config = emulator_config(emulator, max_requests_per_second=1_000, **config)
        if mode == "mirror":
            self._config["emit_activate_version_messages"] = True
        if "user_pool_ids" in config:
            del self._config["user_pool_id"]

    def run(self, state: Json | None = None, *, fails: str = "", **config: Any) -> Messages:
        """Run the tap to its end, or until it fails with these words."""
        config = {**self._config, **config}
        catalog = TapCognito(config=config).catalog_dict
        for entry in catalog["streams"]:
            entry["metadata"][-1]["metadata"]["selected"] = entry["stream"] == self._stream
            if self.mode == "increments" and entry["stream"] == "users":
                entry |= {"replication_method": "INCREMENTAL", "replication_key": "updated_at"}
        tap = TapCognito(config=config, catalog=catalog, state=copy.deepcopy(state))
        self.emulator.log.requests.clear()
        if fails:
            with pytest.raises(TapCognitoError, match=fails):
                tap.sync_all()
        else:
            tap.sync_all()
        return Messages([json.loads(line) for line in self._capture.readouterr().out.splitlines()])

    def saved(self, state: Json | None) -> Json:
        """What a state has of the scan; nothing if there is none."""
        bookmarks = (state or {}).get("bookmarks", {})
        scan: Json = bookmarks.get(self._stream, {}).get("scan", {})
        return scan

    def names(self) -> dict[tuple[Any, ...], str]:
        """The users of the pools by their key in the table, with their `sub`."""
        many = "user_pool_ids" in self._config
        return {
            (pool.id if many else None, user["Username"]): sub_of(user)
            for pool in self.emulator.pools
            for user in pool.users()
        }


def sub_of(user: Json) -> str:
    """A user's `sub`."""
    return next(item["Value"] for item in user["Attributes"] if item["Name"] == "sub")


def requests(subs: Iterable[str], prefixes: Iterable[str]) -> Counter[str]:
    """How many requests it takes to list these segments."""
    counts = Counter({f'sub ^= "{prefix}"': 0 for prefix in prefixes})
    for sub in subs:
        for prefix in prefixes:
            if sub.startswith(prefix):
                counts[f'sub ^= "{prefix}"'] += 1
    return Counter({name: max(1, math.ceil(count / PAGE)) for name, count in counts.items()})


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pools of some thousands of users be large ones."""
    monkeypatch.setattr(users, "LARGE_POOL", 3_000)


def moments(messages: Messages, count: int, seed: int) -> list[int]:
    """Random moments of a run, after its first listing is complete."""
    first = next(i for i, message in enumerate(messages.list) if "scan" in str(message))
    return sorted(random.Random(seed).sample(range(first + 1, len(messages.list)), count))  # noqa: S311 - moments


# What a second run reads, and what the table is then


@pytest.mark.usefixtures("small_segments")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sub_format", ["random", "regional"])
def test_only_segments_that_were_not_complete_are_read(
    capfdbinary: Capture, mode: str, sub_format: Any
) -> None:
    """After a cut at any moment the missing segments are requested, each page once, and no others."""
    with Emulator(Pool(4_000, sub_format=sub_format)) as emulator:
        source = Source(emulator, capfdbinary, mode, "users")
        whole = source.run()
        truth = source.names()
        for number in moments(whole, 4, seed=1):
            part, table = whole.cut(number), Table()
            saved = source.saved(part.state)
            segments = saved["pools"][emulator.pool.id]["segments"]
            left = set(segments) - set(saved["pools"][emulator.pool.id]["done"])
            assert len(segments) == {"random": 256, "regional": 496}[sub_format]
            assert len(left) < len(segments)
            table.load(part)
            rest = source.run(part.state)
            table.load(rest)
            asked = Counter(str(request.filter) for request in emulator.log.requests)
            assert asked == requests(truth.values(), left)
            assert table.keys() == truth.keys()
            assert source.saved(rest.state) == {}


@pytest.mark.parametrize("mode", MODES)
def test_only_pools_that_were_not_complete_are_read(capfdbinary: Capture, mode: str) -> None:
    """Of forty small pools the second run asks for those that were missing or under way only."""
    pools = [Pool(30, number, f"us-east-1_P{number}") for number in range(40)]
    with Emulator(pools=pools) as emulator:
        source = Source(emulator, capfdbinary, mode, "users", user_pool_ids=["us-east-1_*"])
        whole = source.run()
        for number in moments(whole, 4, seed=2):
            part, table = whole.cut(number), Table()
            complete = set(source.saved(part.state)["complete"])
            table.load(part)
            rest = source.run(part.state)
            table.load(rest)
            asked = Counter(
                request.pool_id
                for request in emulator.log.requests
                if request.operation != "ListUserPools"
            )
            assert asked == Counter({pool.id for pool in pools} - complete)
            assert table.keys() == source.names().keys()
            assert source.saved(rest.state) == {}
