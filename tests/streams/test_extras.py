"""Columns that cost a request for each item: only if they are selected, and null where refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from emulator import SECRETS, Emulator, Pool, tokens
from emulator.errors import ApiError
from tap_cognito.cognito import client as client_module
from tap_cognito.cognito import parallel
from tap_cognito.cognito.enriched import Enriched, Extra, Extras
from tap_cognito.cognito.source import Nested
from tap_cognito.errors import TapCognitoError
from tap_cognito.tap import TapCognito
from tests.support.answers import answered, in_order, records
from tests.support.catalogs import INCREMENTAL, selected
from tests.support.in_process import answer_in_process
from tests.support.listings import pool_of
from tests.support.messages import messages_of, of_type
from tests.support.programs import emulator_config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emulator.wire import Wire
    from tap_cognito.cognito.listing import Item, Listing

pytestmark = [pytest.mark.whole_pools, pytest.mark.usefixtures("_unlimited")]

COLUMNS = {
    "GetUserPoolSessionConfiguration": (
        "user_pool",
        ["session_tracking", "max_sessions_per_user"],
    ),
    "GetUserPoolClientSessionConfiguration": ("app_clients", ["sso_session_minutes"]),
    "ListUserPoolClientSecrets": (
        "app_clients",
        ["secret_count", "oldest_secret_created_at", "newest_secret_created_at"],
    ),
    "DescribePointInTimeRecovery": ("point_in_time_recoveries", ["triggered_at"]),
}
"""The stream and the columns of each operation that is called for its items."""
LISTS = {
    "user_pool": "DescribeUserPool",
    "app_clients": "ListUserPoolClients",
    "point_in_time_recoveries": "ListPointInTimeRecoveries",
}
each_operation = pytest.mark.parametrize("operation", COLUMNS)


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A pool that has everything, read in this process, and by boto3 over HTTP."""
    with Emulator(Pool(0)) as serving:
        answer_in_process(serving, monkeypatch)
        yield serving


def without(rows: list[dict[str, Any]], operation: str) -> list[dict[str, Any]]:
    """Rows whose columns of an operation are null."""
    _, columns = COLUMNS[operation]
    return in_order([{**row, **dict.fromkeys(columns)} for row in rows])


@each_operation
def test_a_column_costs_requests_only_if_it_is_selected(
    operation: str, emulator: Emulator, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without its columns an operation isn't called; with them alone nothing else is."""
    stream, columns = COLUMNS[operation]
    rows = answered(emulator, stream)
    others = [name for name in rows[0] if name not in columns]
    records(emulator_config(emulator), capfd, stream, others)
    assert operation not in emulator.log.by_operation()
    emulator.log.requests.clear()
    found = records(emulator_config(emulator), capfd, stream, columns)
    keys = [name for name in ("user_pool_id", "client_id", "restore_id") if name in rows[0]]
    assert found == in_order([{name: row[name] for name in (*keys, *columns)} for row in rows])
    count = 1 if stream == "user_pool" else len(rows)
    assert emulator.log.by_operation() == {LISTS[stream]: {"ok": 1}, operation: {"ok": count}}


@pytest.mark.parametrize("code", ["AccessDeniedException", "OperationNotEnabledException"])
@each_operation
def test_what_is_refused_is_null(
    operation: str,
    code: str,
    emulator: Emulator,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One line of the log says so, all else is there, and few requests are lost."""
    caplog.set_level("INFO")
    stream, _ = COLUMNS[operation]
    rows = answered(emulator, stream)
    emulator.refused = {operation: code}
    assert records(emulator_config(emulator), capfd, stream) == without(rows, operation)
    assert emulator.log.count(operation) <= parallel.CONCURRENCY
    (line,) = (text for text in caplog.messages if f"What {operation} returns is null" in text)
    assert code in line or f"cognito-idp:{operation}" in line


@pytest.mark.parametrize(("code", "status"), [("InternalFailure", 501), ("InternalFailure", 500)])
def test_an_endpoint_that_does_not_know_an_operation_costs_seconds(
    code: str,
    status: int,
    emulator: Emulator,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Emulators answer with a server error: it isn't retried as long as one of AWS's."""
    assert client_module.UNKNOWN_SECONDS <= client_module.RETRY_SECONDS / 10
    monkeypatch.setattr(client_module, "UNKNOWN_SECONDS", 0.0)
    operation = "ListUserPoolClientSecrets"
    rows = answered(emulator, "app_clients")

    def refuse(asked: str, _: Wire) -> ApiError | None:
        return ApiError(code, "", status) if asked == operation else None

    emulator.refuse = refuse
    found = records(emulator_config(emulator), capfd, "app_clients")
    assert found == without(rows, operation)


def test_an_answer_without_members_costs_its_columns_only(
    emulator: Emulator, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether AWS answers `{}` for a client without secrets isn't known: the stream goes on."""
    monkeypatch.setattr(client_module, "UNKNOWN_SECONDS", 0.0)
    operation = "ListUserPoolClientSecrets"
    rows = answered(emulator, "app_clients")
    emulator.amend = lambda asked, _, answer: {} if asked == operation else answer
    found = records(emulator_config(emulator), capfd, "app_clients")
    assert found == without(rows, operation)


def test_an_operation_that_was_answered_is_waited_for(
    emulator: Emulator, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server error after an answer is AWS's, and retried as for any other operation."""
    monkeypatch.setattr(client_module, "UNKNOWN_SECONDS", 0.0)
    operation = "ListUserPoolClientSecrets"
    rows = answered(emulator, "app_clients")
    left = [False, True, True, True]  # one answer, then errors

    def refuse(asked: str, _: Wire) -> ApiError | None:
        if asked == operation and left and left.pop(0):
            return ApiError("InternalErrorException", "", 500)
        return None

    emulator.refuse = refuse
    # One after the other, so that the first answer is known.
    monkeypatch.setattr(parallel, "CONCURRENCY", 1)
    assert records(emulator_config(emulator), capfd, "app_clients") == rows
    assert not left


def test_a_feature_that_one_pool_lacks_is_null_there_only(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The other pools are asked all the same."""
    caplog.set_level("INFO")
    operation = "ListUserPoolClientSecrets"
    pools = [Pool(0, pool_id="us-east-1_A"), Pool(0, pool_id="us-east-1_B")]
    with Emulator(pools=pools) as emulator:
        emulator.refused = {f"us-east-1_A/{operation}": "FeatureUnavailableInTierException"}
        config = emulator_config(emulator, user_pool_ids=["us-east-1_A", "us-east-1_B"])
        found = records(config, capfd, "app_clients")
    counts = {(row["user_pool_id"], row["secret_count"]) for row in found}
    assert counts == {("us-east-1_A", None), *(("us-east-1_B", count) for count in (0, 1, 2))}
    (line,) = (text for text in caplog.messages if f"What {operation} returns is null" in text)
    assert "us-east-1_A" in line


def test_a_client_that_is_gone_when_its_secrets_are_asked_for_is_sent_without(
    emulator: Emulator, capfd: pytest.CaptureFixture[str]
) -> None:
    """What was described is true; what isn't found any more is null."""
    operation, name = "ListUserPoolClientSecrets", "2example23456789browser0ab"
    rows = answered(emulator, "app_clients")

    def refuse(asked: str, parameters: Wire) -> ApiError | None:
        is_gone = asked == operation and parameters["ClientId"] == name
        return ApiError("ResourceNotFoundException", "") if is_gone else None

    emulator.refuse = refuse
    found = records(emulator_config(emulator), capfd, "app_clients")
    gone = [row for row in rows if row["client_id"] == name]
    others = [row for row in rows if row["client_id"] != name]
    assert found == in_order([*others, *without(gone, operation)])


@each_operation
def test_throttling_costs_time_only(
    operation: str, emulator: Emulator, capfd: pytest.CaptureFixture[str]
) -> None:
    """A throttled request is sent again, and nothing is null for it."""
    stream, _ = COLUMNS[operation]
    rows = answered(emulator, stream)
    emulator.refused = {operation: "TooManyRequestsException"}
    emulator.before_request(2, lambda: setattr(emulator, "refused", {}), {operation})
    assert records(emulator_config(emulator), capfd, stream) == rows
    assert emulator.log.by_operation()[operation].keys() == {"ok", "throttled"}


@each_operation
def test_any_other_error_fails_the_stream(operation: str, emulator: Emulator) -> None:
    """What isn't known to be harmless isn't taken for null."""
    emulator.refused = {operation: "OddException"}
    stream, _ = COLUMNS[operation]
    with pytest.raises(TapCognitoError, match=f"Cognito refused {operation}"):
        TapCognito(config=emulator_config(emulator), catalog=selected(stream)).sync_all()


def test_increments_ask_about_what_has_changed_only(
    emulator: Emulator, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of a client that isn't sent nothing more is requested."""
    day = 86_400
    for number, app_client in enumerate(emulator.pool.clients.values()):
        app_client["LastModifiedDate"] += number * day
    catalog = selected("app_clients", replication=INCREMENTAL)
    state: dict[str, Any] = {}
    for count in (3, 1):  # the second time the newest comes again
        emulator.log.requests.clear()
        TapCognito(config=emulator_config(emulator), catalog=catalog, state=state).sync_all()
        messages = messages_of(capfd.readouterr().out)
        state = of_type(messages, "STATE")[-1]["value"]
        assert len(of_type(messages, "RECORD")) == count
        assert emulator.log.count("ListUserPoolClientSecrets") == count
        assert emulator.log.count("DescribeUserPoolClient") == 3


def test_neither_ids_nor_values_of_secrets_come_out(
    emulator: Emulator, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of the secrets of a client there are a number and two dates."""
    secrets = [one for found in emulator.pool.client_secrets.values() for one in found]
    text = json.dumps(records(emulator_config(emulator), capfd, "app_clients"))
    assert secrets
    assert not any(one["ClientSecretId"] in text for one in secrets)
    assert not any(secret in text for secret in SECRETS)


def test_pages_are_followed_and_a_restart_counts_nothing_twice(
    emulator: Emulator, capfd: pytest.CaptureFixture[str]
) -> None:
    """AWS says that it never pages these; if it does, and refuses a token, the count is right."""
    rows = answered(emulator, "app_clients")
    refusals = iter([True, True, True])

    def amend(operation: str, parameters: Wire, answer: Wire) -> Wire:
        if operation != "ListUserPoolClientSecrets" or len(answer["ClientSecrets"]) < 2:
            return answer
        if "NextToken" in parameters:
            return {"ClientSecrets": answer["ClientSecrets"][1:]}
        return {"ClientSecrets": answer["ClientSecrets"][:1], "NextToken": "second"}

    def refuse(operation: str, parameters: Wire) -> ApiError | None:
        if "NextToken" in parameters and operation == "ListUserPoolClientSecrets":
            return tokens.refusal("second") if next(refusals, False) else None
        return None

    emulator.amend, emulator.refuse = amend, refuse
    assert records(emulator_config(emulator), capfd, "app_clients") == rows
    assert not next(refusals, False)


def test_a_checkpoint_counts_what_was_sent(emulator: Emulator) -> None:
    """A client that still waits for its secrets is described again by the next run."""
    pool = pool_of(emulator)

    def describe(item: Item) -> list[Listing]:
        name = item["ClientId"]
        return [pool.listing("DescribeUserPoolClient", "UserPoolClient", ClientId=name)]

    clients = pool.listing("ListUserPoolClients", "UserPoolClients", "ClientId")
    extra = Extra("ListUserPoolClientSecrets", "ClientSecrets", ("ClientId",))
    # The first one waits longest.
    emulator.refused = {"ListUserPoolClientSecrets": "TooManyRequestsException"}
    emulator.before_request(
        5, lambda: setattr(emulator, "refused", {}), {"ListUserPoolClientSecrets"}
    )
    source = Enriched(Nested(pool.id, clients, describe), pool, Extras([extra]))
    sent = waited = 0
    for batch in parallel.read([[source]], lambda _, items: items):
        assert batch.error is None
        sent += len(batch.records)
        waited += not batch.records
        assert len(source.checkpoint.done) == sent
    assert sent == 3
    assert waited
