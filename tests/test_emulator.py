"""What the emulated user pool promises to those who test and measure against it."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from emulator import FAULTS, Credential, Emulator, Faults, Pool, resources

if TYPE_CHECKING:
    from collections.abc import Iterator


def client(
    emulator: Emulator, key: str = "dummy", token: str | None = None, timeout: float = 10
) -> Any:
    """A real client that makes one attempt for each request."""
    return boto3.client(
        "cognito-idp",
        endpoint_url=emulator.url,
        region_name="us-east-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key=key,
        aws_session_token=token,
        config=Config(retries={"mode": "standard", "total_max_attempts": 1}, read_timeout=timeout),
    )


def pages(emulator: Emulator, **parameters: Any) -> Iterator[list[dict[str, Any]]]:
    """The pages of one chain."""
    cognito = client(emulator)
    token: dict[str, str] = {}
    while True:
        page = cognito.list_users(UserPoolId=emulator.pool.id, **parameters, **token)
        yield page["Users"]
        if "PaginationToken" not in page:
            return
        token = {"PaginationToken": page["PaginationToken"]}


def names(emulator: Emulator, **parameters: Any) -> list[str]:
    """The user names that one chain returns."""
    return [user["Username"] for page in pages(emulator, **parameters) for user in page]


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    """The code of the error that the client raised."""
    return str(error.value.response["Error"]["Code"])


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Five hundred users, served."""
    with Emulator(Pool(500)) as serving:
        yield serving


def test_a_pool_is_the_same_for_the_same_size_and_seed() -> None:
    """Two pools of one seed are equal, those of another seed are not."""
    assert list(Pool(200, 1).users()) == list(Pool(200, 1).users())
    assert list(Pool(200, 1).users()) != list(Pool(200, 2).users())


def test_a_million_users_start_at_once() -> None:
    """A large pool costs neither time at its start nor much for a page."""
    start = time.perf_counter()
    pool = Pool(1_000_000)
    page, _ = pool.page(60, 900_000)
    assert (len(pool), len(page)) == (1_000_000, 60)
    assert time.perf_counter() - start < 5


def test_users_are_believable() -> None:
    """Names are unique, and everything optional is missing somewhere."""
    users = list(Pool(3000).users())
    attributes = [{each["Name"]: each.get("Value") for each in u["Attributes"]} for u in users]
    assert len({user["Username"] for user in users}) == len({a["sub"] for a in attributes}) == 3000
    assert 0.03 < sum("email" not in each for each in attributes) / 3000 < 0.08
    assert {None, "free"} < {each.get("custom:plan", "missing") for each in attributes}
    assert len({user["UserStatus"] for user in users}) > 5
    assert {user["Enabled"] for user in users} == {True, False}
    assert all(user["UserCreateDate"] <= user["UserLastModifiedDate"] for user in users)


def test_a_client_reads_exactly_the_users_of_the_pool(emulator: Emulator) -> None:
    """What boto3 returns is the truth of the pool, full pages of 60 and a rest."""
    found = list(pages(emulator))
    assert [len(page) for page in found] == [60] * 8 + [20]
    for user, truth in zip(itertools.chain(*found), emulator.pool.users(), strict=True):
        for field in ("UserCreateDate", "UserLastModifiedDate"):
            truth[field] = dt.datetime.fromtimestamp(truth[field], dt.timezone.utc)
        assert user == truth


def test_sixteen_chains_split_the_pool(emulator: Emulator) -> None:
    """The filters on the first digit of sub return every user once."""
    chains = [names(emulator, Filter=f'sub ^= "{digit}"') for digit in "0123456789abcdef"]
    assert all(chains)
    assert sorted(itertools.chain(*chains)) == sorted(u["Username"] for u in emulator.pool.users())


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('username = "Quo\\"te"', ['Quo"te']),
        ('username = "quo\\"te"', []),
        ('name ^= "back\\\\"', ["slash"]),
        ('"email"="b@example.com"', ["slash"]),
        ('cognito:user_status = "confirmed"', ["slash"]),
        ('status = "Disabled"', ["slash"]),
        ('sub = "ab-1"', ['Quo"te']),
        ('sub ^= "ab"', ['Quo"te', "slash"]),
        ('sub ^= "f"', []),
        ("", ['Quo"te', "slash"]),
    ],
)
def test_filters_select_as_cognito_does(condition: str, expected: list[str]) -> None:
    """Each kind of condition returns its users."""
    users = [
        {"Username": 'Quo"te', "Attributes": [{"Name": "sub", "Value": "ab-1"}], "Enabled": True},
        {
            "Username": "slash",
            "UserStatus": "CONFIRMED",
            "Enabled": False,
            "Attributes": [
                {"Name": "sub", "Value": "ab-2"},
                {"Name": "name", "Value": "back\\slash"},
                {"Name": "email", "Value": "b@example.com"},
            ],
        },
    ]
    with Emulator(Pool.from_users(users)) as emulator:
        assert names(emulator, Filter=condition) == expected


@pytest.mark.parametrize("condition", ['custom:plan = "x"', "sub = 1", 'sub > "1"', 'sub = "a"b"'])
def test_bad_filters_are_refused(emulator: Emulator, condition: str) -> None:
    """What cannot be searched is an InvalidParameterException."""
    with pytest.raises(ClientError) as error:
        names(emulator, Filter=condition)
    assert code(error) == "InvalidParameterException"


def test_a_token_belongs_to_its_filter(emulator: Emulator) -> None:
    """A token is refused with another filter, and if it is no token."""
    cognito = client(emulator)
    token = cognito.list_users(UserPoolId=emulator.pool.id)["PaginationToken"]
    for given, condition in ((token, 'sub ^= "a"'), ("nonsense", "")):
        with pytest.raises(ClientError, match="Paging Marker is Invalid for Request") as error:
            cognito.list_users(UserPoolId=emulator.pool.id, Filter=condition, PaginationToken=given)
        assert code(error) == "InvalidParameterException"


@pytest.mark.parametrize("reorder", [False, True])
def test_changes_in_between_neither_skip_nor_repeat_users(reorder: bool) -> None:
    """A chain returns all users once that exist from its beginning to its end."""
    with Emulator(Pool(300), reorder=reorder) as emulator:
        before = {user["Username"] for user in emulator.pool.users()}
        seen: list[str] = []
        deleted: set[str] = set()
        for page in pages(emulator):
            seen += [user["Username"] for user in page]
            gone = next(iter(before - deleted))
            emulator.pool.delete(gone)
            deleted.add(gone)
            emulator.pool.change(next(iter(before - deleted)), {"email": "new@example.com"})
            emulator.pool.create()
    assert len(seen) == len(set(seen))
    assert before - deleted <= set(seen)


def test_a_change_sets_the_date_of_modification(emulator: Emulator) -> None:
    """Changing a user changes the named fields, and its date to the given time."""
    created = emulator.pool.create({"Username": "eve", "Enabled": True}, at=100.5)
    changed = emulator.pool.change("eve", {"email": "e@example.com"}, at=200.25, Enabled=False)
    assert (created["UserCreateDate"], changed["UserCreateDate"]) == (100.5, 100.5)
    assert changed["UserLastModifiedDate"] == 200.25
    assert not changed["Enabled"]
    assert names(emulator, Filter='email = "e@example.com"') == ["eve"]
    emulator.pool.delete("eve")
    with pytest.raises(KeyError):
        emulator.pool.delete("eve")


def test_every_user_is_found_by_its_name() -> None:
    """Users of the start can be changed and deleted, whatever their name looks like."""
    pool = Pool(100)
    for user in list(pool.users()):
        assert pool.change(user["Username"])["Attributes"] == user["Attributes"]
        pool.delete(user["Username"])
    assert (len(pool), list(pool.users())) == (0, [])


def test_each_chain_may_have_its_own_order(emulator: Emulator) -> None:
    """With reorder, chains differ in order and agree in users."""
    emulator.reorder = True
    chains = [names(emulator) for _ in range(4)]
    assert len({tuple(chain) for chain in chains}) > 1
    assert len({frozenset(chain) for chain in chains}) == 1
    assert all(len(chain) == 500 for chain in chains)


def test_empty_and_short_pages_lose_nothing(emulator: Emulator) -> None:
    """A chain with empty and short pages still returns every user once."""
    emulator.empty_pages = emulator.short_pages = 0.4
    found = list(pages(emulator))
    assert {0, 60} < {len(page) for page in found}
    assert len({user["Username"] for page in found for user in page}) == 500
    assert sum(map(len, found)) == 500


def test_tokens_expire(emulator: Emulator) -> None:
    """A chain longer than a token's lifetime fails as often as is set."""
    emulator.token_lifetime, emulator.token_expiries = 3, 1
    with pytest.raises(ClientError) as error:
        names(emulator)
    assert code(error) == "InvalidParameterException"
    assert emulator.log.count(outcome="ok") == 3
    assert len(names(emulator)) == 500


@pytest.mark.parametrize("length", [1, 3])
def test_a_token_loop_repeats_the_tokens(emulator: Emulator, length: int) -> None:
    """The same tokens come again and again."""
    emulator.token_loop = length
    cognito = client(emulator)
    tokens = [cognito.list_users(UserPoolId=emulator.pool.id)["PaginationToken"]]
    for _ in range(12):
        page = cognito.list_users(UserPoolId=emulator.pool.id, PaginationToken=tokens[-1])
        tokens.append(page["PaginationToken"])
    assert len(set(tokens)) == 2 * length
    assert tokens[-length:] == tokens[-2 * length : -length]


def test_filters_can_be_ignored_or_refused(emulator: Emulator) -> None:
    """Both kinds of services without filters can be had."""
    emulator.ignore_filter = True
    assert len(names(emulator, Filter='sub ^= "a"')) == 500
    emulator.refuse_filter = True
    with pytest.raises(ClientError) as error:
        names(emulator, Filter='sub ^= "a"')
    assert code(error) == "InvalidParameterException"
    assert len(names(emulator)) == 500


def test_the_quota_is_a_bucket_that_fills_by_itself(emulator: Emulator) -> None:
    """Requests over the quota are throttled, later ones are not."""
    emulator.quota = 2
    cognito = client(emulator)
    throttled = "TooManyRequestsException"
    outcomes = [seen(cognito, emulator.pool.id) for _ in range(4)]
    assert outcomes == ["Users", "Users", throttled, throttled]
    assert emulator.log.count("ListUsers", "throttled") == 2
    cognito.list_groups(UserPoolId=emulator.pool.id)
    time.sleep(0.5)
    assert seen(cognito, emulator.pool.id) == "Users"


def test_the_quota_can_drop_at_a_request(emulator: Emulator) -> None:
    """From the given listing on, the new quota holds."""
    emulator.quota_drops = {3: 0, 4: None}
    cognito = client(emulator)
    outcomes = [seen(cognito, emulator.pool.id) for _ in range(4)]
    assert outcomes == ["Users", "Users", "TooManyRequestsException", "Users"]


def test_latency_is_added_to_each_answer(emulator: Emulator) -> None:
    """An answer takes the set time."""
    emulator.latency = 0.1
    cognito = client(emulator)
    cognito.list_groups(UserPoolId=emulator.pool.id)
    assert 0.1 <= emulator.log.seconds() < 1


def test_denied_actions_are_refused_in_the_words_of_aws(emulator: Emulator) -> None:
    """A denied action is an AccessDeniedException that names user, action and resource."""
    emulator.denied = {"cognito-idp:DescribeUserPool"}
    message = (
        "User: arn:aws:iam::123456789012:user/reader is not authorized to perform: "
        "cognito-idp:DescribeUserPool on resource: arn:aws:cognito-idp:us-east-1:"
    )
    with pytest.raises(ClientError, match=message) as error:
        client(emulator).describe_user_pool(UserPoolId=emulator.pool.id)
    assert code(error) == "AccessDeniedException"
    assert emulator.log.count(outcome="AccessDeniedException") == 1
    assert len(names(emulator)) == 500


def test_only_its_own_pool_and_operations_are_known(emulator: Emulator) -> None:
    """Another pool or operation is an error."""
    cognito = client(emulator)
    with pytest.raises(ClientError, match="User pool us-east-1_X does not exist") as error:
        cognito.list_users(UserPoolId="us-east-1_X")
    assert code(error) == "ResourceNotFoundException"
    with pytest.raises(ClientError):
        cognito.list_resource_servers(UserPoolId=emulator.pool.id)


def test_group_members_are_paged(emulator: Emulator) -> None:
    """ListUsersInGroup returns the members, also those that joined or left."""
    cognito, pool = client(emulator), emulator.pool
    left = next(pool.members("Köche"))["Username"]
    joined = pool.create()["Username"]
    pool.leave(left, "Köche")
    pool.join(joined, "Köche")
    chain = cognito.get_paginator("list_users_in_group")
    answers = chain.paginate(UserPoolId=pool.id, GroupName="Köche")
    found = [user["Username"] for page in answers for user in page["Users"]]
    assert found == [user["Username"] for user in pool.members("Köche")]
    assert len(found) > 60
    assert joined in found
    assert left not in found
    with pytest.raises(cognito.exceptions.ResourceNotFoundException):
        cognito.list_users_in_group(UserPoolId=pool.id, GroupName="missing")


def test_lists_of_resources_are_paged_and_described(emulator: Emulator) -> None:
    """Groups, providers and clients come page by page, secrets only in descriptions."""
    cognito, pool = client(emulator), {"UserPoolId": emulator.pool.id}
    first = cognito.list_groups(**pool, Limit=2)
    second = cognito.list_groups(**pool, Limit=2, NextToken=first["NextToken"])
    assert {g["GroupName"] for g in first["Groups"] + second["Groups"]} == set(emulator.pool.groups)
    assert "NextToken" not in second
    listed = cognito.list_identity_providers(**pool)["Providers"]
    secrets = set()
    for provider in listed:
        name = provider["ProviderName"]
        described = cognito.describe_identity_provider(**pool, ProviderName=name)
        secrets |= set(described["IdentityProvider"]["ProviderDetails"].values())
    apps = cognito.list_user_pool_clients(**pool, MaxResults=60)["UserPoolClients"]
    for app in apps:
        described = cognito.describe_user_pool_client(**pool, ClientId=app["ClientId"])
        secrets.add(described["UserPoolClient"].get("ClientSecret"))
    planted = {resources.CLIENT_SECRET, resources.PROVIDER_SECRET, resources.PRIVATE_KEY}
    assert planted < secrets
    assert not any(secret in f"{listed}{apps}" for secret in planted)


def test_the_estimate_of_users_can_be_set(emulator: Emulator) -> None:
    """The pool describes itself, with its true size unless another is set."""
    cognito, pool = client(emulator), emulator.pool
    described = cognito.describe_user_pool(UserPoolId=pool.id)["UserPool"]
    assert (described["Id"], described["EstimatedNumberOfUsers"]) == (pool.id, 500)
    pool.description["EstimatedNumberOfUsers"] = 7
    described = cognito.describe_user_pool(UserPoolId=pool.id)["UserPool"]
    assert described["EstimatedNumberOfUsers"] == 7


def unknown_fields(shape: Any, value: Any) -> Iterator[str]:
    """The fields of an answer that the service's own model does not know."""
    if shape.type_name == "structure":
        yield from value.keys() - shape.members.keys()
        for name in value.keys() & shape.members.keys():
            yield from unknown_fields(shape.members[name], value[name])
    elif shape.type_name == "list":
        for each in value:
            yield from unknown_fields(shape.member, each)


def test_answers_have_the_fields_of_the_api() -> None:
    """No field of the data is unknown to the service model."""
    pool = Pool(100)
    model = botocore.session.get_session().get_service_model("cognito-idp")
    samples = {
        "UserPoolType": [pool.description],
        "UserType": pool.users(),
        "GroupType": pool.groups.values(),
        "IdentityProviderType": pool.providers.values(),
        "UserPoolClientType": pool.clients.values(),
    }
    for shape, values in samples.items():
        for value in values:
            assert not list(unknown_fields(model.shape_for(shape), value))


def test_signatures_are_checked(emulator: Emulator) -> None:
    """Only the right secret of a known key that has not expired is accepted, in its region."""
    pool = {"UserPoolId": emulator.pool.id}
    emulator.credentials = {"AKIDEXAMPLE": Credential("s3cret", "token")}
    assert client(emulator, "s3cret", "token").list_users(**pool)["Users"]
    with pytest.raises(ClientError, match="Canonical String for this request") as error:
        client(emulator, "wrong", "token").list_users(**pool)
    assert code(error) == "InvalidSignatureException"
    assert "x-amz-security-token:token" in str(error.value)
    for credentials in ({}, {"AKIDEXAMPLE": Credential("s3cret", "other")}):
        emulator.credentials = credentials
        with pytest.raises(ClientError) as error:
            client(emulator, "s3cret", "token").list_users(**pool)
        assert code(error) == "UnrecognizedClientException"
    emulator.credentials = {"AKIDEXAMPLE": Credential("s3cret", None, time.time() - 1)}
    with pytest.raises(ClientError) as error:
        client(emulator, "s3cret").list_users(**pool)
    assert code(error) == "ExpiredTokenException"
    emulator.credentials = {"AKIDEXAMPLE": Credential("s3cret")}
    emulator.pool.id = pool["UserPoolId"].replace("us-east-1", "eu-west-1")
    with pytest.raises(ClientError, match="valid region, not 'us-east-1'") as error:
        client(emulator, "s3cret").list_users(UserPoolId=emulator.pool.id)
    assert code(error) == "InvalidSignatureException"


SEEN = {
    "error-500": "InternalErrorException",
    "error-503": "ServiceUnavailableException",
    "html-502": "502",
    "html-200": "no Users",
    "reset-before-answer": ConnectionClosedError,
    "reset-within-body": ConnectionClosedError,
    "cut-length-right": "no Users",
    "cut-length-wrong": "no Users",
    "cut-no-length": "no Users",
    "slow": ReadTimeoutError,
    "throttling-burst": "TooManyRequestsException",
}


def seen(cognito: Any, pool_id: str) -> object:
    """What a client sees of one ListUsers."""
    try:
        answer = cognito.list_users(UserPoolId=pool_id)
    except ClientError as error:
        return error.response["Error"]["Code"]
    except BotoCoreError as error:
        return type(error)
    return "Users" if "Users" in answer else "no Users"


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_seen_by_the_client(emulator: Emulator, name: str) -> None:
    """A fault hits the request that it is meant for, is logged, and ends."""
    emulator.slow_seconds = 1
    emulator.faults = Faults((name,), skip=1, limit=1, operations={"ListUsers"})
    cognito = client(emulator, timeout=0.5 if name == "slow" else 10)
    cognito.list_groups(UserPoolId=emulator.pool.id)
    assert [seen(cognito, emulator.pool.id) for _ in range(3)] == ["Users", SEEN[name], "Users"]
    deadline = time.monotonic() + 5
    while emulator.log.count() < 4 and time.monotonic() < deadline:
        time.sleep(0.02)  # The slow answer is still on its way.
    assert emulator.log.count("ListUsers", name) == 1


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("reset-before-answer", "reset without a byte"),
        ("reset-within-body", "reset with half of the body"),
        ("cut-length-right", "closed with all of the length"),
        ("cut-length-wrong", "closed with half of the body"),
        ("cut-no-length", "closed without a length"),
    ],
)
def test_connections_end_as_the_fault_says(emulator: Emulator, name: str, end: str) -> None:
    """Resets are resets, clean ends are clean, and Content-Length tells what it should."""
    emulator.faults = Faults((name,))
    body = json.dumps({"UserPoolId": emulator.pool.id})
    target = "X-Amz-Target: AWSCognitoIdentityProviderService.ListUsers"
    request = f"POST / HTTP/1.1\r\n{target}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    received, how = b"", "closed"
    with socket.create_connection(("127.0.0.1", emulator.port)) as connection:
        connection.sendall(request.encode())
        try:
            while data := connection.recv(65536):
                received += data
        except ConnectionResetError:
            how = "reset"
    if not received:
        assert f"{how} without a byte" == end
        return
    head, _, rest = received.partition(b"\r\n\r\n")
    _, _, length = head.partition(b"Content-Length: ")
    if not length:
        assert f"{how} without a length" == end
    elif int(length.split()[0]) == len(rest):
        assert f"{how} with all of the length" == end
    else:
        assert int(length.split()[0]) // 2 == len(rest)
        assert f"{how} with half of the body" == end
    with pytest.raises(ValueError, match="line 1"):
        json.loads(rest)


def test_an_outage_hits_every_request(emulator: Emulator) -> None:
    """At rate 1 nothing succeeds until the faults are taken away."""
    emulator.faults = Faults(("error-503",))
    cognito = client(emulator)
    outcomes = {seen(cognito, emulator.pool.id) for _ in range(10)}
    assert outcomes == {"ServiceUnavailableException"}
    emulator.faults = None
    assert seen(cognito, emulator.pool.id) == "Users"


def test_faults_come_by_seed_and_rate() -> None:
    """The same seed draws the same faults, about as often as the rate says."""

    def draw(seed: int) -> list[str | None]:
        faults = Faults(("error-500", "slow"), rate=0.1, seed=seed)
        return [faults.draw("ListUsers") for _ in range(2000)]

    assert draw(1) == draw(1) != draw(2)
    counts = Counter(draw(1))
    assert set(counts) == {None, "error-500", "slow"}
    assert 120 < 2000 - counts[None] < 280
    with pytest.raises(ValueError, match="no such fault: typo"):
        Faults(("typo",))


def test_throttling_comes_in_bursts() -> None:
    """One draw throttles several requests in a row."""
    faults = Faults(("throttling-burst",), rate=0.01, seed=3)
    drawn = [faults.draw("ListUsers") is not None for _ in range(1000)]
    runs = [len(list(run)) for hit, run in itertools.groupby(drawn) if hit]
    assert runs
    assert all(run % 5 == 0 for run in runs)


def test_the_log_tells_what_was_asked(emulator: Emulator) -> None:
    """Each request is logged with its filter, its token and its outcome."""
    names(emulator, Filter='sub ^= "a"', Limit=30)
    first, second, *_ = emulator.log.requests
    assert (first.operation, first.filter, first.token) == ("ListUsers", 'sub ^= "a"', False)
    assert (second.token, second.status, second.outcome) == (True, 200, "ok")
    assert first.received < first.answered < second.received
    assert emulator.log.seconds() > 0


def test_it_stops_and_starts_again_at_the_same_place() -> None:
    """A stopped service is gone for its clients until it is back."""
    emulator = Emulator(Pool(10))
    with emulator:
        cognito = client(emulator)
        assert seen(cognito, emulator.pool.id) == "Users"
    assert seen(cognito, emulator.pool.id) in {ConnectionClosedError, EndpointConnectionError}
    with emulator:
        assert seen(cognito, emulator.pool.id) == "Users"


def control(emulator: Emulator, method: str, path: str) -> Any:
    """What the process says about itself."""
    connection = HTTPConnection("127.0.0.1", emulator.port)
    connection.request(method, path)
    answer = json.load(connection.getresponse())
    connection.close()
    return answer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_runs_as_a_process(number: signal.Signals) -> None:
    """The command tells its address, serves, reports, resets, and ends cleanly."""
    command = [sys.executable, "-m", "emulator", "--users", "61", "--seed", "5", "--quota", "30"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent
    ) as process:
        assert process.stdout
        ready = json.loads(process.stdout.readline())
        emulator = Emulator(Pool(61, 5, ready["pool_id"]), port=int(ready["url"].split(":")[2]))
        assert names(emulator) == [user["Username"] for user in emulator.pool.users()]
        stats = control(emulator, "GET", "/_stats")
        assert stats["requests"] == {"ListUsers": {"ok": 2}}
        assert stats["users"] == 61
        assert stats["seconds"] > 0
        assert control(emulator, "POST", "/_reset")["requests"] == {}
        process.send_signal(number)
        assert process.wait(5) == 0
