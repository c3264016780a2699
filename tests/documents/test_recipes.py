"""The recipes of docs/recipes.md do what they say, as they are shown."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from emulator import Emulator, Pool
from tap_cognito.tap import TapCognito
from tests.support.catalogs import selected
from tests.support.documents import blocks, shell
from tests.support.paths import ROOT
from tests.support.programs import emulator_config, load, run_forked, run_tap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.tables import Database

SCRIPTS = Path(sysconfig.get_path("scripts"))
SALT = "c0ffee"
TYPES = {
    "username": "text",
    "email": "text",
    "status": "text",
    "enabled": "boolean",
    "created_at": "timestamp without time zone",
    "updated_at": "timestamp without time zone",
    "attributes": "jsonb",
}


def recipes(section: str) -> list[dict[str, Any]]:
    """The settings of a recipe, with the salt that Meltano would put in."""
    texts = blocks(DOCUMENT, "yaml", section)
    return [yaml.safe_load(text.replace("$COGNITO_SALT", SALT)) for text in texts]


DOCUMENT = "docs/recipes.md"
(HASH,) = recipes("Hash personal data")
DROP, KEEP_MOST = recipes("Drop personal data")
AS_COLUMN, TYPED = recipes("A custom attribute as a column")
ENABLED, CONFIRMED = recipes("Active users only")
(LOOK,) = blocks(DOCUMENT, "sh", "Ten rows to look at")
VIEW, GRANTS = blocks(DOCUMENT, "sql")


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """A pool with people who sign in by an address, and with some who have none."""
    pool = Pool(130)
    pool.create(
        {
            "Username": "Jane@example.com",
            "UserStatus": "CONFIRMED",
            "Enabled": True,
            "Attributes": [
                {"Name": "sub", "Value": "00000000-0000-4000-8000-000000000000"},
                {"Name": "email", "Value": "Jane@example.com"},
                {"Name": "custom:plan", "Value": "team"},
                {"Name": "custom:logins", "Value": "7"},
                {"Name": "custom:score", "Value": "0.5"},
                {"Name": "birthdate", "Value": "1990-02-28"},
                {"Name": "email_verified", "Value": "true"},
            ],
        },
        at=1_700_000_000,
    )
    with Emulator(pool) as serving:
        yield serving


def attributes(user: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a user as the API has them."""
    return {item["Name"]: item.get("Value") for item in user["Attributes"]}


def loaded(
    database: Database, emulator: Emulator, settings: dict[str, Any]
) -> list[dict[str, Any]]:
    """Load the pool with the settings of a recipe; give the rows by column."""
    load(emulator_config(emulator, **settings), database.target_config)
    names = [name for name, _ in database.columns()]
    return [dict(zip(names, row, strict=True)) for row in database.rows()]


def assert_anonymous(database: Database, emulator: Emulator, settings: dict[str, Any]) -> None:
    """No address, name or number of a user is in the table, nor in what the tap writes or logs."""
    ((table,),) = database.rows("select string_agg(users::text, ' ') from cognito.users as users")
    run = run_tap(emulator_config(emulator, **settings))
    for text in (table, run.stdout, run.stderr):
        assert "@" not in text
        for user in emulator.pool.users():
            for name in ("name", "phone_number"):
                assert (attributes(user).get(name) or "\0") not in text


@pytest.mark.programs
@pytest.mark.parametrize(
    "settings", [HASH, DROP, KEEP_MOST, AS_COLUMN, TYPED, ENABLED, CONFIRMED], ids=", ".join
)
def test_meltano_passes_on_a_recipe_as_it_is_shown(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    """Nothing of a recipe is lost on its way through `meltano.yml`, as a null would be."""
    project = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
    (tap,) = project["plugins"]["extractors"]
    tap["config"] = settings
    (tmp_path / "meltano.yml").write_text(yaml.safe_dump(project))
    found = settings_by_meltano("dev", "tap-cognito", tmp_path)
    if "stream_map_config" in settings:
        salt = found["stream_map_config"].pop("salt")
        assert salt  # it is there, and masked where it is shown
        assert SALT not in salt
        settings = {**settings, "stream_map_config": {}}
    assert {name: found.get(name) for name in settings} == settings


def settings_by_meltano(environment: str, plugin: str, project: Path) -> dict[str, Any]:
    """The settings that Meltano gives to a plugin."""
    run = run_forked(
        [SCRIPTS / "meltano", f"--environment={environment}", "config", "print", plugin],
        {"MELTANO_CLI_DISABLE_VERSION_CHECK": "true"},
        cwd=project,
        imports=("meltano.cli",),
    )
    run.check_returncode()
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def test_hashed_data_hold_no_address(database: Database, emulator: Emulator) -> None:
    """Keys and addresses are salted hashes, nulls stay null, types and all else stay."""
    rows = {row["username"]: row for row in loaded(database, emulator, HASH)}
    assert_anonymous(database, emulator, HASH)
    assert dict(database.columns()) == TYPES
    users = list(emulator.pool.users())
    assert len(rows) == len(users) == 131
    without = 0
    for user in users:
        row, has = rows[digest(user["Username"])], attributes(user)
        email = has.get("email")
        without += not email
        assert row["email"] == (digest(email.lower()) if email else None)
        assert row["attributes"] == {key: has[key] for key in ("custom:plan",) if key in has}
        assert (row["status"], row["enabled"]) == (user["UserStatus"], user["Enabled"])
    assert 0 < without < len(users)


def digest(text: str) -> str:
    """A salted hash, as other programs make it."""
    return hashlib.sha256((SALT + text).encode()).hexdigest()


def test_dropped_data_are_nowhere(database: Database, emulator: Emulator) -> None:
    """The key is `sub`, and there is no column for a name or an address."""
    rows = loaded(database, emulator, DROP)
    assert_anonymous(database, emulator, DROP)
    dropped = ("username", "email", "attributes")
    assert dict(database.columns()) == {
        "sub": "text",
        **{name: kind for name, kind in TYPES.items() if name not in dropped},
    }
    assert {row["sub"] for row in rows} == {
        attributes(user)["sub"] for user in emulator.pool.users()
    }
    load(emulator_config(emulator, **DROP), database.target_config)
    assert len(database.rows()) == 131


def test_all_but_some_attributes_are_kept(database: Database, emulator: Emulator) -> None:
    """What is named is left out, everything else stays."""
    rows = {row["username"]: row for row in loaded(database, emulator, KEEP_MOST)}
    excluded = KEEP_MOST["attributes_exclude"]
    for user in emulator.pool.users():
        kept = {key: value for key, value in attributes(user).items() if key not in excluded}
        assert rows[user["Username"]]["attributes"] == kept
    assert "email" not in dict(database.columns())


def test_a_custom_attribute_is_a_column(database: Database, emulator: Emulator) -> None:
    """The attribute is a text column, null where a user has none, beside the other columns."""
    rows = {row["username"]: row for row in loaded(database, emulator, AS_COLUMN)}
    assert dict(database.columns()) == {**TYPES, "plan": "text"}
    plans = {
        user["Username"]: attributes(user).get("custom:plan") for user in emulator.pool.users()
    }
    assert {name: row["plan"] for name, row in rows.items()} == plans
    assert None in plans.values()


def test_attributes_get_the_types_of_their_expressions(
    database: Database, emulator: Emulator
) -> None:
    """Each row of the table has its type in Postgres, and null where there is no attribute."""
    rows = {row["username"]: row for row in loaded(database, emulator, TYPED)}
    types = dict(database.columns())
    names = {
        "int(": "logins",
        "float(": "score",
        "bool(": "verified",
        "datetime.date.": "birthdate",
    }
    text = (ROOT / DOCUMENT).read_text(encoding="utf-8")
    shown = re.findall(r"^\| `([a-z ]+)` \| `([a-z.]+\(?)` \|$", text, re.MULTILINE)
    assert {names[begins]: kind for kind, begins in shown} == {
        name: types[name] for name in names.values()
    }
    jane = rows["Jane@example.com"]
    expected = (7, 0.5, True, dt.date(1990, 2, 28))
    assert tuple(jane[name] for name in names.values()) == expected
    assert None in {row["logins"] for row in rows.values()}


def test_recipes_cover_every_stream_with_a_users_name() -> None:
    """A stream that is added later isn't forgotten, whether it is selected or not."""
    streams = TapCognito(config={"user_pool_id": "us-east-1_AbCdEf"}).streams
    named = {name for name, one in streams.items() if "username" in one.schema["properties"]}
    assert len(named) > 2
    for recipe in (HASH, DROP):
        assert set(recipe["stream_maps"]) == named


def test_hashed_names_join(database: Database, emulator: Emulator, tmp_path: Path) -> None:
    """The members of groups are found among the users by the hash, each of them."""
    path = tmp_path / "catalog.json"
    path.write_text(json.dumps(selected("users", "group_memberships")), encoding="utf-8")
    load(emulator_config(emulator, **HASH), database.target_config, "--catalog", path)
    ((members, joined),) = database.rows(
        "select count(*), count(users.username) from cognito.group_memberships as members "
        "left join cognito.users as users using (username)"
    )
    assert members == joined > 0


@pytest.mark.parametrize("confirmed", [False, True])
def test_only_active_users_arrive(confirmed: bool, database: Database, emulator: Emulator) -> None:
    """The filters give exactly those who may sign in, and exactly those who have confirmed too."""
    rows = loaded(database, emulator, CONFIRMED if confirmed else ENABLED)
    active = {
        user["Username"]
        for user in emulator.pool.users()
        if user["Enabled"] and (user["UserStatus"] == "CONFIRMED" or not confirmed)
    }
    assert {row["username"] for row in rows} == active
    assert 0 < len(active) < 131


@pytest.mark.programs
def test_ten_rows_can_be_looked_at(emulator: Emulator, tmp_path: Path) -> None:
    """The command shows a schema and ten records as JSON that a person can read."""
    (tmp_path / "config.json").write_text(json.dumps(emulator_config(emulator)))
    shown = shell(LOOK, tmp_path, {"TAP_COGNITO_LOGLEVEL": "CRITICAL"})
    assert shown.count('"type": "RECORD"') == 10
    assert shown.count('"type": "SCHEMA"') == 1


def test_the_view_is_what_a_reader_may_see(database: Database, emulator: Emulator) -> None:
    """The view has columns for attributes, survives another load, and needs no other right."""
    config = emulator_config(emulator)
    load(config, database.target_config)
    with database.connect() as connection:
        for statement in (VIEW, GRANTS):
            connection.execute(statement.encode())
        load(config, database.target_config)
        connection.execute("set role reader")
        query = (
            "select username, email_verified, plan, pg_typeof(created_at)::text from cognito.people"
        )
        found = {row[0]: row[1:] for row in connection.execute(query).fetchall()}
    users = {
        user["Username"]: attributes(user) for user in emulator.pool.users() if user["Enabled"]
    }
    verified = {"true": True, "false": False, None: None}
    assert found == {
        name: (
            verified[has.get("email_verified")],
            has.get("custom:plan"),
            "timestamp with time zone",
        )
        for name, has in users.items()
    }


@pytest.mark.programs
@pytest.mark.parametrize("name", ["staging", "production"])
def test_an_environment_has_its_pool_and_its_database(name: str, tmp_path: Path) -> None:
    """Meltano gives both plugins what the environment says, beside what is common."""
    (shown,) = recipes("Several environments")
    project = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
    (tmp_path / "meltano.yml").write_text(yaml.safe_dump({**project, **shown}))
    (environment,) = (item for item in shown["environments"] if item["name"] == name)
    for kind, plugin in (("extractors", "tap-cognito"), ("loaders", "target-postgres")):
        (settings,) = environment["config"]["plugins"][kind]
        assert settings["config"].items() <= settings_by_meltano(name, plugin, tmp_path).items()
