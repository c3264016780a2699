"""The streams of what a pool is and may do: they are what boto3 answers, or fail and say why."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING

import pytest

from emulator import PEOPLE, SECRETS, Emulator, Pool
from quickstart import pool as moto
from tap_cognito.cognito import client as client_module
from tap_cognito.errors import AccessDeniedError, ResourceNotFoundError, TapCognitoError
from tap_cognito.tap import TapCognito
from tests.support.answers import ANSWERS, Api, Item, expected, in_order, records
from tests.support.catalogs import selected
from tests.support.emulated import client
from tests.support.in_process import answer_in_process
from tests.support.messages import messages_of
from tests.support.programs import emulator_config, run_tap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from subprocess import CompletedProcess

pytestmark = pytest.mark.usefixtures("_unlimited")

OPERATIONS = {
    "groups": ["ListGroups"],
    "group_memberships": ["ListGroups", "ListUsersInGroup"],
    "identity_providers": ["ListIdentityProviders", "DescribeIdentityProvider"],
    "app_clients": ["ListUserPoolClients", "DescribeUserPoolClient"],
    "resource_servers": ["ListResourceServers"],
    "domains": ["DescribeUserPool", "DescribeUserPoolDomain"],
    "user_pool": ["DescribeUserPool"],
    "mfa_configuration": ["GetUserPoolMfaConfig"],
    "risk_configurations": ["DescribeRiskConfiguration", "ListUserPoolClients"],
    "log_delivery": ["GetLogDeliveryConfiguration"],
    "replicas": ["ListUserPoolReplicas"],
    "point_in_time_recoveries": ["ListPointInTimeRecoveries"],
    "user_mfa": ["ListUsers"],
    "user_sessions": ["GetUserPoolSessionConfiguration", "ListUsers", "AdminListUserSessions"],
    "user_auth_events": ["AdminListUserAuthEvents", "ListUsers"],
    "user_devices": ["AdminListDevices", "ListUsers"],
}
"""What each stream can't do without."""

NOT_IN_MOTO = {
    "risk_configurations",
    "log_delivery",
    "replicas",
    "point_in_time_recoveries",
    "user_sessions",
    "user_auth_events",
    "user_devices",
}

each_stream = pytest.mark.parametrize("stream", ANSWERS)
each_operation = pytest.mark.parametrize(
    ("stream", "operation"), [(stream, name) for stream in ANSWERS for name in OPERATIONS[stream]]
)


def full_pool() -> Pool:
    """A pool of 70 users that has everything, some of it twice and more."""
    pool = Pool(70)
    for number, factors in enumerate([[], ["SMS_MFA"], ["SOFTWARE_TOKEN_MFA", "EMAIL_OTP"]]):
        pool.set_mfa(pool.username(number), *factors)
    return pool


@pytest.fixture
def served() -> Iterator[Emulator]:
    """A full pool, read over HTTP."""
    with Emulator(full_pool()) as serving:
        yield serving


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """A full pool, read in this process."""
    emulator = Emulator(full_pool())
    answer_in_process(emulator, monkeypatch)
    return emulator


@functools.cache
def rows_of(stream: str) -> list[Item]:
    """The records of a stream of a full pool, by what boto3 answers."""
    with Emulator(full_pool()) as serving:
        return expected(stream, api_of(serving))


def run(emulator: Emulator, folder: Path, *streams: str, **env: str) -> CompletedProcess[str]:
    """Run the tap as a program, for these streams."""
    path = folder / "catalog.json"
    path.write_text(json.dumps(selected(*streams)))
    return run_tap(emulator_config(emulator), "--catalog", path, env=env)


def api_of(emulator: Emulator) -> Api:
    """What boto3 answers about an emulated pool."""
    return Api(client(emulator), emulator.pool.id)


# Values


@each_stream
def test_records_are_what_boto3_answers(
    served: Emulator, stream: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every value of every column is that of boto3's answer, and no row is missing or too many."""
    found = records(emulator_config(served), capfd, stream)
    assert found == expected(stream, api_of(served))
    assert found


@pytest.fixture(scope="module")
def made(moto_url: str) -> moto.Pool:
    """A pool of moto's that has something for each stream."""
    pool = moto.create(moto_url)
    moto.populate(pool, 70)
    cognito, here = pool.client, {"UserPoolId": pool.id}
    cognito.create_group(GroupName="staff", Precedence=1, **here)
    names = [user["Username"] for user in pool.users()]
    for name in names[::3]:
        cognito.admin_add_user_to_group(GroupName="staff", Username=name, **here)
    cognito.create_user_pool_client(
        ClientName="backend",
        GenerateSecret=True,
        AllowedOAuthFlows=["code"],
        CallbackURLs=["https://app.example.com"],
        **here,
    )
    details = {"client_id": "1", "client_secret": "planted", "authorize_scopes": "openid"}
    cognito.create_identity_provider(
        ProviderName="Google", ProviderType="Google", ProviderDetails=details, **here
    )
    scopes = [{"ScopeName": "read", "ScopeDescription": "Read"}]
    cognito.create_resource_server(Identifier="api", Name="API", Scopes=scopes, **here)
    cognito.create_user_pool_domain(Domain="example", **here)
    cognito.set_user_pool_mfa_config(
        SoftwareTokenMfaConfiguration={"Enabled": True}, MfaConfiguration="OPTIONAL", **here
    )
    factor = {"Enabled": True, "PreferredMfa": True}
    cognito.admin_set_user_mfa_preference(Username=names[0], SMSMfaSettings=factor, **here)
    return pool


@pytest.mark.parametrize("stream", [name for name in ANSWERS if name not in NOT_IN_MOTO])
def test_records_are_what_boto3_answers_of_moto(
    made: moto.Pool,
    stream: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same of moto, but for operations that it lacks and an account that it rolls dice for."""
    monkeypatch.setattr(client_module, "UNKNOWN_SECONDS", 0.2)  # it answers 500 for what it lacks
    settings = {**made.config, "region": moto.REGION, "user_mfa_requests_per_second": 1000}
    found, answered = records(settings, capfd, stream), expected(stream, Api(made.client, made.id))
    for row in (*found, *answered):
        row.pop("aws_account_id", None)
    assert found == answered
    assert found


@pytest.mark.programs
def test_nothing_planted_comes_out(served: Emulator, tmp_path: Path) -> None:
    """With every stream and column selected no secret is in a message or a line of the log."""
    done = run(served, tmp_path, "users", *ANSWERS, TAP_COGNITO_LOGLEVEL="DEBUG")
    assert done.returncode == 0, done.stderr
    for operation in {name for names in OPERATIONS.values() for name in names}:
        assert served.log.count(operation, "ok")
    assert [secret for secret in SECRETS if secret in done.stdout + done.stderr] == []
    assert [part for part in PEOPLE if part in done.stderr] == []


def test_what_aws_adds_breaks_nothing_and_does_not_come_out(
    emulator: Emulator, capfd: pytest.CaptureFixture[str]
) -> None:
    """A member that the API has had since yesterday, at any depth, changes no record."""
    before = {stream: rows_of(stream) for stream in ("app_clients", "user_pool")}
    pool = emulator.pool
    for item in (*pool.clients.values(), pool.description):
        item["Tomorrow"] = "planted"
    pool.description["SmsConfiguration"]["EumsSms"]["Token"] = "planted"
    pool.description["LambdaConfig"]["PreTokenGenerationConfig"]["Token"] = "planted"
    pool.clients["1example23456789backend0ab"]["RefreshTokenRotation"]["Token"] = "planted"
    for stream, rows in before.items():
        assert records(emulator_config(emulator), capfd, stream) == rows


# Requests


@pytest.mark.parametrize(
    ("stream", "columns"),
    [
        ("app_clients", ["client_id", "client_name"]),
        ("identity_providers", ["provider_name", "provider_type", "created_at", "updated_at"]),
    ],
)
def test_details_are_only_asked_for_where_a_column_needs_them(
    emulator: Emulator, stream: str, columns: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    """With the list alone allowed, and the other columns deselected, a stream is read from it."""
    listing, details = OPERATIONS[stream]
    wanted = [
        {name: row[name] for name in row if name in {"user_pool_id", *columns}}
        for row in rows_of(stream)
    ]
    emulator.denied = {f"cognito-idp:{details}"}
    found = records(emulator_config(emulator), capfd, stream, ["user_pool_id", *columns])
    assert found == in_order(wanted)
    assert emulator.log.by_operation() == {listing: {"ok": 1}}


# What can go wrong


@each_operation
def test_a_denied_operation_is_named(emulator: Emulator, stream: str, operation: str) -> None:
    """A stream whose operation isn't allowed fails, and names the IAM action."""
    emulator.denied = {f"cognito-idp:{operation}"}
    words = f"`{stream}`: the credentials may not call cognito-idp:{operation} on "
    with pytest.raises(AccessDeniedError, match=words) as refusal:
        TapCognito(config=emulator_config(emulator), catalog=selected(stream)).sync_all()
    place = "*" if operation == "DescribeUserPoolDomain" else f":userpool/{emulator.pool.id}"
    assert f'{place}"}}]}}' in str(refusal.value)  # no more is asked for than that pool


@each_stream
def test_a_missing_pool_is_a_failure(emulator: Emulator, stream: str) -> None:
    """A pool that isn't there is no empty stream."""
    config = emulator_config(emulator)
    emulator.remove_pool(emulator.pool)
    with pytest.raises(ResourceNotFoundError, match="there is no user pool"):
        TapCognito(config=config, catalog=selected(stream)).sync_all()


@each_operation
def test_a_throttled_request_is_sent_again(
    emulator: Emulator, stream: str, operation: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Throttling costs time, and no row."""
    emulator.refused = {operation: "TooManyRequestsException"}
    emulator.before_request(2, lambda: setattr(emulator, "refused", {}), {operation})
    assert records(emulator_config(emulator), capfd, stream) == rows_of(stream)
    assert emulator.log.by_operation()[operation].keys() == {"ok", "throttled"}


EMPTIED: dict[str, Callable[[Pool], object]] = {
    "groups": lambda pool: pool.groups.clear(),
    "group_memberships": lambda pool: pool.groups.clear(),
    "identity_providers": lambda pool: pool.providers.clear(),
    "app_clients": lambda pool: pool.clients.clear(),
    "resource_servers": lambda pool: pool.resource_servers.clear(),
    "domains": lambda pool: [pool.description.pop(name) for name in ("Domain", "CustomDomain")],
    "risk_configurations": lambda pool: pool.risk_configurations.clear(),
    "log_delivery": lambda pool: pool.log_configurations.clear(),
    "user_mfa": lambda pool: list(map(pool.delete, map(pool.username, range(70)))),
}
"""How a pool has nothing of a stream. It always is a pool, and has a configuration of factors."""


@pytest.mark.parametrize("stream", EMPTIED)
def test_a_pool_without_any_is_an_empty_stream(
    emulator: Emulator, stream: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where the pool has nothing the stream has no record, and the mirror removes all rows."""
    EMPTIED[stream](emulator.pool)
    config = emulator_config(emulator, emit_activate_version_messages=True)
    TapCognito(config=config, catalog=selected(stream)).sync_all()
    types = [message["type"] for message in messages_of(capfd.readouterr().out)]
    assert types.count("RECORD") == 0
    assert types.count("ACTIVATE_VERSION") == 1


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        *((name, "FeatureUnavailableInTierException") for name in ANSWERS if name != "user_mfa"),
        ("risk_configurations", "UserPoolAddOnNotEnabledException"),
    ],
)
def test_a_feature_that_the_pool_lacks_is_an_empty_stream(
    emulator: Emulator,
    stream: str,
    code: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A lower feature plan is no failure: nothing is read, and one line of the log says why."""
    operation = OPERATIONS[stream][0]
    emulator.refused = {operation: code}
    caplog.set_level("INFO")
    assert records(emulator_config(emulator), capfd, stream) == []
    (line,) = (line for line in caplog.messages if "Nothing to read" in line)
    assert f"{emulator.pool.id} don't include what {operation} returns ({code})" in line


def test_threat_protection_is_missing_below_plus(capfd: pytest.CaptureFixture[str]) -> None:
    """A pool of the cheapest plan has no risk configuration, and costs one request."""
    with Emulator(Pool(1, tier="LITE")) as emulator:
        assert records(emulator_config(emulator), capfd, "risk_configurations") == []
        assert emulator.log.count() == 1


@pytest.mark.parametrize("stream", ["users", "user_mfa"])
def test_a_pool_never_lacks_users(emulator: Emulator, stream: str) -> None:
    """Whatever ListUsers is refused for, the tables of users aren't emptied."""
    emulator.refused = {"ListUsers": "FeatureUnavailableInTierException"}
    with pytest.raises(TapCognitoError, match="don't include what ListUsers returns"):
        TapCognito(config=emulator_config(emulator), catalog=selected(stream)).sync_all()


GONE: dict[str, tuple[str, Callable[[Pool], object]]] = {
    "identity_providers": ("Corporate", lambda pool: pool.providers.pop("Corporate")),
    "app_clients": ("browser", lambda pool: pool.clients.pop("2example23456789browser0ab")),
    "domains": (
        "auth.example.com",
        lambda pool: pool.domains.pop(pool.description.pop("CustomDomain")),
    ),
    "risk_configurations": (
        "1example23456789backend0ab",
        lambda pool: pool.clients.pop("1example23456789backend0ab"),
    ),
    "group_memberships": ("Köche", lambda pool: pool.groups.pop("Köche")),
}
"""What goes between its list and its details, and how."""


@pytest.mark.parametrize("stream", GONE)
def test_what_goes_in_mid_run_costs_only_itself(
    emulator: Emulator, stream: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Something that was listed and is gone when it is asked for isn't sent; all else is.

    The list is asked for once more at most, when all else is there.
    """
    name, remove = GONE[stream]
    wanted = rows_of(stream)
    first, second = ("ListUserPoolClients", "DescribeRiskConfiguration")
    if stream != "risk_configurations":
        first, second = OPERATIONS[stream]
    nth = 1 + (stream == "risk_configurations")
    emulator.before_request(nth, lambda: remove(emulator.pool), {second})
    found = records(emulator_config(emulator), capfd, stream)
    assert 1 <= emulator.log.count(first) <= 2
    assert found == [row for row in wanted if name not in json.dumps(row, ensure_ascii=False)]
    assert found != wanted


@pytest.mark.parametrize(
    ("stream", "operation"),
    [
        ("app_clients", "DescribeUserPoolClient"),
        ("identity_providers", "DescribeIdentityProvider"),
        ("group_memberships", "ListUsersInGroup"),
        ("domains", "DescribeUserPoolDomain"),
    ],
)
def test_no_such_pool_is_never_taken_for_gone(
    emulator: Emulator, stream: str, operation: str
) -> None:
    """When details are denied to exist that the list still has, the run fails."""
    emulator.refused = {operation: "ResourceNotFoundException"}
    with pytest.raises(TapCognitoError, match=f"{operation} doesn't find what |no user pool "):
        TapCognito(config=emulator_config(emulator), catalog=selected(stream)).sync_all()
