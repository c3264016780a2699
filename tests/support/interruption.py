"""Runs that something happens to: what the tests of deletions and of restarts share."""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.programs import TAP, TARGET, TIMEOUT, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from emulator import Emulator

    Process = subprocess.Popen[bytes]


def at_rest(emulator: Emulator) -> int:
    """Wait until no more requests come because no answers are taken, and count all."""
    while True:
        count = emulator.log.count()
        time.sleep(0.5)
        if count == emulator.log.count():
            return count


@contextmanager
def running_tap(
    folder: Path, config: Mapping[str, Any], program: Sequence[str] = TAP, **files: Any
) -> Iterator[Process]:
    """Run tap-cognito while the test goes on.

    Args:
        folder: Where its files go.
        config: Its settings.
        program: What to run in its place.
        files: The content of further files by option: `catalog`, `state`.
    """
    command = [*program]
    for option, content in {"config": config, **files}.items():
        path = folder / f"{option}.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        command += [f"--{option}", str(path)]
    with (
        (folder / "tap.log").open("wb") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as tap,
    ):
        try:
            yield tap
        finally:
            tap.kill()


def load_while(
    happens: Callable[[Process], object],
    folder: Path,
    config: Mapping[str, Any],
    target: Mapping[str, Any],
    **files: Any,
) -> int:
    """Pipe tap-cognito into target-postgres, and let something happen to the tap meanwhile.

    Args:
        happens: What happens; the run goes on to its end when it returns.
        folder: Where the run's files go.
        config: The settings of the tap.
        target: The settings of the target.
        files: As for `running_tap`; `program` too.

    Returns:
        The exit status of the tap.
    """
    path = folder / "target.json"
    path.write_text(json.dumps(target), encoding="utf-8")
    with (
        running_tap(folder, config, **files) as tap,
        (folder / "target.log").open("wb") as log,
        Path(os.devnull).open("wb") as nothing,
        ExitStack() as stack,
    ):
        assert tap.stdout
        command: list[str | Path] = [TARGET, "--config", path]
        loading = start(stack, command, None, tap.stdout, nothing, log)
        happens(tap)
        status = tap.wait(TIMEOUT)
        loading.wait(TIMEOUT)
    return status
