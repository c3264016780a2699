"""`python3 dev.py verify` counts what happened, separates changes from faults, shows no user."""

from __future__ import annotations

import json
import re
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from emulator import Emulator, Pool
from emulator.faults import Faults
from quickstart.pool import KEYS
from tests.support.programs import PREFORK, emulator_config, run_forked
from verify.comparison import compare
from verify.plain import Plain, Reading, ReadingError
from verify.rows import COLUMNS, Users, differing, from_api, hashes

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path


def verify(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return run_forked([*PREFORK, "-m", "verify", *arguments], environment)


def config_file(folder: Path, emulator: Emulator, **more: Any) -> Path:
    """The settings that read an emulated pool, in a file."""
    path = folder / "config.json"
    path.write_text(json.dumps(emulator_config(emulator, **more)), encoding="utf-8")
    return path


def table(report: str) -> dict[str, str]:
    """The report's rows."""
    return dict(re.findall(r"(?m)^\| (.+?) \| (.*) \|$", report))


def plain(emulator: Emulator) -> Plain:
    """A plain loop over an emulated pool, as fast as it answers."""
    client = boto3.client(
        "cognito-idp",
        "us-east-1",
        endpoint_url=emulator.url,
        aws_access_key_id=KEYS["aws_access_key_id"],
        aws_secret_access_key=KEYS["aws_secret_access_key"],
        config=Config(retries={"total_max_attempts": 1}),
    )
    return Plain(client, emulator.pool.id, rate=1_000)


def read(pool: Plain) -> Users:
    """The users that a plain loop reads."""
    users = Users()
    for user in pool.users(Reading()):
        users.add(from_api(user))
    return users


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A pool of three pages."""
    with Emulator(Pool(150)) as serving:
        yield serving


# The whole command


@pytest.mark.programs
def test_a_pool_that_is_read_right_passes(tmp_path: Path) -> None:
    """Every user is equal in both readings, the numbers are right, and no user is shown."""
    with Emulator(Pool(1_300), short_pages=0.3, empty_pages=0.1, seed=7) as emulator:
        done = verify("--config", config_file(tmp_path, emulator))
        # The tap may also ask for the number of users, and counts that.
        requests = range(emulator.log.count("ListUsers"), emulator.log.count() + 1)
    assert done.returncode == 0, done.stderr
    found = table(done.stdout)
    assert found["result"] == "PASSED"
    assert found["users: plain loop, tap"] == "1300, 1300"
    assert found["equal in every value"] == "1300"
    pages, *kinds = map(int, found["plain loop: pages, full, short, empty"].split(", "))
    assert pages == sum(kinds) > 1_300 // 60 + 1
    assert min(kinds) > 0
    expected, in_segment = found['users with `sub ^= "0"`: expected, read'].split(", ")
    assert expected == in_segment
    counted = [
        int(re.match(r"\d+", value)[0])  # type: ignore[index]
        for name, value in found.items()
        if re.search(": requests, throttled, failed$|^requests of the tap", name)
    ]
    assert len(counted) == 3
    assert sum(counted) in requests
    digits = dict(
        pair.split(": ") for pair in found["`sub`: position, different digits"].split(", ")
    )
    assert (digits["1"], digits["13"]) == ("16", "2")  # of both kinds of `sub`
    printed = done.stdout + done.stderr
    for user in emulator.pool.users():
        values = [user["Username"], *(pair.get("Value", "") for pair in user["Attributes"])]
        assert not [value for value in values if len(value) > 5 and value in printed]
    assert not any(text in printed for text in (emulator.pool.id, emulator.url, *KEYS.values()))


@pytest.mark.programs
def test_throttled_requests_are_counted_and_repeated(tmp_path: Path) -> None:
    """A pool with a quota is read completely by both, and the refusals are in the report."""
    with Emulator(Pool(600), quota=5) as emulator:
        done = verify("--config", config_file(tmp_path, emulator))
        throttled = emulator.log.by_operation()["ListUsers"]["throttled"]
    found = table(done.stdout)
    assert found["result"] == "PASSED", done.stdout
    counted = [value.split(", ")[1] for name, value in found.items() if "throttled" in name]
    assert sum(map(int, counted)) == throttled > 0


@pytest.mark.programs
def test_options_win_over_the_environment_and_it_over_the_file(
    emulator: Emulator, tmp_path: Path
) -> None:
    """A pool id is taken from the option, a URL from the environment, keys from the file."""
    path = config_file(tmp_path, emulator, user_pool_id="us-east-1_File", endpoint_url="http://a")
    done = verify(
        *("--config", path, "--user-pool-id", emulator.pool.id),
        TAP_COGNITO_USER_POOL_ID="us-east-1_Environment",
        TAP_COGNITO_ENDPOINT_URL=emulator.url,
    )
    assert table(done.stdout)["equal in every value"] == "150", done.stderr


@pytest.mark.programs
def test_settings_that_shape_records_do_not_matter(emulator: Emulator, tmp_path: Path) -> None:
    """Formats and maps of the config don't make users look different; its filter limits both."""
    shaping = {
        "attributes_format": "list",
        "stream_maps": {"users": {"email": "md5(email)"}},
        "user_filter": 'status = "Disabled"',
    }
    found = table(verify("--config", config_file(tmp_path, emulator, **shaping)).stdout)
    disabled = sum(not user["Enabled"] for user in emulator.pool.users())
    assert found["equal in every value"] == str(disabled)
    assert 'users with `sub ^= "0"`: expected, read' not in found


@pytest.mark.programs
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "user_pool_id"),
        (("--config", "/nowhere"), "--config: No such file"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_line(arguments: tuple[str, ...], message: str) -> None:
    """A missing setting or file ends it with one line and without a traceback."""
    done = verify(*arguments)
    assert done.returncode != 0
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


# Its parts


def test_a_user_that_changed_is_no_fault_of_the_tap(emulator: Emulator) -> None:
    """Users created, changed or deleted between the readings are counted as changed."""
    pool = plain(emulator)
    before = read(pool)
    first, second, *_ = (user["Username"] for user in emulator.pool.users())
    emulator.pool.change(first, {"custom:plan": "changed"})
    emulator.pool.delete(second)
    emulator.pool.create(at=1_800_000_000)
    found = compare(before.rows, read(pool).rows, pool)
    assert (found.equal, found.changed, found.passed) == (148, 3, True)


def test_what_the_tap_lost_invented_or_altered_is_a_fault(emulator: Emulator) -> None:
    """A difference that the API itself doesn't show is reported by kind and column."""
    pool = plain(emulator)
    before = read(pool)
    altered = Users()
    users = list(emulator.pool.users())
    for user in pool.users(Reading()):
        row = from_api(user)
        if row["username"] == users[0]["Username"]:
            row["email"] = "other@example.com"
        if row["username"] != users[1]["Username"]:
            altered.add(row)
    altered.add({**row, "username": 'nobody "\\'})
    found = compare(before.rows, altered.rows, pool)
    assert (found.missing, found.extra, found.different) == (1, 1, 1)
    assert found.columns == {"email": 1}
    assert (found.equal, found.changed, found.passed) == (148, 0, False)


def test_users_read_twice_are_counted(emulator: Emulator) -> None:
    """A user that comes twice in one reading is one user, repeated."""
    users = Users()
    for user in plain(emulator).users(Reading()):
        users.add(from_api(user))
        users.add(from_api(user))
    assert (len(users.rows), users.repeated) == (150, 150)


@pytest.mark.parametrize("column", COLUMNS)
def test_each_value_is_compared(emulator: Emulator, column: str) -> None:
    """A value that differs in the least makes its column different, and no other."""
    row = from_api(next(plain(emulator).users(Reading())))
    other = {
        "email": str(row["email"]).upper(),
        "status": None,
        "enabled": not row["enabled"],
        "created_at": row["created_at"] + timedelta(milliseconds=1),
        "updated_at": row["updated_at"] - timedelta(milliseconds=1),
        "attributes": {**row["attributes"], "custom:new": ""},
    }
    altered = {**row, column: other[column]}
    assert list(differing(hashes(row), hashes(altered))) == [column]


def test_forms_of_one_moment_are_equal(emulator: Emulator) -> None:
    """A timestamp is the same with an offset, with Z, without either, and from boto3."""
    row = from_api(next(plain(emulator).users(Reading())))
    moment = row["created_at"].astimezone(timezone.utc).isoformat(timespec="milliseconds")
    for text in (moment, moment.replace("+00:00", "Z"), moment.removesuffix("+00:00")):
        assert hashes({**row, "created_at": text}) == hashes(row)


def test_subs_of_another_form_are_counted(emulator: Emulator) -> None:
    """Users without `sub`, or with one in upper case, are counted: they are in no segment."""
    users = Users()
    row = from_api(next(plain(emulator).users(Reading())))
    sub = row["attributes"]["sub"]
    for number, value in enumerate((sub, sub.upper(), sub + "\n", None)):
        users.add({**row, "username": str(number), "attributes": {"sub": value}})
    users.add({**row, "attributes": {}})
    assert users.other_subs == 4
    assert [dict(counter) for counter in users.digits] == [{one: 1} for one in sub.replace("-", "")]


@pytest.mark.parametrize("fault", ["cut-length-right", "html-200", "html-502", "error-500"])
def test_a_failed_request_is_repeated(emulator: Emulator, fault: str) -> None:
    """A page that is truncated or not sent at all is requested again, and counted as failed."""
    emulator.faults = Faults((fault,), limit=2)
    reading = Reading()
    assert len(list(plain(emulator).users(reading))) == 150
    assert (reading.pages, reading.failed, len(reading.latencies)) == ([60, 60, 30], 2, 5)


def test_a_refusal_ends_the_reading(emulator: Emulator) -> None:
    """A denied operation is named by its code after one request."""
    emulator.denied = {"cognito-idp:ListUsers"}
    with pytest.raises(ReadingError, match=r"^ListUsers failed with AccessDeniedException$"):
        read(plain(emulator))
    assert emulator.log.count("ListUsers") == 1


@pytest.mark.programs
@pytest.mark.parametrize(
    "config",
    [
        json.dumps({"aws_secret_access_key": "planted/secret+0001"}),
        '{"aws_secret_access_key": "planted/secret+0001"',
        "planted/secret+0001",
    ],
)
def test_a_config_in_the_place_of_its_file_is_not_repeated(config: str) -> None:
    """The line says what is wrong, without a traceback and without the secret."""
    run = verify("--config", config)
    assert run.returncode
    assert "planted/secret" not in run.stdout + run.stderr
    assert "Traceback" not in run.stderr
    assert run.stderr.strip()


@pytest.mark.programs
def test_a_bug_of_the_comparison_is_one_line_without_values(tmp_path: Path) -> None:
    """What stderr gets passes the tap's own protection, whatever fails."""
    with Emulator(Pool(10)) as emulator:
        path = config_file(tmp_path, emulator, aws_secret_access_key="planted/secret+0001\n")
        run = verify("--config", path)
    assert run.returncode == 1
    assert "planted/secret" not in run.stdout + run.stderr
    assert "Traceback" not in run.stderr
