"""The project's own meltano.yml."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from emulator import PLACES, Emulator, Pool
from emulator.sign_ins import ADDRESS
from tap_cognito.config.settings import PERSONAL_COLUMNS
from tests.support.hostile import PERSON, Hostile
from tests.support.identities import TEMPORARY
from tests.support.leaks import found
from tests.support.projects import ForkedMeltano

if TYPE_CHECKING:
    from quickstart import pool
    from quickstart.postgres import Postgres
    from tests.support.tables import Database

PERSONAL: dict[str, list[str]] = {}
"""The personal columns of each stream that has any."""
for _name in PERSONAL_COLUMNS:
    PERSONAL.setdefault(_name.partition(".")[0], []).append(_name.partition(".")[2])


@pytest.mark.usefixtures("_plugins")
def test_the_job_loads_the_selected_columns(moto_pool: pool.Pool, database: Database) -> None:
    """The job loads the selected columns, without a request to Meltano Hub or any other host."""
    selection = '["users.username", "users.status"]'
    with ExitStack() as stack:
        tap = {**moto_pool.config, "_select": selection}
        meltano = ForkedMeltano(stack, tap, database.server, database.name)
        proxy = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        url = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            meltano.environment[name] = url
        assert meltano("run", "cognito-to-postgres") == 0
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):
            proxy.accept()
    expected = [(user["Username"], user["UserStatus"]) for user in moto_pool.users()]
    assert sorted(database.rows()) == sorted(expected)


@pytest.mark.slow
@pytest.mark.usefixtures("_plugins")
def test_a_personal_column_appears_only_when_it_is_named(database: Database) -> None:
    """`*` selects no address, place or device, even after another run whose setting named one."""
    selection = json.dumps([f"{stream}.*" for stream in PERSONAL])
    tables = "select table_name, column_name from information_schema.columns "
    with Emulator(Pool(40)) as emulator, ExitStack() as stack:
        settings = {
            "user_pool_id": emulator.pool.id,
            "endpoint_url": emulator.url,
            "aws_access_key_id": "emulated",
            "aws_secret_access_key": "emulated",
            "user_details_requests_per_second": "1000",
            "_select": selection,
        }
        meltano = ForkedMeltano(stack, settings, database.server, database.name)
        named = {"TAP_COGNITO_PERSONAL_COLUMNS": '["user_sessions.last_ip_address"]'}
        for schema, environment in (("named", named), ("unnamed", {})):
            meltano.environment.pop("TAP_COGNITO_PERSONAL_COLUMNS", None)
            meltano.environment |= {"TAP_COGNITO__LOAD_SCHEMA": schema, **environment}
            assert meltano("run", "tap-cognito", "target-postgres") == 0
            columns = database.rows(f"{tables} where table_schema = '{schema}'")
            loaded = [f"select * from {schema}.{stream}" for stream in PERSONAL]  # noqa: S608
            text = "".join(str(database.rows(query)) for query in loaded)
            assert {stream for stream, _ in columns} == PERSONAL.keys()
            personal = {(name, column) for name, column in columns if column in PERSONAL[name]}
            is_named = schema == "named"
            assert personal == ({("user_sessions", "last_ip_address")} if is_named else set())
            assert [place for place in PLACES if place in text] == ([ADDRESS] if is_named else [])


@pytest.mark.usefixtures("_plugins")
def test_meltano_is_told_nothing_secret(
    postgres: Postgres, capfd: pytest.CaptureFixture[str]
) -> None:
    """Meltano shows no secret of the tap's log, here of a run that fails after some pages."""
    with Emulator(Pool(90)) as emulator, Hostile(emulator.url) as hostile:
        hostile.reset("an echo as code", after=1, only="ListUsers")
        settings = {
            "user_pool_id": "us-east-1_Emulated1",
            "endpoint_url": hostile.url,
            "stream_maps": json.dumps({"users": {"__filter__": f"username != '{PERSON}'"}}),
            **TEMPORARY,
        }
        with ExitStack() as stack:
            status = ForkedMeltano(stack, settings, postgres)("run", "cognito-to-postgres")
    output = "".join(capfd.readouterr())
    assert status == 1
    assert "tap-cognito" in output
    assert not found(output)
