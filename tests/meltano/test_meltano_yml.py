"""The project's own meltano.yml."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from emulator import Emulator, Pool
from quickstart.pipeline import Meltano
from tests.support.hostile import PERSON, Hostile
from tests.support.identities import TEMPORARY
from tests.support.leaks import found

if TYPE_CHECKING:
    from quickstart import pool
    from quickstart.postgres import Postgres
    from tests.support.tables import Database


@pytest.mark.usefixtures("_plugins")
def test_the_job_loads_the_selected_columns(moto_pool: pool.Pool, database: Database) -> None:
    """The job loads the selected columns, without a request to Meltano Hub or any other host."""
    selection = '["users.username", "users.status"]'
    with ExitStack() as stack:
        tap = {**moto_pool.config, "_select": selection}
        meltano = Meltano(stack, tap, database.server, database.name)
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
            status = Meltano(stack, settings, postgres)("run", "cognito-to-postgres")
    output = "".join(capfd.readouterr())
    assert status == 1
    assert "tap-cognito" in output
    assert not found(output)
