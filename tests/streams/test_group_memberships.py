"""Groups are read side by side, at the pace of the quota and not of the round trip."""

from __future__ import annotations

from typing import Any

import pytest

from emulator import Emulator, Pool
from tests.support.answers import records
from tests.support.in_process import answer_in_process
from tests.support.programs import emulator_config
from tests.support.waiting import side_by_side


def grouped(groups: int, members: int) -> Pool:
    """A pool with so many groups of so many users each, who are in no other group."""
    pool = Pool(groups * members, pool_id="us-east-1_Z")
    pool.groups = {f"{n}": {"GroupName": f"{n}", "UserPoolId": pool.id} for n in range(groups)}
    for number in range(groups * members):
        pool.join(pool.username(number), f"{number % groups}")
    return pool


def test_groups_are_read_side_by_side(capfd: pytest.CaptureFixture[str]) -> None:
    """However long the round trip is, sixteen groups are read at a time."""
    respond = side_by_side("ListUsersInGroup", 16)
    with Emulator(grouped(16, 61), respond=respond) as emulator:
        assert len(records(emulator_config(emulator), capfd, "group_memberships")) == 16 * 61
    assert emulator.log.count("ListUsersInGroup") == 2 * 16


@pytest.mark.parametrize("operation", ["ListUserPools", "ListGroups", "ListUsersInGroup"])
def test_a_full_page_that_has_lost_its_token_is_asked_for_again(
    operation: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing counts what is in these lists; a last page with room is believed."""
    pools = [Pool(0, number, f"us-east-1_M{number}") for number in range(61)]
    pools[-1] = grouped(2, 61) if operation == "ListUsersInGroup" else grouped(61, 2)
    asked: list[dict[str, Any]] = []

    def amend(name: str, parameters: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        if name == operation and parameters not in asked:
            asked.append(parameters)
            answer.pop("NextToken", None)
        return answer

    emulator = Emulator(pools=pools, amend=amend)
    answer_in_process(emulator, monkeypatch)
    config = emulator_config(emulator, user_pool_ids=["us-east-1_*"])
    assert len(records(config, capfd, "group_memberships")) == 122


@pytest.mark.slow
def test_groups_are_read_at_the_pace_of_the_quota(capfd: pytest.CaptureFixture[str]) -> None:
    """The requests take little longer than the quota demands, however long the round trip is."""
    groups, members = 40, 300
    pool = grouped(groups, members)
    with Emulator(pool, latency=0.12, quotas={"UserList": 30}) as emulator:
        config: dict[str, Any] = emulator_config(emulator, max_requests_per_second=30)
        found = records(config, capfd, "group_memberships")
    assert len(found) == groups * members
    requests = emulator.log.count("ListUsersInGroup")
    assert requests == groups * (members // 60 + 1)
    assert emulator.log.seconds(operation="ListUsersInGroup") < 1.15 * requests / 30
