"""The streams that cost a request a user: what a pool lacks, who is gone, what is personal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from emulator import Emulator, Pool
from tap_cognito.cognito import rate_limiter
from tap_cognito.config.settings import PERSONAL_COLUMNS
from tap_cognito.errors import AccessDeniedError, TapCognitoError
from tap_cognito.replication.per_user import PerUserStream
from tap_cognito.streams import STREAMS
from tap_cognito.tap import TapCognito
from tests.support.answers import Api, expected, in_order, records
from tests.support.catalogs import selected
from tests.support.clocks import Clock, gaps, slots
from tests.support.emulated import client
from tests.support.messages import records_of
from tests.support.programs import emulator_config

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.whole_pools

OPERATIONS = {
    "user_mfa": "AdminGetUserAuthFactors",
    "user_sessions": "AdminListUserSessions",
    "user_auth_events": "AdminListUserAuthEvents",
    "user_devices": "AdminListDevices",
}
REFUSALS = ("AccessDeniedException", "OperationNotEnabledException", "UnknownOperationException")
each_stream = pytest.mark.parametrize("stream", OPERATIONS)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A pool of two pages of users that has everything."""
    with Emulator(Pool(90)) as serving:
        yield serving


def answered(emulator: Emulator, stream: str) -> list[dict[str, Any]]:
    """The records by what boto3 answers; these requests are forgotten."""
    rows = expected(stream, Api(client(emulator), emulator.pool.id))
    emulator.log.requests.clear()
    return rows


@pytest.mark.parametrize("code", REFUSALS)
def test_without_its_operation_the_factors_are_unknown(
    code: str,
    emulator: Emulator,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """AdminGetUser is asked instead, `auth_factors` is null, and one line of the log says so."""
    caplog.set_level("INFO")
    rows = in_order([{**row, "auth_factors": None} for row in answered(emulator, "user_mfa")])
    emulator.refused = {"AdminGetUserAuthFactors": code}
    assert records(emulator_config(emulator), capfd, "user_mfa") == rows
    assert emulator.log.count("AdminGetUserAuthFactors") <= 16
    assert emulator.log.count("AdminGetUser") == len(rows)
    (line,) = (text for text in caplog.messages if "Reading users by AdminGetUser" in text)
    assert "AdminGetUserAuthFactors" in line


def test_without_any_permission_the_better_one_is_asked_for(emulator: Emulator) -> None:
    """The policy of the error is the one that gives every column."""
    operations = ("AdminGetUser", "AdminGetUserAuthFactors")
    emulator.refused = dict.fromkeys(operations, "AccessDeniedException")
    with pytest.raises(AccessDeniedError, match="cognito-idp:AdminGetUserAuthFactors"):
        TapCognito(config=emulator_config(emulator), catalog=selected("user_mfa")).sync_all()


def test_a_pool_without_session_tracking_costs_one_request(
    emulator: Emulator, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The stream is empty, and the log says why."""
    caplog.set_level("INFO")
    emulator.pool.session_configuration["UserSessionTracking"] = "DISABLED"
    assert records(emulator_config(emulator), capfd, "user_sessions") == []
    assert emulator.log.by_operation().keys() == {"GetUserPoolSessionConfiguration"}
    assert any("Nothing to read: " in text for text in caplog.messages)


@pytest.mark.parametrize("stream", [name for name in OPERATIONS if name != "user_mfa"])
def test_pages_of_one_user_are_followed(
    stream: str, emulator: Emulator, capfd: pytest.CaptureFixture[str]
) -> None:
    """With one item on a page every item comes, once, with the name of its user."""
    rows = answered(emulator, stream)
    emulator.page_sizes = {OPERATIONS[stream]: 1}
    assert records(emulator_config(emulator), capfd, stream) == rows
    assert len(rows) > 60


@each_stream
def test_a_user_who_is_gone_is_skipped(
    stream: str, emulator: Emulator, capfd: pytest.CaptureFixture[str]
) -> None:
    """One who is deleted after being listed is looked up, and then left out."""
    gone = [user["Username"] for user in emulator.pool.users()][5:8]
    rows = [row for row in answered(emulator, stream) if row["username"] not in gone]

    def delete() -> None:
        for name in gone:
            emulator.pool.delete(name)

    emulator.before_request(1, delete, {OPERATIONS[stream]})
    assert records(emulator_config(emulator), capfd, stream) == rows


@each_stream
def test_a_user_who_is_listed_is_not_taken_for_gone(stream: str, emulator: Emulator) -> None:
    """An endpoint that finds nobody whom it lists fails the stream; no table is emptied."""
    code = "ResourceNotFoundException" if stream == "user_devices" else "UserNotFoundException"
    emulator.refused = {OPERATIONS[stream]: code}
    config = emulator_config(emulator, emit_activate_version_messages=True)
    with pytest.raises(TapCognitoError, match="doesn't find what ListUsers lists"):
        TapCognito(config=config, catalog=selected(stream)).sync_all()


@each_stream
def test_the_pace_is_announced(
    stream: str,
    emulator: Emulator,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Before the first user is requested: how many, at which pace, how long, whose quota."""
    caplog.set_level("INFO")
    records(emulator_config(emulator), capfd, stream)
    (line,) = (text for text in caplog.messages if "One request for each of about 90 users" in text)
    assert "at 500 a second" in line
    assert "the quota is that of the sign-ins" in line


def test_personal_columns_exist_only_if_they_are_named(
    emulator: Emulator, capfd: pytest.CaptureFixture[str]
) -> None:
    """Addresses and places come out only where the setting names them."""
    for name in PERSONAL_COLUMNS:
        stream, _, column = name.partition(".")
        assert all(column not in row for row in records(emulator_config(emulator), capfd, stream))
        config = emulator_config(emulator, personal_columns=[name])
        TapCognito(config=config, catalog=selected(stream, config=config)).sync_all()
        assert any(record[column] for record in records_of(capfd.readouterr().out))


def test_every_personal_column_is_in_the_setting() -> None:
    """The setting and the streams name the same columns."""
    named = {
        f"{vars(stream)['name']}.{column.name}"
        for stream in STREAMS
        if issubclass(stream, PerUserStream)
        for column in stream.personal
    }
    assert named == set(PERSONAL_COLUMNS)


def test_ids_of_sessions_are_hashed(emulator: Emulator, capfd: pytest.CaptureFixture[str]) -> None:
    """No id of a session comes out as it is."""
    ids = {
        session["SessionId"]
        for user in emulator.pool.users()
        for session in emulator.pool.sessions[user["Username"]]
    }
    text = json.dumps(records(emulator_config(emulator), capfd, "user_sessions"))
    assert ids
    assert not any(one in text for one in ids)


@pytest.mark.parametrize(
    ("setting", "operation"),
    [
        ("max_requests_per_second", "ListUsers"),
        ("max_requests_per_second", "ListUsersInGroup"),
        ("user_mfa_requests_per_second", "AdminGetUser"),
        ("user_mfa_requests_per_second", "AdminGetUserAuthFactors"),
        ("user_details_requests_per_second", "AdminListDevices"),
        ("user_details_requests_per_second", "AdminListUserAuthEvents"),
        ("user_details_requests_per_second", "AdminListUserSessions"),
    ],
)
def test_each_pace_is_that_of_its_setting(
    setting: str, operation: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests on users are as far apart as their own setting says."""
    clock = Clock()
    monkeypatch.setattr(rate_limiter, "time", clock)
    tap = TapCognito(config=emulator_config(emulator, **{setting: 7}))
    (region,) = tap.find_pools()
    (limiter,) = region.client.quotas.limiters(operation, emulator.pool.id)
    assert gaps(slots(limiter, clock, 20)) == pytest.approx([1 / 7] * 19)
