"""The project's own meltano.yml."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from quickstart.pipeline import Meltano

if TYPE_CHECKING:
    from quickstart.pool import Pool
    from support import Database


@pytest.mark.usefixtures("_plugins")
def test_the_job_loads_the_selected_columns(moto_pool: Pool, database: Database) -> None:
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
