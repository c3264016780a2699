"""Columns are an allow-list, compared with AWS's own description of the API."""

from __future__ import annotations

import itertools
import json
import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import botocore
import botocore.session
import pytest

from tap_cognito.replication.columns import timestamp
from tap_cognito.streams import NAMES, STREAMS
from tap_cognito.tap import TapCognito
from tests.support.catalogs import ANY_POOL
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_cognito.cognito.enriched import Extra
    from tap_cognito.replication.columns import Column

pytestmark = pytest.mark.skipif(
    tuple(map(int, botocore.__version__.split(".")[:2])) < (1, 44),
    reason="the streams have members that an older model lacks",
)

SHAPES = {
    "users": "UserType",
    "groups": "GroupType",
    "group_memberships": "UserType",
    "identity_providers": "IdentityProviderType",
    "app_clients": "UserPoolClientType",
    "resource_servers": "ResourceServerType",
    "domains": "DomainDescriptionType",
    "user_pool": "UserPoolType",
    "mfa_configuration": "GetUserPoolMfaConfigResponse",
    "risk_configurations": "RiskConfigurationType",
    "log_delivery": "LogConfigurationType",
    "replicas": "UserPoolReplicaType",
    "point_in_time_recoveries": "RestorationType",
    "user_mfa": "AdminGetUserAuthFactorsResponse",
    "user_sessions": "SessionDescriptionType",
    "user_auth_events": "AuthEventType",
    "user_devices": "DeviceType",
}
"""What a stream's records are made of, as the API calls it."""

_SECRET = "it works as a password"
_USERS = "the stream `users` has it"
_ACCOUNT = ("Attributes", "UserCreateDate", "UserLastModifiedDate", "Enabled", "UserStatus")

LEFT_OUT: dict[str, dict[str, str]] = {
    "users": {"MFAOptions": "no longer supported; `user_mfa` has more"},
    "group_memberships": {
        "MFAOptions": "no longer supported",
        **dict.fromkeys(
            ("Attributes", "UserCreateDate", "UserLastModifiedDate", "Enabled", "UserStatus"),
            _USERS,
        ),
    },
    "identity_providers": {"ProviderDetails.*": "names are an allow-list of their own"},
    "app_clients": {
        "ClientSecret": "the secret; `has_secret` says whether there is one",
        "ClientSecretArn": "where the secret lies; `has_secret` says whether there is one",
        "AnalyticsConfiguration.ExternalId": _SECRET,
    },
    "GetUserPoolClientSessionConfiguration": {"ClientId": "of the item"},
    "ListUserPoolClientSecrets": {
        "ClientSecretId": "counted; it begins with the client's id and ends with the date",
        "ClientSecretValue": "the secret, though AWS says that it never lists one",
    },
    "DescribePointInTimeRecovery": {
        **dict.fromkeys(("RestoreId", "RestoreStatus", "RestoreTimestamp"), "of the item"),
        "RestorePreview": "how much it would have changed",
    },
    "user_pool": {
        "SmsConfiguration.ExternalId": _SECRET,
        "SmsConfiguration.EumsSms.ExternalId": _SECRET,
    },
    "mfa_configuration": {
        "SmsMfaConfiguration.SmsConfiguration.ExternalId": _SECRET,
        "SmsMfaConfiguration.SmsConfiguration.EumsSms.ExternalId": _SECRET,
    },
    "point_in_time_recoveries": {
        "RestorePreview": "how much it would have changed",
        "TriggerTimestamp": "listings lack it: it is asked for",
    },
    "user_sessions": {
        "SessionId": "hashed: what it opens isn't documented",
        "OriginSessionId": "the id of another session, as it is",
        "IsCurrentSession": "true only for a user who asks",
    },
    "user_auth_events": {"EventFeedback.FeedbackDate": "the event itself is dated"},
    "user_devices": {"DeviceAttributes": "names are an allow-list of their own"},
}
"""The members of the API that are no columns, or not in one, each with its reason.

By stream, and by operation for what is asked for each item.
"""

MODEL = botocore.session.get_session().get_service_model("cognito-idp")
TAP = TapCognito(config={"user_pool_id": "us-east-1_Any"})
EXTRAS: dict[Extra, list[Column]] = {}
"""What is asked for each item, and its columns."""
for _stream in STREAMS:
    for _column in vars(_stream).get("columns", ()):
        if _column.extra:
            EXTRAS.setdefault(_column.extra, []).append(_column)
EPOCH = datetime(2000, 1, 1, tzinfo=timezone.utc)


class Filled:
    """A value of a shape in which each leaf is a text or a date of its own."""

    def __init__(self, shape: Any) -> None:
        self._numbers = itertools.count()
        self.texts: dict[str, str] = {}
        """What stands for each leaf, by its path."""
        self.value = self._fill(shape, ())

    def _fill(self, shape: Any, path: tuple[str, ...]) -> Any:
        kind = shape.type_name
        if kind == "structure":
            return {name: self._fill(part, (*path, name)) for name, part in shape.members.items()}
        if kind == "list":
            return [self._fill(shape.member, path)]
        if kind == "map":
            return {"*": self._fill(shape.value, (*path, "*"))}
        moment = EPOCH + timedelta(days=next(self._numbers))
        self.texts[".".join(path)] = moment.isoformat()[:19]
        return moment if kind == "timestamp" else moment.isoformat()[:19]


def left_out(stream: str) -> Iterator[str]:
    """The paths of the API's members that come out in no column."""
    filled = Filled(MODEL.shape_for(SHAPES[stream]))
    columns: Any = TAP.streams[stream]
    item = {"GroupName": "", "Username": "", **filled.value}
    every = [*columns.columns, *getattr(columns, "personal", ())]
    text = json.dumps([column.value(item) for column in every])
    return (path for path, value in filled.texts.items() if value not in text)


def left_out_of_extra(extra: Extra) -> Iterator[str]:
    """The paths of an extra's members that come out in no column."""
    shape: Any = MODEL.operation_model(extra.operation).output_shape
    if extra.result:
        shape = shape.members[extra.result]
    filled = Filled(shape)
    items = filled.value if isinstance(filled.value, list) else [filled.value]
    text = json.dumps([column.value({extra.operation: items}) for column in EXTRAS[extra]])
    return (path for path, value in filled.texts.items() if value not in text)


@pytest.mark.parametrize("extra", EXTRAS, ids=lambda extra: extra.operation)
def test_every_member_of_what_is_asked_for_each_item_is_a_column_or_left_out(extra: Extra) -> None:
    """The same of the operations that are called for the items of another one."""
    reasons = LEFT_OUT.get(extra.operation, {})
    assert {path for path in left_out_of_extra(extra) if path.split(".")[0] not in reasons} <= {
        "UserPoolId"
    }
    assert all(any(path.startswith(name) for path in left_out_of_extra(extra)) for name in reasons)


@pytest.mark.parametrize("stream", NAMES)
def test_every_member_of_the_api_is_a_column_or_left_out_on_purpose(stream: str) -> None:
    """A member that is new in botocore's model is noticed; a reason stands for each exception."""
    reasons = LEFT_OUT.get(stream, {})
    unexplained = [path for path in left_out(stream) if not path.startswith(tuple(reasons))]
    assert [path for path in unexplained if path != "UserPoolId"] == []
    assert all(any(path.startswith(name) for path in left_out(stream)) for name in reasons)


@pytest.mark.parametrize("stream", NAMES)
def test_every_column_describes_itself(stream: str) -> None:
    """The catalog has a sentence about each column."""
    for column in TAP.streams[stream].schema["properties"].values():
        assert column["description"].endswith(".")


def test_only_harmless_settings_of_providers_come_out() -> None:
    """What is no known setting of a provider is dropped, whatever it is called."""
    secrets = ("client_secret", "private_key", "MetadataFile", "secret_of_tomorrow", "Client_ID")
    details = {**dict.fromkeys(secrets, "planted"), "client_id": "1", "oidc_issuer": "https://i"}
    columns: Any = TAP.streams["identity_providers"]
    (column,) = (column for column in columns.columns if column.name == "provider_details")
    assert column.value({"ProviderDetails": details}) == {
        "client_id": "1",
        "oidc_issuer": "https://i",
    }


READING = re.compile(r"(Admin)?(List|Describe|Get)[A-Z]")


def test_every_operation_that_reads_is_called_or_refused_with_a_reason() -> None:
    """An operation that is new in botocore's model is noticed; docs/streams.md has the reasons."""
    documents = (ROOT / "docs/streams.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"(?ms)^These operations that read aren't called:$(.*?)^## ", documents)
    rows = re.findall(r"(?m)^\| ([\w, ]+) \| .+ \|$", table)[1:]
    refused = [name for row in rows for name in row.split(", ")]
    code = "".join(path.read_text("utf-8") for path in (ROOT / "tap_cognito").rglob("*.py"))
    called = set(re.findall(r'"(\w+)"', code))
    reading = {name for name in MODEL.operation_names if READING.match(name)}
    assert reading - called == set(refused)
    assert len(refused) == len(set(refused))


def test_dates_of_any_time_zone_become_utc() -> None:
    """A record's date has no offset: it is that of the same moment in UTC."""
    moment = datetime(2026, 1, 1, 22, 30, tzinfo=timezone(timedelta(hours=-5)))
    assert timestamp({"CreationDate": moment}, "CreationDate") == "2026-01-02T03:30:00.000"


def test_an_attribute_that_comes_twice_is_the_same_in_both_columns() -> None:
    """Of two addresses the last one is `email`, as it is in `attributes`."""
    user = {"Attributes": [{"Name": "email", "Value": value} for value in ("first", "last")]}
    stream: Any = TapCognito(config=ANY_POOL).streams["users"]
    columns = {each.name: each for each in stream.columns}
    assert columns["email"].value(user) == "last"
    assert columns["attributes"].value(user) == {"email": "last"}
