"""What Meltano writes where others may read: the loader's lines, the tap's resolved config."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from emulator import Emulator, Pool
from quickstart.pipeline import Meltano
from tests.support.documents import blocks
from tests.support.programs import emulator_config

if TYPE_CHECKING:
    from tests.support.tables import Database

LOGGING = blocks("docs/monitoring.md", "yaml", "What the loader prints")[0]
ADDRESS = "zqplanted@zqplanted.example"


@pytest.mark.usefixtures("_plugins")
@pytest.mark.parametrize("use_copy", ["true", "false"])
def test_a_refused_address_is_only_in_the_loaders_own_file(
    use_copy: str, database: Database, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """With the documented log config neither the log nor Meltano's copy shows what was refused."""
    with database.connect() as connection:
        connection.execute("create schema cognito")
        connection.execute(
            "create table cognito.users (username text primary key, email text unique, "
            "status text, enabled boolean, created_at timestamp, updated_at timestamp, "
            "attributes jsonb)"
        )
        connection.execute(f"insert into cognito.users values ('zq', '{ADDRESS}')".encode())
    log_config, own = tmp_path / "logging.yaml", tmp_path / "loader.log"
    assert "filename: loader.log" in LOGGING
    log_config.write_text(LOGGING.replace("loader.log", str(own)))
    pool = Pool(3)
    pool.change(pool.username(0), {"email": ADDRESS})
    with Emulator(pool) as emulator, ExitStack() as stack:
        config = {name: str(value) for name, value in emulator_config(emulator).items()}
        meltano = Meltano(stack, config, database.server, database.name)
        meltano.environment["TARGET_POSTGRES_USE_COPY"] = use_copy
        assert meltano(f"--log-config={log_config}", "run", "cognito-to-postgres") == 1
        (copy,) = Path(meltano.environment["XDG_STATE_HOME"]).rglob("elt.log")
        written = "".join((*capfd.readouterr(), copy.read_text(encoding="utf-8")))
    assert ADDRESS in own.read_text(encoding="utf-8")
    assert "Complete: 3 users read" in written
    assert "Loader failed" in written
    assert "zqplanted" not in written
