"""Runs of the tap over pools that live, and what the table was after each of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from emulator import Emulator, Pool
from quickstart.clock import set_clock
from quickstart.pool import KEYS
from tests.history.play import Play, moment
from tests.support.catalogs import selected
from tests.support.programs import load, pour, run_tap

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from tests.history.expected import Photo
    from tests.support.tables import Database

KINDS = ("mirror", "several pools", "hard_delete false")
"""How a table may be: of one pool, of two, or with deleted rows that are marked and stay."""
CONFIGURATION = ("user_pool", "app_clients")
_COLUMNS = "username, email, status, enabled, created_at, updated_at, attributes"


@dataclass
class Oracle:
    """Plays in one pool or two, loads them, and keeps a photo of the table after each run.

    Attributes:
        database: Where the table is.
        folder: For the catalog.
        seed: Decides on what happens.
        users: How many there are at the start.
        kind: One of `KINDS`.
        photos: Of each run with its time.
    """

    database: Database
    folder: Path
    seed: int
    users: int
    kind: str = "mirror"
    photos: list[tuple[datetime, Photo]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the pools."""
        assert self.kind in KINDS
        self.several = self.kind == "several pools"
        self._marked = self.kind == "hard_delete false"
        size = self.users // (1 + self.several)
        pools = [
            Pool(size, self.seed + number, f"us-east-1_Pool{number}")
            for number in range(1 + self.several)
        ]
        for pool in pools:
            pool.session_configuration["UserSessionTracking"] = "ENABLED"
        self.emulator = Emulator(pools=pools)
        self.plays = [Play(pool, self.seed + number) for number, pool in enumerate(pools)]

    @property
    def config(self) -> dict[str, Any]:
        """The settings of the tap."""
        ids = [play.pool.id for play in self.plays]
        which = {"user_pool_ids": ids} if self.several else {"user_pool_id": ids[0]}
        return {
            **which,
            "endpoint_url": self.emulator.url,
            "max_requests_per_second": 500,
            "user_mfa_requests_per_second": 500,
            "user_details_requests_per_second": 500,
            "emit_activate_version_messages": True,
            **KEYS,
        }

    def run(self, number: int, *streams: str, fails: bool = False) -> None:
        """Let time pass, load the pools by COPY or by INSERT, and take a photo.

        Args:
            number: Of the run, from 0.
            streams: What to load beside `users`.
            fails: Whether the pool becomes unreadable in the middle.
        """
        with self.database.connect() as connection:
            set_clock(connection, moment(number))
        for play in self.plays:
            play.advance(number)
        path = self.folder / "catalog.json"
        path.write_text(json.dumps(selected("users", *streams, config=self.config)))
        target = {
            **self.database.target_config,
            "use_copy": number % 2 == 0,
            "add_record_metadata": True,
            "activate_version": True,
            "hard_delete": not self._marked,
        }
        if fails:
            denied = {"cognito-idp:ListUsers"}
            pages = max(2, self.users // 120)
            self.emulator.before_request(
                pages, lambda: setattr(self.emulator, "denied", denied), {"ListUsers"}
            )
            tap = run_tap(self.config, "--catalog", path)
            self.emulator.denied = frozenset()
            assert tap.returncode == 1
            pour(tap.stdout, target)
        else:
            load(self.config, target, "--catalog", path)
        photo = self.photo()
        assert (photo == self.pools()) is not fails
        self.photos.append((moment(number), photo))

    def pools(self) -> Photo:
        """What the table must hold, by the pools."""
        return {
            f"{play.pool.id}/{name}" if self.several else name: row
            for play in self.plays
            for name, row in play.rows().items()
        }

    def photo(self) -> Photo:
        """What the table holds, but for marked rows."""
        which = "where _sdc_deleted_at is null" if self._marked else ""
        return self._by_key(f"from cognito.users {which}")

    def as_of(self, at: datetime, history: str) -> Photo:
        """What the table held at a moment, by a history."""
        return self._by_key(
            f"from {history} where valid_from <= '{at}' "
            f"and (valid_to > '{at}' or valid_to is null) and not is_deleted"
        )

    def _by_key(self, source: str) -> Photo:
        key = "user_pool_id || '/' || username" if self.several else "username"
        rows = self.database.rows(f"select {key}, {_COLUMNS} {source}")
        assert len({row[0] for row in rows}) == len(rows)
        return {row[0]: row[1:] for row in rows}
