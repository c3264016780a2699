"""A pool of millions of users costs little memory, and a page little time."""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING

import psutil
import pytest

from emulator import Emulator, Pool
from emulator.filters import Condition, attribute
from emulator.order import following
from tests.support.emulated import client, made_users, names, process

if TYPE_CHECKING:
    from collections.abc import Iterator

DIGITS = "0123456789abcdef"
MEGABYTE = 1 << 20


def segment(pool: Pool, prefix: str, mask: int = 0) -> Iterator[str]:
    """The pages of a segment, as JSON."""
    after: int | None = -1
    while after is not None:
        condition = Condition("sub", prefix, prefix=True)
        users, after = pool.page(60, after, mask=mask, condition=condition)
        yield "".join(users)


@pytest.mark.parametrize("size", [30_000, pytest.param(2_000_000, marks=pytest.mark.slow)])
def test_segments_of_three_digits_are_the_pool(size: int) -> None:
    """Divided by the digits that vary, a pool has each user once, the new and not the gone ones."""
    pool = Pool(size, sub_format="regional")
    before = pool.sample(0.001)
    for name in before:
        pool.delete(name)
    created = [pool.create()["Username"] for _ in range(500)]
    found: set[bytes] = set()
    count = 0
    for first, third in itertools.product(DIGITS, DIGITS):
        for page in segment(pool, f"{first}4{third}"):
            subs = re.findall(r'"sub","Value":"([^"]+)"|"sub", "Value": "([^"]+)"', page)
            count += len(subs)
            found |= {bytes.fromhex("".join(pair).replace("-", "")) for pair in subs}
    assert count == len(found) == len(pool) == size - len(before) + len(created)
    others = (user for digit in DIGITS for user in segment(pool, f"{digit}5"))
    assert not any(others)


@pytest.mark.parametrize("mask", [0, 1, 1023, 1024, 77_777])
@pytest.mark.parametrize("step", [1, 3, 5_000])
def test_an_order_is_that_of_the_sorted_positions(mask: int, step: int) -> None:
    """From any position on, the ordinals follow in the order of ordinal XOR mask."""
    ordinals = range(0, 20_000, step)
    expected = sorted(ordinals, key=lambda ordinal: ordinal ^ mask)
    for after in (-1, 0, 1_500, 19_999, 1 << 62):
        rest = [ordinal for ordinal in expected if ordinal ^ mask > after]
        assert list(following(ordinals, mask, after)) == rest
    assert list(following([], mask, -1)) == []


def test_a_user_is_found_without_reading_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter on the whole name or sub, a change, a deletion: none makes another user."""
    pool = Pool(30_000)
    chosen = range(0, 30_000, 10_000)
    users = [json.loads(pool.page(1, ordinal - 1)[0][0]) for ordinal in chosen]
    keys = [(user["Username"], attribute(user, "sub")) for user in users]
    made = made_users(monkeypatch)
    with Emulator(pool, reorder=True) as emulator:
        for name, sub in keys:
            assert names(emulator, Filter=f'username = "{name}"') == [name]
            assert names(emulator, Filter=f'sub = "{sub}"') == [name]
            pool.change(name, {"email": "new@example.com"})
            pool.delete(name)
            assert names(emulator, Filter=f'username = "{name}"') == []
            assert names(emulator, Filter=f'sub = "{sub}"') == []
    assert set(made) <= set(chosen)


@pytest.mark.programs
@pytest.mark.parametrize(
    ("size", "megabytes"), [(300_000, 80), pytest.param(2_000_000, 150, marks=pytest.mark.slow)]
)
def test_users_take_little_memory(size: int, megabytes: int) -> None:
    """A process that serves them stays small, also when every segment was asked for."""
    with process("--users", str(size), "--sub-format", "regional") as (running, ready):
        emulator = Emulator(Pool(), port=int(ready["url"].split(":")[2]))
        cognito = client(emulator)
        for first, third in itertools.product(DIGITS, DIGITS[::4]):
            condition = f'sub ^= "{first}4{third}8"'
            page = cognito.list_users(UserPoolId=ready["pool_id"], Filter=condition)
            assert len(page["Users"]) == 60
        assert psutil.Process(running.pid).memory_info().rss < megabytes * MEGABYTE
