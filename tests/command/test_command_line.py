"""Arguments that are wrong, the environment, nothing to do, and what DEBUG adds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from emulator import Emulator, Faults, Pool
from tests.support.catalogs import selected
from tests.support.programs import emulator_config, run_tap

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.programs

QUIET = {"PYTHONWARNINGS": "ignore"}
"""The SDK warns of Python 3.10, which has had its time."""


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--no-such"], "--no-such doesn't exist"),
        (["-p"], "an option doesn't exist"),
        (["--format"], "--format has no value, or an invalid one"),
        (["--about=x"], "--about has no value, or an invalid one"),
        (["--format=xml"], "--format: invalid value"),
        (["--catalog", "missing.json"], "--catalog: No such file or directory"),
        (["--state", "/"], "--state: Is a directory"),
        (["argument"], "unexpected arguments"),
    ],
)
def test_a_wrong_argument_is_one_line_and_status_2(arguments: list[str], fault: str) -> None:
    """The line names the option, what is wrong with it, and where to look."""
    run = run_tap({}, *arguments, env=QUIET)
    (line,) = run.stderr.splitlines()
    assert line.endswith(f"| {fault}: see `tap-cognito --help`")
    assert (run.returncode, run.stdout) == (2, "")


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_debug_shows_the_place_of_a_failure(level: str) -> None:
    """At DEBUG the tap logs where a failure arose, also if libraries are held at another level."""
    run = run_tap({}, env={**QUIET, "TAP_COGNITO_LOGLEVEL": level})
    assert "`user_pool_id` is missing" in run.stderr
    shown = [line for line in run.stderr.splitlines() if "| DEBUG " in line]
    assert [line.split()[-1] for line in shown] == ["TapCognitoError"] * (level == "DEBUG")
    assert ("in _validate_config" in run.stderr) == (level == "DEBUG")
    assert run.returncode == 1


@pytest.mark.parametrize("arguments", [[], ["--config=ENV"]])
def test_settings_may_come_from_the_environment(arguments: list[str]) -> None:
    """Variables count with --config=ENV only, alone or beside a file."""
    environment = {**QUIET, "TAP_COGNITO_USER_POOL_IDS": '["us-east-1_AbCdEf"]'}
    run = run_tap({}, *arguments, "--discover", env=environment)
    (users,) = (
        stream for stream in json.loads(run.stdout)["streams"] if stream["stream"] == "users"
    )
    assert ("user_pool_id" in users["key_properties"]) == bool(arguments)
    assert run.returncode == 0, run.stderr


def test_a_catalog_that_selects_nothing_fails(tmp_path: Path) -> None:
    """A run that reads nothing fails, without a request or credentials, so that it's noticed."""
    path = tmp_path / "catalog.json"
    path.write_text(json.dumps(selected()), encoding="utf-8")
    with Emulator(Pool(3)) as emulator:
        config = emulator_config(emulator)
        del config["aws_access_key_id"], config["aws_secret_access_key"]
        run = run_tap(config, "--catalog", path, env=QUIET)
        assert emulator.log.count() == 0
    (line,) = [line for line in run.stderr.splitlines() if "| ERROR " in line]
    assert "the catalog selects no stream: check the names in `select` of Meltano" in line
    assert run.returncode == 1


def test_a_run_has_no_line_about_what_it_does_not_do() -> None:
    """Streams that aren't selected, and an option that wasn't given, take no line each."""
    with Emulator(Pool(3)) as emulator:
        run = run_tap(emulator_config(emulator), env=QUIET)
    assert run.returncode == 0
    assert "Skipping" not in run.stderr
    assert "Beginning sync of 'users'" in run.stderr


def test_the_last_line_is_the_result_of_all_streams(tmp_path: Path) -> None:
    """It counts what was read and what a filter let through, apart, and nothing follows it."""
    with Emulator(Pool(100)) as emulator:
        maps = {"users": {"__filter__": "enabled", "__else__": None, "username": "username"}}
        config = emulator_config(emulator, stream_maps=maps)
        catalog = tmp_path / "catalog.json"
        catalog.write_text(json.dumps(selected("users", "groups")), encoding="utf-8")
        run = run_tap(config, "--catalog", catalog, env=QUIET)
        groups = len(emulator.pool.groups)
        sent = sum(user["Enabled"] for user in emulator.pool.users())
    assert run.returncode == 0
    assert 0 < sent < 100
    counts = f"100 users read, {sent} sent; {groups} groups read, {groups} sent; "
    assert f"| Complete: {counts}" in run.stderr.splitlines()[-1]
    assert f"Read 100 users, sent {sent}, with " in run.stderr


def test_a_failed_run_shows_its_result_above_the_reason() -> None:
    """The streams that aren't complete say so in the last line but one; the last one says why."""
    with Emulator(Pool(100), denied={"cognito-idp:ListUsers"}) as emulator:
        run = run_tap(emulator_config(emulator), env=QUIET)
    result, reason = run.stderr.splitlines()[-2:]
    assert "| INFO " in result
    assert "| Not complete: 0 users read, 0 sent, not all; " in result
    assert "attach this IAM policy" in reason
    assert run.returncode == 1


def test_a_retry_says_what_failed() -> None:
    """While a request is retried, the log has the status and AWS's code."""
    with Emulator(Pool(10), faults=Faults(("error-500",), limit=3)) as emulator:
        run = run_tap(emulator_config(emulator), env=QUIET)
    assert run.returncode == 0
    retry = "ListUsers failed 2 times, retrying: HTTP status 500 (InternalErrorException)"
    assert retry in run.stderr


def test_help_says_what_test_does() -> None:
    """`--test` is described as this tap's, which sends no record and reads the catalog first."""
    shown = " ".join(run_tap({}, "--help").stdout.split())
    assert "Make the first request of each selected stream" in shown
    assert "sync a single record" not in shown


@pytest.mark.programs
@pytest.mark.parametrize("name", ["TAP_COGNITO_LOGLEVEL", "LOGLEVEL"])
def test_a_wrong_log_level_is_named(name: str) -> None:
    """One line with the variable, not a bug."""
    run = run_tap({"user_pool_id": "us-east-1_AbCdEf123"}, env={name: "LOUD"})
    assert run.returncode == 1
    assert f"{name} isn't a log level" in run.stderr
    assert "a bug" not in run.stderr


@pytest.mark.programs
def test_the_level_of_other_programs_is_theirs() -> None:
    """Where TAP_COGNITO_LOGLEVEL is set, LOGLEVEL may say what it likes."""
    run = run_tap({}, "--version", env={"TAP_COGNITO_LOGLEVEL": "INFO", "LOGLEVEL": "LOUD"})
    assert run.returncode == 0, run.stderr


@pytest.mark.programs
@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("!!python/object/apply:os.system ['true']", "ConstructorError"),
        ("a: [planted", "ParserError"),
        ("- planted", "ValueError"),
        ("", "TypeError"),
        ("version: 1\nroot: {level: planted}", "ValueError"),
        ("version: 1\nhandlers: {planted: {class: planted.Planted}}", "ValueError"),
        (None, "IsADirectoryError"),
    ],
)
def test_a_wrong_logging_config_is_named(content: str | None, fault: str, tmp_path: Path) -> None:
    """One line with the variable and nothing of the file, also where the file has begun to work."""
    path = tmp_path / "logging.yaml" if content is not None else tmp_path
    if content is not None:
        path.write_text(content)
    run = run_tap({"user_pool_id": "a_1"}, "--about", env={"SINGER_SDK_LOG_CONFIG": str(path)})
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    assert "SINGER_SDK_LOG_CONFIG must name a file with a Python logging config" in line
    assert line.endswith(f"({fault})")
    assert "planted" not in line
