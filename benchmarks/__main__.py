"""Compare, side by side in one run, how long an emulated pool takes to read."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from benchmarks import contenders, plot
from benchmarks.measure import Emulation, IncompleteError, Run, measure
from quickstart import postgres, stopping
from quickstart.pipeline import forget_settings

ROW = "| {:>10} | {:<23} | {:>7} | {:>9} | {:>8} | {:>9} | {:<16} |"
HEAD = ("latency ms", "", "seconds", "x limit", "requests", "throttled", "CPU s/1,000")


def main() -> int:
    """Run it, print the table, write results and plot; return the exit status."""
    options = _options()
    forget_settings()
    stopping.on_signals()
    try:
        with ExitStack() as stack:
            return _compare(options, _chosen(options, stack))
    except stopping.Stopped as stopped:
        return 128 + stopped.number
    except IncompleteError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--users", type=int, help="of the pool; default 15000")
    parser.add_argument("--latencies", type=int, nargs="+", metavar="MS", help="60 120 250")
    parser.add_argument("--quota", type=int, default=30, help="requests a second; 0 for no limit")
    parser.add_argument("--only", nargs="+", choices=("tap", "boto3", "aws"))
    parser.add_argument("--postgres", action="store_true", help="load into Postgres too")
    parser.add_argument("--quick", action="store_true", help="less than a minute, not written")
    parser.add_argument("--output", type=Path, help="folder of results.json and results.svg")
    options = parser.parse_args()
    options.users = options.users or (3_000 if options.quick else 15_000)
    options.latencies = options.latencies or ([60] if options.quick else [60, 120, 250])
    if not options.output and not options.quick:
        options.output = Path(__file__).parent
    return options


def _chosen(options: argparse.Namespace, stack: ExitStack) -> list[contenders.Contender]:
    chosen = options.only or ["tap", "boto3", "aws"]
    found = [contenders.tap()] if "tap" in chosen else []
    if options.postgres:
        found.append(contenders.tap_to_postgres(stack.enter_context(postgres.serve())))
    if "boto3" in chosen:
        found.append(contenders.serial())
    if "aws" in chosen:
        cli = contenders.aws()
        if cli:
            found.append(cli)
        else:
            _say("The AWS CLI is left out: there is neither `aws` nor `uvx`.\n")
    return found


def _compare(options: argparse.Namespace, chosen: list[contenders.Contender]) -> int:
    rate = options.quota or 1_000
    runs = []
    limit = Emulation(options.users, 0, options.quota, rate).limit
    _say(
        f"{options.users:,} users, "
        + (f"{options.quota} requests/s: {limit:.2f} s at the least\n" if limit else "no quota\n")
    )
    _say(ROW.format(*HEAD))
    _say(ROW.format("--:", ":--", "--:", "--:", "--:", "--:", "--:"))
    for latency in options.latencies:
        for contender in chosen:
            run = measure(contender, Emulation(options.users, latency, options.quota, rate))
            runs.append(run)
            _say(_row(run))
    _say("\nEvery run returned every user once.")
    if options.output:
        _write(options, limit, runs)
    return 0


def _row(run: Run) -> str:
    return ROW.format(
        run.latency_ms,
        run.contender,
        f"{run.seconds:.2f}",
        f"{run.ratio:.3f}" if run.ratio else "",
        f"{run.requests:,}",
        run.throttled,
        " + ".join(f"{seconds:.3f}" for seconds in run.cpu.values()),
    )


def _write(options: argparse.Namespace, limit: float | None, runs: list[Run]) -> None:
    results = {
        "users": options.users,
        "quota": options.quota,
        "limit_seconds": limit,
        "runs": [asdict(run) for run in runs],
    }
    options.output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=2) + "\n"
    (options.output / "results.json").write_text(text, encoding="utf-8")
    if not limit:
        return
    series: dict[str, list[tuple[float, float]]] = {}
    for run in runs:
        series.setdefault(run.contender, []).append((run.latency_ms, run.seconds))
    title = f"Seconds to read {options.users:,} users at {options.quota} requests/s"
    picture = plot.svg(title, series, limit)
    (options.output / "results.svg").write_text(picture, encoding="utf-8")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
