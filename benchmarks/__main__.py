"""Compare, side by side in one run, how long several programs take to read an emulated pool."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import contenders, plot
from benchmarks.measure import Emulation, IncompleteError, Run, measure
from quickstart import postgres, stopping
from quickstart.pipeline import forget_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

FULL: dict[str, Any] = {
    "users": [10_000],
    "latencies": [60, 120, 250],
    "quota": 30,
    "only": ["tap", "boto3", "aws"],
    "output": Path(__file__).parent,
}
QUICK = {**FULL, "users": [3_000], "latencies": [60], "output": None}
LARGE = {"users": [10_000, 1_000_000], "latencies": [0], "quota": 0, "only": ["tap"]}
UNLIMITED = 1_000
"""The tap's requests a second where there is no quota."""
ROW = "| {:>9} | {:>10} | {:<26} | {:>7} | {:>7} | {:>8} | {:>9} | {:<15} | {:<11} |"
HEAD = (
    *("users", "latency ms", "program", "seconds", "x limit", "requests", "throttled"),
    *("CPU s/1,000", "peak MB"),
)


def main() -> int:
    """Compare, print a table, write results and plot; return the exit status."""
    options = _options()
    forget_settings()
    stopping.raise_on_signals()
    try:
        with ExitStack() as stack:
            runs = list(_compare(options, _chosen(options, stack)))
    except stopping.Interrupted as interrupted:
        return 128 + interrupted.number
    except IncompleteError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print("\nEvery run read every user once.")
    if options.output:
        _write(options.output, options.quota, runs)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 dev.py benchmark", description=__doc__)
    preset = parser.add_mutually_exclusive_group()
    parser.set_defaults(preset=FULL)
    for name, values, text in (
        ("--quick", QUICK, "take less than a minute, and write nothing"),
        ("--large", LARGE, "read 10,000 and 1,000,000 users with the tap alone"),
    ):
        preset.add_argument(name, dest="preset", action="store_const", const=values, help=text)
    parser.add_argument("--users", type=int, nargs="+", help="of the pool; default: 10000")
    parser.add_argument(
        "--latencies", type=int, nargs="+", metavar="MS", help="of a request; default: 60 120 250"
    )
    parser.add_argument("--quota", type=int, help="requests a second, 0 for no limit; default: 30")
    parser.add_argument("--only", nargs="+", choices=FULL["only"])
    parser.add_argument("--postgres", action="store_true", help="load into Postgres too")
    parser.add_argument("--output", type=Path, help="folder for results.json and results.svg")
    options = parser.parse_args()
    for name, value in options.preset.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def _chosen(options: argparse.Namespace, stack: ExitStack) -> Iterator[contenders.Contender]:
    if "tap" in options.only:
        if options.quota:
            yield contenders.tap()
        rate = options.quota or UNLIMITED
        yield contenders.tap(rate)
        if options.postgres:
            yield contenders.tap_to_postgres(stack.enter_context(postgres.serve()), rate)
    if "boto3" in options.only:
        yield contenders.serial()
    if "aws" in options.only:
        if contenders.runs("aws"):
            yield contenders.aws()
        else:
            print("The AWS CLI isn't installed, and is left out.\n")


def _compare(options: argparse.Namespace, chosen: Iterator[contenders.Contender]) -> Iterator[Run]:
    programs = list(chosen)
    print(ROW.format(*HEAD))
    print(ROW.format("--:", "--:", ":--", "--:", "--:", "--:", "--:", ":--", ":--"), flush=True)
    for users in options.users:
        for latency in options.latencies:
            for program in programs:
                run = measure(program, Emulation(users, latency, options.quota))
                print(_row(run), flush=True)
                yield run


def _row(run: Run) -> str:
    return ROW.format(
        f"{run.users:,}",
        run.latency_ms,
        run.program,
        f"{run.seconds:.2f}",
        f"{run.seconds / run.limit_seconds:.3f}" if run.limit_seconds else "",
        f"{run.requests:,}",
        run.throttled,
        " + ".join(f"{seconds:.3f}" for seconds in run.cpu.values()),
        " + ".join(f"{size:.0f}" for size in run.peak_mb.values()),
    )


def _write(folder: Path, quota: int, runs: list[Run]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    results = {"quota": quota, "runs": [asdict(run) for run in runs]}
    text = json.dumps(results, indent=2) + "\n"
    (folder / "results.json").write_text(text, encoding="utf-8")
    if quota:
        plot.save(folder / "results.svg", quota, runs)


if __name__ == "__main__":
    sys.exit(main())
