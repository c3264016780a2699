"""Groups are read side by side, at the pace of the quota and not of the round trip."""

from __future__ import annotations

from typing import Any

import pytest

from emulator import Emulator, Pool
from tests.support.answers import records
from tests.support.programs import emulator_config


@pytest.mark.parametrize(
    ("groups", "members", "most"),
    [(20, 90, 2.5), pytest.param(40, 300, 1.15, marks=pytest.mark.slow)],
)
def test_groups_are_read_at_the_pace_of_the_quota(
    groups: int, members: int, most: float, capfd: pytest.CaptureFixture[str]
) -> None:
    """The requests take little longer than the quota demands, however long the round trip is."""
    pool = Pool(groups * members)
    pool.groups = {f"{n}": {"GroupName": f"{n}", "UserPoolId": pool.id} for n in range(groups)}
    for number in range(groups * members):
        pool.join(pool.username(number), f"{number % groups}")
    with Emulator(pool, latency=0.12, quotas={"UserList": 30}) as emulator:
        config: dict[str, Any] = emulator_config(emulator, max_requests_per_second=30)
        found = records(config, capfd, "group_memberships")
    assert len(found) == groups * members
    requests = emulator.log.count("ListUsersInGroup")
    assert requests == groups * -(-members // 60)
    assert emulator.log.seconds(operation="ListUsersInGroup") < most * requests / 30
