"""No traceback can come from what a user gives: every fault is one line that names its place."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator import Emulator, Pool
from support import TIMEOUT, emulator_config
from tap_cognito import cli, singer_files
from tap_cognito.errors import TapCognitoError
from tap_cognito.settings import SCHEMA
from tap_cognito.tap import TapCognito

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
        st.sampled_from(["replication_key", "replication_key_value", "partitions", "other"]), JSON
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
        ("config", b"", "config.json is not JSON: Expecting value, line 1, column 1"),
        ("config", b"[]", "config.json must be a JSON object"),
        ("config", b'{"a": 1,}', "config.json is not JSON"),
        ("catalog", b'{"streams": [1]}', "catalog.json is not a Singer catalog, at `streams`"),
        ("catalog", b'{"streams": []}', "catalog.json has none of this tap's streams"),
        ("state", b"\xff", "state.json is not JSON in UTF-8"),
        ("state", b'{"singer_state": {}}', "state.json has no `bookmarks`"),
        ("state", b'{"bookmarks": {"orders": {}}}', "has bookmarks of streams of another tap"),
        (
            "state",
            b'{"bookmarks": {"users": {"partitions": [{"context": {"account": "1"}}]}}}',
            "state.json is not of this tap's form, at `bookmarks.partitions.context`",
        ),
    ],
)
def test_a_fault_names_its_file(run: Any, option: str, content: bytes, fault: str) -> None:
    """What is wrong with a file is told with the file's name."""
    status, (error,) = run(**{option: content})
    assert status == 1
    assert fault in error.getMessage()


def test_a_config_file_that_is_missing_is_named(tmp_path: Path) -> None:
    """A path that leads nowhere is told with the system's reason."""
    with pytest.raises(TapCognitoError, match=r"nowhere\.json: No such file"):
        singer_files.load_config(str(tmp_path / "nowhere.json"))


@pytest.mark.parametrize(
    ("variable", "value", "fault"),
    [
        ("TAP_COGNITO_MAX_REQUESTS_PER_SECOND", "many", "must be a whole number"),
        ("TAP_COGNITO_STREAM_MAPS", "{", "must be a JSON object"),
    ],
)
def test_a_variable_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, fault: str
) -> None:
    """With --config=ENV, a value of the wrong form is told with its variable."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(TapCognitoError, match=f"^{variable} {fault}$"):
        TapCognito(parse_env_config=True)


def test_a_config_may_come_through_a_pipe() -> None:
    """Secrets need not lie on a disk: what can be read once only is enough."""
    done = subprocess.run(
        [sys.executable, "-m", "tap_cognito", "--config", "/dev/stdin", "--discover"],
        input='{"user_pool_id": "us-east-1_AbCdEf"}',
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["streams"]
