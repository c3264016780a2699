"""What the repository says about itself is true: links, permissions, workflows, examples."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
import yaml

import tap_cognito
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(tap_cognito.__file__).parent
MODULES = [*PACKAGE.rglob("*.py"), *(ROOT / "emulator").glob("*.py")]
LONGEST_MODULE = 300
POLICY_POOL = ":userpool/us-east-1_AbCdEf123"
SECURITY = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
STREAMS = (ROOT / "docs" / "streams.md").read_text(encoding="utf-8")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"\S+@[0-9a-f]{40} # v\d+(\.\d+)*")

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def documents() -> list[Path]:
    """The Markdown files of the repository, those that aren't yet committed too."""
    folders = [ROOT, *(ROOT / name for name in (".github", "docs", "examples", "benchmarks"))]
    return sorted(path for folder in folders for path in folder.glob("*.md"))


def load(path: Path) -> Any:
    """Read a YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@cache
def operations() -> set[str]:
    """The operations of Cognito that the code names."""
    known = botocore.session.Session().get_service_model("cognito-idp").operation_names
    names = set()
    for path in PACKAGE.rglob("*.py"):
        names.update(re.findall(r'"([A-Z]\w+)"', path.read_text(encoding="utf-8")))
    return names & set(known)


# Documents


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(path: Path) -> None:
    """Each relative link in a document leads to a file of the repository, and to a title in it."""
    text = re.sub(r"(?ms)^```.*?^```|`[^`\n]+`", "", path.read_text(encoding="utf-8"))
    links = re.findall(
        r"\]\(([^)\s]+)\)|^\[[^\]]+\]:\s+(\S+)|(?:src|href)=\"([^\"]+)\"", text, re.MULTILINE
    )
    for link in (next(filter(None, groups)) for groups in links):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, title = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        if title:
            assert title in set(_titles(target.read_text(encoding="utf-8"))), link


def _titles(text: str) -> Iterator[str]:
    """The anchors of a document's titles, as code hosts make them."""
    for title in re.findall(r"(?m)^#+ (.+)$", text):
        yield re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def test_one_document_installs_by_the_name_that_is_not_ours_yet() -> None:
    """Until the first release only docs/install.md has such commands, beside a warning."""
    by_name = re.compile(r"(?:pip install|uvx|pip_url:) tap-cognito\b")
    found = [path.name for path in documents() if by_name.search(path.read_text(encoding="utf-8"))]
    assert found == ["install.md"]
    assert "it isn't this project's" in (ROOT / "docs" / "install.md").read_text(encoding="utf-8")


def test_the_layout_names_every_module() -> None:
    """CONTRIBUTING.md has a place for each module of the package."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (layout,) = re.findall(r"(?ms)^## How it is laid out$(.*?)^## ", text)
    named = set(re.findall(r"`([\w/]+\.py)`", layout))
    modules = PACKAGE.rglob("[!_]*.py")
    assert named == {path.relative_to(PACKAGE).as_posix() for path in modules}


def test_no_module_is_too_long_to_be_read_in_one_go() -> None:
    """A module that has grown to more than 300 lines is divided."""
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert [path.name for path, length in lengths.items() if length > LONGEST_MODULE] == []


def test_every_operation_is_read_only_and_has_its_permission_documented() -> None:
    """No operation that the code names writes, and the documents name each of them."""
    assert operations() >= {"ListUsers", "DescribeUserPool"}
    for name in operations():
        assert name.startswith(("List", "Describe", "Get", "AdminGet", "AdminList"))
        assert re.search(rf"\bcognito-idp:{name}\b", STREAMS + SECURITY)


def test_a_policy_is_for_one_pool_where_aws_lets_it_be() -> None:
    """Only what AWS finds by a domain's name, or on no pool, is granted on all resources."""
    policies = [json.loads(text) for text in re.findall(r"(?ms)^```json$(.*?)^```$", SECURITY)]
    statements = [each for policy in policies for each in policy.get("Statement", [policy])]
    everywhere = {"cognito-idp:DescribeUserPoolDomain", "cognito-idp:ListUserPools"}
    for statement in statements:
        on_all = not statement["Resource"].endswith(POLICY_POOL)
        assert on_all is everywhere.issuperset(statement["Action"])
    assert everywhere < {action for each in statements for action in each["Action"]}


# Workflows


@pytest.mark.parametrize(
    "path",
    sorted([ROOT / ".pre-commit-config.yaml", *(ROOT / ".github").rglob("*.yml")]),
    ids=lambda path: path.name,
)
def test_yaml_can_be_read(path: Path) -> None:
    """Each file that configures the house is YAML with something in it."""
    assert load(path)


@each_workflow
def test_actions_are_pinned_by_digest(path: Path) -> None:
    """Each action is pinned by a commit, with its version in a comment, or is the repository's."""
    text = path.read_text(encoding="utf-8")
    used = re.findall(r"(?m)^\s*(?:- )?uses: (.+)$", text)
    assert len(used) == text.count("uses:")
    for action in used:
        assert PINNED.fullmatch(action) or (ROOT / action.removeprefix("$/")).is_file(), action


def test_a_version_has_one_digest() -> None:
    """An action has the same commit and version wherever it is used."""
    pins: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for name, pin in re.findall(r"uses: (\S+)@(.+)", path.read_text(encoding="utf-8")):
            pins.setdefault(name, set()).add(pin)
    assert pins
    assert all(len(found) == 1 for found in pins.values())


@each_workflow
def test_workflows_have_no_permission_but_what_a_job_asks_for(path: Path) -> None:
    """Nothing is granted at the top, every job names its permissions, and no secret is used."""
    workflow = load(path)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        granted = job["permissions"]
        assert "contents" not in granted or granted["contents"] == "read"
    assert "secrets." not in path.read_text(encoding="utf-8")


@pytest.mark.programs
def test_the_gate_waits_for_every_job() -> None:
    """The last job needs all others, and succeeds only if they did; nightly ones may be skipped."""
    jobs = load(ROOT / ".github" / "workflows" / "test.yml")["jobs"]
    gate = jobs["all-green"]
    assert set(gate["needs"]) == set(jobs) - {"all-green"}
    (step,) = gate["steps"]
    results = re.sub(r"\$\{\{ needs\.([\w-]+)\.result \}\}", r"{\1}", step["env"]["RESULTS"])
    nightly = {name for name, job in jobs.items() if name != "all-green" and "if" in job}
    assert nightly == {"slow", "prerelease"}
    for name in gate["needs"]:
        for result in ("success", "skipped", "failure", "cancelled"):
            values = {**dict.fromkeys(gate["needs"], "success"), name: result}
            shell = ["bash", "-ec", step["run"]]
            env = {**os.environ, "RESULTS": results.format_map(values)}
            code = subprocess.run(shell, env=env, stdout=subprocess.DEVNULL, check=False).returncode
            passes = result == "success" or (result == "skipped" and name in nightly)
            assert (code == 0) == passes, (name, result)


@pytest.mark.programs
@pytest.mark.skipif(sys.platform != "linux", reason="the jobs run on Linux")
def test_a_release_is_what_was_built_and_tested(tmp_path: Path) -> None:
    """Before the files are attested, and before they are published, their digests are compared."""
    folder = ROOT / ".github" / "workflows"
    (note,) = (step for step in load(folder / "test.yml")["jobs"]["build"]["steps"] if "id" in step)
    dist = tmp_path / "dist"
    dist.mkdir()
    for name in ("a.whl", "a.tar.gz"):
        (dist / name).write_text(name)

    def run(script: str, **variables: str) -> int:
        command = ["bash", "-eo", "pipefail", "-c", script]
        ran = subprocess.run(
            command, cwd=tmp_path, env={**os.environ, **variables}, capture_output=True, check=False
        )
        return ran.returncode

    assert run(note["run"], GITHUB_OUTPUT=str(tmp_path / "output")) == 0
    begin, *lines, end = (tmp_path / "output").read_text().splitlines()
    assert (begin, end) == ("digests<<END", "END")
    digests = "\n".join(lines)
    jobs = load(folder / "release.yml")["jobs"]
    for name in ("attest", "publish"):
        download, check, *_, act = jobs[name]["steps"]
        assert "download-artifact" in download["uses"]
        assert re.search(r"/attest@|pypi-publish@", act["uses"])
        assert check["env"] == {"DIGESTS": "${{ needs.test.outputs.digests }}"}
        assert "test" in jobs[name]["needs"]
        assert run(check["run"], DIGESTS=digests) == 0
        assert run(check["run"], DIGESTS="") != 0
        assert run(check["run"], DIGESTS=digests.replace(lines[0][:8], "0" * 8)) != 0
        (dist / "b.whl").write_text("another")
        assert run(check["run"], DIGESTS=digests) != 0
        (dist / "b.whl").unlink()


def test_the_wheel_is_tested_on_every_python_it_is_for() -> None:
    """The matrix has the Python versions of the classifiers."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    classifiers = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', text)
    jobs = load(ROOT / ".github" / "workflows" / "test.yml")["jobs"]
    assert jobs["wheel"]["strategy"]["matrix"]["python"] == classifiers


@each_workflow
def test_workflows_name_tests_that_exist(path: Path) -> None:
    """Each test file that a workflow runs or ignores exists."""
    for name in re.findall(r"tests/[\w/]+\.py", path.read_text(encoding="utf-8")):
        assert (ROOT / name).is_file(), name


def test_documents_name_tests_that_exist() -> None:
    """Each test file or helper that a document names exists."""
    names = {
        name
        for path in documents()
        for name in re.findall(r"tests/[\w/]+\.py", path.read_text(encoding="utf-8"))
    }
    assert names
    assert [name for name in names if not (ROOT / name).is_file()] == []


def test_hooks_come_from_the_lock() -> None:
    """Each hook runs a program that the lock installs, so that nothing else is installed for it."""
    (repository,) = load(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        program = hook["entry"].partition(" ")[0]
        known = Path(sysconfig.get_path("scripts")) / Path(program).name
        assert hook["language"] == "system"
        assert hook["entry"] == "python3 dev.py check" or known.is_file(), program
        assert known.name == program.removeprefix(".venv/bin/")


# Locks


def pins(name: str) -> dict[str, tuple[str, ...]]:
    """What a lock pins: for each name with its version, the hashes."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8").replace("\\\n", "")
    return {
        line.split()[0]: tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
        for line in text.splitlines()
        if line and not line.startswith("#")
    }


@pytest.mark.parametrize(
    "name", ["build.txt", "dbt.txt", "dev.txt", "lowest.txt", "meltano.txt", "mutation.txt"]
)
def test_everything_locked_has_hashes(name: str) -> None:
    """Each line of a lock pins a version and its hashes."""
    locked = pins(name)
    assert locked
    assert all("==" in pin and hashes for pin, hashes in locked.items())


def test_what_is_built_and_deployed_is_what_is_tested() -> None:
    """The locks for building and for images are parts of the one for development."""
    build, dev = pins("build.txt"), pins("dev.txt")
    assert build.items() <= dev.items()
    assert pins("meltano.txt").items() <= dev.items()
    assert len(build) < 20
    assert {"hatchling", "hatch-vcs", "uv"} <= {pin.partition("==")[0] for pin in build}


def test_the_lock_has_the_extras() -> None:
    """What an extra requires is installed here and in CI, in the versions that were tested."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (declared,) = re.findall(r"(?ms)^\[project.optional-dependencies\]$(.*?)^\[", text)
    required = re.findall(r'(?m)^\w+ = \["([\w-]+)', declared)
    locked = {pin.partition("==")[0] for pin in pins("dev.txt")}
    assert {"psycopg", "meltanolabs-target-postgres"} == set(required) <= locked
    assert "--all-extras" in (ROOT / "dev.py").read_text(encoding="utf-8")


def test_the_lowest_versions_are_tested() -> None:
    """The lock of the job `lowest` has exactly the lower bounds of the package's dependencies."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (declared,) = re.findall(r"(?ms)^dependencies = \[$(.*?)^\]$", text)
    bounds = re.findall(r'(?m)^  "([\w-]+)(?:\[.*\])?>=([\d.]+)', declared)
    locked = dict(pin.split("==") for pin in pins("lowest.txt"))
    assert {name for name, _ in bounds} == {"boto3", "botocore", "msgspec", "singer-sdk"}
    for name, bound in bounds:
        assert re.fullmatch(rf"{re.escape(bound)}(\.0)*", locked[name]), name


@each_workflow
def test_workflows_install_with_hashes(path: Path) -> None:
    """Only the wheel that was just built, and the pre-release, are installed without hashes."""
    for line in path.read_text(encoding="utf-8").replace("\\\n", "").splitlines():
        if "pip install" in line and "singer-sdk[msgspec]>=0.55.0a1" not in line:
            assert "--require-hashes" in line or line.endswith("--no-deps dist/*.whl"), line


# The example


def test_the_example_sets_only_what_there_is() -> None:
    """Each variable of .env.example is a setting of the tap or of the target in meltano.yml."""
    plugins = load(ROOT / "meltano.yml")["plugins"]
    known = {
        f"{plugin['name']}_{setting['name']}".upper().replace("-", "_")
        for plugin in plugins["extractors"] + plugins["loaders"]
        for setting in plugin["settings"]
    }
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    variables = re.findall(r"(?m)^(?:# )?([A-Z_]+)=", text)
    assert set(variables) <= known
    assert len(variables) == len(set(variables))
    assert "TAP_COGNITO_USER_POOL_ID" in variables


def test_the_example_holds_no_secret_and_is_not_ignored() -> None:
    """The example leaves what is secret empty; `.env`, its copy, can't be committed."""
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    for name, value in re.findall(r"(?m)^(?:# )?([A-Z_]+)=(.*)$", text):
        assert not value or name in {"TARGET_POSTGRES_HOST", "TARGET_POSTGRES_PORT"}
    assert ".env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_the_private_parts_of_the_sdk_are_used_in_one_file() -> None:
    """Only singer/sdk.py imports modules or names of the SDK that begin with an underscore."""
    private = re.compile(
        r"(?m)^\s*(?:from singer_sdk\S*\._|from singer_sdk.* import .*\b_|import .*\._)"
    )
    users = {path.name for path in PACKAGE.rglob("*.py") if private.search(path.read_text("utf-8"))}
    assert users == {"sdk.py"}
