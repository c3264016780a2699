"""How an emulated pool signs in, notifies, protects and logs, and what a tier lacks."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from emulator import SECRETS, Emulator, Pool
from tests.support.emulated import client, code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emulator.configuration import Tier


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A hundred users, served."""
    with Emulator(Pool(100)) as serving:
        yield serving


def parts(value: Any, place: str = "pool") -> Iterator[tuple[int, str]]:
    """Each dict and list in a value, by its identity, and where it is."""
    if isinstance(value, (dict, list)):
        yield id(value), place
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from parts(part, f"{place}.{key}")


def test_pools_share_nothing_that_can_be_changed() -> None:
    """A test that changes a pool in place changes no pool of another test."""
    one, other = Pool(3), Pool(3)
    others = dict(parts(vars(other)))
    assert len(others) > 100
    assert [place for identity, place in parts(vars(one)) if identity in others] == []


def test_users_have_all_kinds_of_mfa(emulator: Emulator) -> None:
    """Half of them have none, as have a provider's; others each factor, alone and together."""
    cognito, pool = client(emulator), emulator.pool
    found: Counter[tuple[str | None, ...]] = Counter()
    for user in pool.users():
        answer = cognito.admin_get_user(UserPoolId=pool.id, Username=user["Username"])
        assert answer["UserAttributes"] == user["Attributes"]
        settings = answer.get("UserMFASettingList", [])
        assert not settings or user["UserStatus"] != "EXTERNAL_PROVIDER"
        preferred = answer.get("PreferredMfaSetting")
        assert preferred in (settings or [None])
        found[(preferred, *settings)] += 1
    kinds = {
        ("SOFTWARE_TOKEN_MFA", "SOFTWARE_TOKEN_MFA"),
        ("SMS_MFA", "SMS_MFA"),
        ("EMAIL_OTP", "EMAIL_OTP"),
        ("SMS_MFA", "SMS_MFA", "SOFTWARE_TOKEN_MFA"),
        ("SOFTWARE_TOKEN_MFA", "SMS_MFA", "SOFTWARE_TOKEN_MFA"),
    }
    assert found.keys() == {(None,), *kinds}
    assert all(8 <= found[kind] <= 10 for kind in kinds)


def test_a_users_mfa_can_be_set(emulator: Emulator) -> None:
    """Settings are what they were set to, also none, and gone users aren't found."""
    cognito, pool = client(emulator), emulator.pool
    names = [pool.username(ordinal) for ordinal in (0, 5, 6)]
    pool.set_mfa(names[0], "EMAIL_OTP", "SMS_MFA")
    pool.set_mfa(names[1])
    pool.delete(names[2])
    first = cognito.admin_get_user(UserPoolId=pool.id, Username=names[0])
    second = cognito.admin_get_user(UserPoolId=pool.id, Username=names[1])
    assert first["PreferredMfaSetting"] == "EMAIL_OTP"
    assert first["UserMFASettingList"] == ["EMAIL_OTP", "SMS_MFA"]
    assert not {"PreferredMfaSetting", "UserMFASettingList"} & second.keys()
    for name in (names[2], "nobody"):
        with pytest.raises(ClientError, match="User does not exist") as error:
            cognito.admin_get_user(UserPoolId=pool.id, Username=name)
        assert code(error) == "UserNotFoundException"


def test_domains_are_described(emulator: Emulator) -> None:
    """The pool's own and its custom domain are described, an unknown one as an empty object."""
    cognito, pool = client(emulator), emulator.pool
    described = cognito.describe_user_pool(UserPoolId=pool.id)["UserPool"]
    for domain in (described["Domain"], described["CustomDomain"]):
        found = cognito.describe_user_pool_domain(Domain=domain)["DomainDescription"]
        assert (found["Domain"], found["UserPoolId"]) == (domain, pool.id)
    assert cognito.describe_user_pool_domain(Domain="unknown")["DomainDescription"] == {}


def test_resource_servers_come_fifty_at_a_time(emulator: Emulator) -> None:
    """A page has fifty at most, and more are refused."""
    cognito, pool = client(emulator), emulator.pool
    for number in range(58):
        pool.resource_servers[f"server{number}"] = pool.resource_servers["sync"]
    first = cognito.list_resource_servers(UserPoolId=pool.id)
    second = cognito.list_resource_servers(UserPoolId=pool.id, NextToken=first["NextToken"])
    assert [len(page["ResourceServers"]) for page in (first, second)] == [50, 10]
    assert "NextToken" not in second
    with pytest.raises(ClientError) as error:
        cognito.list_resource_servers(UserPoolId=pool.id, MaxResults=51)
    assert code(error) == "InvalidParameterException"


def test_clients_may_have_a_risk_configuration_of_their_own(emulator: Emulator) -> None:
    """The pool has one, a client may have one, and a client that doesn't exist is an error."""
    cognito, pool = client(emulator), {"UserPoolId": emulator.pool.id}
    backend, browser, _ = emulator.pool.clients

    def risk(**parameters: str) -> Any:
        return cognito.describe_risk_configuration(**pool, **parameters)["RiskConfiguration"]

    assert "ClientId" not in risk()
    assert risk(ClientId=backend)["AccountTakeoverRiskConfiguration"]
    assert risk(ClientId=browser) == {**pool, "ClientId": browser}
    with pytest.raises(ClientError) as error:
        risk(ClientId="missing")
    assert code(error) == "ResourceNotFoundException"


@pytest.mark.parametrize("tier", ["LITE", "ESSENTIALS", "PLUS"])
def test_a_lower_tier_lacks_features(tier: Tier) -> None:
    """Protection and the log of sign-ins are those of PLUS, e-mail and keys not those of LITE."""
    with Emulator(Pool(1, tier=tier)) as emulator:
        cognito, pool = client(emulator), {"UserPoolId": emulator.pool.id}
        described = cognito.describe_user_pool(**pool)["UserPool"]
        mfa = cognito.get_user_pool_mfa_config(**pool)
        logs = cognito.get_log_delivery_configuration(**pool)["LogDeliveryConfiguration"]
        sources = {item["EventSource"] for item in logs["LogConfigurations"]}
        try:
            risk = cognito.describe_risk_configuration(**pool)["RiskConfiguration"]
        except ClientError as error:
            risk = error.response["Error"]["Code"]
    assert described["UserPoolTier"] == tier
    assert ("SignInPolicy" in described["Policies"]) == (tier != "LITE")
    assert ("EmailMfaConfiguration" in mfa) == (tier != "LITE")
    assert ("userAuthEvents" in sources) == (tier == "PLUS")
    assert (risk == "UserPoolAddOnNotEnabledException") == (tier != "PLUS")
    assert (described["UserPoolAddOns"]["AdvancedSecurityMode"] == "OFF") == (tier != "PLUS")


def test_an_operation_may_be_refused_with_any_error(emulator: Emulator) -> None:
    """What a tier lacks, or a pool denies, can be set as an error code of an operation."""
    emulator.refused = {
        "GetLogDeliveryConfiguration": "FeatureUnavailableInTierException",
        "us-east-1_Emulated1/GetUserPoolMfaConfig": "InvalidParameterException",
        "us-east-1/ListGroups": "AccessDeniedException",
        "123456789012/ListUsers": "NotAuthorizedException",
        "us-east-1_Emulated2/*": "AccessDeniedException",
    }
    cognito, pool = client(emulator), {"UserPoolId": emulator.pool.id}
    for call, expected in (
        (cognito.get_log_delivery_configuration, "FeatureUnavailableInTierException"),
        (cognito.get_user_pool_mfa_config, "InvalidParameterException"),
        (cognito.list_groups, "AccessDeniedException"),
        (cognito.list_users, "NotAuthorizedException"),
    ):
        with pytest.raises(ClientError) as error:
            call(**pool)
        assert code(error) == expected
    assert cognito.describe_user_pool(**pool)["UserPool"]


def test_secrets_are_only_in_descriptions(emulator: Emulator) -> None:
    """No list of a pool's resources holds a planted secret."""
    cognito, pool = client(emulator), {"UserPoolId": emulator.pool.id}
    lists = [
        cognito.list_groups(**pool),
        cognito.list_identity_providers(**pool),
        cognito.list_resource_servers(**pool),
        cognito.list_user_pool_clients(**pool),
        cognito.list_user_pools(MaxResults=60),
        cognito.list_users(**pool),
    ]
    text = json.dumps(lists, default=str)
    assert [secret for secret in SECRETS if secret in text] == []
