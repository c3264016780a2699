"""What an answer says of its subject is compared with what was asked, and "gone" is asked for."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from emulator import Emulator, Pool
from emulator.errors import ApiError
from tap_cognito.cognito.details import Alternatives, Detail
from tap_cognito.cognito.filters import FilterCheck
from tap_cognito.cognito.source import OneListing
from tap_cognito.cognito.user_details import UserDetails
from tap_cognito.errors import TapCognitoError
from tap_cognito.tap import TapCognito
from tests.support.answers import records
from tests.support.catalogs import selected
from tests.support.listings import pool_of, read, scan
from tests.support.programs import emulator_config

if TYPE_CHECKING:
    from emulator.wire import Wire

pytestmark = [pytest.mark.whole_pools, pytest.mark.usefixtures("_unlimited")]

MIRROR = {"emit_activate_version_messages": True}


def details(emulator: Emulator) -> UserDetails:
    """The users of a pool, one by one."""
    return UserDetails(pool_of(emulator), Alternatives(Detail("AdminGetUserAuthFactors")))


def not_found(operation: str, code: str, times: int) -> Any:
    """Refuse an operation with a code, this often for each subject."""
    left: dict[str, int] = {}

    def refuse(asked: str, parameters: Wire) -> ApiError | None:
        key = str(sorted(parameters.items()))
        if asked != operation or left.setdefault(key, times) == 0:
            return None
        left[key] -= 1
        return ApiError(code, "Not found.")

    return refuse


@pytest.mark.parametrize("user_filter", [None, 'status = "Enabled"'])
def test_users_who_are_not_found_but_listed_fail_the_stream(
    user_filter: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    """AdminGetUser may say of all users that they don't exist: no mirror is emptied by it."""
    with Emulator(Pool(20)) as emulator:
        emulator.refuse = not_found("AdminGetUserAuthFactors", "UserNotFoundException", 10)
        config = emulator_config(emulator, **MIRROR)
        if user_filter:
            config["user_filter"] = user_filter
        with pytest.raises(TapCognitoError, match="doesn't find what ListUsers lists"):
            TapCognito(config=config, catalog=selected("user_mfa")).sync_all()
    assert "ACTIVATE_VERSION" not in capfd.readouterr().out


def test_a_user_who_is_not_found_once_is_asked_for_again() -> None:
    """Whom ListUsers still lists is asked for once more, and nobody is missing."""
    with Emulator(Pool(20)) as emulator:
        emulator.refuse = not_found("AdminGetUserAuthFactors", "UserNotFoundException", 1)
        users = [user for page in read([details(emulator)]) for user in page]
    assert len({user["Username"] for user in users}) == len(users) == 20


def test_a_user_who_goes_in_mid_run_is_looked_up() -> None:
    """A user whom neither AdminGetUser nor ListUsers finds is gone, and costs one request."""
    with Emulator(Pool(20)) as emulator:
        gone = next(iter(emulator.pool.users()))["Username"]

        def refuse(operation: str, parameters: Wire) -> ApiError | None:
            if operation == "AdminGetUserAuthFactors" and parameters["Username"] == gone:
                emulator.pool.delete(gone)
            return None

        emulator.refuse = refuse
        users = [user for page in read([details(emulator)]) for user in page]
        assert emulator.log.count("ListUsers") == 2
    assert len(users) == 19


@pytest.mark.parametrize("flaw", [{"ignore_filter": True}, {"refuse_filter": True}])
def test_an_endpoint_that_cannot_be_asked_whether_a_user_is_gone(flaw: dict[str, Any]) -> None:
    """Where filters don't work, "not found" proves nothing, and the source fails."""
    with Emulator(Pool(20), **flaw) as emulator:
        emulator.refuse = not_found("AdminGetUserAuthFactors", "UserNotFoundException", 1)
        with pytest.raises(TapCognitoError, match="can't be asked whether the user is gone"):
            list(read([details(emulator)]))


@pytest.mark.parametrize(("empty", "is_read"), [(1, True), (9, False)])
def test_a_domain_that_the_pool_names_is_not_dropped(
    empty: int, capfd: pytest.CaptureFixture[str], *, is_read: bool
) -> None:
    """`{"DomainDescription": {}}` means "not found", which the pool is asked about."""
    with Emulator(Pool(0)) as emulator:
        config = emulator_config(emulator)
        rows = records(config, capfd, "domains")
        left = dict.fromkeys(emulator.pool.domains, empty)

        def amend(operation: str, parameters: Wire, answer: Wire) -> Wire:
            if operation != "DescribeUserPoolDomain" or not left[parameters["Domain"]]:
                return answer
            left[parameters["Domain"]] -= 1
            return {"DomainDescription": {}}

        emulator.amend = amend
        if is_read:
            assert records(config, capfd, "domains") == rows
        else:
            with pytest.raises(TapCognitoError, match="doesn't find what DescribeUserPool lists"):
                records(config, capfd, "domains")


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "SomethingNewException"])
def test_a_group_that_fails_once_is_read_again(
    code: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A group that is made again while its members are read costs nothing but requests."""
    with Emulator(Pool(30)) as emulator:
        config = emulator_config(emulator, **MIRROR)
        before = records(config, capfd, "group_memberships")
        emulator.refuse = not_found("ListUsersInGroup", code, 1)
        assert records(config, capfd, "group_memberships") == before
    assert before


def test_members_that_came_before_a_failure_are_not_sent_again(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A group whose second page fails is read again, and each member sent once."""
    pool = Pool(100)
    for user in list(pool.users()):
        pool.join(user["Username"], next(iter(pool.groups)))
    with Emulator(pool) as emulator:
        config = emulator_config(emulator)
        before = records(config, capfd, "group_memberships")
        fail = not_found("ListUsersInGroup", "SomethingNewException", 1)
        emulator.refuse = lambda operation, parameters: (
            fail(operation, parameters) if "NextToken" in parameters else None
        )
        assert records(config, capfd, "group_memberships") == before
        assert emulator.log.count("ListUsersInGroup", "SomethingNewException")


def test_a_group_that_is_listed_and_never_found_is_asked_for_twice(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """It may have been made again meanwhile; then the stream fails."""
    asked: Counter[str] = Counter()

    def refuse(operation: str, parameters: Wire) -> ApiError | None:
        if operation != "ListUsersInGroup":
            return None
        asked[parameters["GroupName"]] += 1
        return ApiError("ResourceNotFoundException", "Not found.")

    with (
        Emulator(Pool(30), refuse=refuse) as emulator,
        pytest.raises(TapCognitoError, match="doesn't find what ListGroups lists"),
    ):
        records(emulator_config(emulator), capfd, "group_memberships")
    assert set(asked.values()) == {2}


def test_a_user_may_be_answered_in_another_spelling() -> None:
    """Whether case matters in user names is the pool's choice."""

    def amend(operation: str, _: Wire, answer: Wire) -> Wire:
        is_detail = operation == "AdminGetUserAuthFactors"
        return {**answer, "Username": answer["Username"].upper()} if is_detail else answer

    with Emulator(Pool(3), amend=amend) as emulator:
        assert len([user for page in read([details(emulator)]) for user in page]) == 3


SUBJECTS = {
    "DescribeUserPool": ("user_pool", "UserPool", "Id"),
    "DescribeUserPoolClient": ("app_clients", "UserPoolClient", "ClientId"),
    "DescribeIdentityProvider": ("identity_providers", "IdentityProvider", "ProviderName"),
    "DescribeUserPoolDomain": ("domains", "DomainDescription", "Domain"),
    "AdminGetUserAuthFactors": ("user_mfa", None, "Username"),
}


@pytest.mark.parametrize("operation", SUBJECTS)
def test_an_answer_about_another_fails_the_stream(
    operation: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A proxy that mixes answers up makes no row of one thing from what another is."""
    stream, result, member = SUBJECTS[operation]

    def amend(asked: str, _: Wire, answer: Wire) -> Wire:
        if asked == operation:
            (answer[result] if result else answer)[member] = "us-east-1_Another"
        return answer

    with Emulator(Pool(3)) as emulator:
        config = emulator_config(emulator)
        assert records(config, capfd, stream)
        emulator.amend = amend
        with pytest.raises(TapCognitoError, match=f"about another {member}"):
            records(config, capfd, stream)


@pytest.mark.parametrize("source", ["users", "user_mfa"])
def test_an_endpoint_that_ignores_the_users_filter_is_noticed(
    source: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Who asked for some users doesn't get all of them."""
    with Emulator(Pool(300)) as emulator:
        config = emulator_config(emulator, user_filter='status = "Disabled"')
        assert records(config, capfd, source)
        emulator.ignore_filter = True
        with pytest.raises(TapCognitoError, match="don't match `user_filter`"):
            records(config, capfd, source)


@pytest.mark.parametrize("user_filter", ['"email" ^= "A"', 'cognito:user_status="confirmed"'])
def test_every_spelling_of_a_filter_is_understood(user_filter: str) -> None:
    """What the service matches isn't taken for ignored, whatever case and quotes the filter has."""
    with Emulator(Pool(300)) as emulator:
        scan(emulator, user_filter=user_filter)


def test_a_user_without_attributes_matches_no_filter_of_them() -> None:
    """Who comes all the same shows that the endpoint ignores the filter."""
    with pytest.raises(TapCognitoError, match="don't match `user_filter`"):
        FilterCheck('email = "ada@example.com"').receive([{"Username": "ada"}])


@pytest.mark.parametrize("null", ["NextToken", "PaginationToken"])
def test_the_token_that_is_not_null_counts(null: str) -> None:
    """With both members there, one of them null, the listing goes on, whatever Python's hashes."""

    def amend(_: str, __: Wire, answer: Wire) -> Wire:
        token = answer.pop("PaginationToken", None)
        return {**answer, "NextToken": token, "PaginationToken": token, null: None}

    with Emulator(Pool(130), amend=amend) as emulator:
        listing = pool_of(emulator).listing("ListUsers", "Users", "Username")
        assert len(list(read([OneListing("", listing)]))) == 3
