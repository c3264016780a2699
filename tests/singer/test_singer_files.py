"""No traceback can come from what a user gives: every fault is one line that names its place."""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dotenv
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator import Emulator, Pool
from tap_cognito import cli, logs
from tap_cognito.config.settings import SCHEMA, SECRETS
from tap_cognito.dates import format_date
from tap_cognito.errors import TapCognitoError
from tap_cognito.singer import files, states
from tap_cognito.tap import TapCognito
from tests.support.messages import messages_of, of_type
from tests.support.programs import emulator_config, run_program

if TYPE_CHECKING:
    from collections.abc import Iterator

FUZZ = settings(
    max_examples=100,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
CATALOG = TapCognito(
    config={"user_pool_id": "us-east-1_AbCdEf"}, validate_config=False
).catalog_dict


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """A pool with a few users."""
    with Emulator(Pool(3, seed=1)) as served:
        yield served


@pytest.fixture
def run(
    emulator: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Any:
    """Run the command line in this process; returns its status and what it logged."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    # One handler for each call would write everything as often as there were calls.
    monkeypatch.setattr("singer_sdk.plugin_base._setup_console_logging", lambda **_: None)

    def call(**files: Any) -> tuple[int, list[logging.LogRecord]]:
        arguments = ["tap-cognito"]
        for option, content in {"config": emulator_config(emulator), **files}.items():
            path = tmp_path / f"{option}.json"
            path.write_bytes(
                content if isinstance(content, bytes) else json.dumps(content).encode()
            )
            arguments += [f"--{option}", str(path)]
        caplog.clear()
        with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
            patch.setattr(sys, "argv", arguments)
            patch.setattr(sys, "stdout", sys.stdout)
            status = cli._run()  # noqa: SLF001 - all but the end of the process
        return status, [one for one in caplog.records if one.levelno >= logging.ERROR]

    return call


def assert_told(status: int, errors: list[logging.LogRecord]) -> None:
    """A run ends well, or with one line that is no bug."""
    lines = [one.getMessage() for one in errors]
    assert (status, len(lines)) in {(0, 0), (1, 1)}, lines
    assert not any(one.exc_info for one in errors)
    assert not any(line.startswith("a bug") or "\n" in line for line in lines), lines


@FUZZ
@given(content=JSON.map(lambda value: json.dumps(value).encode()) | st.binary())
@pytest.mark.parametrize("option", ["config", "catalog", "state"])
def test_any_file_is_read_or_refused(run: Any, option: str, content: bytes) -> None:
    """A config, a catalog or a state of any content ends well or with one line."""
    assert_told(*run(**{option: content}))


@FUZZ
@given(name=st.sampled_from(sorted(set(SCHEMA["properties"]) - {"endpoint_url"})), value=JSON)
def test_any_value_of_a_setting_is_taken_or_refused(
    run: Any, emulator: Emulator, name: str, value: Any
) -> None:
    """A setting of any value ends well or with one line."""
    assert_told(*run(config=emulator_config(emulator, **{name: value})))


@FUZZ
@given(
    bookmark=st.dictionaries(
        st.sampled_from(
            ["replication_key_value", "partitions", "pools", "scan", "version", "other"]
        ),
        JSON,
    )
    | st.fixed_dictionaries(
        {
            "partitions": st.lists(
                st.fixed_dictionaries(
                    {"context": st.just({"user_pool_id": "us-east-1_a"}) | JSON},
                    optional={"replication_key_value": JSON, "filter": JSON, "other": JSON},
                ),
                max_size=2,
            )
        }
    ),
    method=st.sampled_from(["INCREMENTAL", "FULL_TABLE"]) | JSON,
)
def test_any_bookmark_and_method_are_taken_or_refused(
    run: Any, bookmark: dict[str, Any], method: Any
) -> None:
    """A state and a catalog that are nearly right end well or with one line."""
    catalog = json.loads(json.dumps(CATALOG))
    for stream in catalog["streams"]:
        if stream["tap_stream_id"] == "users":
            stream["replication_method"] = method
    assert_told(*run(catalog=catalog, state={"bookmarks": {"users": bookmark}}))


@pytest.mark.parametrize(
    ("option", "content", "fault"),
    [
        ("config", b"", "config.json is empty"),
        ("config", b"[]", "config.json must be a JSON object"),
        ("config", b'{"a": 1,}', "config.json isn't JSON"),
        ("catalog", b'{"streams": [1]}', "catalog.json isn't a Singer catalog, at `streams`"),
        ("catalog", b"{}", "catalog.json isn't a Singer catalog, at its top"),
        ("catalog", b'{"streams": []}', "catalog.json has none of this tap's streams"),
        ("state", b"\xff", "state.json isn't JSON in UTF-8"),
        ("config", b'{"start_date": NaN}', "config.json isn't JSON"),
        ("state", b'{"singer_state": {}}', "state.json is what `meltano state get` prints"),
        ("state", b'{"bookmarks": {"orders": {}}}', "has bookmarks of streams of another tap"),
        (
            "state",
            b'{"bookmarks": {"users": {"partitions": [{"context": {"account": "1"}}]}}}',
            "state.json has an invalid structure at `bookmarks.partitions.context`",
        ),
    ],
)
def test_a_fault_names_its_file(run: Any, option: str, content: bytes, fault: str) -> None:
    """A message about a file's content has the file's name."""
    status, (error,) = run(**{option: content})
    assert status == 1
    assert fault in error.getMessage()


USERS_POOL = "us-east-1_AbCdEf"
USERS = {"context": {"user_pool_id": USERS_POOL}}
POOL_BOOKMARK = {
    "updated_at": "2026-01-01T00:00:00.123",
    "start_date": None,
    "scope": "table=0a key=1b rows=2c content=3d",
}
BOOKMARK = {
    "replication_key": "updated_at",
    "replication_key_value": "2026-01-01T00:00:00.123+00:00",
}
STREAMS = {"users": ("username",), "groups": ("user_pool_id", "group_name")}


def load_state(path: Path, state: Any) -> dict[str, Any]:
    """Read a state from a file."""
    path.write_text(json.dumps(state), encoding="utf-8")
    with path.open(encoding="utf-8") as file:
        return states.load_state(file, STREAMS)


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"bookmarks": {}},
        {"currently_syncing": "users", "bookmarks": {"users": {}}},
        {"bookmarks": {"users": {**BOOKMARK, "starting_replication_value": None}}},
        {"bookmarks": {"users": {**BOOKMARK, "progress_markers": {"Note": "unsorted"}}}},
        {"bookmarks": {"users": {"version": 1_700_000_000_000, "partitions": []}}},
        {"bookmarks": {"users": {"partitions": [{**USERS, **BOOKMARK, "filter": "0a9f"}]}}},
        {"bookmarks": {"users": {"partitions": [{**USERS, **BOOKMARK, "filter": None}]}}},
        {"bookmarks": {"groups": {"scan": {"version": 1, "done": ["a"]}, "version": None}}},
        {"bookmarks": {"users": {**BOOKMARK, "replication_key_value": "2026-01-01T00:00:00"}}},
        {"bookmarks": {"users": {"scan": "{}", "pools": {USERS_POOL: POOL_BOOKMARK}}}},
        {"bookmarks": {"users": {"scan": None, "version": 1_700_000_000_000}}},
    ],
    ids=repr,
)
def test_a_state_of_this_tap_is_read(tmp_path: Path, state: dict[str, Any]) -> None:
    """Each form that a run has made, that of older versions included."""
    assert load_state(tmp_path / "state.json", state) == state


@pytest.mark.parametrize(
    ("bookmark", "fault"),
    [
        ({"partitions": {}}, "at `bookmarks.partitions`"),
        ({"partitions": [{}]}, "at `bookmarks.partitions`"),
        (
            {"partitions": [{"context": {"user_pool_id": "jane"}}]},
            "partitions.context.user_pool_id`",
        ),
        ({"partitions": [{**USERS, "filter": "jane@example.com"}]}, "bookmarks.partitions.filter`"),
        ({"partitions": [{**USERS, "replication_key_value": 5}]}, "replication_key_value`"),
        ({"replication_key_value": "2" * 10_000_000}, "at `bookmarks.replication_key_value`"),
        ({"replication_key_value": "jane"}, "has a bookmark that isn't a date"),
        ({"partitions": [{**USERS, "replication_key_value": "jane"}]}, "that isn't a date"),
        ({"replication_key_value": "2999-01-01T00:00:00"}, "has an implausible bookmark date"),
        ({"replication_key_value": "1900-01-01T00:00:00Z"}, "has an implausible bookmark date"),
        ({"version": -1}, "at `bookmarks.version`"),
        ({"replication_key": "jane@example.com"}, "at `bookmarks.replication_key`"),
        ({"version": "jane"}, "at `bookmarks.version`"),
        ({"scan": ["jane"]}, "at `bookmarks.scan`"),
        ({"pools": {"jane": POOL_BOOKMARK}}, "at `bookmarks.pools`"),
        ({"pools": {USERS_POOL: {"updated_at": None}}}, "at `bookmarks.pools`"),
        (
            {"pools": {USERS_POOL: {**POOL_BOOKMARK, "scope": "jane" * 100}}},
            "at `bookmarks.pools.scope`",
        ),
        (
            {"pools": {USERS_POOL: {**POOL_BOOKMARK, "updated_at": "jane"}}},
            "has a bookmark that isn't a date",
        ),
        (
            {"pools": {USERS_POOL: {**POOL_BOOKMARK, "start_date": "jane"}}},
            "has a `start_date` that isn't a date",
        ),
        ({"jane@example.com": 1}, "has an invalid structure at `bookmarks`"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_state_of_another_form_is_refused(
    tmp_path: Path, bookmark: dict[str, Any], fault: str
) -> None:
    """The line names the place, and nothing that stands there."""
    with pytest.raises(TapCognitoError) as raised:
        load_state(tmp_path / "state.json", {"bookmarks": {"users": bookmark}})
    assert fault in str(raised.value)
    assert "jane" not in str(raised.value)
    assert len(str(raised.value)) < 300


def test_a_bookmark_may_be_of_a_clock_that_is_hours_ahead(tmp_path: Path) -> None:
    """One of tomorrow is taken, one of the day after is not."""
    for days, failure in (
        (0.9, contextlib.nullcontext()),
        (1.1, pytest.raises(TapCognitoError, match="has an implausible bookmark date")),
    ):
        moment = format_date(datetime.now(timezone.utc) + timedelta(days=days))
        state = {"bookmarks": {"users": {"replication_key_value": moment}}}
        with failure:
            load_state(tmp_path / "state.json", state)


@pytest.mark.parametrize(
    ("content", "fault", "remedy"),
    [
        (b'{"type": "STATE", "value": {}}', "is a whole STATE message", "`value`"),
        (b'{"singer_state": {}}', "is what `meltano state get` prints", "`singer_state`"),
        (b'{"completed": {}, "partial": {}}', "state backend", "that `meltano state get` prints"),
        (b'{"completed_state": {}}', "Meltano's database", "that `meltano state get` prints"),
        (b'{"bookmarks": {}}\n{"bookmarks": {}}\n', "has several JSON objects", "the last one"),
        (b"\n", "is empty", "none to start over"),
        ('{"bookmarks": {}}'.encode("utf-16"), "is in UTF-16", "as UTF-8"),
    ],
)
def test_a_state_in_another_wrapping_is_refused_by_name(
    run: Any, content: bytes, fault: str, remedy: str
) -> None:
    """The line says what the file is, and which part of it is the state."""
    status, (error,) = run(state=content)
    assert status == 1
    assert fault in error.getMessage()
    assert remedy in error.getMessage()


@pytest.mark.parametrize(
    "own",
    [
        {"version": 9_999_999_999_999},
        {"version": 10**30},
        {"scan": json.dumps({"version": 9_999_999_999_999})},
        {"scan": {"version": 9_999_999_999_999}},
    ],
    ids=repr,
)
def test_a_version_of_the_future_is_refused(tmp_path: Path, own: dict[str, Any]) -> None:
    """It would stop deletions until then; rows that have it already are part of the remedy."""
    with pytest.raises(TapCognitoError, match="`version` that no run has made") as raised:
        load_state(tmp_path / "state.json", {"bookmarks": {"users": own}})
    assert "_sdc_table_version" in str(raised.value)


def test_a_bookmark_without_an_offset_is_utc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bookmark without offset is UTC in any time zone: a second after the epoch is valid."""
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    try:
        bookmark = {**BOOKMARK, "replication_key_value": "1970-01-01T00:00:01"}
        assert load_state(tmp_path / "state.json", {"bookmarks": {"users": bookmark}})
    finally:
        monkeypatch.undo()
        time.tzset()


# Catalogs


def catalog_of(**changes: Any) -> dict[str, Any]:
    """The catalog of `users` alone, with some of its keys changed; None takes one away."""
    entry = next(one for one in CATALOG["streams"] if one["tap_stream_id"] == "users")
    changed = {**json.loads(json.dumps(entry)), **changes}
    return {"streams": [{key: one for key, one in changed.items() if one is not None}]}


def columns_of(run: Any, capfd: pytest.CaptureFixture[str], catalog: Any) -> list[str]:
    """Run with a catalog; which columns the records of `users` have."""
    capfd.readouterr()
    status, errors = run(catalog=catalog)
    assert (status, errors) == (0, [])
    records = of_type(messages_of(capfd.readouterr().out), "RECORD")
    assert {message["stream"] for message in records} <= {"users"}
    return list(records[0]["record"]) if records else []


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata": None},
        {"metadata": []},
        {"stream": "people"},
        {"stream": None},
        {"key_properties": None},
        {"metadata": None, "selected": True},
    ],
    ids=repr,
)
def test_a_short_or_older_catalog_is_read(
    run: Any, capfd: pytest.CaptureFixture[str], changes: dict[str, Any]
) -> None:
    """Without metadata, with another `stream`, without keys: all columns come, under their name."""
    columns = columns_of(run, capfd, catalog_of(**changes))
    assert columns == list(catalog_of()["streams"][0]["schema"]["properties"])


def test_a_key_column_cannot_be_deselected(run: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """A key column is sent whatever the metadata says: a record without key can't be loaded."""
    metadata = [
        {"breadcrumb": [], "metadata": {"selected": True}},
        *(
            {"breadcrumb": ["properties", name], "metadata": {"selected": name == "email"}}
            for name in catalog_of()["streams"][0]["schema"]["properties"]
        ),
    ]
    assert columns_of(run, capfd, catalog_of(metadata=metadata)) == ["username", "email"]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        (
            {"schema": {"properties": {"email": {}}}},
            "lacks a column of the key of `users`: username",
        ),
        ({"schema": None}, "lacks a column of the key of `users`: username"),
        ({"key_properties": ["id"]}, "has another key for `users` than username: take it out"),
        ({"key_properties": "username"}, "isn't a Singer catalog, at `streams.key_properties`"),
        ({"metadata": [{"breadcrumb": []}]}, "isn't a Singer catalog, at `streams.metadata`"),
        ({"selected": "yes"}, "isn't a Singer catalog, at `streams.selected`"),
        ({"tap_stream_id": None}, "isn't a Singer catalog, at `streams`"),
        ({"schema": {"properties": {"email": 5}}}, "isn't a Singer catalog, at `streams.schema"),
    ],
    ids=repr,
)
def test_a_catalog_that_cannot_work_is_refused(
    run: Any, changes: dict[str, Any], fault: str
) -> None:
    """Records that lack their key would be loaded beside the old ones, or not at all."""
    status, (error,) = run(catalog=catalog_of(**changes))
    assert fault in error.getMessage()
    assert status == 1


# Config


def test_a_config_file_that_is_missing_is_named(tmp_path: Path) -> None:
    """A path without a file is named with the system's reason."""
    with pytest.raises(TapCognitoError, match=r"nowhere\.json: No such file"):
        files.load_config(str(tmp_path / "nowhere.json"))


@pytest.mark.parametrize(
    "text", ['{"aws_secret_access_key": "planted"}', "planted/secret", "planted\0secret", "a" * 999]
)
def test_what_is_no_config_file_is_not_repeated(text: str) -> None:
    """An argument that is no file, and may be a secret, isn't quoted."""
    with pytest.raises(TapCognitoError) as raised:
        files.load_config(text)
    assert str(raised.value).startswith("--config")
    assert text not in str(raised.value)


@pytest.mark.parametrize("setting", SECRETS)
def test_the_secrets_of_a_config_are_masked_as_soon_as_it_is_read(
    setting: str, tmp_path: Path
) -> None:
    """Secrets of a config are masked before anything can fail and show them."""
    secret = f"planted+{setting}"
    path = tmp_path / "config.json"
    path.write_text(json.dumps({setting: secret}))
    files.load_config(str(path))
    assert logs.clean(f"before {secret} after") == "before *** after"


@pytest.mark.parametrize("option", ["config", "catalog", "state"])
def test_a_file_may_begin_with_a_byte_order_mark(run: Any, emulator: Emulator, option: str) -> None:
    """A byte-order mark, as some editors write it, is skipped."""
    content = {"config": emulator_config(emulator), "catalog": CATALOG, "state": {}}[option]
    assert run(**{option: b"\xef\xbb\xbf" + json.dumps(content).encode()}) == (0, [])


@pytest.mark.programs
@pytest.mark.parametrize("option", ["--config", "--catalog", "--state"])
def test_a_file_that_is_longer_than_the_memory_is_refused(tmp_path: Path, option: str) -> None:
    """A file is refused after 64 MiB, before it fills the memory."""
    path, large = tmp_path / "config.json", tmp_path / "large.json"
    path.write_text('{"user_pool_id": "us-east-1_AbCdEf"}')
    large.touch()
    os.truncate(large, 1 << 40)  # without taking up the disk
    done = run_program(
        [sys.executable, "-m", "tap_cognito", "--config", path, option, large],
    )
    assert done.returncode == 1
    assert f"{option} {large} is larger than 64 MiB" in done.stderr


# --config=ENV


@pytest.mark.parametrize(
    ("variable", "value", "fault"),
    [
        ("MAX_REQUESTS_PER_SECOND", "many", "a whole number"),
        ("MAX_REQUESTS_PER_SECOND", "", "a whole number"),
        ("RESUME_WITHIN_HOURS", "NaN", "a number"),
        ("RESUME_WITHIN_HOURS", "six", "a number"),
        ("STREAM_MAPS", "{", "a JSON object"),
        ("STREAM_MAPS", "[]", "a JSON object"),
        ("STREAM_MAPS", "[" * 100_000, "a JSON object"),
        ("USER_POOL_IDS", "us-east-1_a,us-east-1_b", "a JSON array"),
        ("ATTRIBUTES_EXCLUDE", '{"email": 1}', "a JSON array"),
        *(
            ("EMIT_ACTIVATE_VERSION_MESSAGES", value, "true or false")
            for value in ("y", "t", "enabled", " true", "", "2")
        ),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_variable_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, fault: str
) -> None:
    """With --config=ENV, a value of the wrong form is refused with its variable."""
    monkeypatch.setenv(f"TAP_COGNITO_{variable}", value)
    if len(value) > 1_000:
        gc.collect()  # what earlier tests left behind can't be finalized at the end of the stack
    with pytest.raises(TapCognitoError, match=f"^TAP_COGNITO_{variable} must be {fault}$"):
        TapCognito(parse_env_config=True)


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        *(("ALLOW_HTTP", value, True) for value in ("true", "True", "1", "yes", "ON")),
        *(("ALLOW_HTTP", value, False) for value in ("false", "0", "no", "off")),
        ("LOOKBACK_SECONDS", "60", 60),
        ("RESUME_WITHIN_HOURS", "0.5", 0.5),
        ("ATTRIBUTES_INCLUDE", '["sub"]', ["sub"]),
        ("STREAM_MAPS", '{"users": null}', {"users": None}),
        ("USER_FILTER", 'status = "Enabled"', 'status = "Enabled"'),
    ],
)
def test_a_variable_is_read_as_its_setting_has_it(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: Any
) -> None:
    """A variable of each type of setting is parsed by that type."""
    monkeypatch.setenv("TAP_COGNITO_USER_POOL_ID", "us-east-1_AbCdEf")
    monkeypatch.setenv(f"TAP_COGNITO_{variable}", value)
    assert TapCognito(parse_env_config=True).config[variable.lower()] == expected


def test_no_env_file_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """With --config=ENV no `.env` is read, neither above the installation nor in the folder."""
    place = Path(dotenv.__file__).parents[1]
    path = place / ".env"
    assert not path.exists()
    path.write_text("TAP_COGNITO_USER_POOL_ID=us-east-1_Planted\n")
    monkeypatch.chdir(place)
    try:
        with pytest.raises(TapCognitoError, match="`user_pool_id` is missing"):
            TapCognito(parse_env_config=True)
    finally:
        path.unlink()
    assert "TAP_COGNITO_USER_POOL_ID" not in os.environ


@pytest.mark.programs
def test_a_config_may_come_through_a_pipe() -> None:
    """A config that can be read only once, as from a pipe, works."""
    done = run_program(
        [sys.executable, "-m", "tap_cognito", "--config", "/dev/stdin", "--discover"],
        input='{"user_pool_id": "us-east-1_AbCdEf"}',
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["streams"]


def nested(levels: int) -> dict[str, Any]:
    """Return an object of so many levels, as schemas nest."""
    value: dict[str, Any] = {}
    for number in range(levels - 1):
        value = {("properties", "a")[number % 2]: value}
    return value


@pytest.mark.parametrize("option", ["config", "catalog", "state"])
@pytest.mark.parametrize("levels", [46, 300])
def test_a_file_of_many_levels_is_no_bug(run: Any, option: str, levels: int) -> None:
    """What is nested deep is read or refused in one line, before any recursion ends."""
    catalog = json.loads(json.dumps(CATALOG))
    users = next(each for each in catalog["streams"] if each["stream"] == "users")
    users["schema"]["properties"]["attributes"] = nested(levels - 5)
    content = {
        "config": {"user_pool_id": "us-east-1_A", "stream_maps": nested(levels - 1)},
        "catalog": catalog,
        "state": {"bookmarks": nested(levels - 1)},
    }[option]
    status, records = run(**{option: content})
    (text,) = [record.getMessage() for record in records]
    assert status == 1
    assert "a bug" not in text
    assert ("is nested too deep: more than 50 levels" in text) is (levels == 300)
