"""The emulated users, and the listings of them."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import (
    ClientError,
)

from emulator import Emulator, Pool
from emulator.filters import Condition, attribute
from tests.support.emulated import client, code, made_users, names, pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emulator.people import SubFormat

DIGITS = "0123456789abcdef"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Five hundred users, served."""
    with Emulator(Pool(500)) as serving:
        yield serving


def test_a_pool_is_the_same_for_the_same_size_and_seed() -> None:
    """Two pools of one seed are equal, those of another seed aren't."""
    assert list(Pool(200, 1).users()) == list(Pool(200, 1).users())
    assert list(Pool(200, 1).users()) != list(Pool(200, 2).users())


def test_a_million_users_start_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large pool only the users of a page are made, and none at its start."""
    made = made_users(monkeypatch)
    pool = Pool(1_000_000)
    assert made == []
    page, _ = pool.page(60, 900_000)
    assert (len(pool), len(page)) == (1_000_000, 60)
    assert made == list(range(900_001, 900_001 + 60))


def test_users_are_believable() -> None:
    """Names are unique, and everything optional is missing somewhere."""
    users = list(Pool(3000).users())
    attributes = [
        {item["Name"]: item.get("Value") for item in user["Attributes"]} for user in users
    ]
    assert len({user["Username"] for user in users}) == len({a["sub"] for a in attributes}) == 3000
    assert 0.03 < sum("email" not in values for values in attributes) / 3000 < 0.08
    assert {None, "free"} < {values.get("custom:plan", "missing") for values in attributes}
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


def test_sixteen_segments_are_the_pool(emulator: Emulator) -> None:
    """The filters on the first digit of sub return every user once."""
    segments = [names(emulator, Filter=f'sub ^= "{digit}"') for digit in DIGITS]
    assert all(segments)
    assert sorted(itertools.chain(*segments)) == sorted(
        u["Username"] for u in emulator.pool.users()
    )


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
    """What can't be searched is an InvalidParameterException."""
    with pytest.raises(ClientError) as error:
        names(emulator, Filter=condition)
    assert code(error) == "InvalidParameterException"


def test_a_token_belongs_to_its_filter(emulator: Emulator) -> None:
    """A token is refused with another filter, and if it is no token."""
    cognito = client(emulator)
    token = cognito.list_users(UserPoolId=emulator.pool.id)["PaginationToken"]
    for given, condition in ((token, 'sub ^= "a"'), ("nonsense", "")):
        with pytest.raises(
            ClientError, match=f"Paging marker {re.escape(given)} is invalid for request 0"
        ) as error:
            cognito.list_users(UserPoolId=emulator.pool.id, Filter=condition, PaginationToken=given)
        assert code(error) == "InvalidParameterException"


@pytest.mark.parametrize("reorder", [False, True])
def test_changes_in_between_neither_skip_nor_repeat_users(reorder: bool) -> None:
    """A listing returns all users once that exist from its first page to its last."""
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
    assert list(pool.usernames()) == [user["Username"] for user in pool.users()]
    for user in list(pool.users()):
        assert pool.change(user["Username"])["Attributes"] == user["Attributes"]
        pool.remove_sub(user["Username"])
        pool.delete(user["Username"])
    assert (len(pool), list(pool.users())) == (0, [])


def test_listings_may_each_have_an_order_of_their_own(emulator: Emulator) -> None:
    """With reorder, listings differ in order and agree in users."""
    emulator.reorder = True
    listings = [names(emulator) for _ in range(4)]
    assert len({tuple(listing) for listing in listings}) > 1
    assert len({frozenset(listing) for listing in listings}) == 1
    assert all(len(listing) == 500 for listing in listings)


def test_empty_and_short_pages_lose_nothing(emulator: Emulator) -> None:
    """A listing with empty and short pages still returns every user once."""
    emulator.empty_pages = emulator.short_pages = 0.4
    found = list(pages(emulator))
    assert {0, 60} < {len(page) for page in found}
    assert len({user["Username"] for page in found for user in page}) == 500
    assert sum(map(len, found)) == 500


def test_pages_of_users_may_be_small(emulator: Emulator) -> None:
    """No page is larger than the emulator's own limit, and nobody is lost."""
    emulator.page_sizes = {"ListUsers": 25}
    whole = [len(page) for page in pages(emulator)]
    assert max(whole) == 25
    assert sum(whole) == len(emulator.pool)


def test_tokens_expire(emulator: Emulator) -> None:
    """A listing longer than a token's lifetime fails as often as is set."""
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


def subs(pool: Pool) -> list[str | None]:
    """The `sub` of each user, None without one."""
    return [attribute(user, "sub") for user in pool.users()]


@pytest.mark.parametrize(
    ("region", "digits"), [("us-east-1", "4848"), ("eu-west-1", "2544"), ("us-west-2", "8130")]
)
def test_newer_pools_have_the_digits_of_their_region(region: str, digits: str) -> None:
    """With regional subs, digits 2, 4, 6 and 8 are the region's, and 1, 3, 5, 7 evenly spread."""
    found = subs(Pool(4_000, pool_id=f"{region}_Newer1", sub_format="regional"))
    form = "-".join(("".join(f"(.){digit}" for digit in digits), ".0.1", "70..", "[89ab]...", ".*"))
    varying = [re.fullmatch(form, sub or "") for sub in found]
    assert len(set(found)) == 4_000
    for group in range(1, 5):
        counts = Counter(match[group] for match in varying if match)
        assert len(counts) == 16
        assert all(150 < count < 350 for count in counts.values())


def test_any_region_has_digits_of_its_own() -> None:
    """A region whose digits aren't known has some, always the same ones."""
    found = {
        (sub or "")[1:8:2]
        for sub in subs(Pool(50, pool_id="eu-north-1_Newer1", sub_format="regional"))
    }
    assert len(found) == 1
    assert found != {"4848"}


@pytest.mark.parametrize("sub_format", ["random", "regional", "mixed"])
@pytest.mark.parametrize("length", [1, 2, 3, 5, 12])
def test_segments_of_several_digits_are_the_pool(sub_format: SubFormat, length: int) -> None:
    """However long the prefixes, segments return each user once, in the order of creation."""
    pool = Pool(1_000, sub_format=sub_format)
    for gone in pool.sample(0.1):
        pool.delete(gone)
    for _ in range(50):
        pool.create()
    expected: defaultdict[str, list[str]] = defaultdict(list)
    for user in pool.users():
        expected[(attribute(user, "sub") or "")[:length]].append(user["Username"])
    for prefix, usernames in list(expected.items())[:64]:
        users, last = pool.page(3_000, condition=Condition("sub", prefix, prefix=True))
        assert [json.loads(user)["Username"] for user in users] == usernames
        assert last is None


def test_users_may_lack_a_sub() -> None:
    """Users whose sub was removed come in the whole listing and in no segment."""
    pool = Pool(300)
    chosen = pool.sample(0.05, start=60)
    assert len(chosen) == 12
    assert not {user["Username"] for user in itertools.islice(pool.users(), 60)} & set(chosen)
    pool.remove_sub(*chosen, pool.username(7))
    with Emulator(pool) as emulator:
        found = {name for digit in DIGITS for name in names(emulator, Filter=f'sub ^= "{digit}"')}
        assert len(names(emulator)) == 300
    assert {user["Username"] for user in pool.users()} - found == {*chosen, pool.username(7)}
    assert subs(pool).count(None) == 13


def test_users_may_have_a_sub_in_upper_case() -> None:
    """Such users are in no segment of a lower-case letter, but once in one of their own."""
    pool = Pool(300)
    with Emulator(pool) as emulator:
        names(emulator, Filter='sub ^= "ab"')  # the index exists before the change
        pool.capitalize_sub(*pool.usernames())
        for letter in "abcdef":
            assert names(emulator, Filter=f'sub ^= "{letter}"') == []
        found = [
            name for digit in DIGITS for name in names(emulator, Filter=f'sub ^= "{digit.upper()}"')
        ]
    assert sorted(found) == sorted(pool.usernames())


def test_a_filter_may_be_applied_after_paging(emulator: Emulator) -> None:
    """A segment then has as many pages as the pool, and still exactly its users."""
    expected = names(emulator, Filter='sub ^= "a"')
    emulator.filter_after_paging = True
    found = list(pages(emulator, Filter='sub ^= "a"'))
    assert [user["Username"] for page in found for user in page] == expected
    assert len(found) == len(list(pages(emulator))) == 9
    assert max(map(len, found)) < 20


def test_a_listing_may_end_early(emulator: Emulator) -> None:
    """The listing with that filter loses its token after so many pages, the others don't."""
    emulator.ends_early = {'sub ^= "7"': 2}
    short = list(pages(emulator, Filter='sub ^= "7"', Limit=5))
    assert [len(page) for page in short] == [5, 5]
    assert len(list(pages(emulator, Filter='sub ^= "8"', Limit=5))) > 2
    assert len(names(emulator)) == 500
    described = client(emulator).describe_user_pool(UserPoolId=emulator.pool.id)
    assert described["UserPool"]["EstimatedNumberOfUsers"] == 500
    emulator.ends_early = {"": 1}
    assert len(names(emulator)) == 60
