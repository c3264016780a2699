"""The streams that cost a request a user: what a pool lacks, who is gone, what is personal."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

import pytest

from emulator import Emulator, Pool
from tap_cognito.cognito import parallel, rate_limiter
from tap_cognito.config.settings import PERSONAL_COLUMNS
from tap_cognito.errors import AccessDeniedError, TapCognitoError
from tap_cognito.replication.per_user import PerUserStream
from tap_cognito.streams import STREAMS
from tap_cognito.tap import TapCognito
from tests.support.answers import answered, in_order, records
from tests.support.catalogs import selected
from tests.support.clocks import Clock, gaps, slots
from tests.support.in_process import answer_in_process
from tests.support.messages import messages_of, records_of
from tests.support.programs import emulator_config

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.whole_pools

PER_USER = [stream for stream in STREAMS if issubclass(stream, PerUserStream)]
OPERATIONS = {str(vars(stream)["name"]): stream.details[0].operation for stream in PER_USER}
LISTS = {"user_sessions": "sessions", "user_auth_events": "auth_events", "user_devices": "devices"}
"""What the emulated pool calls the lists of each user."""
REFUSALS = ("AccessDeniedException", "OperationNotEnabledException", "UnknownOperationException")
each_stream = pytest.mark.parametrize("stream", OPERATIONS)
each_list = pytest.mark.parametrize("stream", LISTS)
assert OPERATIONS.keys() - LISTS.keys() == {"user_mfa"}


@pytest.fixture
def served() -> Iterator[Emulator]:
    """A pool of two pages of users that has everything, read over HTTP."""
    with Emulator(Pool(90)) as serving:
        yield serving


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """The same pool, read in this process."""
    emulator = Emulator(Pool(90))
    answer_in_process(emulator, monkeypatch)
    return emulator


@functools.cache
def rows_of(stream: str) -> list[dict[str, Any]]:
    """The records of a stream of that pool, by what boto3 answers."""
    with Emulator(Pool(90)) as serving:
        return answered(serving, stream)


@pytest.mark.parametrize("code", REFUSALS)
def test_without_its_operation_the_factors_are_unknown(
    code: str,
    emulator: Emulator,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """AdminGetUser is asked instead, `auth_factors` is null, and one line of the log says so."""
    caplog.set_level("INFO")
    rows = in_order([{**row, "auth_factors": None} for row in rows_of("user_mfa")])
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


def switch_off(pool: Pool, stream: str) -> None:
    """Let a pool have no sessions, no events or no devices."""
    if stream == "user_sessions":
        pool.session_configuration["UserSessionTracking"] = "DISABLED"
    elif stream == "user_auth_events":
        pool.description["UserPoolAddOns"] = {"AdvancedSecurityMode": "OFF"}
    else:
        del pool.description["DeviceConfiguration"]


@each_list
@pytest.mark.parametrize("is_empty", ["off", "nothing", "no users"])
def test_where_there_is_nothing_the_stream_is_empty(
    stream: str, is_empty: str, emulator: Emulator, capfd: pytest.CaptureFixture[str]
) -> None:
    """With the feature off, no user who has any, or no user at all, the mirror removes all rows."""
    pool = emulator.pool
    names = [user["Username"] for user in pool.users()]
    if is_empty == "off":
        switch_off(pool, stream)
    for name in names:
        if is_empty == "nothing":
            getattr(pool, LISTS[stream])[name] = []
        elif is_empty == "no users":
            pool.delete(name)
    config = emulator_config(emulator, emit_activate_version_messages=True)
    TapCognito(config=config, catalog=selected(stream)).sync_all()
    types = [message["type"] for message in messages_of(capfd.readouterr().out)]
    assert "RECORD" not in types
    assert types.count("ACTIVATE_VERSION") == 1
    asked = emulator.log.count(OPERATIONS[stream])
    assert asked == 90 if is_empty == "nothing" else asked <= parallel.CONCURRENCY


@each_list
def test_a_feature_that_goes_off_in_mid_run_fails_the_stream(
    stream: str, emulator: Emulator
) -> None:
    """Once a user has been read, a pool that lacks the feature is no empty one."""
    code = "UserPoolAddOnNotEnabledException"
    emulator.before_request(
        60, lambda: setattr(emulator, "refused", {OPERATIONS[stream]: code}), {OPERATIONS[stream]}
    )
    with pytest.raises(TapCognitoError, match=code):
        TapCognito(config=emulator_config(emulator), catalog=selected(stream)).sync_all()


@each_list
@pytest.mark.parametrize("code", ["AccessDeniedException", "OperationNotEnabledException"])
def test_without_its_operation_a_stream_fails(stream: str, code: str, emulator: Emulator) -> None:
    """The error names the permission, or the region that doesn't offer the operation."""
    emulator.refused = {OPERATIONS[stream]: code}
    words = {
        "AccessDeniedException": f"cognito-idp:{OPERATIONS[stream]}",
        "OperationNotEnabledException": f"{OPERATIONS[stream]} isn't offered .* in us-east-1",
    }
    with pytest.raises(TapCognitoError, match=words[code]):
        TapCognito(config=emulator_config(emulator), catalog=selected(stream)).sync_all()
    assert emulator.log.count(OPERATIONS[stream]) <= parallel.CONCURRENCY


@each_stream
def test_throttling_costs_time_only(
    stream: str, emulator: Emulator, capfd: pytest.CaptureFixture[str]
) -> None:
    """Throttled requests are sent again; no other operation takes their place."""
    rows = rows_of(stream)
    operation = OPERATIONS[stream]
    emulator.refused = {operation: "TooManyRequestsException"}
    emulator.before_request(20, lambda: setattr(emulator, "refused", {}), {operation})
    assert records(emulator_config(emulator), capfd, stream) == rows
    assert emulator.log.by_operation()[operation].keys() == {"ok", "throttled"}


@each_list
def test_pages_of_one_user_are_followed(
    stream: str, emulator: Emulator, capfd: pytest.CaptureFixture[str]
) -> None:
    """With one item on a page every item comes, once, with the name of its user."""
    rows = rows_of(stream)
    emulator.page_sizes = {OPERATIONS[stream]: 1}
    assert records(emulator_config(emulator), capfd, stream) == rows
    assert len(rows) > 60


@each_stream
def test_a_user_who_is_gone_is_skipped(
    stream: str, emulator: Emulator, capfd: pytest.CaptureFixture[str]
) -> None:
    """One who is deleted after being listed is looked up, and then left out."""
    gone = [user["Username"] for user in emulator.pool.users()][5:8]
    rows = [row for row in rows_of(stream) if row["username"] not in gone]

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
    served: Emulator,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Before the first user is requested: how many, at which pace, how long, whose quota."""
    caplog.set_level("INFO")
    records(emulator_config(served), capfd, stream)
    (line,) = (text for text in caplog.messages if "One request for each of about 90 users" in text)
    assert "about 90 users, at 500 a second" in line
    assert "takes about 0 seconds" in line
    assert "the quota is that of the sign-ins" in line


def test_a_long_run_is_announced_in_hours(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Ninety thousand users at 10 a second take two and a half hours."""
    caplog.set_level("INFO")
    pool = Pool(1)
    pool.estimate = 90_000
    with Emulator(pool) as emulator:
        config = emulator_config(emulator, user_mfa_requests_per_second=10)
        assert len(records(config, capfd, "user_mfa")) == 1
    (line,) = (text for text in caplog.messages if "One request for each" in text)
    assert "takes about 2.5 hours" in line


def test_the_pace_of_many_pools_is_one_line(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """It says of how many pools the one is that it counts."""
    caplog.set_level("INFO")
    ids = [f"us-east-1_Tenant{number}" for number in range(5)]
    with Emulator(pools=[Pool(3, pool_id=each) for each in ids]) as emulator:
        config = emulator_config(emulator, user_pool_ids=ids)
        assert len(records(config, capfd, "user_mfa")) == 15
    (line,) = (text for text in caplog.messages if "One request for each" in text)
    assert "about 3 users of us-east-1_Tenant" in line
    assert "one of 5 pools" in line


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
        f"{vars(stream)['name']}.{column.name}" for stream in PER_USER for column in stream.personal
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
    setting: str, operation: str, served: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests on users are as far apart as their own setting says."""
    clock = Clock()
    monkeypatch.setattr(rate_limiter, "time", clock)
    tap = TapCognito(config=emulator_config(served, **{setting: 7}))
    (region,) = tap.find_pools()
    (limiter,) = region.client.quotas.limiters(operation, served.pool.id)
    assert gaps(slots(limiter, clock, 20)) == pytest.approx([1 / 7] * 19)
