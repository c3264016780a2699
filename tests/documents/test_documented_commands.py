"""Every command that a document shows is run by a test, or is listed here with the reason."""

from __future__ import annotations

import json
import re
import venv
from typing import TYPE_CHECKING

import pytest

from emulator import Emulator, Pool
from tests.support.documents import Block, blocks, fenced, shell
from tests.support.paths import ROOT
from tests.support.programs import emulator_config
from tests.support.tables import Database, wire_row

if TYPE_CHECKING:
    from pathlib import Path

CHECKOUT = "/path/to/tap-cognito"
INSTALL = "docs/install.md"
FROM_CHECKOUT, BY_UVX, FROM_WHEEL, ONE_COMMAND, PIPE = blocks(INSTALL, "sh")
SERVER = ("host", "user", "password", "database")
(TARGET,) = (json.loads(block) for block in blocks(INSTALL, "json"))

RUN = {
    ("docs/credentials.md", "sql"): "identity/test_credentials.py",
    ("docs/erasure.md", "sql"): "documents/test_erasure.py",
    ("docs/history.md", "meltano --cwd"): "history/test_demonstration.py",
    ("docs/history.md", "sql"): "history/test_demonstration.py",
    ("docs/install.md", "export TAP_COGNITO"): "documents/test_documented_commands.py",
    ("docs/install.md", "pip install /path"): "documents/test_documented_commands.py",
    ("docs/install.md", "pip wheel"): "documents/test_documented_commands.py",
    ("docs/install.md", "set -o pipefail"): "documents/test_documented_commands.py",
    ("docs/install.md", "uvx"): "documents/test_documented_commands.py",
    ("docs/migrating.md", "sql"): "documents/test_docs.py",
    ("docs/monitoring.md", "SINGER_SDK_LOG_CONFIG"): "documents/test_monitoring.py",
    ("docs/monitoring.md", "meltano --log-format"): "meltano/test_own_project.py",
    ("docs/monitoring.md", "meltano state"): "meltano/test_own_project.py",
    ("docs/monitoring.md", "python3 -c"): "meltano/test_own_project.py",
    ("docs/monitoring.md", "sql"): "documents/test_monitoring.py",
    ("docs/own-project.md", "meltano"): "meltano/test_own_project.py",
    ("docs/recipes.md", "sql"): "documents/test_recipes.py",
    ("docs/recipes.md", "tap-cognito"): "documents/test_recipes.py",
    ("docs/replication.md", "set -o pipefail"): "replication/test_increments.py",
    ("docs/scheduling.md", "0 2 * * *"): "meltano/test_own_project.py",
    ("docs/scheduling.md", "cd examples/airflow"): "meltano/test_scheduling.py",
    ("docs/security-review.md", "sql"): "documents/test_security_review.py",
    ("docs/supabase.md", "sql"): "documents/test_supabase.py",
    ("docs/streams.md", "sql"): "documents/test_docs.py",
}
"""What runs the blocks of a document that begin so, or that are in SQL: a file of tests."""

NOT_RUN = {
    ("AGENTS.md", "config/ ->"): "the layout, no command",
    ("CONTRIBUTING.md", "python3 dev.py check"): "CI runs it",
    ("CONTRIBUTING.md", "python3 dev.py coverage"): "the whole suite; CI runs it",
    ("CONTRIBUTING.md", "python3 dev.py lock"): "renews the locks from the package index",
    ("CONTRIBUTING.md", "python3 dev.py mutate"): "takes hours",
    ("CONTRIBUTING.md", "python3 dev.py test"): "runs this test",
    ("CONTRIBUTING.md", "python3 dev.py verify"): "needs a real pool; test_verify.py has another",
    ("README.md", "+---"): "a diagram",
    ("README.md", "=== select"): "what the quickstart prints",
    ("README.md", "TAP_COGNITO_"): "a file; test_repository.py compares its example",
    ("README.md", "meltano install"): "the quickstart's class Meltano does it for every test",
    ("README.md", "git clone"): "test_quickstart.py runs what dev.py starts",
    ("README.md", "python3 dev.py test"): "runs this test; CI runs parts of it",
    ("docs/history.md", "python3 dev.py history"): "test_demonstration.py runs what it starts",
    ("docs/many-pools.md", "`users` of"): "what a run prints",
    ("docs/many-pools.md", "export TAP_COGNITO"): "test_many_pools.py does it without Meltano",
    ("docs/many-pools.md", "sql"): "test_scheduling.py has Dagster make the view",
    ("docs/migrating.md", "TAP_COGNITO_"): "a file; test_docs.py validates it",
    ("docs/migrating.md", "meltano run"): "test_meltano_yml.py runs it for another schema",
    ("docs/own-project.md", "TAP_COGNITO_"): "a file, which test_own_project.py writes",
    ("docs/own-project.md", "python3 -m venv"): "Meltano is installed already",
    ("docs/recipes.md", "meltano --environment"): "test_recipes.py runs all but the loading",
    ("docs/replication.md", "Resuming the scan"): "what a run logs",
    ("docs/replication.md", "meltano --environment=mirror"): "test_own_project.py runs its like",
    ("docs/replication.md", "meltano run"): "test_meltano_yml.py runs the job that consists of it",
    ("docs/scheduling.md", "meltano install"): "a server; test_scheduling.py runs its partitions",
    ("docs/scheduling.md", "meltano run staff"): "test_scheduling.py runs both, by other means",
    ("docs/scheduling.md", "meltano schedule run"): "test_container.py runs it as the image does",
    ("docs/scheduling.md", "[Unit]"): "systemd's; test_scheduling.py reads the units",
    ("docs/supabase.md", "TARGET_POSTGRES"): "a variable, which test_supabase.py reads",
    ("docs/speed.md", "python3 dev.py benchmark"): "minutes; test_benchmark.py has a smaller one",
    ("docs/speed.md", "python3 dev.py verify"): "needs a real pool; test_verify.py has another",
}
"""Blocks that no test runs, and why."""


def commands() -> list[Block]:
    """The blocks that aren't just data."""
    folders = (ROOT, ROOT / "docs", ROOT / "examples" / "dbt", ROOT / ".github")
    paths = [
        path.relative_to(ROOT).as_posix() for folder in folders for path in folder.glob("*.md")
    ]
    return [
        block
        for path in paths
        for block in fenced(path)
        if block.language not in {"json", "mermaid", "text", "yaml"}
    ]


def keys(block: Block) -> list[tuple[str, str]]:
    """The entries of the two tables that a block is found by."""
    return [
        (document, start)
        for document, start in {**RUN, **NOT_RUN}
        if document == block.document
        and (start == block.language if block.language == "sql" else block.text.startswith(start))
    ]


def test_every_command_is_run_or_is_listed() -> None:
    """Each block is found by one entry, and each entry finds a block."""
    found = {(block.document, block.text): keys(block) for block in commands()}
    assert [block for block, entries in found.items() if len(entries) != 1] == []
    used = {entry for entries in found.values() for entry in entries}
    assert {*RUN, *NOT_RUN} - used == set()


def test_the_reasons_name_tests_that_exist() -> None:
    """A block that isn't run as shown names a test, if any, that there is."""
    named = {name for reason in NOT_RUN.values() for name in re.findall(r"test_\w+\.py", reason)}
    assert named <= {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    assert named


def test_the_tests_that_run_commands_read_them() -> None:
    """Each file of tests takes its commands from the document, so that it runs what is shown."""
    texts = {name: (ROOT / "tests" / name).read_text(encoding="utf-8") for name in RUN.values()}
    assert [
        (document, name)
        for (document, _), name in RUN.items()
        if f'{document.rpartition("/")[2]}"' not in texts[name]
    ] == []


def test_the_documented_pipe_loads_the_pool(database: Database, tmp_path: Path) -> None:
    """The shown lines and the target's settings load the users as Meltano does."""
    with Emulator(Pool(70)) as emulator:
        server = {key: database.target_config[key] for key in (*SERVER, "port")}
        assert set(SERVER) < TARGET.keys()
        files = {"config": emulator_config(emulator), "target": TARGET | server}
        for name, content in files.items():
            (tmp_path / f"{name}.json").write_text(json.dumps(content))
        shell(PIPE, tmp_path, {})
        expected = sorted(wire_row(user) for user in emulator.pool.users())
    assert sorted(database.rows()) == expected


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / "tap_cognito").is_dir(), reason="it installs the source tree")
def test_the_one_command_loads_a_pool(database: Database, tmp_path: Path) -> None:
    """The documented lines install the command and load the whole pool, with variables alone."""
    with Emulator(Pool(70)) as emulator:
        config = emulator_config(emulator)
        url = re.compile(r"postgresql://\S+")
        commands = url.sub(database.server.url(database.name), ONE_COMMAND)
        commands = commands.replace("us-east-1_AbCdEf123", config.pop("user_pool_id"))
        variables = {f"TAP_COGNITO_{name.upper()}": str(value) for name, value in config.items()}
        shell(commands.replace(CHECKOUT, str(ROOT)), tmp_path, variables)
        expected = sorted(wire_row(user) for user in emulator.pool.users())
    assert sorted(database.rows()) == expected


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / "tap_cognito").is_dir(), reason="it installs the source tree")
@pytest.mark.parametrize("block", [FROM_CHECKOUT, BY_UVX, FROM_WHEEL], ids=["pip", "uvx", "wheel"])
def test_it_can_be_installed_before_a_release(block: str, tmp_path: Path) -> None:
    """The documented commands install it from a checkout and a wheel, by pip and by uvx."""
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / "bin"
    shown = shell(block.replace(CHECKOUT, str(ROOT)), tmp_path, {}, programs)
    if "uvx" not in block:
        assert (programs / "tap-cognito").is_file()
        shown = shell("tap-cognito --help", tmp_path, {}, programs)
    assert "Usage: tap-cognito" in shown
