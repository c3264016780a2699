"""Serve emulated pools from the command line."""

from __future__ import annotations

import argparse
import itertools
import json
import signal
import sys
import threading
from typing import Any

from emulator.faults import FAULTS, Faults
from emulator.pool import Pool
from emulator.quotas import AWS_QUOTAS
from emulator.resources import ACCOUNT
from emulator.server import Emulator
from emulator.signing import Credential
from emulator.sts import Role

_SECRET = "emulated-secret"  # noqa: S105 - the key of nothing


def main() -> None:
    """Serve until SIGTERM or SIGINT; one line of JSON has the URL, the pools and the keys."""
    options = _parser().parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    faults = (
        Faults(tuple(options.fault), options.fault_rate, options.seed) if options.fault else None
    )
    accounts = [_account(account) for account in options.account]
    keys = {account["access_key_id"]: account["account"] for account in accounts}
    with Emulator(
        pools=_pools(options),
        port=options.port,
        latency=options.latency_ms / 1000,
        quota=options.quota,
        quotas=AWS_QUOTAS if options.aws_quotas else {},
        quota_per_pool=5 if options.aws_quotas else None,
        credentials={key: Credential(_SECRET, account=keys[key]) for key in keys} or None,
        roles={account["role_arn"]: Role() for account in accounts},
        faults=faults,
        seed=options.seed,
    ) as emulator:
        ready = {
            "url": emulator.url,
            "pool_id": emulator.pool.id,
            "pools": [
                {"pool_id": pool.id, "region": pool.region, "account": pool.account}
                for pool in emulator.pools
            ],
            "accounts": accounts,
        }
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        stop.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m emulator", description=__doc__)
    parser.add_argument("--users", type=int, default=1000, help="in each pool")
    parser.add_argument("--seed", type=int, default=0, help="of users, pages and faults")
    parser.add_argument("--pool-id", default="us-east-1_Emulated1", help="of the only pool")
    parser.add_argument("--pools", type=int, help="how many in each region of each account")
    parser.add_argument("--region", action="append", help="may be repeated; default us-east-1")
    parser.add_argument(
        "--account", action="append", default=[], help="may be repeated; signatures are checked"
    )
    parser.add_argument(
        "--sub-format", choices=["mixed", "random", "regional"], default="mixed", help="of users"
    )
    parser.add_argument("--port", type=int, default=0, help="0 for any free one")
    parser.add_argument("--latency-ms", type=float, default=0, help="added to each response")
    parser.add_argument(
        "--quota", type=float, help="requests per second of ListUsers and ListUsersInGroup"
    )
    parser.add_argument("--aws-quotas", action="store_true", help="all of AWS's default quotas")
    parser.add_argument("--fault", action="append", choices=FAULTS, help="may be repeated")
    parser.add_argument("--fault-rate", type=float, default=0.03, help="share of the requests")
    return parser


def _pools(options: argparse.Namespace) -> list[Pool]:
    sub_format = options.sub_format
    if options.pools is None:
        return [Pool(options.users, options.seed, options.pool_id, sub_format=sub_format)]
    places = itertools.product(options.account or [ACCOUNT], options.region or ["us-east-1"])
    return [
        Pool(
            options.users,
            options.seed + number,
            f"{region}_{account[-4:]}P{number:04}",
            sub_format=sub_format,
            account=account,
        )
        for number, ((account, region), _) in enumerate(
            itertools.product(places, range(options.pools))
        )
    ]


def _account(account: str) -> dict[str, Any]:
    return {
        "account": account,
        "access_key_id": f"AKIAEMULATED{account}",
        "secret_access_key": _SECRET,
        "role_arn": f"arn:aws:iam::{account}:role/reader",
    }


if __name__ == "__main__":
    main()
