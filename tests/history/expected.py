"""What the history and the models must hold, by what was in the pool at each run.

It knows nothing of the SQL: it is a second way to the same numbers.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

Row = tuple[Any, ...]
Photo = dict[str, Row]
"""A table's rows at a run, by user key: the user name, with several pools after the pool's id."""


@dataclass
class Version:
    """A version of a user or of a setting, from when to when."""

    change: str
    row: Any
    begin: datetime
    end: datetime | None = None


@dataclass
class Stay:
    """When an account was in the pool."""

    row: Row
    begin: datetime
    end: datetime | None = None


@dataclass
class Account:
    """An account that was ever seen."""

    key: str
    row: Row = ()
    stays: list[Stay] = field(default_factory=list)

    @property
    def is_in_pool(self) -> bool:
        """Whether it is there now."""
        return self.stays[-1].end is None

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes as last seen."""
        attributes: dict[str, Any] = self.row[6]
        return attributes

    @property
    def identities(self) -> list[tuple[str | None, str, str]]:
        """The providers' users that it is, or is linked to."""
        found = json.loads(self.attributes.get("identities") or "[]")
        return [(pool_of(self.key), each["providerName"], each["userId"]) for each in found]

    @property
    def is_external(self) -> bool:
        """Whether it is a provider's user."""
        return bool(self.row[2] == "EXTERNAL_PROVIDER")

    @property
    def provider(self) -> str:
        """Whom the user signed up with."""
        if not self.is_external:
            return "Cognito"
        return next((provider for _, provider, _ in self.identities), "unknown")

    @property
    def providers(self) -> set[str]:
        """Whom the user signs in with."""
        own = set() if self.is_external else {"Cognito"}
        return own | {provider for _, provider, _ in self.identities}


def pool_of(key: str) -> str | None:
    """Return the pool's id of a user's key."""
    pool, slash, _ = key.partition("/")
    return pool if slash else None


def versions(photos: Iterable[tuple[datetime, Mapping[str, Any]]]) -> dict[str, list[Version]]:
    """Say what happened to each key from one photo to the next."""
    histories: dict[str, list[Version]] = {}
    for at, photo in photos:
        for key in {*histories, *photo}:
            history = histories.setdefault(key, [])
            last = history[-1] if history else None
            if key in photo and last is None:
                change = "created"
            elif key in photo and last and last.change == "deleted":
                change = "returned"
            elif key in photo and last and last.row != photo[key]:
                change = "edited"
            elif key not in photo and last and last.change != "deleted":
                change = "deleted"
            else:
                continue
            if last:
                last.end = at
            history.append(Version(change, photo.get(key, last and last.row), at))
    return histories


def as_of(histories: Mapping[str, list[Version]], at: datetime) -> Photo:
    """Make the photo of a moment out of the versions."""
    return {
        key: version.row
        for key, history in histories.items()
        for version in history
        if version.begin <= at < (version.end or datetime.max) and version.change != "deleted"  # noqa: DTZ901 - naive UTC
    }


def accounts(histories: Mapping[str, list[Version]]) -> list[Account]:
    """Find each account, with its stays: it is known by its key and the date of its creation."""
    found: dict[tuple[str, datetime], Account] = {}
    for key, history in histories.items():
        account = None
        for version in history:
            created = version.row[4]
            left = version.change == "deleted" or (account and account.row[4] != created)
            if account and left:
                account.stays[-1].end = version.begin
                account = None
            if version.change == "deleted":
                continue
            if account is None:
                account = found.setdefault((key, created), Account(key))
                account.stays.append(Stay(version.row, version.begin))
            account.row = version.row
    return list(found.values())


def persons(every: Iterable[Account]) -> dict[str, str]:
    """Map each user key to the key that stands for the person."""
    latest: dict[str, Account] = {}
    for account in sorted(every, key=lambda one: one.stays[-1].begin):
        latest[account.key] = account
    holders = defaultdict(list)
    for account in latest.values():
        for identity in account.identities:
            holders[identity].append(account)

    def rank(account: Account) -> tuple[Any, ...]:
        gone = not account.is_in_pool
        identities = -len(account.identities)
        return gone, account.is_external, identities, account.row[4], account.key

    return {
        key: next(
            (
                best.key
                for best in (min(holders[one], key=rank) for one in account.identities)
                if best is not account
            ),
            key,
        )
        for key, account in latest.items()
    }


def people(every: list[Account]) -> dict[str, list[Account]]:
    """Group the accounts that are in the pool by the person they are of, its own account first."""
    by_key = persons(every)
    found = defaultdict(list)
    for account in filter(lambda one: one.is_in_pool, every):
        found[by_key[account.key]].append(account)
    return {
        key: sorted(group, key=lambda one: (one.key != key, one.row[4], one.row[0]))
        for key, group in found.items()
    }


def sign_ups(every: list[Account]) -> dict[Row, Row]:
    """Count by pool, day, status and provider: those who signed up, those who are there."""
    there: Counter[Row] = Counter()
    all_: Counter[Row] = Counter()
    for account in own(every):
        key = (pool_of(account.key), account.row[4].date(), account.row[2], account.provider)
        all_[key] += 1
        there[key] += account.is_in_pool
    return {key: (count, there[key]) for key, count in all_.items()}


def own(every: list[Account]) -> list[Account]:
    """Leave out the accounts that another one stands for."""
    by_key = persons(every)
    return [account for account in every if by_key[account.key] == account.key]


def months(first: date, last: date) -> Iterator[tuple[date, date]]:
    """Yield the first day of each month, and of the next one."""
    month = first.replace(day=1)
    while month <= last:
        following = date(month.year + month.month // 12, month.month % 12 + 1, 1)
        yield month, following
        month = following


def churn(every: list[Account], now: datetime) -> dict[Row, list[int]]:
    """Count by pool, cohort and month.

    Returns:
        How many were there at the start, joined, returned, left, and were there at the end.
    """
    counts: dict[Row, list[int]] = {}
    stays = [
        (account, number, stay)
        for account in own(every)
        for number, stay in enumerate(account.stays)
    ]
    for month, following in months(min(stay.begin for *_, stay in stays).date(), now.date()):
        for account, number, stay in stays:
            begin = stay.begin.date()
            end = stay.end.date() if stay.end else date.max
            if begin >= following:
                continue
            cohort = account.row[4].date().replace(day=1)
            numbers = counts.setdefault((pool_of(account.key), cohort, month), [0] * 5)
            came = month <= begin < following
            numbers[0] += begin < month <= end
            numbers[1] += came and number == 0
            numbers[2] += came and number > 0
            numbers[3] += month <= end < following
            numbers[4] += end >= following
    return counts


def cohorts(every: list[Account]) -> Counter[Row]:
    """Count the people by pool and the month of their creation."""
    return Counter((pool_of(one.key), one.row[4].date().replace(day=1)) for one in own(every))


def coverage(
    every: list[Account], factors: Callable[[str], tuple[list[str], list[str] | None] | None]
) -> dict[Row, int]:
    """Count by pool, way to sign in and protection.

    Args:
        every: All accounts.
        factors: The second factors and ways to sign in of a user key, None if they weren't read.
    """
    found: Counter[Row] = Counter()
    for key, group in people(every).items():
        if not group[0].row[3]:
            continue
        read = [answer for one in group if (answer := factors(one.key))]
        ways = [ways for _, ways in read if ways is not None]
        if not read:
            kind = "not read"
        elif any(second for second, _ in read):
            kind = "second factor"
        elif not ways:
            kind = "none known"
        else:
            kind = "passkey" if any("WEB_AUTHN" in one for one in ways) else "none"
        providers = set().union(*(one.providers for one in group))
        sign_in = "password" if "Cognito" in providers else "provider"
        found[pool_of(key), sign_in, kind] += 1
    return found


def settings(kind: str, item: str, record: Mapping[str, Any]) -> Iterator[tuple[Row, Any]]:
    """Take a record of a pool's configuration apart into its settings."""
    ignored = {"user_pool_id", "estimated_number_of_users", "created_at", "updated_at"}

    def walk(path: str, value: Any) -> Iterator[tuple[Row, Any]]:
        if isinstance(value, dict) and value:
            for name, inner in value.items():
                yield from walk(f"{path}.{name}", inner)
        elif value is not None:
            yield (record["user_pool_id"], kind, item, path), value

    for name in record.keys() - ignored:
        value = record[name]
        if name.endswith("_created_at") and value:
            value = value.rstrip("0").rstrip(".")  # Postgres shows no zeros at the end
        yield from walk(name, value)
