"""Several pools, regions and accounts behind one address, and STS."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from emulator import Credential, Emulator, Pool, Role, quotas, sts
from tests.support.emulated import code, process, seen

if TYPE_CHECKING:
    from collections.abc import Iterator

HOME, OTHER = "111111111111", "222222222222"
ROLE = f"arn:aws:iam::{OTHER}:role/readers/reader"
KEYS = {
    "AKIDHOME": Credential("home-secret", account=HOME),
    "AKIDOTHER": Credential("other-secret", account=OTHER),
}
ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1})


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Two accounts with two regions each and two pools in each of these."""
    pools = [
        Pool(20 + seed, seed, f"{region}_{account[:3]}Pool{number}", account=account)
        for seed, (account, region, number) in enumerate(
            (account, region, number)
            for account in (HOME, OTHER)
            for region in ("us-east-1", "eu-west-1")
            for number in (1, 2)
        )
    ]
    roles = {ROLE: Role(external_id="agreed", trusted={HOME})}
    with Emulator(pools=pools, credentials=KEYS, roles=roles) as serving:
        yield serving


def connect(url: str, service: str, region: str, **keys: str) -> Any:
    """A client with these keys, which makes one attempt for each request."""
    session: Any = boto3.Session(region_name=region, **keys)  # type: ignore[arg-type]
    return session.client(service, endpoint_url=url, config=ONCE)


def client(
    emulator: Emulator,
    key_id: str = "AKIDHOME",
    region: str = "us-east-1",
    service: str = "cognito-idp",
) -> Any:
    """A client of a known identity."""
    keys = {"aws_access_key_id": key_id, "aws_secret_access_key": KEYS[key_id].secret}
    return connect(emulator.url, service, region, **keys)


def pool_ids(cognito: Any) -> list[str]:
    """The pools that ListUserPools returns, two a page."""
    pages = cognito.get_paginator("list_user_pools").paginate(MaxResults=2)
    return [pool["Id"] for page in pages for pool in page["UserPools"]]


def test_each_account_and_region_has_its_own_pools(emulator: Emulator) -> None:
    """The signature's key and region decide which pools there are."""
    found = {
        (key_id, region): pool_ids(client(emulator, key_id, region))
        for key_id in KEYS
        for region in ("us-east-1", "eu-west-1")
    }
    assert found == {
        ("AKIDHOME", "us-east-1"): ["us-east-1_111Pool1", "us-east-1_111Pool2"],
        ("AKIDHOME", "eu-west-1"): ["eu-west-1_111Pool1", "eu-west-1_111Pool2"],
        ("AKIDOTHER", "us-east-1"): ["us-east-1_222Pool1", "us-east-1_222Pool2"],
        ("AKIDOTHER", "eu-west-1"): ["eu-west-1_222Pool1", "eu-west-1_222Pool2"],
    }
    request = emulator.log.requests[-1]
    assert (request.region, request.account, request.pool_id) == ("eu-west-1", OTHER, None)


def test_pools_of_other_accounts_and_regions_do_not_exist(emulator: Emulator) -> None:
    """A pool of another account, or in another region, isn't found."""
    home, other = client(emulator), client(emulator, "AKIDOTHER")
    assert seen(home, "us-east-1_111Pool1") == "Users"
    assert seen(home, "us-east-1_222Pool1") == "ResourceNotFoundException"
    assert seen(home, "eu-west-1_111Pool1") == "ResourceNotFoundException"
    assert seen(other, "us-east-1_222Pool1") == "Users"
    domain = next(iter(emulator.pool.domains))
    assert home.describe_user_pool_domain(Domain=domain)["DomainDescription"]
    assert not other.describe_user_pool_domain(Domain=domain)["DomainDescription"]
    with pytest.raises(ClientError, match="valid region, not 'ap-south-1'"):
        pool_ids(client(emulator, region="ap-south-1"))
    emulator.regions = {"ap-south-1"}
    assert pool_ids(client(emulator, region="ap-south-1")) == []
    logged = emulator.log.matching(pool_id="us-east-1_222Pool1")
    assert [(request.account, request.outcome) for request in logged] == [
        (HOME, "ResourceNotFoundException"),
        (OTHER, "ok"),
    ]


def test_a_replica_is_served_in_its_region() -> None:
    """A pool may be in another region than its id says."""
    with Emulator(Pool(3, region="eu-west-1"), credentials=KEYS) as emulator:
        emulator.credentials = {"AKIDHOME": Credential("home-secret")}
        assert seen(client(emulator, region="eu-west-1"), "us-east-1_Emulated1") == "Users"
        assert pool_ids(client(emulator, region="eu-west-1")) == ["us-east-1_Emulated1"]


def test_pools_come_sixty_at_a_time() -> None:
    """A page of ListUserPools has sixty pools at most, and every pool comes once."""
    pools = [Pool(pool_id=f"us-east-1_Many{number:03}") for number in range(130)]
    with Emulator(pools=pools, credentials=KEYS) as emulator:
        emulator.credentials = {"AKIDHOME": Credential("home-secret")}
        cognito = client(emulator)
        pages = list(cognito.get_paginator("list_user_pools").paginate(MaxResults=60))
        assert [len(page["UserPools"]) for page in pages] == [60, 60, 10]
        found = [pool["Id"] for page in pages for pool in page["UserPools"]]
        assert found == [pool.id for pool in pools]
        with pytest.raises(ClientError) as error:
            cognito.list_user_pools(MaxResults=61)
        assert code(error) == "InvalidParameterException"


def test_pools_come_and_go(emulator: Emulator) -> None:
    """A pool that is added or removed at a request is there, or gone, from then on."""
    new, old = Pool(5, pool_id="us-east-1_111Pool3", account=HOME), emulator.pool
    emulator.before_request(2, lambda: emulator.add_pool(new))
    emulator.before_request(3, lambda: emulator.remove_pool(old))
    cognito = client(emulator)
    assert pool_ids(cognito) == ["us-east-1_111Pool1", "us-east-1_111Pool2"]
    assert pool_ids(cognito) == [f"us-east-1_111Pool{number}" for number in (1, 2, 3)]
    assert pool_ids(cognito) == ["us-east-1_111Pool2", "us-east-1_111Pool3"]
    assert seen(cognito, new.id) == "Users"
    assert seen(cognito, old.id) == "ResourceNotFoundException"
    assert {pool.id for pool in emulator.pools} >= {new.id}


def test_a_pool_a_region_or_an_account_may_be_denied(emulator: Emulator) -> None:
    """A refusal may mean one pool, all of a region, or all of an account."""
    emulator.refused = {
        "us-east-1_111Pool1/*": "AccessDeniedException",
        "eu-west-1/ListUserPools": "AccessDeniedException",
        f"{OTHER}/ListUsers": "InternalErrorException",
    }
    home, other = client(emulator), client(emulator, "AKIDOTHER")
    assert seen(home, "us-east-1_111Pool1") == "AccessDeniedException"
    assert seen(home, "us-east-1_111Pool2") == "Users"
    assert seen(other, "us-east-1_222Pool1") == "InternalErrorException"
    assert len(pool_ids(home)) == 2
    with pytest.raises(ClientError, match=f"eu-west-1:{HOME}:userpool/") as error:
        pool_ids(client(emulator, region="eu-west-1"))
    assert code(error) == "AccessDeniedException"


def test_a_quota_is_one_account_and_regions(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pools of an account and region share a quota, the others have their own."""
    moment = time.monotonic()
    monkeypatch.setattr(quotas, "time", SimpleNamespace(monotonic=lambda: moment))
    emulator.quota = 2
    home = client(emulator)
    outcomes = [seen(home, f"us-east-1_111Pool{number}") for number in (1, 2, 1)]
    assert outcomes == ["Users", "Users", "TooManyRequestsException"]
    assert seen(client(emulator, region="eu-west-1"), "eu-west-1_111Pool1") == "Users"
    assert seen(client(emulator, "AKIDOTHER"), "us-east-1_222Pool1") == "Users"
    assert emulator.log.count(outcome="throttled", region="us-east-1", account=HOME) == 1
    assert emulator.log.count("ListUsers", "ok", region="us-east-1") == 3
    assert emulator.log.seconds(account=OTHER) > 0


def assume(emulator: Emulator, key_id: str = "AKIDHOME", **more: Any) -> dict[str, str]:
    """Assume the role; return its credentials as arguments of a client."""
    service = client(emulator, key_id, service="sts")
    answer = service.assume_role(**{"RoleArn": ROLE, "RoleSessionName": "tests", **more})
    given: dict[str, str] = answer["Credentials"]
    return {
        "aws_access_key_id": given["AccessKeyId"],
        "aws_secret_access_key": given["SecretAccessKey"],
        "aws_session_token": given["SessionToken"],
    }


def in_role(emulator: Emulator, keys: dict[str, str], service: str = "cognito-idp") -> Any:
    """A client with the credentials of a role."""
    return connect(emulator.url, service, "us-east-1", **keys)


def test_a_role_reads_its_own_account(emulator: Emulator) -> None:
    """The credentials of a role are those of an identity of its account."""
    keys = assume(emulator, ExternalId="agreed")
    assert (keys["aws_secret_access_key"], keys["aws_session_token"]) == (
        sts.SECRET,
        f"{sts.TOKEN}-1",
    )
    assert seen(in_role(emulator, keys), "us-east-1_222Pool1") == "Users"
    assert seen(in_role(emulator, keys), "us-east-1_111Pool1") == "ResourceNotFoundException"
    identity = in_role(emulator, keys, "sts").get_caller_identity()
    assert identity["Account"] == OTHER
    assert identity["Arn"] == f"arn:aws:sts::{OTHER}:assumed-role/reader/tests"
    assert client(emulator, service="sts").get_caller_identity()["Account"] == HOME
    operations = [request.operation for request in emulator.log.requests]
    assert operations == ["AssumeRole", "ListUsers", "ListUsers", *["GetCallerIdentity"] * 2]


@pytest.mark.parametrize(
    ("key_id", "more"),
    [
        ("AKIDHOME", {}),
        ("AKIDHOME", {"ExternalId": "guessed"}),
        ("AKIDHOME", {"ExternalId": "agreed", "RoleArn": f"arn:aws:iam::{OTHER}:role/missing"}),
        ("AKIDOTHER", {"ExternalId": "agreed"}),
    ],
)
def test_a_role_is_given_to_whom_it_trusts(
    emulator: Emulator, key_id: str, more: dict[str, str]
) -> None:
    """Without the external id, the role or the trust, assuming it is denied."""
    with pytest.raises(ClientError, match="is not authorized to perform: sts:AssumeRole") as error:
        assume(emulator, key_id, **more)
    assert code(error) == "AccessDenied"
    assert emulator.log.count("AssumeRole", "AccessDenied") == 1


def test_sts_knows_its_callers(emulator: Emulator) -> None:
    """An unknown key, and a wrong secret, are refused with the codes of STS."""
    emulator.credentials = {"AKIDHOME": Credential("changed", account=HOME)}
    for key_id, expected in (
        ("AKIDHOME", "SignatureDoesNotMatch"),
        ("AKIDOTHER", "InvalidClientTokenId"),
    ):
        with pytest.raises(ClientError) as error:
            client(emulator, key_id, service="sts").get_caller_identity()
        assert code(error) == expected


def test_credentials_of_a_role_expire(emulator: Emulator) -> None:
    """They end when they were said to, or earlier if so set."""
    service = client(emulator, service="sts")
    for role, lifetime in ((Role(), 900), (Role(lifetime=7), 7), (Role(valid_for=0), 900)):
        emulator.roles = {ROLE: role}
        answer = service.assume_role(RoleArn=ROLE, RoleSessionName="tests", DurationSeconds=900)
        left = answer["Credentials"]["Expiration"].timestamp() - time.time()
        assert lifetime - 5 < left <= lifetime
    keys = assume(emulator)
    assert seen(in_role(emulator, keys), "us-east-1_222Pool1") == "ExpiredTokenException"


def test_a_role_counts_without_checked_signatures(emulator: Emulator) -> None:
    """Without checked signatures a role still decides on the account, and still expires."""
    emulator.credentials = None
    emulator.roles = {ROLE: Role()}
    keys = assume(emulator)
    assert seen(in_role(emulator, keys), "us-east-1_222Pool1") == "Users"
    emulator.roles = {ROLE: Role(valid_for=0)}
    keys = assume(emulator)
    assert seen(in_role(emulator, keys), "us-east-1_222Pool1") == "ExpiredTokenException"


@pytest.mark.programs
def test_the_command_serves_many_pools() -> None:
    """The command makes pools in each region of each account, and says how to read them."""
    with process(
        *("--users", "3", "--pools", "2", "--aws-quotas"),
        *("--region", "us-east-1", "--region", "eu-west-1", "--account", HOME, "--account", OTHER),
    ) as (_, ready):
        found = set()
        for account in ready["accounts"]:
            keys = {f"aws_{name}": account[name] for name in ("access_key_id", "secret_access_key")}
            service = connect(ready["url"], "sts", "us-east-1", **keys)
            role = service.assume_role(RoleArn=account["role_arn"], RoleSessionName="tests")
            assert f":{account['account']}:" in role["AssumedRoleUser"]["Arn"]
            for region in ("us-east-1", "eu-west-1"):
                cognito = connect(ready["url"], "cognito-idp", region, **keys)
                for pool_id in pool_ids(cognito):
                    assert len(cognito.list_users(UserPoolId=pool_id)["Users"]) == 3
                    found.add((account["account"], region, pool_id))
    assert found == {(pool["account"], pool["region"], pool["pool_id"]) for pool in ready["pools"]}
    assert len(found) == 8
