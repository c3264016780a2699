"""What boto3 itself answers about a pool, as the records that a stream must give."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timezone
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore import xform_name
from botocore.exceptions import ClientError

from tap_cognito.streams import NAMES
from tap_cognito.tap import TapCognito
from tests.support.catalogs import ANY_POOL, selected
from tests.support.emulated import client
from tests.support.messages import buffered_stdout, records_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    import pytest

    from emulator import Emulator

Item = dict[str, Any]

RENAMED = {
    "AccountTakeoverRiskConfiguration": "account_takeover",
    "AllowedOAuthFlows": "allowed_oauth_flows",
    "AllowedOAuthFlowsUserPoolClient": "allowed_oauth_flows_user_pool_client",
    "AllowedOAuthScopes": "allowed_oauth_scopes",
    "CompromisedCredentialsRiskConfiguration": "compromised_credentials",
    "ConfiguredUserAuthFactors": "auth_factors",
    "CreateDate": "created_at",
    "CreationDate": "created_at",
    "DeviceCreateDate": "created_at",
    "DeviceLastAuthenticatedDate": "last_authenticated_at",
    "DeviceLastModifiedDate": "updated_at",
    "LastActiveDate": "last_active_at",
    "LastIPAddress": "last_ip_address",
    "RestoreStatus": "status",
    "RestoreTimestamp": "restored_to",
    "TriggerTimestamp": "triggered_at",
    "UserPoolArn": "arn",
    "last_ip_used": "last_ip_address",
    "EventContextData": "event_context",
    "LastModifiedDate": "updated_at",
    "RiskExceptionConfiguration": "risk_exceptions",
    "UserMFASettingList": "mfa_settings",
    "UserPoolAddOns": "add_ons",
    "UserPoolTags": "tags",
    "UserPoolTier": "tier",
}
"""The columns that aren't called as the API's members are, in the API's own spelling."""

SECRET_MEMBERS = {"ClientSecret", "ClientSecretArn", "ExternalId", "client_secret", "private_key"}
"""What must be missing from a record, at any depth."""


class Api(NamedTuple):
    """A boto3 client, and the pool to ask for."""

    client: Any
    pool_id: str

    def one(self, operation: str, result: str | None = None, **parameters: Any) -> Any:
        """Ask for one thing in the pool."""
        answer = getattr(self.client, operation)(UserPoolId=self.pool_id, **parameters)
        answer.pop("ResponseMetadata")
        return answer[result] if result else answer

    def all(self, operation: str, result: str, **parameters: Any) -> list[Item]:
        """List things in the pool."""
        listing = self.client.get_paginator(operation)
        pages = listing.paginate(UserPoolId=self.pool_id, **parameters)
        return [item for page in pages for item in page[result]]

    def pages(
        self,
        operation: str,
        result: str,
        token: str = "NextToken",  # noqa: S107 - a name
        **parameters: Any,
    ) -> list[Item]:
        """List things in the pool for which boto3 has no paginator."""
        found: list[Item] = []
        more: Item = {}
        while True:
            answer = self.one(operation, **parameters, **more)
            found += answer[result]
            if token not in answer:
                return found
            more = {token: answer[token]}


def _providers(api: Api) -> list[Item]:
    return [
        api.one("describe_identity_provider", "IdentityProvider", ProviderName=item["ProviderName"])
        for item in api.all("list_identity_providers", "Providers")
    ]


def _clients(api: Api) -> list[Item]:
    clients = [
        api.one("describe_user_pool_client", "UserPoolClient", ClientId=item["ClientId"])
        for item in api.all("list_user_pool_clients", "UserPoolClients")
    ]
    return [with_has_secret(client) | _of_client(api, client["ClientId"]) for client in clients]


def _of_client(api: Api, client_id: str) -> Item:
    """What an app client is asked for one by one: its session, and since when it has secrets."""
    if not has_latest(api):
        return {}
    session = api.one("get_user_pool_client_session_configuration", ClientId=client_id)
    secrets = api.pages("list_user_pool_client_secrets", "ClientSecrets", ClientId=client_id)
    dates = [secret["ClientSecretCreateDate"] for secret in secrets]
    return session_and_secrets(session["SSOSession"]["MaxValidityMinutes"], dates)


def session_and_secrets(minutes: int, secrets: Iterable[datetime]) -> Item:
    """How long an app client's session lasts, and since when it has secrets."""
    dates = sorted(secrets)
    return {
        "sso_session_minutes": minutes,
        "secret_count": len(dates),
        "oldest_secret_created_at": dates[0] if dates else None,
        "newest_secret_created_at": dates[-1] if dates else None,
    }


def _pools(api: Api) -> list[Item]:
    pool = api.one("describe_user_pool", "UserPool")
    if not has_latest(api):
        return [pool]
    sessions = api.one("get_user_pool_session_configuration")
    return [pool | of_sessions(sessions)]


def of_sessions(sessions: Item) -> Item:
    """What a pool says of its sessions, by column."""
    return {
        "session_tracking": sessions["UserSessionTracking"],
        "max_sessions_per_user": sessions["TokenSession"]["MaxPerUser"],
    }


def _restores(api: Api) -> list[Item]:
    return [
        api.one("describe_point_in_time_recovery", "Restoration", RestoreId=restore["RestoreId"])
        for restore in api.pages("list_point_in_time_recoveries", "Restorations")
    ]


def with_has_secret(client: Item) -> Item:
    """An app client, and whether it has a secret: its own, or one in Secrets Manager."""
    return {**client, "has_secret": not client.keys().isdisjoint(SECRET_MEMBERS)}


def _domains(api: Api) -> list[Item]:
    pool = api.one("describe_user_pool", "UserPool")
    domains = [pool[name] for name in ("Domain", "CustomDomain") if name in pool]
    answers = [api.client.describe_user_pool_domain(Domain=domain) for domain in domains]
    return [answer["DomainDescription"] for answer in answers]


def _risks(api: Api) -> list[Item]:
    ids = [{"ClientId": item["ClientId"]} for item in _clients(api)]
    risks = [api.one("describe_risk_configuration", "RiskConfiguration", **i) for i in ({}, *ids)]
    return [{"ClientId": "ALL", **risk} for risk in risks if "LastModifiedDate" in risk]


def _memberships(api: Api) -> list[Item]:
    return [
        {**user, "GroupName": group["GroupName"]}
        for group in api.all("list_groups", "Groups")
        for user in api.all("list_users_in_group", "Users", GroupName=group["GroupName"])
    ]


def _logs(api: Api) -> list[Item]:
    answer = api.one("get_log_delivery_configuration", "LogDeliveryConfiguration")
    return list(answer["LogConfigurations"])


def _user_mfa(api: Api) -> list[Item]:
    """What moto lacks, AdminGetUserAuthFactors, it has in part by AdminGetUser."""
    operation = "admin_get_user_auth_factors" if has_latest(api) else "admin_get_user"
    return [api.one(operation, Username=name) for name in _names(api)]


def has_latest(api: Api) -> bool:
    """Whether the API has the operations of 2026, as the emulator does and moto doesn't."""
    try:
        api.one("get_user_pool_session_configuration")
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.INTERNAL_SERVER_ERROR:
            return False
        raise
    return True


def _names(api: Api) -> list[str]:
    return [user["Username"] for user in api.all("list_users", "Users")]


def _of_users(api: Api, operation: str, result: str, **token: str) -> list[Item]:
    """What an operation on one user returns, page by page, with the user's name."""
    return [
        {**item, "Username": name}
        for name in _names(api)
        for item in api.pages(operation, result, Username=name, **token)
    ]


def _sessions(api: Api) -> list[Item]:
    return [
        {**session, "SessionId": hashlib.sha256(session["SessionId"].encode()).hexdigest()}
        for session in _of_users(api, "admin_list_user_sessions", "Sessions")
    ]


def _events(api: Api) -> list[Item]:
    events = _of_users(api, "admin_list_user_auth_events", "AuthEvents")
    for event in events:
        event.get("EventFeedback", {}).pop("FeedbackDate", None)
    return events


def _devices(api: Api) -> list[Item]:
    return [
        {**device, **{item["Name"]: item["Value"] for item in device["DeviceAttributes"]}}
        for device in _of_users(api, "admin_list_devices", "Devices", token="PaginationToken")
    ]


ANSWERS: Mapping[str, Callable[[Api], list[Item]]] = {
    "groups": lambda api: api.all("list_groups", "Groups"),
    "group_memberships": _memberships,
    "identity_providers": _providers,
    "app_clients": _clients,
    "resource_servers": lambda api: api.all("list_resource_servers", "ResourceServers"),
    "domains": _domains,
    "user_pool": _pools,
    "mfa_configuration": lambda api: [api.one("get_user_pool_mfa_config")],
    "risk_configurations": _risks,
    "log_delivery": _logs,
    "replicas": lambda api: api.pages("list_user_pool_replicas", "UserPoolReplicas"),
    "point_in_time_recoveries": _restores,
    "user_mfa": _user_mfa,
    "user_sessions": _sessions,
    "user_auth_events": _events,
    "user_devices": _devices,
}
"""Every stream but `users`, which has columns of its own."""
assert {"users", *ANSWERS} == set(NAMES)


def expected(stream: str, api: Api) -> list[Item]:
    """The records of a stream, by what boto3 answers now."""
    return in_order([record(stream, item, api.pool_id) for item in ANSWERS[stream](api)])


def answered(emulator: Emulator, stream: str) -> list[Item]:
    """The records of a stream, by what boto3 answers; these requests are forgotten."""
    rows = expected(stream, Api(client(emulator), emulator.pool.id))
    emulator.log.requests.clear()
    return rows


def record(stream: str, item: Mapping[str, Any], pool_id: str) -> Item:
    """The record that a stream must make of what boto3 answers."""
    by_column = {RENAMED.get(name, xform_name(name)): value for name, value in item.items()}
    by_column["user_pool_id"] = pool_id
    return {name: plain(by_column.get(name)) for name in _columns(stream)}


@cache
def _columns(stream: str) -> list[str]:
    return list(TapCognito(config=ANY_POOL).streams[stream].schema["properties"])


def plain(value: Any) -> Any:
    """A value as a record has it: without secrets, dates as text in UTC."""
    if isinstance(value, datetime):
        moment = value.astimezone(timezone.utc).replace(tzinfo=None)
        return moment.isoformat(timespec="milliseconds")
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items() if name not in SECRET_MEMBERS}
    return value


def in_order(records: list[Item]) -> list[Item]:
    """Sort records by all that they hold."""
    return sorted(records, key=lambda record: json.dumps(record, sort_keys=True))


def records(
    config: Mapping[str, Any],
    capfd: pytest.CaptureFixture[str],
    stream: str,
    columns: Collection[str] | None = None,
) -> list[Item]:
    """What the tap gives of a stream that is selected alone."""
    capfd.readouterr()
    with buffered_stdout():
        TapCognito(config=dict(config), catalog=selected(stream, columns=columns)).sync_all()
    return in_order(records_of(capfd.readouterr().out))
