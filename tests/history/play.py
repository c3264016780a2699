"""A user pool that lives: what happens in it between two runs, at random."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from tests.support.tables import wire_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emulator import Pool

BEGIN = datetime(2026, 1, 3, 4, 5, 6)  # noqa: DTZ001 - UTC, as in the tables
STEP = timedelta(days=5, hours=1)

Row = tuple[Any, ...]


def moment(run: int) -> datetime:
    """Return when a run takes place, in UTC."""
    return BEGIN + run * STEP


class Play:
    """Lets users of a pool come, change, leave and return, the same ones for the same seed."""

    def __init__(self, pool: Pool, seed: int) -> None:
        """Take a pool.

        Args:
            pool: What changes.
            seed: Decides on all that happens.
        """
        self.pool = pool
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._gone: list[dict[str, Any]] = []
        self._saved: list[dict[str, Any]] = []
        self._number = 0

    def rows(self) -> dict[str, Row]:
        """Return the rows that the table must have now, by user name."""
        return {user["Username"]: wire_row(user) for user in self.pool.users()}

    def advance(self, run: int) -> None:
        """Let everything happen that happens before a run."""
        share = max(2, len(self.pool) // 25)
        for at in self._times(run, share):
            self._sign_up(at)
            self._sign_up_by_provider(at)
        for at in self._times(run, 2 * share):
            self._edit(at)
        for _ in range(share):
            self._delete()
        for at in self._times(run, share // 2):
            self.pool.create(self._gone.pop(self._random.randrange(len(self._gone))))
            self._create_again(at)
        for _ in range(share):
            self._join()
        self._configure(run)

    def save(self) -> None:
        """Take a backup."""
        self._saved = list(self.pool.users())

    def restore(self) -> None:
        """Bring all users back to what they were in the backup, and nobody else."""
        for user in list(self.pool.users()):
            self.pool.delete(user["Username"])
        for user in self._saved:
            self.pool.create(user)
        there = set(self.pool.usernames())
        self._gone = [user for user in self._gone if user["Username"] not in there]

    def _times(self, run: int, count: int) -> Iterator[float]:
        """Yield epoch seconds between the last run and this one."""
        for _ in range(count):
            ago = self._random.random() * STEP
            yield float(round((moment(run) - ago).replace(tzinfo=timezone.utc).timestamp()))

    def _anybody(self) -> str:
        return self._random.choice(list(self.pool.usernames()))

    def _sign_up(self, at: float) -> None:
        self.pool.create(at=at)

    def _sign_up_by_provider(self, at: float) -> None:
        self._number += 1
        provider = self._random.choice(("Google", "Corporate"))
        identity = {"userId": f"Id{self._number}", "providerName": provider}
        user = self.pool.create(at=at)
        name = f"{provider.lower()}_id{self._number}"
        self.pool.delete(user["Username"])
        identities = {"Name": "identities", "Value": json.dumps([identity])}
        others = [item for item in user["Attributes"] if item["Name"] != "identities"]
        self.pool.create(
            {
                **user,
                "Username": name,
                "UserStatus": "EXTERNAL_PROVIDER",
                "Attributes": [*others, identities],
            }
        )
        if self._random.random() < 0.5:
            self._link(identity, at)

    def _link(self, identity: dict[str, str], at: float) -> None:
        """Link a provider's user to somebody with a password."""
        user = self.pool.user(self._anybody())
        if user["UserStatus"] != "EXTERNAL_PROVIDER":
            attributes = {item["Name"]: item.get("Value") for item in user["Attributes"]}
            linked = json.loads(attributes.get("identities") or "[]")
            value = json.dumps([*linked, identity])
            self.pool.change(user["Username"], {"identities": value}, at=at)

    def _edit(self, at: float) -> None:
        number = self._random.randrange(1000)
        birthdate = self._random.choice(("1990-02-28", "1990-02-30", "0000-01-01", ""))
        attributes: tuple[dict[str, str | None], ...] = (
            {"email": f"new{number}@example.com", "email_verified": "false"},
            {"custom:plan": "team"},
            {"custom:plan": None},
            {"birthdate": birthdate},
            {"name": f"O'\"\\Neill \u2028 {number}"},
        )
        changes: tuple[dict[str, object], ...] = (
            {},
            {"Enabled": self._random.random() < 0.5},
            {"UserStatus": "CONFIRMED"},
        )
        fields = self._random.choice(changes)
        name = self._anybody()
        if self.pool.user(name)["UserStatus"] == "EXTERNAL_PROVIDER":
            fields.pop("UserStatus", None)
        self.pool.change(name, self._random.choice(attributes), at=at, **fields)

    def _delete(self) -> None:
        user = self.pool.user(self._anybody())
        self.pool.delete(user["Username"])
        self._gone.append(user)

    def _join(self) -> None:
        name, group = self._anybody(), self._random.choice(("admins", "Köche"))
        if name not in {user["Username"] for user in self.pool.members(group)}:
            self.pool.join(name, group)

    def _create_again(self, at: float) -> None:
        """Delete somebody who signs up again with the same name before the next run."""
        user = self.pool.user(self._anybody())
        self.pool.delete(user["Username"])
        self.pool.create({**user, "UserCreateDate": at, "UserLastModifiedDate": at})

    def _configure(self, run: int) -> None:
        """Change the configuration in each of the ways that there are."""
        pool = self.pool
        policy = pool.description["Policies"]["PasswordPolicy"]
        policy["MinimumLength"] = 8 + run % 3
        client = next(iter(pool.clients.values()))
        client["CallbackURLs"] = [f"https://{run // 2}.example.com"]
        if run % 3 == 1:
            pool.clients[f"client{run}"] = {**client, "ClientId": f"client{run}"}
        if run % 6 == 4:
            del pool.clients[f"client{run - 3}"]
        if run % 4 == 2:
            pool.description["UserPoolTags"] = {"team": f"number {run}"}
        if run % 4 == 3:
            pool.description.pop("UserPoolTags", None)
