"""Every stream, from the pool through the real target into a real Postgres."""

from __future__ import annotations

import json
import logging
from collections import Counter
from datetime import datetime, timezone
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from docs.generate import POSTGRES_TYPES
from emulator import Emulator, Pool, resources
from tap_cognito.cognito import quotas
from tap_cognito.cognito.rate_limiter import RateLimiter
from tap_cognito.config.validation import SEARCHABLE
from tap_cognito.errors import StreamsFailedError
from tap_cognito.tap import TapCognito
from tests.support.answers import of_sessions, record, session_and_secrets, with_has_secret
from tests.support.catalogs import ANY_POOL, selected
from tests.support.messages import messages_of, of_type
from tests.support.programs import emulator_config, pour, run_tap
from tests.support.tables import Database, wire_row

if TYPE_CHECKING:
    import subprocess
    import threading
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from emulator.wire import Wire
    from quickstart.postgres import Postgres

SECRETS = (resources.CLIENT_SECRET, resources.PROVIDER_SECRET, resources.PRIVATE_KEY)
TIMESTAMP = "timestamp without time zone"


LOG_CONFIG = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)s:%(name)s:%(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"level": "DEBUG", "handlers": ["stderr"]},
}


class Table(NamedTuple):
    """What a stream's table looks like."""

    keys: int
    """How many of the columns, from the first one on, are the primary key."""
    columns: dict[str, str]
    """Each column's type."""


def described(stream: str) -> Table:
    """The table that target-postgres must make of a stream's schema."""
    made = TapCognito(config=ANY_POOL).streams[stream]
    columns = made.schema["properties"].items()
    return Table(
        len(made.primary_keys),
        {name: POSTGRES_TYPES[kind.get("format") or kind["type"][0]] for name, kind in columns},
    )


TABLES = {
    stream: described(stream)
    for stream in (
        *("users", "groups", "group_memberships"),
        *("identity_providers", "app_clients", "user_pool"),
    )
}
"""Streams of every kind; tests/streams/test_pool_streams.py has all of them."""
each_stream = pytest.mark.parametrize("stream", TABLES)


def truth(pool: Pool, stream: str) -> list[tuple[Any, ...]]:
    """The rows that a stream's table must hold."""
    if stream == "users":
        return [wire_row(user) for user in pool.users()]
    items = {
        "groups": pool.groups.values(),
        "group_memberships": (
            {"GroupName": group, **user} for group in pool.groups for user in pool.members(group)
        ),
        "identity_providers": pool.providers.values(),
        "app_clients": (
            with_has_secret(client) | _session_and_secrets(pool, name)
            for name, client in pool.clients.items()
        ),
        "user_pool": [
            {
                "EstimatedNumberOfUsers": len(pool),
                **pool.description,
                **of_sessions(pool.session_configuration),
            }
        ],
    }
    return [_row(stream, item, pool.id) for item in items[stream]]


def _session_and_secrets(pool: Pool, client_id: str) -> Wire:
    dates = [
        datetime.fromtimestamp(secret["ClientSecretCreateDate"], timezone.utc)
        for secret in pool.client_secrets.get(client_id, [])
    ]
    unset = {"MaxValidityMinutes": 60}
    return session_and_secrets(
        pool.client_sessions.get(client_id, unset)["MaxValidityMinutes"], dates
    )


def _row(stream: str, item: Wire, pool_id: str) -> tuple[Any, ...]:
    dates: Wire = {
        name: datetime.fromtimestamp(item[name], timezone.utc)
        for name in ("CreationDate", "LastModifiedDate")
        if name in item
    }
    kinds = TABLES[stream].columns
    return tuple(
        datetime.fromisoformat(value) if kinds[name] == TIMESTAMP and value else value
        for name, value in record(stream, {**item, **dates}, pool_id).items()
    )


def by_key(stream: str, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Sort the rows of a stream by their key."""
    return sorted(rows, key=lambda row: row[: TABLES[stream].keys])


def pages(count: int) -> int:
    """How many requests list so many things."""
    return max(1, ceil(count / 60))


REQUESTS: dict[str, Callable[[Pool], dict[str, int]]] = {
    "users": lambda pool: {
        "DescribeUserPool": 1,
        "ListUsers": 1 + sum(map(pages, Counter(map(_first_digit, pool.users())).values())),
    },
    "groups": lambda pool: {"ListGroups": pages(len(pool.groups))},
    "group_memberships": lambda pool: {
        "ListGroups": pages(len(pool.groups)),
        # The full last page of a group is asked for once more: nothing counts its members.
        "ListUsersInGroup": sum(
            pages(count) + (count > 0 and count % 60 == 0)
            for count in (len(list(pool.members(one))) for one in pool.groups)
        ),
    },
    "identity_providers": lambda pool: {
        "ListIdentityProviders": pages(len(pool.providers)),
        "DescribeIdentityProvider": len(pool.providers),
    },
    "app_clients": lambda pool: {
        "ListUserPoolClients": pages(len(pool.clients)),
        "DescribeUserPoolClient": len(pool.clients),
        "GetUserPoolClientSessionConfiguration": len(pool.clients),
        "ListUserPoolClientSecrets": len(pool.clients),
    },
    "user_pool": lambda _: {"DescribeUserPool": 1, "GetUserPoolSessionConfiguration": 1},
}
"""The formulas of docs/streams.md."""


def selecting(folder: Path, *streams: str, without: tuple[str, ...] = ()) -> Path:
    """Write a catalog that selects these streams, without some columns."""
    path = folder / "catalog.json"
    path.write_text(json.dumps(selected(*streams, without=without)))
    return path


def table(database: Database, stream: str) -> list[tuple[Any, ...]]:
    """What was loaded of a stream."""
    return database.rows(f"select * from cognito.{stream}")  # noqa: S608 - our own names


def columns(database: Database, stream: str) -> list[tuple[str, str]]:
    """The columns of a stream's table, with their types."""
    rows = database.rows(
        "select column_name, data_type, table_name from information_schema.columns "
        "where table_schema = 'cognito' order by ordinal_position"
    )
    return [(name, kind) for name, kind, table in rows if table == stream]


def messages(output: str, kind: str) -> dict[str, list[dict[str, Any]]]:
    """The messages of one kind, by stream."""
    found: dict[str, list[dict[str, Any]]] = {}
    for message in of_type(messages_of(output), kind):
        found.setdefault(message["stream"], []).append(message)
    return found


def usernames(tap: TapCognito) -> list[str]:
    """Whom a tap reads, in order of their names."""
    messages = tap.streams["users"].get_records(None)
    return sorted(record["username"] for record in messages if isinstance(record, dict))


def errors(run: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines of the log that are errors."""
    return [line for line in run.stderr.splitlines() if "| ERROR " in line]


def requests(emulator: Emulator) -> dict[str, int]:
    """How many requests were answered, by operation; all of them well."""
    found = emulator.log.by_operation()
    assert all(set(outcomes) == {"ok"} for outcomes in found.values())
    return {operation: outcomes["ok"] for operation, outcomes in found.items()}


def _first_digit(user: Wire) -> str:
    (sub,) = (one["Value"] for one in user["Attributes"] if one["Name"] == "sub")
    return str(sub)[0]


def large_pool() -> Pool:
    """A pool that has several pages of everything."""
    pool = Pool(2_000)
    for number in range(130):
        group = {**pool.groups["admins"], "GroupName": f"group {number}", "Precedence": number}
        pool.groups[group["GroupName"]] = group
    for number, user in zip(range(150), pool.users(), strict=False):
        pool.join(user["Username"], "group 7")
        if number < 60:
            pool.join(user["Username"], "group 8")
    return pool


class Loaded(NamedTuple):
    """All streams of a pool, loaded in one run."""

    pool: Pool
    run: subprocess.CompletedProcess[str]
    requests: dict[str, int]
    database: Database


@pytest.fixture(scope="module")
def loaded(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A large pool, loaded with every logger at DEBUG."""
    folder = tmp_path_factory.mktemp("streams")
    log_config = folder / "logging.yaml"
    log_config.write_text(json.dumps(LOG_CONFIG))
    database = Database("all_streams", postgres)
    with postgres.connect() as connection:
        connection.execute(f"create database {database.name}".encode())
    pool = large_pool()
    with Emulator(pool) as emulator:
        run = run_tap(
            emulator_config(emulator),
            "--catalog",
            selecting(folder, *TABLES),
            env={"SINGER_SDK_LOG_CONFIG": str(log_config)},
        )
    assert run.returncode == 0, run.stderr
    pour(run.stdout, database.target_config)
    return Loaded(pool, run, requests(emulator), database)


class Unhurried(RateLimiter):
    """A pace that counts requests, without a wait."""

    def __init__(self, limit: float) -> None:
        super().__init__(limit)
        self.limit = limit

    def acquire(self, cancel: threading.Event) -> None:  # noqa: ARG002 - as in the base
        """Take a slot at once."""
        self.requests += 1


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> list[Unhurried]:
    """The paces that are made while the test runs, none of which waits."""
    made: list[Unhurried] = []

    def pace(limit: float) -> Unhurried:
        made.append(Unhurried(limit))
        return made[-1]

    monkeypatch.setattr(quotas, "RateLimiter", pace)
    return made


@pytest.fixture
def small() -> Iterator[Emulator]:
    """An emulated pool of 50 users."""
    with Emulator(Pool(50)) as emulator:
        yield emulator


# Tables


@each_stream
def test_each_row_equals_the_pool(loaded: Loaded, stream: str) -> None:
    """The table of each stream holds what the API says, row by row, over several pages."""
    expected = truth(loaded.pool, stream)
    assert by_key(stream, table(loaded.database, stream)) == by_key(stream, expected)
    assert expected


@each_stream
def test_each_table_has_its_columns_and_key(loaded: Loaded, stream: str) -> None:
    """Names, order and types of the columns and the primary key are as documented."""
    expected = TABLES[stream]
    types = list(expected.columns.items())
    keys = loaded.database.rows(
        "select column_name, table_name from information_schema.key_column_usage "
        "where table_schema = 'cognito' order by ordinal_position"
    )
    assert columns(loaded.database, stream) == types
    assert [name for name, table in keys if table == stream] == list(expected.columns)[
        : expected.keys
    ]


def test_no_secret_of_providers_and_clients_comes_out(loaded: Loaded) -> None:
    """Secrets that the API returns are in no message, no line of the debug log and no table."""
    held = json.dumps([loaded.pool.providers, loaded.pool.clients])
    tables = "".join(
        str(loaded.database.rows(f"select to_jsonb(t)::text from cognito.{stream} t"))  # noqa: S608
        for stream in TABLES
    )
    assert loaded.requests["DescribeIdentityProvider"] == len(loaded.pool.providers)
    assert "DEBUG:" in loaded.run.stderr
    for secret in SECRETS:
        assert secret in held
        assert secret not in loaded.run.stdout + loaded.run.stderr + tables


# Selection


@pytest.mark.programs
def test_only_users_are_read_by_default(small: Emulator) -> None:
    """A run without a catalog reads the users and asks for nothing else."""
    run = run_tap(emulator_config(small))
    assert run.returncode == 0, run.stderr
    assert set(messages(run.stdout, "SCHEMA")) == {"users"}
    assert requests(small) == {"ListUsers": 1}


@each_stream
def test_a_selected_stream_costs_the_documented_requests(
    stream: str,
    unhurried: list[Unhurried],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A stream that is selected alone makes the requests of its formula, each after its pace."""
    pool = large_pool()
    for number in range(120):
        pool.providers[f"provider {number}"] = {
            **pool.providers["Corporate"],
            "ProviderName": f"provider {number}",
        }
        pool.clients[f"client{number}"] = {
            "ClientId": f"client{number}",
            "ClientName": "one of many",
            "UserPoolId": pool.id,
        }
    with Emulator(pool) as emulator:
        catalog = selected(stream)
        TapCognito(config=emulator_config(emulator), catalog=catalog).sync_all()
    output = capfd.readouterr().out
    expected = REQUESTS[stream](pool)
    assert set(messages(output, "SCHEMA")) == {stream}
    assert len(messages(output, "RECORD")[stream]) == len(truth(pool, stream))
    assert requests(emulator) == expected
    assert sum(pace.requests for pace in unhurried if pace.limit != 5) == sum(expected.values())


@pytest.mark.parametrize(
    ("users", "least", "most"), [(0, 1, 1), (1, 1, 1), (60, 1, 1), (61, 3, 18), (600, 11, 26)]
)
def test_a_small_pool_costs_few_requests(
    users: int, least: int, most: int, unhurried: list[Unhurried]
) -> None:
    """Up to 60 users cost one request; a small pool some more than its pages, at the most 16."""
    with Emulator(Pool(users)) as emulator:
        tap = TapCognito(config=emulator_config(emulator))
        found = usernames(tap)
    assert found == sorted(user["Username"] for user in emulator.pool.users())
    assert least <= emulator.log.count("ListUsers") <= most
    assert unhurried


def test_columns_that_are_not_selected_are_nowhere(
    small: Emulator, database: Database, tmp_path: Path
) -> None:
    """A deselected column is not in SCHEMA, RECORD and table; the others stay as they are."""
    dropped = ("description", "role_arn", "attribute_mapping", "policies", "tags", "client_name")
    chosen = {
        stream: [name for name in TABLES[stream].columns if name not in dropped]
        for stream in ("groups", "identity_providers", "user_pool", "app_clients")
    }
    run = run_tap(
        emulator_config(small), "--catalog", selecting(tmp_path, *chosen, without=dropped)
    )
    pour(run.stdout, database.target_config)
    schemas, records = messages(run.stdout, "SCHEMA"), messages(run.stdout, "RECORD")
    for stream, names in chosen.items():
        places = [list(TABLES[stream].columns).index(name) for name in names]
        rows = [tuple(row[place] for place in places) for row in truth(small.pool, stream)]
        assert [list(one["schema"]["properties"]) for one in schemas[stream]] == [names]
        assert {tuple(one["record"]) for one in records[stream]} == {tuple(names)}
        assert [name for name, _ in columns(database, stream)] == names
        assert by_key(stream, table(database, stream)) == by_key(stream, rows)


def test_providers_are_only_described_for_columns_that_need_it(
    small: Emulator, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without columns that need them the details, which hold secrets, aren't requested."""
    dropped = ("provider_details", "attribute_mapping", "acr_mapping", "idp_identifiers")
    catalog = selected("identity_providers", without=dropped)
    TapCognito(config=emulator_config(small), catalog=catalog).sync_all()
    records = messages(capfd.readouterr().out, "RECORD")["identity_providers"]
    assert [one["record"]["provider_type"] for one in records] == ["OIDC", "SignInWithApple"]
    assert requests(small) == {"ListIdentityProviders": 1}


# Quotas


def test_each_operation_has_the_pace_of_its_quota(
    small: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """ListUsers and ListUsersInGroup share a pace; others have their own, and their category's."""
    taken: dict[str, set[Unhurried]] = {}
    limiters = quotas.Quotas.limiters

    def note(self: quotas.Quotas, operation: str, pool_id: str | None) -> list[RateLimiter]:
        found: list[Any] = limiters(self, operation, pool_id)
        taken.setdefault(operation, set()).update(found)
        return found

    monkeypatch.setattr(quotas, "RateLimiter", Unhurried)
    monkeypatch.setattr(quotas.Quotas, "limiters", note)
    catalog = selected(*TABLES)
    config = emulator_config(small, max_requests_per_second=24)
    TapCognito(config=config, catalog=catalog).sync_all()
    assert messages(capfd.readouterr().out, "RECORD").keys() == TABLES.keys()
    assert all(limiter.requests for found in taken.values() for limiter in found)
    assert taken.keys() == small.log.by_operation().keys()
    assert taken["ListUsers"] == taken["ListUsersInGroup"]
    assert {limiter.limit for limiter in taken.pop("ListUsers")} == {24}
    del taken["ListUsersInGroup"]
    limits = {name: sorted(limiter.limit for limiter in found) for name, found in taken.items()}
    assert limits == {
        "ListGroups": [5, 20],
        "ListIdentityProviders": [5, 20],
        "DescribeIdentityProvider": [5, 20],
        "ListUserPoolClients": [5, 15],
        "DescribeUserPoolClient": [5, 15],
        "DescribeUserPool": [5, 15],
        "GetUserPoolClientSessionConfiguration": [5, 15],
        "GetUserPoolSessionConfiguration": [5, 20],
        "ListUserPoolClientSecrets": [5, 15],
    }
    own = [limiter for found in taken.values() for limiter in found if limiter.limit == 5]
    assert len(set(own)) == len(limits)


# What can go wrong


@pytest.mark.programs
@pytest.mark.parametrize(
    ("action", "denied"),
    [
        ("ListUsers", {"users"}),
        ("ListUsersInGroup", {"group_memberships"}),
        ("ListIdentityProviders", {"identity_providers"}),
        ("DescribeIdentityProvider", {"identity_providers"}),
        ("ListUserPoolClients", {"app_clients"}),
        ("DescribeUserPoolClient", {"app_clients"}),
        ("DescribeUserPool", {"user_pool"}),
    ],
)
def test_a_missing_permission_costs_only_its_stream(
    small: Emulator, tmp_path: Path, action: str, denied: set[str]
) -> None:
    """What may not be read is one line that names the IAM action; the rest is read; status 1."""
    small.denied = {f"cognito-idp:{action}"}
    run = run_tap(emulator_config(small), "--catalog", selecting(tmp_path, *TABLES))
    (line,) = errors(run)
    (stream,) = denied
    assert f"`{stream}`: the credentials may not call cognito-idp:{action} on " in line
    assert run.stderr.splitlines()[-1] == line
    assert messages(run.stdout, "RECORD").keys() == TABLES.keys() - denied
    assert run.returncode == 1


def test_the_other_streams_are_loaded_when_one_is_denied(
    small: Emulator, database: Database, tmp_path: Path
) -> None:
    """Two streams that need a missing permission are two lines; the target loads the others."""
    small.denied = {"cognito-idp:ListGroups"}
    run = run_tap(emulator_config(small), "--catalog", selecting(tmp_path, *TABLES))
    pour(run.stdout, database.target_config)
    denied = ["groups", "group_memberships"]
    assert [line.split("`")[1] for line in errors(run)] == denied
    assert run.returncode == 1
    for stream in TABLES.keys() - denied:
        expected = truth(small.pool, stream)
        assert by_key(stream, table(database, stream)) == by_key(stream, expected)
    assert [table(database, stream) for stream in denied] == [[], []]


class Vanishing(dict[str, dict[str, Any]]):
    """Things that are listed; some are gone after so many look-ups."""

    def __init__(self, items: Mapping[str, Wire], **lookups: int) -> None:
        super().__init__(items)
        self._left = lookups

    def __contains__(self, name: object) -> bool:
        """Look something up."""
        if name in self._left:
            self._left[str(name)] -= 1
            if self._left[str(name)] < 0:
                self.pop(str(name), None)
        return super().__contains__(name)


def test_what_is_deleted_in_mid_run_is_no_failure(
    small: Emulator, database: Database, tmp_path: Path
) -> None:
    """A group or a provider that goes after it was listed costs only itself."""
    pool = small.pool
    pool.groups["large"] = {**pool.groups["nobody"], "GroupName": "large"}
    for _ in range(70):
        pool.join(pool.create()["Username"], "large")
    expected = {
        "identity_providers": [
            row for row in truth(pool, "identity_providers") if row[1] != "Corporate"
        ],
        "group_memberships": [
            row for row in truth(pool, "group_memberships") if row[1] not in {"admins", "large"}
        ],
    }
    pool.groups = Vanishing(pool.groups, admins=0, large=1)
    pool.providers = Vanishing(pool.providers, Corporate=0)
    run = run_tap(emulator_config(small), "--catalog", selecting(tmp_path, *expected))
    pour(run.stdout, database.target_config)
    assert run.returncode == 0, run.stderr
    assert not errors(run)
    assert small.log.count(outcome="ResourceNotFoundException") == 3
    for stream, rows in expected.items():
        found = [row for row in table(database, stream) if row[1] != "large"]
        assert by_key(stream, found) == by_key(stream, rows)
    # The page that came before the group was gone is true: they were its members.
    assert len([row for row in table(database, "group_memberships") if row[1] == "large"]) == 60


@pytest.mark.programs
@pytest.mark.parametrize(
    ("operation", "stream"),
    [
        ("ListUsersInGroup", "group_memberships"),
        ("DescribeIdentityProvider", "identity_providers"),
    ],
)
def test_gone_is_asked_not_assumed(
    small: Emulator, tmp_path: Path, operation: str, stream: str
) -> None:
    """Things that are listed but not found fail their stream, and no row of it is removed."""
    small.refused = {operation: "ResourceNotFoundException"}
    config = emulator_config(small, emit_activate_version_messages=True)
    run = run_tap(config, "--catalog", selecting(tmp_path, "users", stream))
    assert run.returncode == 1
    assert [line.split("`")[1] for line in errors(run)] == [stream]
    assert messages(run.stdout, "ACTIVATE_VERSION").keys() == {"users"}


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "ResourceNotFoundException", "OddException"]
)
def test_a_stream_that_fails_keeps_no_other_from_being_read(
    small: Emulator, code: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whatever the failure, the rest is read, users first; in Python too the run then fails."""
    small.refused = {"ListGroups": code}
    catalog = selected(*TABLES)
    with pytest.raises(StreamsFailedError) as failure:
        TapCognito(config=emulator_config(small), catalog=catalog).sync_all()
    assert len(failure.value.failures) == 2
    read = messages(capfd.readouterr().out, "RECORD")
    assert read.keys() == TABLES.keys() - {"groups", "group_memberships"}
    assert next(iter(read)) == "users"


def test_a_replica_is_read_in_its_own_region(caplog: pytest.LogCaptureFixture) -> None:
    """A `region` other than that of the pool id is where the pool is read, and a line says so."""
    caplog.set_level(logging.INFO)
    with Emulator(Pool(5, region="eu-west-1")) as emulator:
        tap = TapCognito(config=emulator_config(emulator, region="eu-west-1"))
        assert len(usernames(tap)) == 5
        assert {request.region for request in emulator.log.requests} == {"eu-west-1"}
    assert [text for text in caplog.messages if "in eu-west-1, as a replica" in text]


# Filters


@pytest.mark.parametrize(
    ("user_filter", "matches"),
    [
        ('status = "Disabled"', lambda user: not user["Enabled"]),
        (' cognito:user_status="archived" ', lambda user: user["UserStatus"] == "ARCHIVED"),
        ('email ^= "ada."', lambda user: _attribute(user, "email").startswith("ada.")),
        ('name = "Robert \\"Bob\\" Tables"', lambda user: '"Bob"' in _attribute(user, "name")),
        ('name = "Back\\\\Slash"', lambda user: _attribute(user, "name") == "Back\\Slash"),
        ('sub ^= "a"', lambda user: _first_digit(user) == "a"),
        ('username = "nobody"', lambda _: False),
    ],
)
def test_a_filter_is_left_to_cognito(
    user_filter: str, matches: Callable[[Wire], bool], unhurried: list[Unhurried]
) -> None:
    """The filter is sent as it was set in one listing; the users that match come out."""
    with Emulator(Pool(2_000)) as emulator:
        tap = TapCognito(config=emulator_config(emulator, user_filter=user_filter))
        found = usernames(tap)
    expected = [user["Username"] for user in emulator.pool.users() if matches(user)]
    assert found == sorted(expected)
    assert {request.filter for request in emulator.log.requests} == {user_filter}
    assert [request.token for request in emulator.log.requests].count(False) == 1
    assert requests(emulator) == {"ListUsers": pages(len(expected))}
    assert unhurried


@pytest.mark.programs
def test_a_stream_map_that_fails_is_one_line_that_names_the_setting(small: Emulator) -> None:
    """Users without an e-mail address have none to hash; the line says no value."""
    maps = {"users": {"email": "md5(email)"}}
    run = run_tap(emulator_config(small, stream_maps=maps, stream_map_config={}))
    (line,) = errors(run)
    assert "`stream_maps`: the expression for `email` of `users` fails on a record" in line
    assert run.returncode == 1


@pytest.mark.programs
@pytest.mark.parametrize(
    ("user_filter", "fault"),
    [
        ('custom:plan = "free"', "its attribute can't be searched"),
        ('email = "a', "the value must be one text in double quotes"),
        ('email = "a" and name = "b"', "Cognito takes one condition only"),
    ],
)
def test_a_wrong_filter_costs_no_request(small: Emulator, user_filter: str, fault: str) -> None:
    """The refusal is one line that names the fault and all that can be searched."""
    run = run_tap(emulator_config(small, user_filter=user_filter))
    (line,) = errors(run)
    assert "`user_filter`: " in line
    assert fault in line
    assert f"searchable are {', '.join(SEARCHABLE)}" in line
    assert (run.returncode, run.stdout, small.log.count()) == (1, "", 0)


def test_a_mirror_with_a_filter_holds_what_the_filter_returns(
    small: Emulator, database: Database
) -> None:
    """Whoever no longer matches leaves the table, as do users who are gone; so may all of them."""
    mirror = {"add_record_metadata": True, "activate_version": True, "hard_delete": True}
    stranger, *others = (user["Username"] for user in small.pool.users() if user["Enabled"])
    found = []
    for user_filter in ('status = "Enabled"', 'status = "Enabled"', 'name = "nobody"'):
        config = emulator_config(
            small, user_filter=user_filter, emit_activate_version_messages=True
        )
        pour(run_tap(config).stdout, {**database.target_config, **mirror})
        found.append([name for (name,) in database.rows("select username from cognito.users")])
        small.pool.change(stranger, Enabled=False)
    assert [sorted(one) for one in found] == [sorted([stranger, *others]), sorted(others), []]


# Odd data

VALUES = (
    *("nul \0", "half \ud83d", "halves \udc00\ud800", "👩‍🚀", "'\"`", "\\", "\\\\", "\\u0000"),
    *(
        "\\N",
        "\\.",
        "",
        "null",
        '{"a": ["\\u0000", null]}',
        "a\tb\r\nc",
        "\x01\x1f\x7f\x85",
        "\u2028",
    ),
    *("\ufffe\uffff\U0010ffff", "\ufeffmark", "%s {} $1 :x", "a" * 2_048, "👩" * 2_048),
)
USERNAMES = (
    *("ada", "Ada", "ADA", "é", "e\u0301", "ß", "ss", "👩‍🚀", "'\"`", "\\", "\\N", "\\.", "null"),
    *("a,b", "nul\0", "half\ud83d", "n" * 128, "👩" * 128),
)
ATTRIBUTES: dict[str, tuple[list[Wire] | None, dict[str, str | None]]] = {
    "no-attributes": (None, {}),
    "empty-attributes": ([], {}),
    "no-value": ([{"Name": "email"}, {"Name": "name"}], {"email": None, "name": None}),
    "twice": ([{"Name": "name", "Value": "1"}, {"Name": "name", "Value": "2"}], {"name": "2"}),
    "odd-name": ([{"Name": "custom:\0", "Value": "x"}], {"custom:\ufffd": "x"}),
    **{
        f"value-{number}": ([{"Name": "email", "Value": value}], {"email": value})
        for number, value in enumerate(VALUES)
    },
    **{name: ([{"Name": "name", "Value": name}], {"name": name}) for name in USERNAMES},
}
MOMENTS = {
    "epoch": (0, datetime(1970, 1, 1)),  # noqa: DTZ001
    "before": (-1.5, datetime(1969, 12, 31, 23, 59, 58, 500_000)),  # noqa: DTZ001
    "year-2200": (7_258_118_400.999, datetime(2200, 1, 1, 0, 0, 0, 999_000)),  # noqa: DTZ001
}


@pytest.mark.parametrize("use_copy", [True, False])
def test_odd_users_arrive_as_they_are(database: Database, tmp_path: Path, use_copy: bool) -> None:
    """Whatever a user is called and has, it is loaded; what Postgres can't store is U+FFFD."""
    users: list[Wire] = [
        {"Username": name, "UserCreateDate": 1, "UserLastModifiedDate": 1}
        | ({} if attributes is None else {"Attributes": attributes})
        for name, (attributes, _) in ATTRIBUTES.items()
    ]
    users += [
        {"Username": name, "UserCreateDate": seconds, "UserLastModifiedDate": seconds}
        for name, (seconds, _) in MOMENTS.items()
    ]
    pool = Pool.from_users(users)
    pool.groups["odd \\N"] = {
        **pool.groups["nobody"],
        "GroupName": "odd \\N",
        "Description": "\0\ud83d \\.",
    }
    for user in users:
        pool.join(user["Username"], "odd \\N")
    pool.providers["Corporate"]["AttributeMapping"] = {"email": "\0"}
    pool.description["UserPoolTags"] = {"\ud83d": "\0 \\u0000"}
    with Emulator(pool) as emulator:
        catalog = selecting(tmp_path, *TABLES)
        run = run_tap(emulator_config(emulator), "--catalog", catalog)
    pour(run.stdout, {**database.target_config, "use_copy": use_copy})
    expected = {
        _storable(name): {_storable(key): _storable(value) for key, value in attributes.items()}
        for name, (_, attributes) in ATTRIBUTES.items()
    }
    found = {row[0]: row for row in table(database, "users")}
    attributes = {name: row[6] for name, row in found.items() if name not in MOMENTS}
    emails = {name: row[1] for name, row in found.items()}
    dates = {name: found[name][4:6] for name in MOMENTS}
    members = {row[2] for row in table(database, "group_memberships")}
    descriptions = {row[1]: row[2] for row in table(database, "groups")}
    assert attributes == expected
    assert emails == {name: expected.get(name, {}).get("email") for name in found}
    assert dates == {name: (moment, moment) for name, (_, moment) in MOMENTS.items()}
    assert members == found.keys()
    assert descriptions["odd \\N"] == "\ufffd\ufffd \\."
    assert database.rows("select tags from cognito.user_pool") == [({"\ufffd": "\ufffd \\u0000"},)]
    assert ({"email": "\ufffd"},) in database.rows(
        "select attribute_mapping from cognito.identity_providers"
    )


def _attribute(user: Wire, name: str) -> str:
    return next((one.get("Value", "") for one in user["Attributes"] if one["Name"] == name), "")


def _storable(text: str | None) -> str | None:
    return text and "".join("\ufffd" if char in "\0\ud83d\ud800\udc00" else char for char in text)


@pytest.mark.programs
@pytest.mark.parametrize("action", [None, "ListUsers", "DescribeUserPool", "ListGroups"])
def test_the_connection_test_tries_what_is_selected(tmp_path: Path, action: str | None) -> None:
    """`--test` makes the first request of each selected stream, and prints a line for each."""
    denied = {f"cognito-idp:{action}"}
    with Emulator(Pool(3, seed=1), denied=denied) as emulator:
        catalog = selecting(tmp_path, "users", "groups")
        run = run_tap(emulator_config(emulator), "--test", "--catalog", catalog)
        assert emulator.log.by_operation().keys() <= {"ListUsers", "ListGroups", "DescribeUserPool"}
    users, groups = "users: ok, by cognito-idp:ListUsers", "groups: ok, by cognito-idp:ListGroups"
    lines = [line.partition(";")[0] for line in run.stdout.splitlines()]
    assert (users in lines) == (action != "ListUsers")
    assert (groups in lines) == (action != "ListGroups")
    assert ("has about 3 users" in run.stdout) == (action in {None, "ListGroups"})
    assert run.returncode == (action in {"ListUsers", "ListGroups"})
    assert [line.split("`")[1] for line in errors(run)] == [
        stream for stream in ("users", "groups") if f"{stream}: ok" not in run.stdout
    ]


@pytest.mark.programs
def test_the_connection_test_of_nothing_fails(tmp_path: Path) -> None:
    """`--test` with no stream selected is an error, not a success."""
    with Emulator(Pool(3, seed=1)) as emulator:
        run = run_tap(emulator_config(emulator), "--test", "--catalog", selecting(tmp_path))
        assert not emulator.log.requests
    assert run.returncode == 1
