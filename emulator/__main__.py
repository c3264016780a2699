"""Serve a pool from the command line."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading

from emulator.faults import FAULTS, Faults
from emulator.pool import Pool
from emulator.server import Emulator


def main() -> None:
    """Serve until SIGTERM or SIGINT; one line of JSON has the URL and the pool id when ready."""
    parser = argparse.ArgumentParser(prog="python -m emulator", description=__doc__)
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="of users, pages and faults")
    parser.add_argument("--pool-id", default="us-east-1_Emulated1")
    parser.add_argument("--sub-format", choices=["random", "regional"], default="random")
    parser.add_argument("--port", type=int, default=0, help="0 for any free one")
    parser.add_argument("--latency-ms", type=float, default=0, help="added to each response")
    parser.add_argument(
        "--quota", type=float, help="requests per second of ListUsers and ListUsersInGroup"
    )
    parser.add_argument("--fault", action="append", choices=FAULTS, help="may be repeated")
    parser.add_argument("--fault-rate", type=float, default=0.03, help="share of the requests")
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    faults = (
        Faults(tuple(options.fault), options.fault_rate, options.seed) if options.fault else None
    )
    pool = Pool(options.users, options.seed, options.pool_id, sub_format=options.sub_format)
    with Emulator(
        pool,
        port=options.port,
        latency=options.latency_ms / 1000,
        quota=options.quota,
        faults=faults,
        seed=options.seed,
    ) as emulator:
        sys.stdout.write(json.dumps({"url": emulator.url, "pool_id": pool.id}) + "\n")
        sys.stdout.flush()
        stop.wait()


if __name__ == "__main__":
    main()
