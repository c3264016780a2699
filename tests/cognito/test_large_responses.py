"""Pages of an unusual size: one at a time is in memory, and none is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from emulator import Emulator, Pool
from tap_cognito.cognito import large_responses
from tests.support.listings import pages, served_pool

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.whole_pools


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A pool that is read in segments, whose pages all count as large."""
    monkeypatch.setattr(large_responses, "LARGE_BYTES", 2_000)
    with Emulator(Pool(1_500)) as serving:
        yield serving


def test_large_pages_are_read_one_at_a_time(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one is parsed when the records of the one before are written; all users arrive."""
    parsed = []
    decode = msgspec.json.decode

    def count(body: bytes) -> Any:
        if len(body) > large_responses.LARGE_BYTES:
            parsed.append(len(body))
        return decode(body)

    monkeypatch.setattr(msgspec.json, "decode", count)
    users = []
    for written, page in enumerate(pages(served_pool(emulator))):
        assert len(parsed) <= written + 1
        users += [user["Username"] for user in page]
    assert len(parsed) > 16
    assert sorted(users) == sorted(user["Username"] for user in emulator.pool.users())


def test_a_scan_that_was_left_holds_up_no_other(emulator: Emulator) -> None:
    """While one is left in mid-run, with a large page under way, another one reads all users."""
    left = pages(served_pool(emulator))
    next(left)
    left.close()
    waiting = pages(served_pool(emulator))
    next(waiting)
    assert sum(map(len, pages(served_pool(emulator)))) == 1_500
    waiting.close()
