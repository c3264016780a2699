"""Compare what tap-cognito reads from a user pool with what a plain loop reads.

The report is made of numbers, without names, addresses or ids: paste it into an issue. The settings
come from --config, from TAP_COGNITO_... variables and from the options below. The pool is read
twice, with ListUsers only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any, cast

from botocore.config import Config
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from tap_cognito import logs
from tap_cognito.errors import TapCognitoError, bug
from tap_cognito.identity import credentials, secret_references
from tap_cognito.singer.files import load_config
from tap_cognito.tap import TapCognito
from verify.comparison import compare
from verify.plain import Plain, ReadingError
from verify.report import Report
from verify.rows import from_api

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import IO

OPTIONS = ("user_pool_id", "region", "aws_profile", "endpoint_url")
SETTINGS = {
    *OPTIONS,
    *("allow_http", "api_key_id", "max_requests_per_second", "user_filter", "vault_url"),
}
"""The settings that the tap is given, beside those of AWS; others change what becomes of a user."""


def main() -> int:
    """Read the pool twice, print the report, and return 0 if the tap made no difference."""
    logs.install()
    try:
        report = _verify(_config())
    except (ReadingError, TapCognitoError) as error:
        sys.stderr.write(f"verify: {error}\n")
        return 1
    except Exception as error:  # noqa: BLE001 - the last resort: its text may hold anything
        sys.stderr.write(f"verify: {bug(error)}\n")
        return 1
    print(report)
    return 0 if report.comparison.passed else 1


def _config() -> dict[str, Any]:
    """Merge the settings; the options win over the environment, which wins over the file."""
    parser = argparse.ArgumentParser(
        prog="python3 dev.py verify",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", metavar="FILE", help="the tap's settings as JSON")
    for name in OPTIONS:
        parser.add_argument(f"--{name.replace('_', '-')}", dest=name)
    options = parser.parse_args()
    for name in OPTIONS:
        if value := getattr(options, name):
            os.environ[f"TAP_COGNITO_{name.upper()}"] = value
    given = load_config(options.config) if options.config else {}
    config = TapCognito(config=given, parse_env_config=True).config
    if "user_pool_id" not in config:
        parser.error("one pool is compared: --user-pool-id, not the setting `user_pool_ids`")
    return {
        name: value for name, value in config.items() if name in SETTINGS or name.startswith("aws_")
    }


def _verify(config: Mapping[str, Any]) -> Report:
    client = credentials.create_session(secret_references.resolve_secrets(config)).client(
        "cognito-idp",
        endpoint_url=config.get("endpoint_url"),
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30),
    )
    pool = Plain(client, config["user_pool_id"], config["max_requests_per_second"])
    user_filter = config.get("user_filter")
    report = Report()

    start = time.monotonic()
    for user in _shown("a plain loop", pool.users(report.whole, user_filter)):
        report.plain.add(from_api(user))
    report.plain_seconds = time.monotonic() - start

    start = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        for record in _shown("tap-cognito", _records(config, log)):
            report.tap.add(record)
        log.seek(0)
        report.tap_log = log.read()
    report.tap_seconds = time.monotonic() - start

    if not user_filter:
        # A filter that is applied after paging needs as many pages as all users do.
        segment = pool.users(report.segment, 'sub ^= "0"', max_pages=2 * len(report.whole.pages))
        report.segment_users = sum(1 for _ in _shown('a plain loop, sub ^= "0"', segment))
    report.comparison = compare(report.plain.rows, report.tap.rows, pool)
    return report


def _records(config: Mapping[str, Any], log: IO[str]) -> Iterator[dict[str, Any]]:
    """Run the tap and pass on its records.

    Raises:
        ReadingError: If the tap fails; its last line says why.
    """
    command = [sys.executable, "-m", "tap_cognito", "--config", "/dev/stdin"]
    # Through a pipe: a secret among the settings is in no file.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, encoding="utf-8"
    ) as tap:
        to_tap, from_tap = cast("IO[str]", tap.stdin), cast("IO[str]", tap.stdout)
        with to_tap:
            json.dump(config, to_tap)
        for line in from_tap:
            message = json.loads(line)
            if message["type"] == "RECORD":
                yield message["record"]
    if tap.returncode:
        log.seek(0)
        *_, last = ["it logged nothing", *log.read().splitlines()]
        raise ReadingError(f"tap-cognito failed: {last}")


def _shown(title: str, users: Iterable[Any]) -> Iterator[Any]:
    """Pass users on while their number is shown on stderr."""
    columns = TextColumn(f"{title}: {{task.completed:,.0f}} users"), TimeElapsedColumn()
    with Progress(*columns, console=Console(file=sys.__stderr__)) as progress:
        task = progress.add_task("", total=None)
        for user in users:
            yield user
            progress.advance(task)


if __name__ == "__main__":
    sys.exit(main())
