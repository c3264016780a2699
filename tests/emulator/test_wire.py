"""The emulator answers on the wire as real pools were seen to, in all of their ways at once."""

from __future__ import annotations

import base64
import json
import re
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest

from emulator import NEXT_KEY, Credential, Emulator, Pool, wire
from emulator.filters import attribute
from tests.support.emulated import client, names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from emulator.wire import Wire

MEMBERS = [
    *("Username", "Attributes", "UserCreateDate", "UserLastModifiedDate"),
    *("Enabled", "UserStatus"),
]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Five hundred users, served."""
    with Emulator(Pool(500)) as serving:
        yield serving


def ask(
    emulator: Emulator, operation: str, **parameters: object
) -> tuple[int, Mapping[str, str], str]:
    """The status, the headers with lower-case names and the body of an answer."""
    connection = HTTPConnection("127.0.0.1", emulator.port)
    headers = {"X-Amz-Target": f"AWSCognitoIdentityProviderService.{operation}"}
    asked = json.dumps({"UserPoolId": emulator.pool.id, **parameters})
    connection.request("POST", "/", asked, headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (1_689_030_181_630, "1689030181.63"),
        (1_689_030_181_000, "1689030181"),
        (1_723_136_050_929, "1.723136050929E9"),
        (1_689_030_182_000, "1.689030182E9"),
        (1_600_000_000_000, "1.6E9"),
        (2_000_000_000_000, "2.0E9"),
    ],
)
def test_dates_have_both_notations(milliseconds: int, text: str) -> None:
    """Seconds with a fraction whose zeros are dropped, and the notation with an exponent."""
    assert wire.date(milliseconds) == text
    assert round(json.loads(text) * 1000) == milliseconds
    assert wire.dumps({"UserCreateDate": milliseconds / 1000}) == f'{{"UserCreateDate":{text}}}'


def test_only_dates_are_written_so() -> None:
    """A text that looks like a date and a number that isn't one stay what they are."""
    value = {"Value": '"CreationDate":1600000000,', "Precedence": 1600000000, "Date": "1"}
    assert json.loads(wire.dumps(value)) == value
    assert "E9" not in wire.dumps(value)


@pytest.mark.parametrize("operation", ["ListUsers", "DescribeUserPool", "ListGroups"])
def test_answers_mix_the_notations_of_dates(emulator: Emulator, operation: str) -> None:
    """Every listing of users and every description has dates of both kinds."""
    _, _, body = ask(emulator, operation)
    dates = re.findall(r'Date":([^,}]*)', body)
    assert any("E9" in date for date in dates)
    assert any(re.fullmatch(r"\d+\.\d{1,3}", date) for date in dates)


def test_users_have_their_members_in_the_order_of_the_service(emulator: Emulator) -> None:
    """Original, created and changed users have their members in AWS's order."""
    pool = emulator.pool
    pool.create({"Enabled": True, "UserStatus": "CONFIRMED", "Attributes": [], "Username": "eve"})
    pool.change(pool.username(0), {"email": "a@example.com"}, UserStatus="CONFIRMED")
    users = [json.loads(text) for text in pool.page(1000)[0]]
    assert {tuple(user) for user in users} == {tuple(MEMBERS)}
    asked = client(emulator).admin_get_user(UserPoolId=pool.id, Username="eve")
    assert [name for name in asked if "MFA" not in name][:6] == [
        "UserAttributes" if name == "Attributes" else name for name in MEMBERS
    ]


def test_sub_is_the_first_or_the_last_attribute() -> None:
    """Each page has users with `sub` as first and as last attribute, and no others."""
    users = [json.loads(text) for text in Pool(60).page(60)[0]]
    places = [[item["Name"] for item in user["Attributes"]].index("sub") for user in users]
    last = [len(user["Attributes"]) - 1 for user in users]
    assert all(place in {0, end} for place, end in zip(places, last, strict=True))
    assert 10 < places.count(0) < 50


def test_a_pool_has_both_kinds_of_sub() -> None:
    """Half of the users have a version-4 UUID, half the digits of the region."""
    subs = [attribute(user, "sub") or "" for user in Pool(100).users()]
    newer = [sub for sub in subs if re.fullmatch(r".4.8.4.8-.0.1-70..-.*", sub)]
    older = [sub for sub in subs if sub[14] == "4"]
    assert len(newer) == len(older) == 50


def test_users_of_providers_are_linked_to_local_ones() -> None:
    """Two users have one identity: the local one says that it isn't its primary one."""
    by_identity: dict[str, list[Wire]] = {}
    for user in Pool(200).users():
        if found := attribute(user, "identities"):
            by_identity.setdefault(json.loads(found)[0]["userId"], []).append(user)
    pairs = [users for users in by_identity.values() if len(users) > 1]
    assert len(pairs) == 8
    assert len(by_identity) > 20
    for local, external in pairs:
        assert (local["UserStatus"], external["UserStatus"]) == ("CONFIRMED", "EXTERNAL_PROVIDER")
        primary = [
            json.loads(attribute(user, "identities") or "")[0]["primary"]
            for user in (local, external)
        ]
        assert primary == [False, True]


def test_users_of_providers_are_called_as_in_both_kinds_of_pools() -> None:
    """By provider and id, in lower case or not; the id keeps its case, its date is a number."""
    seen = set()
    for user in Pool(500).users():
        if user["UserStatus"] == "EXTERNAL_PROVIDER":
            (found,) = json.loads(attribute(user, "identities") or "")
            name = f"{found['providerName']}_{found['userId']}"
            assert user["Username"] in {name, name.lower()}
            assert abs(found["dateCreated"] / 1000 - user["UserCreateDate"]) < 0.001
            seen.add((found["providerName"], user["Username"] == name))
    assert len(seen) == 6


def readable(token: str) -> str:
    """What a token holds that a person can read, also within its `nextKey`."""
    content = base64.b64decode(token).decode("latin-1")
    key = re.search(r'"nextKey":"([^"]*)"', content)
    assert key
    return content + base64.b64decode(key[1]).decode("latin-1")


def test_a_token_holds_a_users_name(emulator: Emulator) -> None:
    """The last user of the page is in it, or whoever is planted; and a time, as in real ones."""
    page = client(emulator).list_users(UserPoolId=emulator.pool.id)
    text = readable(page["PaginationToken"])
    assert f"enf;{page['Users'][-1]['Username']};" in text
    assert '"previousRequestTime":1700' in text
    emulator.next_key = NEXT_KEY
    page = client(emulator).list_users(UserPoolId=emulator.pool.id)
    assert f"enf;{NEXT_KEY};" in readable(page["PaginationToken"])


def test_a_refused_token_is_quoted_with_the_requests_id(emulator: Emulator) -> None:
    """A refused token is quoted with the request's ID, and so is one changed in transit."""
    token = client(emulator).list_users(UserPoolId=emulator.pool.id)["PaginationToken"]
    for given in (token[:-8] + "AAAAAAA=", "nonsense", "bm9uc2Vuc2U="):
        status, headers, body = ask(emulator, "ListUsers", PaginationToken=given)
        request = headers["x-amzn-requestid"]
        assert status == 400
        message = f"Paging marker {given} is invalid for request {request}"
        assert json.loads(body)["message"] == headers["x-amzn-errormessage"] == message


def test_an_error_has_its_code_with_a_colon(emulator: Emulator) -> None:
    """The headers of an error have its code with a colon, and its text on one line."""
    emulator.credentials = {"AKIDEXAMPLE": Credential("other")}
    status, headers, body = ask(emulator, "ListUsers")
    assert (status, headers["x-amzn-errortype"]) == (400, "MissingAuthenticationTokenException:")
    assert headers["x-amzn-errormessage"] == json.loads(body)["message"]


def test_invalid_parameters_may_have_a_reason(emulator: Emulator) -> None:
    """Every second InvalidParameterException has a reason code."""
    bodies = [json.loads(ask(emulator, "ListUsers", Limit=61)[2]) for _ in range(4)]
    assert [("reasonCode" in body) for body in bodies].count(True) == 2


def test_throttling_has_two_texts(emulator: Emulator) -> None:
    """The older and the newer text of throttling alternate."""
    emulator.quota = 0
    texts = [json.loads(ask(emulator, "ListUsers")[2])["message"] for _ in range(4)]
    assert set(texts) == {"Rate exceeded", "Too many requests"}


def test_a_pool_may_have_set_up_little() -> None:
    """One whose id ends with an even digit answers empty objects for what it hasn't set up."""
    with Emulator(Pool(1, pool_id="us-east-1_New2")) as emulator:
        described: Any = json.loads(ask(emulator, "DescribeUserPool")[2])["UserPool"]
    for member in ("EmailConfiguration", "LambdaConfig", "UserPoolTags"):
        assert described[member] == {}
    assert "DeviceConfiguration" not in described


def test_a_user_may_be_hidden_from_its_segment(emulator: Emulator) -> None:
    """A hidden user is in the whole listing and found by name, but not by the start of its sub."""
    hidden = next(emulator.pool.users())
    emulator.pool.hide(hidden["Username"])
    digit = (attribute(hidden, "sub") or "")[0]
    assert hidden["Username"] not in names(emulator, Filter=f'sub ^= "{digit}"')
    assert hidden["Username"] in names(emulator)
    assert names(emulator, Filter=f'username = "{hidden["Username"]}"') == [hidden["Username"]]


def test_a_listing_may_begin_with_an_empty_page(emulator: Emulator) -> None:
    """A listing whose filter begins so starts with an empty page, and loses no user."""
    emulator.begin_empty = ("sub", "username")
    cognito, pool = client(emulator), emulator.pool
    page = cognito.list_users(UserPoolId=pool.id, Filter='sub ^= "a"')
    assert (page["Users"], "PaginationToken" in page) == ([], True)
    assert len(cognito.list_users(UserPoolId=pool.id)["Users"]) == 60
    found = names(emulator, Filter='sub ^= "a"')
    emulator.begin_empty = ()
    assert found == names(emulator, Filter='sub ^= "a"')
