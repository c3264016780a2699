"""The models of examples/dbt hold what happened in the pools: two ways to the same numbers."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from quickstart.pipeline import WITH_HISTORY
from tests.history import expected
from tests.history.oracle import CONFIGURATION, KINDS, Oracle
from tests.support import answers
from tests.support.emulated import client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from pathlib import Path

    from tests.history.conftest import Dbt
    from tests.support.tables import Database

MODELS = {
    model["name"]: model
    for file in WITH_HISTORY.glob("models/*/*.yml")
    for model in yaml.safe_load(file.read_text(encoding="utf-8"))["models"]
}


def test_every_model_is_described() -> None:
    """Each model has a description, and so has what is beside it."""
    assert MODELS.keys() == {file.stem for file in WITH_HISTORY.glob("models/*/*.sql")}
    for name, model in MODELS.items():
        assert model["description"].endswith("."), name


@pytest.mark.parametrize("model", MODELS)
def test_every_column_is_described_and_tested(model: str) -> None:
    """Each column has a description, at least one test and, in a mart, its type."""
    is_mart = (WITH_HISTORY / "models" / "marts" / f"{model}.sql").exists()
    for column in MODELS[model]["columns"]:
        assert column["description"].endswith("."), column
        assert column["data_tests"], column
        assert ("data_type" in column) is is_mart, column


# The oracle

Table = list[tuple[Any, ...]]


class Models:
    """The models of a database beside what they must hold."""

    def __init__(self, oracle: Oracle) -> None:
        """Compare with the runs of an oracle."""
        self.oracle = oracle
        self.settings: list[tuple[datetime, dict[Any, Any]]] = []
        self.builds: list[tuple[datetime, expected.Photo]] = []

    def built(self) -> None:
        """Remember what dbt has seen."""
        at, photo = self.oracle.photos[-1]
        self.builds.append((at, photo))
        self.settings.append((at, dict(self._settings())))

    def _settings(self) -> Any:
        api = client(self.oracle.emulator)
        for play in self.oracle.plays:
            for kind in CONFIGURATION:
                for record in answers.expected(kind, answers.Api(api, play.pool.id)):
                    yield from expected.settings(kind, record.get("client_id", ""), record)

    def check(self) -> None:
        """Compare each model with what it must hold now."""
        histories = expected.versions(self.builds)
        accounts = expected.accounts(histories)
        self._check_history(histories)
        self._check_stays(accounts)
        self._check_people(accounts)
        self._check_counts(accounts)
        self._check_settings()

    def rows(self, query: str) -> Table:
        """Run a query."""
        return self.oracle.database.rows(query)

    def _check_history(self, histories: dict[str, list[expected.Version]]) -> None:
        found = self.rows(
            "select user_key, user_pool_id, version, change, valid_from, valid_to, is_current, "
            "is_deleted, username, email, status, enabled, created_at, updated_at, attributes "
            "from cognito_marts.users_history"
        )
        wanted = [
            (
                *(key, expected.pool_of(key), number, version.change, version.begin, version.end),
                *(version.end is None, version.change == "deleted", *version.row),
            )
            for key, history in histories.items()
            for number, version in enumerate(history, 1)
        ]
        assert_same(found, wanted)
        at, photo = self.builds[-1]
        assert self.oracle.as_of(at, "cognito_marts.users_history") == photo

    def _check_stays(self, accounts: list[expected.Account]) -> None:
        found = self.rows(
            "select user_key, created_at, stay, joined_at, left_at from cognito_marts.stays"
        )
        assert_same(
            found,
            [
                (one.key, one.row[4], number, stay.begin, stay.end)
                for one in accounts
                for number, stay in enumerate(one.stays, 1)
            ],
        )
        by_key = expected.persons(accounts)
        found = self.rows(
            "select user_key, created_at, is_in_pool, stays, first_seen_at, left_at, provider, "
            "is_linked from cognito_marts.accounts"
        )
        assert_same(
            found,
            [
                (
                    *(one.key, one.row[4], one.is_in_pool, len(one.stays), one.stays[0].begin),
                    *(one.stays[-1].end, one.provider, by_key[one.key] != one.key),
                )
                for one in accounts
            ],
        )

    def _check_people(self, accounts: list[expected.Account]) -> None:
        groups, factors, active = self._groups(), self._factors(), self._active()
        wanted = []
        for key, group in expected.people(accounts).items():
            first, has = group[0].row, group[0].attributes
            keys = [one.key for one in group]
            read = [factors[one] for one in keys if one in factors]
            ways = [one for _, one in read if one is not None]
            wanted.append(
                (
                    *(
                        key,
                        expected.pool_of(key),
                        first[0],
                        [one.row[0] for one in group],
                        first[1],
                    ),
                    *({"true": True, "false": False}.get(has.get("email_verified") or ""),),
                    *(has.get("name"), has.get("phone_number"), as_date(has.get("birthdate"))),
                    {name[7:]: has[name] for name in has if name.startswith("custom:")},
                    *(first[2], first[3], sorted(set().union(*(one.providers for one in group)))),
                    None
                    if groups is None
                    else sorted({name for one in keys for name in groups[one]}),
                    sorted({name for names, _ in read for name in names}) if read else None,
                    any("WEB_AUTHN" in one for one in ways) if ways else None,
                    max((active[one] for one in keys if one in active), default=None),
                    *(min(one.row[4] for one in group), max(one.row[5] for one in group)),
                )
            )
        found = self.rows(
            "select person_key, user_pool_id, username, usernames, email, email_verified, name, "
            "phone_number, birthdate, custom_attributes, status, enabled, providers, groups, "
            "second_factors, has_passkey, last_active_at, created_at, updated_at "
            "from cognito_marts.people"
        )
        # How texts are sorted is the database's business.
        found = [
            (*row[:12], *(each and sorted(each) for each in row[12:15]), *row[15:]) for row in found
        ]
        assert_same(found, wanted)
        query = "select user_pool_id, sign_in, coverage, people from cognito_marts.mfa_coverage"
        found = self.rows(query)
        assert {row[:3]: row[3] for row in found} == expected.coverage(accounts, factors.get)

    def _check_counts(self, accounts: list[expected.Account]) -> None:
        now, _ = self.builds[-1]
        found = self.rows(
            "select user_pool_id, day, status, provider, sign_ups, still_there "
            "from cognito_marts.sign_ups"
        )
        assert {row[:4]: row[4:] for row in found} == expected.sign_ups(accounts)
        assert len(found) == len({row[:4] for row in found})
        wanted = expected.churn(accounts, now)
        found = self.rows(
            "select user_pool_id, cohort, month, at_start, joined, returned, "
            "departed, at_end, churn_rate from cognito_marts.churn"
        )
        assert {row[:3]: list(row[3:8]) for row in found} == wanted
        for *_, start, joined, returned, left, _, rate in found:
            there = start + joined + returned
            assert (rate is None) is (there == 0)
            assert not there or abs(float(rate) - left / there) < 0.0001
        sizes = expected.cohorts(accounts)
        begins = {expected.pool_of(one.key): self.builds[0][0].date() for one in accounts}
        found = self.rows(
            "select user_pool_id, cohort, month, months_since, people, retained, "
            "retention_rate, is_complete from cognito_marts.retention"
        )
        assert {row[:3] for row in found} == wanted.keys()
        for pool, cohort, month, since, people, retained, rate, is_complete in found:
            assert since == 12 * (month.year - cohort.year) + month.month - cohort.month
            assert people == sizes[pool, cohort]
            assert retained == wanted[pool, cohort, month][-1]
            assert abs(float(rate) - retained / people) < 0.0001
            assert is_complete is (cohort > begins[pool])

    def _check_settings(self) -> None:
        first = self.settings[0][0]
        wanted = []
        for key, history in expected.versions(self.settings).items():
            last = None
            for version in history:
                is_gone = version.change == "deleted"
                value = None if is_gone else version.row
                if is_gone:
                    change = "removed"
                elif version.begin == first:
                    change = "first read"
                else:
                    change = "changed" if last is not None else "added"
                wanted.append((*key, change, last, value, version.begin, version.end))
                last = value
        found = self.rows(
            "select user_pool_id, kind, item, setting, change, previous_value, value, "
            "valid_from, valid_to from cognito_marts.pool_settings_history"
        )
        assert_same(found, wanted)

    def _is_loaded(self, table: str) -> bool:
        return bool(self.rows(f"select to_regclass('cognito.{table}') is not null")[0][0])

    def _by_user(self, table: str, columns: str) -> Table:
        if not self._is_loaded(table):
            return []
        key = "user_pool_id || '/' || username" if self.oracle.several else "username"
        return self.rows(f"select {key}, {columns} from cognito.{table}")  # noqa: S608

    def _groups(self) -> dict[str, list[str]] | None:
        if not self._is_loaded("group_memberships"):
            return None
        found = defaultdict(list)
        for key, group in self._by_user("group_memberships", "group_name"):
            found[key].append(group)
        return found

    def _factors(self) -> dict[str, tuple[list[str], list[str] | None]]:
        return {
            key: (row.get("mfa_settings") or [], row.get("auth_factors"))
            for key, row in self._by_user("user_mfa", "to_jsonb(user_mfa)")
        }

    def _active(self) -> dict[str, datetime]:
        found: dict[str, datetime] = {}
        for key, at in self._by_user("user_sessions", "last_active_at"):
            found[key] = max(at, found.get(key, at))
        return found


def assert_same(found: Iterable[Any], wanted: Iterable[Any]) -> None:
    """Compare rows in any order, and show only those that differ."""
    rows, others = (
        Counter(json.dumps(row, sort_keys=True, default=repr) for row in side)
        for side in (found, wanted)
    )
    wrong, missing = sorted(rows - others), sorted(others - rows)
    assert not wrong, "\n".join([*wrong[:2], "instead of", *missing[:2]])
    assert not missing, missing[0]


def as_date(text: str | None) -> date | None:
    """A date, if there is such a day."""
    if text and re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            return None
    return None


def forget_some_factors(oracle: Oracle) -> None:
    """Let the factors of some users be unknown, as where AdminGetUserAuthFactors is refused."""
    with oracle.database.connect() as connection:
        connection.execute(
            "update cognito.user_mfa set auth_factors = 'null' "
            "where ascii(right(username, 1)) % 3 = 2"
        )


def play(oracle: Oracle, dbt: Dbt, runs: int) -> None:
    """Play and build after each run that doesn't fail, as Meltano does, and compare."""
    models = Models(oracle)
    with oracle.emulator:
        for number in range(runs):
            if number == runs // 3:
                oracle.plays[0].save()
            if number == 2 * runs // 3:
                oracle.plays[0].restore()
            if number == runs // 2:
                oracle.run(number, fails=True)
                models.check()
                continue
            of_users = ["group_memberships", "user_mfa", "user_sessions"]
            streams = of_users if number == runs - 1 else []
            oracle.run(number, *CONFIGURATION, *streams)
            if streams:
                forget_some_factors(oracle)
            tests = number in {0, runs - 1}
            dbt("--quiet build" if tests else "--quiet build --exclude-resource-type test")
            models.built()
            models.check()
    for at, photo in models.builds:
        assert oracle.as_of(at, "cognito_marts.users_history") == photo


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "kind"), list(enumerate(KINDS, 1)))
def test_the_models_hold_what_happened_in_thirty_runs(
    seed: int, kind: str, database: Database, dbt: Callable[[Database], Dbt], tmp_path: Path
) -> None:
    """The table as of every run, and every mart after every run, equal what the pools say."""
    oracle = Oracle(database, tmp_path, seed, 500, kind)
    play(oracle, dbt(database), 30)
