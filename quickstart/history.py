"""Four months of an emulated pool in a minute, with the questions of docs/history.md answered."""

from __future__ import annotations

import json
import random
import re
import sys
import uuid
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from emulator import Emulator, Pool
from quickstart import postgres, stopping
from quickstart.clock import set_clock
from quickstart.pipeline import PROJECT, WITH_HISTORY, Meltano, forget_settings
from quickstart.pool import KEYS
from quickstart.tables import as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from quickstart.postgres import Postgres

PIPELINE = ("run", "tap-cognito", "target-postgres", "dbt-postgres:build")
STREAMS = ("users", "group_memberships", "user_mfa", "user_pool", "app_clients")
WIDTH = 100
"""Columns of text of an answer, as in the document."""

_RUNS = tuple(datetime(2026, month, 1, 3, tzinfo=timezone.utc) for month in (3, 4, 5, 6))
_NAMES = (
    "ada",
    "grace",
    "juergen",
    "marie",
    "jose",
    "olena",
    "lukasz",
    "zoe",
    "sokrates",
    "yamada",
)


class Story:
    """What happens in the pool from month to month, always the same."""

    def __init__(self) -> None:
        """Begin with forty users of two months."""
        self.pool = Pool(0, pool_id="eu-central-1_Demo00001")
        self._random = random.Random(27)  # noqa: S311 - repeatable, not secret
        self._number = 0
        self._left: list[dict[str, Any]] = []

    def go_on(self, now: datetime) -> None:
        """Let a month pass.

        Args:
            now: Its end.
        """
        for at in self._days(now, 20 if self._number else 40):
            self._sign_up(at)
        if now == _RUNS[0]:
            return
        for at in self._days(now, 4):
            name = self._anybody()
            email = f"{name}@{self._random.choice(('example.net', 'example.org'))}"
            self.pool.change(name, {"email": email}, at=at)
        for _ in range(7):
            user = self.pool.user(self._anybody())
            self._left.append(user)
            self.pool.delete(user["Username"])
        if now == _RUNS[2]:  # two deletions were a mistake
            for user in self._left[:2]:
                self.pool.create(user)
            policy = self.pool.description["Policies"]["PasswordPolicy"]
            policy["MinimumLength"] = 14
        if now == _RUNS[3]:
            self.pool.description["MfaConfiguration"] = "ON"
            next(iter(self.pool.clients.values()))["RefreshTokenValidity"] = 7

    def _days(self, now: datetime, count: int) -> Iterator[float]:
        """Yield epoch seconds of the weeks before, in order."""
        weeks = timedelta(days=28 if self._number else 56)
        moments = sorted(now - self._random.random() * weeks for _ in range(count))
        return (float(round(moment.timestamp())) for moment in moments)

    def _sign_up(self, at: float) -> None:
        name = f"{_NAMES[self._number % len(_NAMES)]}.{self._number}"
        email = {"Name": "email", "Value": f"{name}@example.com"}
        user = self._user(name, at, email)
        self.pool.create(user)
        factors = self._random.choice(((), (), ("SMS_MFA",), ("SOFTWARE_TOKEN_MFA",)))
        self.pool.set_mfa(name, *factors)
        if self._number % 9 == 0:
            self.pool.join(name, "admins")
        if self._number % 5 == 4:  # noqa: PLR2004 - one in five
            self._sign_up_by_google(name, at)
        self._number += 1

    def _sign_up_by_google(self, friend: str, at: float) -> None:
        """Let a user sign up with Google; every second one is linked to a user with a password."""
        identity = {"providerName": "Google", "userId": f"{100 + self._number}"}
        attribute = {"Name": "identities", "Value": json.dumps([identity])}
        user = self._user(f"google_{100 + self._number}", at, attribute)
        self.pool.create({**user, "UserStatus": "EXTERNAL_PROVIDER"})
        self.pool.set_mfa(user["Username"])
        if self._number % 2:
            self.pool.change(friend, {"identities": attribute["Value"]}, at=at)

    def _user(self, name: str, at: float, *attributes: dict[str, str]) -> dict[str, Any]:
        sub = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        return {
            "Username": name,
            "UserStatus": "UNCONFIRMED" if self._number % 8 == 7 else "CONFIRMED",  # noqa: PLR2004
            "Enabled": True,
            "UserCreateDate": at,
            "UserLastModifiedDate": at,
            "Attributes": [{"Name": "sub", "Value": sub}, *attributes],
        }

    def _anybody(self) -> str:
        names = [name for name in self.pool.usernames() if not name.startswith("google")]
        return self._random.choice(names)


def questions() -> list[tuple[str, str, str]]:
    """Find the questions of the document: each with its query, and the answer that is shown."""
    text = (PROJECT / "docs" / "history.md").read_text(encoding="utf-8")
    return re.findall(r"(?m)^(\S[^\n]*\?)\n\n```sql\n([^`]+)```\n\n```text\n([^`]+)```$", text)


def answer(connection: psycopg.Connection, query: str) -> str:
    """Run a query and lay out what it returns."""
    cursor = connection.execute(query.encode())
    header = [column.name for column in cursor.description or ()]
    rows = [[_cell(value) for value in row] for row in cursor.fetchall()]
    lines = as_text(header, rows, WIDTH).splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


def play(stack: ExitStack, server: Postgres, database: str) -> int:
    """Run the pipeline at the end of each month, and return the first exit status that isn't 0.

    Args:
        stack: Ends what is started when it closes.
        server: Where to load.
        database: The database, which is empty.
    """
    story = Story()
    emulator = stack.enter_context(Emulator(story.pool))
    tap = {"user_pool_id": story.pool.id, "endpoint_url": emulator.url, **KEYS}
    meltano = Meltano(stack, tap, server, database, WITH_HISTORY)
    meltano.environment |= {
        "DBT_QUIET": "true",
        "MELTANO_CLI_LOG_LEVEL": "warning",
        "TAP_COGNITO__SELECT": json.dumps([f"{stream}.*" for stream in STREAMS]),
        "TAP_COGNITO_USER_MFA_REQUESTS_PER_SECOND": "100",
    }
    if code := meltano.install():
        return code
    for now in _RUNS:
        story.go_on(now)
        with server.connect(database) as connection:
            set_clock(connection, now.replace(tzinfo=None))
        print(f"=== {now:%Y-%m-%d}: meltano {' '.join(PIPELINE)}", flush=True)
        if code := meltano(*PIPELINE):
            return code
    return 0


def main() -> int:
    """Run the demonstration and return the exit status."""
    stopping.raise_on_signals()
    forget_settings()
    try:
        with ExitStack() as stack:
            server = stack.enter_context(postgres.serve())
            if code := play(stack, server, "postgres"):
                sys.stderr.write("\nThe run failed, see above.\n")
                return code
            with server.connect() as connection:
                for question, query, _ in questions():
                    print(f"\n=== {question}\n\n{query}\n{answer(connection, query)}")
        print("docs/history.md says how to do it with your pool.")
    except postgres.PostgresError as error:
        sys.stderr.write(f"\n{error}\n")
        return 1
    except stopping.Interrupted as interrupted:
        sys.stderr.write("\nInterrupted. Everything is cleaned up.\n")
        return 128 + interrupted.number
    return 0


def _cell(value: Any) -> str | None:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return None if value is None else str(value)


if __name__ == "__main__":
    sys.exit(main())
