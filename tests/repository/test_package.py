"""The package as it is published: its content, its reproducible build, that it runs alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING, NamedTuple

import pytest

from emulator import Emulator, Pool
from hatch_build import unlinked
from tests.support.messages import records_of
from tests.support.paths import ROOT
from tests.support.programs import TIMEOUT, emulator_config, run_program

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = pytest.mark.programs

LOCK = ROOT / "requirements" / "dev.txt"
SOURCE = ROOT / "tap_cognito"
REPOSITORY = os.environ.get("PACKAGE_REPOSITORY", "https://github.com/somebody/tap-cognito")
COMMIT = os.environ.get("PACKAGE_COMMIT", "0" * 40)
SOURCE_OF_LINKS = {"PACKAGE_REPOSITORY": REPOSITORY, "PACKAGE_COMMIT": COMMIT}
UV = [sys.executable, "-m", "uv"]

needs_source = pytest.mark.skipif(
    not SOURCE.is_dir(), reason="the source tree was taken away to test the wheel"
)


class Built(NamedTuple):
    """The two files that are published."""

    wheel: Path
    sdist: Path


def build(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> None:
    """Build into a folder with the build tools of the lock, the address of the code as in CI."""
    command = ["build", "--quiet", "--no-build-isolation", "--python", sys.executable]
    subprocess.run(
        [*UV, *command, "--out-dir", str(folder), *arguments, str(ROOT)],
        env={**os.environ, **SOURCE_OF_LINKS, **(env or {})},
        check=True,
        timeout=TIMEOUT,
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The files in the folder that PACKAGE_DIST names, as in CI, or a new build."""
    folder = ROOT / os.environ.get("PACKAGE_DIST", "dist")
    if "PACKAGE_DIST" not in os.environ:
        folder = tmp_path_factory.mktemp("dist")
        build(folder)
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    return Built(wheel, sdist)


@pytest.fixture(scope="module")
def scripts(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a new environment with nothing but the wheel."""
    environment = tmp_path_factory.mktemp("alone") / "environment"
    to = ["--quiet", "--python"]
    for step in (
        ["venv", "--no-project", *to, sys.executable, str(environment)],
        ["pip", "install", *to, str(environment), "--constraint", str(LOCK), str(built.wheel)],
    ):
        subprocess.run([*UV, *step], check=True, timeout=TIMEOUT)
    return environment / ("Scripts" if os.name == "nt" else "bin")


def run(scripts: Path, *arguments: str | Path) -> str:
    """Run the installed tap from a folder outside the source tree."""
    process = run_program(
        [scripts / "tap-cognito", *arguments],
        cwd=scripts,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


# Content


def test_the_wheel_holds_the_package_and_nothing_else(built: Built) -> None:
    """It has the modules, the type marker, the metadata and the licence, each in its place."""
    with zipfile.ZipFile(built.wheel) as wheel:
        names = set(wheel.namelist())
    version = built.wheel.name.split("-")[1]
    information = f"tap_cognito-{version}.dist-info"
    modules = {name for name in names if re.fullmatch(r"tap_cognito/[\w/]+\.py", name)}
    assert names - modules == {
        "tap_cognito/py.typed",
        f"{information}/METADATA",
        f"{information}/RECORD",
        f"{information}/WHEEL",
        f"{information}/entry_points.txt",
        f"{information}/licenses/LICENSE",
    }
    if SOURCE.is_dir():
        assert modules == {path.relative_to(ROOT).as_posix() for path in SOURCE.rglob("*.py")}


def test_the_sdist_holds_what_the_wheel_is_made_of(built: Built) -> None:
    """It has the package and what pyproject.toml names, nothing of tests, tools or the machine."""
    with tarfile.open(built.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        owners = {(file.uid, file.gid, file.uname, file.gname) for file in archive.getmembers()}
    with zipfile.ZipFile(built.wheel) as wheel:
        package = {name for name in wheel.namelist() if name.startswith("tap_cognito/")}
    assert names - package == {
        ".gitignore",
        "CHANGELOG.md",
        "LICENSE",
        "PKG-INFO",
        "README.md",
        "SECURITY.md",
        "hatch_build.py",
        "pyproject.toml",
    }
    assert package <= names
    assert owners == {(0, 0, "", "")}


def test_the_metadata_describe_the_package(built: Built) -> None:
    """They name licence, Python versions, extra and command, and no development dependency."""
    with zipfile.ZipFile(built.wheel) as wheel:
        (metadata,) = [name for name in wheel.namelist() if name.endswith("/METADATA")]
        (entry_points,) = [name for name in wheel.namelist() if name.endswith("/entry_points.txt")]
        fields, _, description = wheel.read(metadata).decode().partition("\n\n")
        commands = wheel.read(entry_points).decode()
    assert "License-Expression: Apache-2.0" in fields
    assert "Requires-Python: <3.15,>=3.10" in fields
    required = set(re.findall(r"(?m)^Requires-Dist: ([\w-]+)", fields))
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (declared,) = re.findall(r"(?ms)^dependencies = \[$(.*?)^\]$", text)
    assert required == {
        *re.findall(r'(?m)^  "([\w-]+)', declared),
        "meltanolabs-target-postgres",
        "psycopg",
    }
    assert re.findall(r"(?m)^Provides-Extra: (.+)$", fields) == ["postgres", "vault"]
    assert "tap-cognito = tap_cognito.cli:main" in commands
    assert "cognito-to-postgres = tap_cognito.load:main" in commands
    assert description.startswith("# tap-cognito")


def test_the_page_of_the_package_has_no_dead_link(built: Built) -> None:
    """Every link of the metadata is absolute, and leads to a file of the commit that was built."""
    with zipfile.ZipFile(built.wheel) as wheel:
        (metadata,) = [name for name in wheel.namelist() if name.endswith("/METADATA")]
        fields, _, description = wheel.read(metadata).decode().partition("\n\n")
    urls = dict(re.findall(r"(?m)^Project-URL: (\w+), (\S+)$", fields))
    assert urls.keys() == {"Changelog", "Documentation", "Issues", "Repository", "Security"}
    assert urls["Repository"] == REPOSITORY
    text = re.sub(r"(?ms)^```.*?^```$", "", description)
    definitions = dict(re.findall(r"(?m)^\[([^\]]+)\]: (\S+)$", text))
    links = [*urls.values(), *definitions.values(), *re.findall(r"\]\(([^)\s]+)\)", text)]
    assert [link for link in links if not re.match(r"https?://", link)] == []
    inside = re.compile(rf"{re.escape(REPOSITORY)}/(?:blob|raw)/(?:{COMMIT}|HEAD)/(.+)")
    paths = [found[1] for link in links if (found := inside.fullmatch(link))]
    assert {"CHANGELOG.md", "docs/streams.md", "benchmarks/results.svg"} <= set(paths)
    assert [path for path in paths if not (ROOT / path).is_file()] == []
    assert definitions["plot"] == f"{REPOSITORY}/raw/{COMMIT}/benchmarks/results.svg"
    used = set(re.findall(r"\]\[([^\]]+)\]", text))
    assert used <= definitions.keys()
    assert f"git clone {REPOSITORY}\n" in description
    (title,) = re.findall(rf"^{re.escape(REPOSITORY)}#(.+)$", urls["Documentation"])
    assert f"## {title.replace('-', ' ')}" in description.lower()


def test_a_package_that_was_built_elsewhere_claims_no_address() -> None:
    """Without a repository the description has the same words, and neither links nor pictures."""
    text = unlinked(
        "See [the log][log],\n[here](https://example.com) or [log].\n\n![A plot][plot]\n\nEnd.\n\n"
        "[log]: CHANGELOG.md\n[plot]: plot.svg\n[web]: https://example.com\n"
    )
    assert text == (
        "See the log,\n[here](https://example.com) or log.\n\nEnd.\n\n[web]: https://example.com\n"
    )
    shown = unlinked((ROOT / "README.md").read_text(encoding="utf-8"))
    assert re.findall(r"\]\[|\]: |!\[|\]\((?!https:)", shown) == []


# Reproducible build


@needs_source
def test_a_build_gives_the_same_bytes_again(built: Built, tmp_path: Path) -> None:
    """Both files are the same when built elsewhere, in another time zone, not from the sdist."""
    again = {
        "LC_ALL": "C",
        "PYTHONHASHSEED": "7",
        "TMPDIR": str(tmp_path),
        "TZ": "Pacific/Kiritimati",
    }
    build(tmp_path / "dist", "--wheel", env=again)
    build(tmp_path / "dist", "--sdist", env=again)
    for path in built:
        assert (tmp_path / "dist" / path.name).read_bytes() == path.read_bytes()


# On its own


def test_it_is_installed_without_what_only_developers_need(scripts: Path) -> None:
    """The environment has the runtime's packages, but neither the target nor a test tool."""
    python = scripts / ("python.exe" if os.name == "nt" else "python")
    listed = subprocess.run(
        [*UV, "pip", "list", "--format", "json", "--python", python],
        check=True,
        capture_output=True,
        timeout=TIMEOUT,
    ).stdout
    names = {package["name"] for package in json.loads(listed)}
    assert names >= {"boto3", "singer-sdk", "tap-cognito"}
    assert not names & {"hypothesis", "meltano", "meltanolabs-target-postgres", "moto", "psycopg"}
    assert not names & {"hatchling", "mypy", "pytest", "ruff"}


def test_it_describes_itself(scripts: Path, built: Built) -> None:
    """`tap-cognito --about` prints the name, the wheel's version and the settings."""
    about = json.loads(run(scripts, "--about", "--format=json"))
    assert about["name"] == "tap-cognito"
    assert about["version"] == built.wheel.name.split("-")[1]
    assert "user_pool_id" in about["settings"]["properties"]


def test_it_reads_a_pool(scripts: Path, tmp_path: Path) -> None:
    """It discovers its streams and reads every user of a pool with that catalog."""
    config, catalog = tmp_path / "config.json", tmp_path / "catalog.json"
    with Emulator(Pool(150)) as emulator:
        config.write_text(json.dumps(emulator_config(emulator)))
        catalog.write_text(run(scripts, "--config", config, "--discover"), encoding="utf-8")
        output = run(scripts, "--config", config, "--catalog", catalog)
        expected = {user["Username"] for user in emulator.pool.users()}
    records = records_of(output)
    assert {record["username"] for record in records} == expected
    assert len(records) == len(expected) == 150
