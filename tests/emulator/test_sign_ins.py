"""How users of an emulated pool sign in, and what the operations on that answer and refuse."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import botocore
import pytest
from botocore.exceptions import ClientError

from emulator import AWS_QUOTAS, PLACES, Emulator, Pool, upkeep
from tests.support.emulated import client, code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emulator.configuration import Tier

CLIENT = "1example23456789backend0ab"
OF_A_USER = (
    "AdminGetUser",
    *("AdminGetUserAuthFactors", "AdminListDevices", "AdminListUserAuthEvents"),
    "AdminListUserSessions",
)
OF_A_POOL: dict[str, dict[str, str]] = {
    "DescribePointInTimeRecovery": {"RestoreId": "2f0c1d2e-3a4b-4c5d-8e6f-0a1b2c3d4e5f"},
    "GetUserPoolClientSessionConfiguration": {"ClientId": CLIENT},
    "GetUserPoolSessionConfiguration": {},
    "ListPointInTimeRecoveries": {},
    "ListUserPoolClientSecrets": {"ClientId": CLIENT},
    "ListUserPoolReplicas": {},
}
OPERATIONS = (*OF_A_USER, *OF_A_POOL)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A hundred users, served."""
    with Emulator(Pool(100)) as serving:
        yield serving


def ask(emulator: Emulator, operation: str, **parameters: Any) -> Any:
    """What a real client gets of an operation, by default on the first user."""
    if operation in OF_A_USER:
        parameters = {"Username": emulator.pool.username(0), **parameters}
    parameters = {"UserPoolId": emulator.pool.id, **OF_A_POOL.get(operation, {}), **parameters}
    call = getattr(client(emulator, region=emulator.pool.region), botocore.xform_name(operation))
    answer = call(**parameters)
    del answer["ResponseMetadata"]
    return answer


def refusal(emulator: Emulator, operation: str, **parameters: Any) -> str:
    """The code of the error that an operation answers."""
    with pytest.raises(ClientError) as error:
        ask(emulator, operation, **parameters)
    return code(error)


def pages(emulator: Emulator, operation: str, member: str, **parameters: Any) -> list[list[Any]]:
    """The pages of a list."""
    found: list[list[Any]] = []
    token: dict[str, str] = {}
    while True:
        answer = ask(emulator, operation, **parameters, **token)
        found.append(answer.pop(member))
        token = answer
        if not token:
            return found


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_may_be_refused(emulator: Emulator, operation: str) -> None:
    """An operation that is denied, not enabled or unknown is refused; all others go on."""
    for refused in ("AccessDenied", "OperationNotEnabled", "UnknownOperation"):
        emulator.refused = {operation: f"{refused}Exception"}
        assert refusal(emulator, operation) == f"{refused}Exception"
    emulator.refused = {}
    emulator.denied = {f"cognito-idp:{operation}"}
    assert refusal(emulator, operation) == "AccessDeniedException"
    others = [other for other in OPERATIONS if other != operation]
    assert all(ask(emulator, other) for other in others)


@pytest.mark.parametrize(
    ("category", "operations"),
    [
        ("UserRead", {"AdminGetUserAuthFactors", "AdminGetUser"}),
        ("UserResourceRead", set(OF_A_USER[2:])),
        ("UserPoolClientRead", {"GetUserPoolClientSessionConfiguration"}),
        ("UserPoolResourceRead", {"GetUserPoolSessionConfiguration", "ListUserPoolReplicas"}),
    ],
)
def test_the_operations_share_the_quotas_of_their_categories(
    emulator: Emulator, category: str, operations: set[str]
) -> None:
    """A category without quota throttles its operations, and no other."""
    emulator.quotas = {category: 0}
    for operation in operations:
        assert refusal(emulator, operation) == "TooManyRequestsException"
    emulator.quotas = {other: 0 for other in AWS_QUOTAS if other != category}
    assert all(ask(emulator, operation) for operation in operations)


def test_a_replica_offers_less() -> None:
    """In another region than its own a pool answers what AWS lists for secondary regions."""
    with Emulator(Pool(10, region="us-west-2")) as emulator:
        offered = {
            operation
            for operation in OPERATIONS
            if operation in upkeep.OFFERED_IN_REPLICAS and ask(emulator, operation)
        }
        assert offered == {
            *("AdminGetUser", "AdminListDevices", "AdminListUserAuthEvents"),
            *("ListUserPoolClientSecrets", "ListUserPoolReplicas"),
        }
        for operation in set(OPERATIONS) - offered:
            assert refusal(emulator, operation) == "OperationNotEnabledException"


@pytest.mark.parametrize("operation", OF_A_USER)
def test_users_that_are_gone_are_not_found(emulator: Emulator, operation: str) -> None:
    """Operations on a deleted user fail by the code that the API's model declares."""
    gone = emulator.pool.username(0)
    emulator.pool.delete(gone)
    is_declared = operation != "AdminListDevices"
    expected = "UserNotFoundException" if is_declared else "ResourceNotFoundException"
    for name in (gone, "nobody"):
        assert refusal(emulator, operation, Username=name) == expected


@pytest.mark.parametrize("tier", ["LITE", "ESSENTIALS", "PLUS"])
def test_a_lower_tier_lacks_operations(tier: Tier) -> None:
    """Events are those of PLUS, sessions and restores not those of LITE."""
    with Emulator(Pool(10, tier=tier)) as emulator:
        tracked = ask(emulator, "GetUserPoolSessionConfiguration")["UserSessionTracking"]
        assert tracked == ("DISABLED" if tier == "LITE" else "ENABLED")
        if tier != "PLUS":
            refused = refusal(emulator, "AdminListUserAuthEvents")
            assert refused == "UserPoolAddOnNotEnabledException"
        if tier == "LITE":
            assert refusal(emulator, "AdminListUserSessions") == "OperationNotEnabledException"
            refused = refusal(emulator, "ListPointInTimeRecoveries")
            assert refused == "FeatureUnavailableInTierException"
        if tier == "PLUS":
            assert all(ask(emulator, operation) for operation in OPERATIONS)


def test_a_new_pool_has_turned_nothing_on() -> None:
    """It has no replicas and no restores, and tracks neither sessions nor devices."""
    with Emulator(Pool(10, pool_id="us-east-1_New2")) as emulator:
        assert ask(emulator, "ListUserPoolReplicas") == {"UserPoolReplicas": []}
        assert ask(emulator, "ListPointInTimeRecoveries") == {"Restorations": []}
        tracked = ask(emulator, "GetUserPoolSessionConfiguration")
        assert (tracked["UserSessionTracking"], tracked["TokenSession"]["MaxPerUser"]) == (
            "DISABLED",
            20,
        )
        refused = refusal(emulator, "AdminListDevices")
        assert refused == "InvalidUserPoolConfigurationException"


@pytest.mark.parametrize(
    ("operation", "attribute", "member"),
    [
        ("AdminListDevices", "devices", "Devices"),
        ("AdminListUserAuthEvents", "auth_events", "AuthEvents"),
        ("AdminListUserSessions", "sessions", "Sessions"),
    ],
)
def test_what_users_have_is_paged_and_can_be_set(
    emulator: Emulator, operation: str, attribute: str, member: str
) -> None:
    """Some users have nothing; lists come page by page, in their own order, and can be emptied."""
    details = getattr(emulator.pool, attribute)
    found = {name: details[name] for name in emulator.pool.usernames()}
    assert found == {name: getattr(Pool(100), attribute)[name] for name in found}
    assert [] in found.values()
    assert sum(len(items) > 1 for items in found.values()) > 10
    name, items = max(found.items(), key=lambda item: len(item[1]))
    emulator.page_sizes = {operation: 1}
    given = pages(emulator, operation, member, Username=name)
    assert [len(page) for page in given] == [1] * len(items)
    details[name] = []
    assert pages(emulator, operation, member, Username=name) == [[]]


def test_a_token_belongs_to_its_user(emulator: Emulator) -> None:
    """A token is refused for another user."""
    emulator.page_sizes = {"AdminListUserAuthEvents": 1}
    busy = [name for name in emulator.pool.usernames() if len(emulator.pool.auth_events[name]) > 1]
    token = ask(emulator, "AdminListUserAuthEvents", Username=busy[0])["NextToken"]
    refused = refusal(emulator, "AdminListUserAuthEvents", Username=busy[1], NextToken=token)
    assert refused == "InvalidParameterException"


def test_events_come_newest_first(emulator: Emulator) -> None:
    """Events are newest first, and none is later than the emulated now."""
    for name in emulator.pool.usernames():
        dates = [event["CreationDate"] for event in emulator.pool.auth_events[name]]
        assert dates == sorted(dates, reverse=True)


def test_users_sign_in_by_all_factors(emulator: Emulator) -> None:
    """Passkeys with and without password, codes and apps; a provider's users by nothing here."""
    found, cognito = set(), client(emulator)
    for user in emulator.pool.users():
        named = {"UserPoolId": emulator.pool.id, "Username": user["Username"]}
        answer = cognito.admin_get_user_auth_factors(**named)
        factors = answer["ConfiguredUserAuthFactors"]
        assert not factors or user["UserStatus"] != "EXTERNAL_PROVIDER"
        assert answer["Username"] == user["Username"]
        known = cognito.admin_get_user(**named)
        assert answer.get("UserMFASettingList") == known.get("UserMFASettingList")
        found.add(tuple(factors))
    alone = {"PASSWORD", "WEB_AUTHN", "EMAIL_OTP", "SMS_OTP", "SOFTWARE_TOKEN"}
    assert {factor for factors in found for factor in factors} == alone
    assert {(), ("PASSWORD",), ("WEB_AUTHN",), ("PASSWORD", "WEB_AUTHN")} <= found
    name = emulator.pool.username(0)
    emulator.pool.factors[name] = ["WEB_AUTHN"]
    answer = ask(emulator, "AdminGetUserAuthFactors")
    assert answer["ConfiguredUserAuthFactors"] == ["WEB_AUTHN"]


def test_where_users_sign_in_from_is_planted(emulator: Emulator) -> None:
    """Addresses, cities and devices are texts that a test can look for."""
    texts = [
        json.dumps(details[name])
        for details in (emulator.pool.sessions, emulator.pool.auth_events, emulator.pool.devices)
        for name in emulator.pool.usernames()
    ]
    assert [place for place in PLACES if place not in "".join(texts)] == []
    assert all(PLACES[0] in text for text in texts if text != "[]")


def test_replicas_and_restores_are_paged_and_can_be_set(emulator: Emulator) -> None:
    """Both regions of the pool; the newest restore first, described with what it changes."""
    replicas = pages(emulator, "ListUserPoolReplicas", "UserPoolReplicas")
    assert [(page[0]["Role"], page[0]["RegionName"]) for page in replicas] == [
        ("PRIMARY", "us-east-1"),
        ("SECONDARY", "us-west-2"),
    ]
    restores = pages(emulator, "ListPointInTimeRecoveries", "Restorations", MaxResults=1)
    assert [page[0]["RestoreStatus"] for page in restores] == [
        "RESTORE_COMPLETED",
        "PREVIEW_CANCELLED",
    ]
    described = ask(emulator, "DescribePointInTimeRecovery")["Restoration"]
    assert described["RestorePreview"][0]["Entity"] == "Users"
    emulator.pool.recoveries.clear()
    assert pages(emulator, "ListPointInTimeRecoveries", "Restorations") == [[]]
    assert refusal(emulator, "DescribePointInTimeRecovery") == "ResourceNotFoundException"


def test_clients_have_sessions_and_secrets(emulator: Emulator) -> None:
    """A client without either has the default and none, one that doesn't exist is an error."""
    ids = list(emulator.pool.clients)
    minutes = [
        ask(emulator, "GetUserPoolClientSessionConfiguration", ClientId=client_id)["SSOSession"]
        for client_id in ids
    ]
    assert [session["MaxValidityMinutes"] for session in minutes] == [0, 1440, 60]
    counts = [
        len(ask(emulator, "ListUserPoolClientSecrets", ClientId=client_id)["ClientSecrets"])
        for client_id in ids
    ]
    assert counts == [2, 0, 1]
    for operation in ("GetUserPoolClientSessionConfiguration", "ListUserPoolClientSecrets"):
        assert refusal(emulator, operation, ClientId="none") == "ResourceNotFoundException"


def test_the_accounts_quota_can_be_asked_for(emulator: Emulator) -> None:
    """The default of a category, or what the account has been given."""

    def limit(category: str) -> Any:
        meant = {"LimitClass": "API_CATEGORY", "Attributes": {"Category": category}}
        cognito = client(emulator)
        return cognito.get_provisioned_limit(LimitDefinition=meant)["Limit"]

    assert limit("UserRead")["ProvisionedLimitValue"] == 120
    emulator.quotas = {"UserRead": 500}
    found = limit("UserRead")
    assert (found["ProvisionedLimitValue"], found["FreeLimitValue"]) == (500, 120)
    with pytest.raises(ClientError) as error:
        limit("Nothing")
    assert code(error) == "InvalidParameterException"
