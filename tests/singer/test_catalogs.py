"""What a catalog asks for is done, or the run is refused in one line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from emulator import Emulator, Pool
from tap_cognito.errors import TapCognitoError
from tap_cognito.tap import TapCognito
from tests.support.catalogs import ANY_POOL, selected
from tests.support.messages import messages_of
from tests.support.programs import emulator_config

if TYPE_CHECKING:
    from collections.abc import Iterator

DISCOVERED = json.loads(json.dumps(TapCognito(config=ANY_POOL).catalog_dict))
COLUMNS = ["username", "email", "status", "enabled", "created_at", "updated_at", "attributes"]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """A pool with a few users."""
    with Emulator(Pool(3, seed=1)) as served:
        yield served


def entry(name: str = "users", **changes: Any) -> dict[str, Any]:
    """Return a discovered stream, with some of its keys changed; None takes one away."""
    (found,) = (one for one in DISCOVERED["streams"] if one["tap_stream_id"] == name)
    changed = {**json.loads(json.dumps(found)), **changes}
    return {key: value for key, value in changed.items() if value is not None}


def said(breadcrumb: list[str], name: str = "users", **metadata: Any) -> dict[str, Any]:
    """Return a selected stream whose metadata says something more."""
    made = entry(name)
    for item in made["metadata"]:
        if not item["breadcrumb"]:
            item["metadata"]["selected"] = True
    metadata = {key.replace("_", "-"): value for key, value in metadata.items()}
    return {
        **made,
        "metadata": [*made["metadata"], {"breadcrumb": breadcrumb, "metadata": metadata}],
    }


def with_column(name: str, **schema: Any) -> dict[str, Any]:
    """Return `users` with another schema of a column."""
    made = entry()
    made["schema"]["properties"][name] = schema
    return made


def older(*columns: str, name: str = "users", selected: bool | None = True) -> dict[str, Any]:
    """Return a stream as programs marked it before there was metadata."""
    made = entry(name, metadata=None)
    if selected is not None:
        made["schema"]["selected"] = selected
    for column, schema in made["schema"]["properties"].items():
        if column in columns:
            schema["selected"] = True
    return made


def sent(
    emulator: Emulator, capfd: pytest.CaptureFixture[str], *streams: dict[str, Any], **settings: Any
) -> dict[str, list[str]]:
    """Run with a catalog; which columns the schemas have, which must be those of the records."""
    capfd.readouterr()
    config = emulator_config(emulator, **settings)
    TapCognito(config=config, catalog={"streams": [*streams]}).sync_all()
    messages = messages_of(capfd.readouterr().out)
    found = {
        message["stream"]: list(message["schema"]["properties"])
        for message in messages
        if message["type"] == "SCHEMA"
    }
    for message in messages:
        if message["type"] == "RECORD":
            assert list(message["record"]) == found[message["stream"]]
    return found


def deselected(name: str) -> dict[str, Any]:
    """Return `users`, of whose schema a column says that it isn't selected."""
    made = entry()
    made["schema"]["properties"][name]["selected"] = False
    return made


def unsupported(name: str) -> dict[str, Any]:
    """Return `users`, of whose schema a column says that it isn't supported."""
    made = entry()
    made["schema"]["properties"][name]["inclusion"] = "unsupported"
    return made


HIDDEN = deselected("email")["schema"]


@pytest.mark.parametrize(
    ("made", "columns"),
    [
        (older("username", "status"), ["username", "status"]),
        (older(), COLUMNS),
        (older("email"), ["username", "email"]),
        (deselected("email"), [name for name in COLUMNS if name != "email"]),
        (said(["properties", "email"], selected=False), [c for c in COLUMNS if c != "email"]),
        (
            said(["properties", "email"], selected=False, inclusion="automatic"),
            [name for name in COLUMNS if name != "email"],
        ),
        (
            said(["properties", "email"], inclusion="unsupported"),
            [name for name in COLUMNS if name != "email"],
        ),
        (unsupported("email"), [name for name in COLUMNS if name != "email"]),
        (said(["properties", "username"], selected=False), COLUMNS),
        (said(["properties", "email"], selected_by_default=False), None),
    ],
)
def test_a_selection_counts_in_every_spelling(
    emulator: Emulator,
    capfd: pytest.CaptureFixture[str],
    made: dict[str, Any],
    columns: list[str] | None,
) -> None:
    """In the metadata, or in the schema as older programs write it; a key is always sent."""
    wanted = columns or [name for name in COLUMNS if name != "email"]
    assert sent(emulator, capfd, made) == {"users": wanted}


@pytest.mark.parametrize(
    "other",
    [
        older(name="groups", selected=False),
        older(name="groups", selected=None),
        entry("groups", selected=False),
        entry("groups"),
    ],
)
def test_a_stream_is_deselected_in_every_spelling(
    emulator: Emulator, capfd: pytest.CaptureFixture[str], other: dict[str, Any]
) -> None:
    """Where older programs mark one stream as selected, a stream without a word isn't."""
    assert list(sent(emulator, capfd, older(), other)) == ["users"]


@pytest.mark.parametrize(
    ("streams", "fault"),
    [
        (
            [said(["properties", "e_mail"], selected=False)],
            "`e_mail` of `users`, which has",
        ),
        ([said(["properties", "e_mail"], selected=True)], "`e_mail` of `users`, which has"),
        ([said(["properties", "jane@x.org"], selected=False)], "selects or deselects a column of"),
        ([said(["email"], selected=False)], "at a breadcrumb that is no column's"),
        ([said(["properties"], selected=False)], "at a breadcrumb that is no column's"),
        (
            [said(["properties", "attributes", "properties", "email"], selected=False)],
            "only whole columns can be; `attributes_include` and `attributes_exclude` choose",
        ),
        ([said([], selected=False)], "both selects and deselects `users`: decide for one"),
        ([entry(selected=False, schema={**entry()["schema"], "selected": True})], "both selects"),
        (
            [
                {
                    **said(["properties", "email"], selected=True),
                    "schema": deselected("email")["schema"],
                }
            ],
            "both selects and deselects `users.email`",
        ),
        (
            [
                {
                    **said(["properties", "email"], selected=True),
                    "schema": {"properties": {"username": {}}},
                }
            ],
            "selects `users.email`, but lacks it in `schema`",
        ),
        ([entry(), entry()], "has `users` twice: take one of them out"),
        ([entry(), {"tap_stream_id": "user", "selected": True}], "selects `user`, which this tap"),
        ([entry(), {"tap_stream_id": "jane doe"}], "selects a stream, which this tap doesn't have"),
        ([entry(schema={"properties": {"username": {}, "phone": {}}})], "has `phone` of `users`"),
        (
            [entry(key_properties=["email"])],
            "has another key for `users` than username: ",
        ),
        ([said([], table_key_properties=["email"])], "has another key for `users`"),
        (
            [with_column("enabled", type=["string", "null"])],
            "`users.enabled` that doesn't hold",
        ),
        (
            [with_column("enabled", type="boolean")],
            "the tap sends (boolean or null): make one with",
        ),
        ([with_column("status", type=["string", "null"], maxLength=5)], "schema of `users.status`"),
        (
            [with_column("attributes", type=["object", "null"], properties={"sub": {}})],
            "; `attributes_include` and `attributes_exclude` choose attributes",
        ),
        (
            [said([], replication_method="X" * 5000)],
            "`users` has no replication method of this name: set `replication-method` to FULL_",
        ),
        (
            [{**said([], forced_replication_method="LOG_BASED"), "replication_method": None}],
            "`users` has no replication method `LOG_BASED`: set `replication-method` to FULL_",
        ),
        (
            [said([], replication_method="INCREMENTAL", replication_key="jane doe")],
            "`users` has no replication key of this name: set `replication-key` to updated_at",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(streams: list[dict[str, Any]], fault: str) -> None:
    """In one short line that says what to do, before any request."""
    with pytest.raises(TapCognitoError) as raised:
        TapCognito(config=ANY_POOL, catalog={"streams": streams})
    assert fault in str(raised.value)
    assert len(str(raised.value)) < 400
    assert "jane" not in str(raised.value)


def test_a_catalog_of_other_settings_is_refused() -> None:
    """Records would be arrays, and the schema an object: the form of the attributes has changed."""
    config = {**ANY_POOL, "attributes_format": "list"}
    with pytest.raises(TapCognitoError, match=r"`users.attributes` that doesn't hold what the tap"):
        TapCognito(config=config, catalog={"streams": [entry()]})


def test_the_order_of_a_key_is_not_the_catalogs() -> None:
    """The same columns are the same key."""
    made = said([], "groups", table_key_properties=["group_name", "user_pool_id"])
    tap = TapCognito(config=ANY_POOL, catalog={"streams": [made]})
    assert list(tap.streams["groups"].primary_keys) == ["user_pool_id", "group_name"]


def declared(
    emulator: Emulator, capfd: pytest.CaptureFixture[str], stream: dict[str, Any]
) -> dict[str, Any]:
    """The columns of the SCHEMA message of a run with this stream of a catalog."""
    capfd.readouterr()
    TapCognito(config=emulator_config(emulator), catalog={"streams": [stream]}).sync_all()
    message = json.loads(capfd.readouterr().out.splitlines()[0])
    columns: dict[str, Any] = message["schema"]["properties"]
    return columns


def test_a_key_is_said_to_be_sent_only_if_it_is_deselected(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A line of the log says which column comes all the same."""
    caplog.set_level("INFO")
    for without in ((), ("username",)):
        TapCognito(config=ANY_POOL, catalog=selected("users", without=without))
    said = [text for text in caplog.messages if "of the key" in text]
    assert said == ["`users.username` is of the key: it is sent though not selected"]


def test_a_column_that_a_catalog_never_speaks_of_is_not_sent(
    emulator: Emulator, capfd: pytest.CaptureFixture[str]
) -> None:
    """As one that a later version of the tap has added."""
    (users,) = selected("users")["streams"]
    del users["schema"]["properties"]["email"]
    users["metadata"] = [each for each in users["metadata"] if "email" not in each["breadcrumb"]]
    assert "email" not in declared(emulator, capfd, users)


def test_a_type_may_be_one_text(emulator: Emulator, capfd: pytest.CaptureFixture[str]) -> None:
    """`"type": "string"` says what `["string"]` does."""
    columns = declared(emulator, capfd, with_column("username", type="string"))
    assert columns["username"]["type"] == ["string"]


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        ({}, {"type": ["string", "null"], "format": "date-time"}),
        ({"type": ["null", "string"]}, {"type": ["null", "string"]}),
        (
            {"type": ["null", "string"], "format": "date-time", "title": "When"},
            {"type": ["null", "string"], "format": "date-time"},
        ),
        (
            {"x-sql-datatype": "date"},
            {"type": ["string", "null"], "format": "date-time", "x-sql-datatype": "date"},
        ),
    ],
    ids=repr,
)
def test_a_wider_schema_is_sent_as_it_is_asked_for(
    emulator: Emulator,
    capfd: pytest.CaptureFixture[str],
    schema: dict[str, Any],
    wanted: dict[str, Any],
) -> None:
    """What holds all values is taken, such as a text for a timestamp."""
    found = declared(emulator, capfd, with_column("created_at", **schema))["created_at"]
    assert {key: value for key, value in found.items() if key != "description"} == wanted


@pytest.mark.parametrize(
    "wish",
    [
        {"replication-method": "INCREMENTAL", "replication-key": "updated_at"},
        {"replication-method": "LOG_BASED"},
        {"table-key-properties": ["email"]},
    ],
    ids=repr,
)
def test_a_wish_for_streams_that_are_not_read_changes_nothing(
    emulator: Emulator, capfd: pytest.CaptureFixture[str], wish: dict[str, Any]
) -> None:
    """As Meltano's `metadata` of `*` makes them."""
    streams = [entry(one["tap_stream_id"]) for one in DISCOVERED["streams"]]
    for one in streams:
        if one["tap_stream_id"] != "users":
            one["metadata"].append({"breadcrumb": [], "metadata": wish})
    assert list(sent(emulator, capfd, *streams)) == ["users"]
