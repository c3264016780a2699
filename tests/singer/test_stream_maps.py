"""A stream map that can't work is refused, so that no mask silently does nothing."""

from __future__ import annotations

import hashlib
import json
import operator
from typing import Any

import pytest

from emulator import Emulator, Pool
from tap_cognito.errors import TapCognitoError
from tap_cognito.singer.sdk import mapped_column
from tap_cognito.singer.stream_maps import explain_failure
from tap_cognito.tap import TapCognito
from tests.support.answers import records
from tests.support.catalogs import selected
from tests.support.messages import messages_of
from tests.support.programs import emulator_config, run_tap

CONFIG = {"user_pool_id": "us-east-1_AbCdEf"}


@pytest.mark.parametrize(
    "maps",
    [
        {"users": {"email": "md5(email)", "username": "sha256(config['salt'] + self)"}},
        {"users": {"domain": "email.split('@')[-1] if email else None"}},
        {"users": {"names": "json.dumps([name for name in attributes])"}},
        {"users": {"email": None, "attributes": "__NULL__"}},
        {"users": {"username": None, "email": "email", "__key_properties__": ["email"]}},
        {"users": {"__else__": None, "username": "username", "__filter__": "enabled"}},
        {"users": {"__alias__": "people"}, "groups": None, "__else__": None},
        {"people": {"__source__": "users", "hash": "md5(record['username'])"}},
        {"*": {"user_pool_id": "'one'"}, "group*": None},
        {"groups": {"description": "md5(description)"}},
    ],
    ids=repr,
)
def test_a_map_that_works_is_accepted(maps: dict[str, Any]) -> None:
    """Masks, new columns, removals, filters, keys, aliases, patterns; of unselected streams too."""
    config = {**CONFIG, "stream_maps": maps, "stream_map_config": {"salt": "a"}}
    assert TapCognito(config=config).streams


@pytest.mark.parametrize(
    ("maps", "problem"),
    [
        ({"user": {"email": None}}, "names a stream that doesn't exist: did you mean `users`?"),
        ({"x": None}, "names a stream that doesn't exist: there are app_clients, "),
        ({"users": {}, "people": {"__source__": "usres"}}, "did you mean `users`?"),
        ({"users": {"emial": None}}, "removes a column that doesn't exist: did you mean `email`?"),
        ({"*": {"emial": "__NULL__"}}, "removes a column that doesn't exist"),
        (
            {"users": {"emial": "md5(self)"}},
            "for `emial` with `self`, but there is no such column",
        ),
        ({"users": {"email": "md5(emial)"}}, "for `email` with a name that isn't a column: did"),
        (
            {"users": {"__filter__": "jane == 1"}},
            "for `__filter__` with a name that isn't a column",
        ),
        ({"users": {"email": "'jane"}}, "has an expression for `email` that can't be parsed"),
        ({"users": {"email": ""}}, "has an expression for `email` that can't be parsed"),
        ({"users": {"jane@example.com": "'"}}, "has an expression for a column that can't be"),
        (
            {"users": {"__filtre__": "jane"}},
            "an option that doesn't exist: did you mean `__filter",
        ),
        ({"__filter__": None}, "names a stream that doesn't exist"),
        ({"users": {"username": None}}, "leaves out `username` of its key: keep it, or set"),
        ({"users": {"__else__": None, "email": "email"}}, "leaves out `username` of its key"),
        ({"users": {"__key_properties__": ["jane"]}}, "leaves out `jane` of its key"),
        (
            {"people": {"__source__": "users", "__alias__": "others"}},
            "of `users` has `__source__` and `__alias__`: the map's name is the alias",
        ),
        *(
            ({"users": {"new": text}}, "for `new` with `salt` of `stream_map_config`, which is")
            for text in ("config['salt'] + username", "config.get('salt')", "config.salt")
        ),
        ({"users": {"new": "'" + "a" * 20_000 + "'"}}, "for `new` of more than 10,000 characters"),
        ({"users" * 100_000: None}, "names a stream that doesn't exist: there are"),
    ],
    ids=lambda given: repr(given)[:80],
)
def test_a_map_that_cannot_work_is_refused(maps: dict[str, Any], problem: str) -> None:
    """The line names the setting and the stream, and repeats no expression."""
    with pytest.raises(TapCognitoError) as raised:
        TapCognito(config={**CONFIG, "stream_maps": maps})
    assert problem in str(raised.value)
    assert str(raised.value).startswith("`stream_maps`")
    assert len(str(raised.value)) < 400
    assert "jane" not in str(raised.value).replace("`jane` of its key", "")


def test_a_map_decides_what_is_sent(capfd: pytest.CaptureFixture[str]) -> None:
    """What its filter drops doesn't come out; the rest does, changed as its expressions say."""
    maps = {"users": {"__filter__": "enabled", "__else__": None, "username": "md5(username)"}}
    with Emulator(Pool(70)) as emulator:
        sent = records(emulator_config(emulator, stream_maps=maps), capfd, "users")
        enabled = [user["Username"] for user in emulator.pool.users() if user["Enabled"]]
    assert 0 < len(enabled) < 70
    hashes = [hashlib.md5(name.encode(), usedforsecurity=False).hexdigest() for name in enabled]
    key = operator.itemgetter("username")
    assert sorted(sent, key=key) == [{"username": name} for name in sorted(hashes)]


def test_a_map_of_a_column_that_is_not_selected_is_refused() -> None:
    """A map that computes from an unselected column is refused; one that removes it isn't."""
    catalog = selected("users", without=["email"], config=CONFIG)
    maps: dict[str, Any] = {"users": {"email": "md5(email)"}}
    with pytest.raises(TapCognitoError, match="the column `email`, which isn't selected"):
        TapCognito(config={**CONFIG, "stream_maps": maps}, catalog=catalog)
    TapCognito(config={**CONFIG, "stream_maps": {"users": {"email": None}}}, catalog=catalog)


ONLY_PEOPLE = {
    "people": {"__source__": "users", "email": "__NULL__", "attributes": "__NULL__"},
    "__else__": "__NULL__",
}


@pytest.mark.programs
@pytest.mark.parametrize(
    ("maps", "streams"), [(ONLY_PEOPLE, {"people"}), ({"__else__": None}, set())], ids=repr
)
def test_what_else_removes_is_not_sent_with_a_config_file(
    maps: dict[str, Any], streams: set[str]
) -> None:
    """`__else__` holds on the command line with a file, as under Meltano."""
    with Emulator(Pool(3)) as emulator:
        run = run_tap(emulator_config(emulator, stream_maps=maps))
    assert run.returncode == 0
    messages = messages_of(run.stdout)
    assert {message["stream"] for message in messages if "stream" in message} == streams


def test_a_map_is_not_changed_by_who_reads_it() -> None:
    """Any number of taps made from one configuration remove the same."""
    config = {**CONFIG, "stream_maps": json.loads(json.dumps(ONLY_PEOPLE))}
    for _ in range(2):
        tap = TapCognito(config=config)
        tap.setup_mapper()
        primary, people = tap.mapper.stream_maps["users"]
        assert primary.transform({"username": "jane"}) is None
        assert people.stream_alias == "people"
    assert config == {**CONFIG, "stream_maps": ONLY_PEOPLE}


@pytest.mark.programs
def test_a_map_of_another_form_is_one_short_line() -> None:
    """A map of the wrong type is one line, without the JSON Schema of all maps."""
    run = run_tap({**CONFIG, "stream_maps": {"users": {"email": 5}}})
    (line,) = [line for line in run.stderr.splitlines() if " ERROR " in line]
    assert "`stream_maps` isn't valid" in line
    assert len(line) < 300
    assert run.returncode == 1


@pytest.mark.parametrize(
    ("maps", "column", "reason"),
    [
        ({"email": "md5(email)"}, "email", "AttributeError"),
        ({"new": "attributes['plan']"}, "new", "KeyError"),
        ({"new": "email.domain"}, "new", "AttributeDoesNotExist"),
        ({"__filter__": "email < 5"}, "__filter__", "TypeError"),
    ],
)
def test_an_expression_that_fails_on_a_record_is_named(
    maps: dict[str, Any], column: str, reason: str
) -> None:
    """The line names the column, and quotes neither the expression nor the record."""
    tap = TapCognito(config={**CONFIG, "stream_maps": {"users": maps}})
    with pytest.raises(Exception, match=r".") as raised:
        tap.mapper.stream_maps["users"][0].transform(
            {"username": "jane", "email": None, "attributes": {}}
        )
    text = explain_failure(raised.value, "users", mapped_column(raised.value))
    assert f"the expression for `{column}` of `users` fails on a record ({reason})" in text
    assert "jane" not in text


@pytest.mark.parametrize("salt", [None, "", "$COGNITO_SALT", "${COGNITO_SALT}"])
def test_nothing_is_hashed_without_a_salt(salt: str | None) -> None:
    """A salt that is missing, empty or a variable that nothing has expanded is named at once."""
    maps = {"users": {"username": "sha256(config['salt'] + username)"}}
    config = {**CONFIG, "stream_maps": maps, "stream_map_config": {"salt": salt}}
    with pytest.raises(TapCognitoError, match="`salt` of `stream_map_config`, which is missing"):
        TapCognito(config=config)


HASHED = "md5(username)"
PER_USER = sorted(
    name
    for name, stream in TapCognito(config=CONFIG).streams.items()
    if "username" in stream.schema["properties"]
)


@pytest.mark.parametrize(
    "maps",
    [
        {"users": {"username": HASHED}},
        {"users": {"username": "__NULL__", "__key_properties__": ["email"]}},
        {"users": {"email": "email", "__else__": None, "__key_properties__": ["email"]}},
        {"people": {"__source__": "users", "username": HASHED}, "users": None},
        {name: {"username": HASHED} for name in PER_USER if name != "users"},
    ],
    ids=repr,
)
def test_a_name_that_is_changed_in_one_stream_is_not_sent_in_another(maps: dict[str, Any]) -> None:
    """A stream whose `username` the maps forget is named before the first request."""
    catalog = selected(*PER_USER)
    with pytest.raises(TapCognitoError) as raised:
        TapCognito(config={**CONFIG, "stream_maps": maps}, catalog=catalog)
    changed, _, clear = str(raised.value).partition(", but not that of ")
    forgotten = [name for name in PER_USER if f"`{name}`" in clear]
    assert forgotten == [name for name in PER_USER if f"`{name}`" not in changed]
    assert forgotten


@pytest.mark.parametrize(
    ("streams", "maps"),
    [
        (["users"], {"users": {"username": HASHED}}),
        (PER_USER, {name: {"username": HASHED} for name in PER_USER}),
        (PER_USER, {"users": {"username": HASHED}, "__else__": None}),
        (
            PER_USER,
            {
                "users": {"username": HASHED},
                **{name: {"username": "username"} for name in PER_USER if name != "users"},
            },
        ),
        (PER_USER, {"people": {"__source__": "users", "username": HASHED}}),
        (PER_USER, {"users": {"email": None}}),
        (PER_USER, {"users": {"username": "self"}}),
        (PER_USER, {"users": {"__key_properties__": ["email"]}}),
        (PER_USER, {"users": {"username": HASHED}, "user_*": "__NULL__", "group*": "__NULL__"}),
    ],
    ids=repr,
)
def test_names_that_are_treated_alike_or_on_purpose_are_sent(
    streams: list[str], maps: dict[str, Any]
) -> None:
    """Streams that aren't read, that are removed, or that keep the name by their own map."""
    TapCognito(config={**CONFIG, "stream_maps": maps}, catalog=selected(*streams))


@pytest.mark.parametrize(
    ("column", "shown"), [(None, "a column"), ("", "`__filter__`"), ("email", "`email`")]
)
def test_a_failure_shows_the_column_if_it_is_known(column: str | None, shown: str) -> None:
    """The SDK's error doesn't say it, nor that it was a filter."""
    assert f"the expression for {shown} of `users`" in explain_failure(
        KeyError("planted"), "users", column
    )


@pytest.mark.parametrize(
    "expression",
    [
        "'%9999999999d' % 1",
        "('%' + '9999999999d') % 1",
        "'%*d' % (9999999999, 1)",
        "'x'.ljust(9999999999)",
        "str(1).zfill(10 * 999999999)",
        "f'{1:9999999999}'",
    ],
)
def test_no_expression_makes_a_text_without_end(expression: str) -> None:
    """A width is bounded like all else that an expression makes, and the error says so."""
    tap = TapCognito(config={**CONFIG, "stream_maps": {"users": {"new": expression}}})
    with pytest.raises(ValueError, match=r"^$") as raised:
        tap.mapper.stream_maps["users"][0].transform({"username": "jane"})
    text = explain_failure(raised.value, "users", mapped_column(raised.value))
    assert "the expression for `new` of `users` fails on a record (TextTooLongError): it" in text


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("2**4000000", r"has a value that JSON can't hold \(ValueError\)"),
        ("'x'.join(['x' * 99999] * 99)", "is longer than 4 MiB"),
    ],
)
def test_a_value_that_no_line_can_hold_is_refused(expression: str, fault: str) -> None:
    """A number of a million digits, or a text of megabytes, ends the run in one line."""
    with Emulator(Pool(1)) as emulator:
        config = emulator_config(emulator, stream_maps={"users": {"new": expression}})
        with pytest.raises(TapCognitoError, match=f"a record {fault}: check `stream_maps`"):
            TapCognito(config=config).sync_all()


def test_a_sensible_width_is_made() -> None:
    """What people do with widths goes on working."""
    maps = {"users": {"new": "'%05d' % 7 + str(7).zfill(3) + f'{7:4}' + str(7 % 4)"}}
    tap = TapCognito(config={**CONFIG, "stream_maps": maps})
    record = tap.mapper.stream_maps["users"][0].transform({"username": "jane"})
    assert record == {"username": "jane", "new": "00007007   73"}
