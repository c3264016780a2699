"""What a run needs does not grow with the pool."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from quickstart import pool
from support import TIMEOUT

ROOT = Path(__file__).parent.parent


def peak_memory(users: int, folder: Path) -> int:
    """Read a pool of another process; return the highest resident size, in the system's unit."""
    emulator = [sys.executable, "-m", "emulator", "--users", str(users)]
    with subprocess.Popen(emulator, cwd=ROOT, stdout=subprocess.PIPE) as served:
        try:
            assert served.stdout
            ready = json.loads(served.stdout.readline())
            config = folder / f"{users}.json"
            settings = {
                "user_pool_id": ready["pool_id"],
                "endpoint_url": ready["url"],
                "max_requests_per_second": 1_000,
                **pool.KEYS,
            }
            config.write_text(json.dumps(settings), encoding="utf-8")
            command = [sys.executable, "-m", "tap_cognito", "--config", str(config)]
            with subprocess.Popen(command, stdout=subprocess.PIPE) as tap:
                assert tap.stdout
                records = sum(line.startswith(b'{"type":"RECORD"') for line in tap.stdout)
                _, tap.returncode, usage = os.wait4(tap.pid, 0)
            assert (tap.returncode, records) == (0, users)
            return usage.ru_maxrss
        finally:
            served.terminate()
            served.wait(TIMEOUT)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the system does not tell")
def test_a_million_users_need_no_more_memory_than_ten_thousand(tmp_path: Path) -> None:
    """The peak at 1,000,000 users is within 10% of that at 10,000."""
    few, many = (peak_memory(users, tmp_path) for users in (10_000, 1_000_000))
    assert many <= 1.1 * few, f"{many} after {few}"
