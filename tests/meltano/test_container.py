"""The image of examples/docker, built and run without a container engine.

The Dockerfile's steps are run in a folder that takes the place of `/`. Afterwards its pipeline may
write to the CronJob's volumes only: as another user if the tests are run by root, else because
nothing else is writable.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import yaml

from emulator import Emulator, Pool
from quickstart.pool import KEYS
from tests.support.paths import ROOT
from tests.support.programs import emulator_config
from tests.support.tables import Database, wire_row

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCKER = ROOT / "examples" / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
CRONJOB = (ROOT / "examples" / "kubernetes-cronjob.yaml").read_text(encoding="utf-8")
POD = yaml.safe_load(CRONJOB)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
BUCKET = "example-meltano-state"
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments."""
    lines = re.sub(r"(?m)^#.*\n|\\\n", "", DOCKERFILE).splitlines()
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines) if name]


def included() -> list[str]:
    """What .dockerignore lets into the image: it excludes everything and names exceptions."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    _, everything, *names = lines
    assert everything == "*"
    assert names.pop() == "**/__pycache__"
    return [name.removeprefix("!") for name in names]


def files() -> Iterator[Path]:
    """The files that get into the image."""
    for name in included():
        path = ROOT / name
        found = path.rglob("*") if path.is_dir() else [path]
        yield from (file for file in found if file.is_file() and "__pycache__" not in file.parts)


@dataclass
class Image:
    """A folder that takes the place of an image's `/`.

    Attributes:
        root: The folder.
        environment: What ENV instructions have set.
        owner: Who runs it, as options of `subprocess.run`.
    """

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    owner: dict[str, Any] = field(default_factory=dict)

    def inside(self, text: str) -> str:
        """Replace paths of the image."""
        return re.sub(r"(?<![\w.])/(?=(?:project|tmp)\b)", f"{self.root}/", text)

    @property
    def volumes(self) -> list[Path]:
        """The folders that the CronJob's volumes are mounted to."""
        return [Path(self.inside(mount["mountPath"])) for mount in CONTAINER["volumeMounts"]]

    def build(self, interpreter: str) -> None:
        """Carry out the Dockerfile's instructions."""
        venv = self.root / "python"
        uv = [sys.executable, "-m", "uv", "venv", "--quiet", "--seed", "--no-project"]
        subprocess.run([*uv, "--python", interpreter, str(venv)], umask=0o022, check=True)
        self.environment["PATH"] = f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}"
        for name, rest in instructions():
            if name == "COPY":
                self._copy()
            elif name == "RUN":
                subprocess.run(
                    ["/bin/sh", "-ec", self.inside(rest)],
                    cwd=self.root / "project",
                    env={**os.environ, **self.environment, "PYTHONPATH": ""},
                    umask=0o022,
                    check=True,
                )
            elif name == "ENV":
                pairs = (pair.partition("=") for pair in rest.split())
                self.environment |= {key: self.inside(value) for key, _, value in pairs}
            elif name == "USER" and IS_ROOT:
                user, group = map(int, rest.split(":"))
                self.owner = {"user": user, "group": group, "extra_groups": []}
        self._mount()

    def _copy(self) -> None:
        for source in files():
            target = self.root / "project" / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
            target.chmod(0o755)

    def _mount(self) -> None:
        for volume in self.volumes:
            shutil.rmtree(volume, ignore_errors=True)
            volume.mkdir(parents=True)
        if not IS_ROOT:
            make_writable(self.root, writable=False)
        for volume in self.volumes:
            if IS_ROOT:
                shutil.chown(volume, self.owner["user"], self.owner["group"])
            else:
                make_writable(volume, writable=True)

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it with the CronJob's arguments."""
        entry_point = json.loads(dict(instructions())["ENTRYPOINT"])
        return subprocess.run(
            [*entry_point, *CONTAINER["args"]],
            cwd=self.root / "project",
            env={"TMPDIR": str(self.root / "tmp"), **self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
            **self.owner,
        )


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """The image, built once."""
    # Not pytest's folder: that is for its user alone.
    root = Path(tempfile.mkdtemp(prefix="tap-cognito-"))
    root.chmod(0o755)
    try:
        made = Image(root)
        made.build(interpreter())
        yield made
    finally:
        make_writable(root, writable=True)
        shutil.rmtree(root)


def make_writable(folder: Path, *, writable: bool) -> None:
    """Let its owner write to a folder and all that is in it, or not."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o200 if writable else mode & ~0o222)


def interpreter() -> str:
    """A Python that any user may run."""
    ours = Path(sys.executable).resolve()
    if not IS_ROOT or all(path.stat().st_mode & 0o001 for path in (ours, *ours.parents)):
        return str(ours)
    check = "import ssl, sys; sys.exit(not (3, 10) <= sys.version_info < (3, 15))"
    for name in ("/usr/local/bin/python3", "/usr/bin/python3"):
        if Path(name).is_file() and not subprocess.run([name, "-c", check], check=False).returncode:
            return name
    pytest.skip("root's Python may be run by root alone, and there is no other one")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the image is a Linux one")
def test_the_image_runs_with_a_read_only_root(
    image: Image, database: Database, moto_url: str
) -> None:
    """An ordinary user runs the pipeline, writes to the volumes only, and keeps the state in S3."""
    s3 = boto3.client(
        "s3",
        "us-east-1",
        endpoint_url=moto_url,
        aws_access_key_id=KEYS["aws_access_key_id"],
        aws_secret_access_key=KEYS["aws_secret_access_key"],
    )
    s3.create_bucket(Bucket=BUCKET)
    incremental = {"replication-method": "INCREMENTAL", "replication-key": "updated_at"}
    with Emulator(Pool(70)) as emulator:
        settings = {
            f"TAP_COGNITO_{name.upper()}": str(value)
            for name, value in emulator_config(emulator).items()
        }
        settings |= {
            "TARGET_POSTGRES_HOST": database.server.host,
            "TARGET_POSTGRES_PORT": str(database.server.port),
            "TARGET_POSTGRES_USER": database.server.user,
            "TARGET_POSTGRES_PASSWORD": database.server.password,
            "TARGET_POSTGRES_DATABASE": database.name,
        }
        environment = {
            **{entry["name"]: entry["value"] for entry in CONTAINER["env"] if "value" in entry},
            **settings,
            "AWS_ACCESS_KEY_ID": KEYS["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": KEYS["aws_secret_access_key"],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": moto_url,
            "NO_PROXY": "127.0.0.1",
            "TAP_COGNITO__METADATA": json.dumps({"users": incremental}),
        }
        for records in (70, 1):
            run = image.run(**environment)
            assert run.returncode == 0, run.stdout + run.stderr
            assert re.search(rf"\b{records} records", run.stderr)
        expected = sorted(wire_row(user) for user in emulator.pool.users())
    assert sorted(database.rows()) == expected
    (state,) = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert state["Key"] == "cognito/prod:tap-cognito-to-target-postgres/state.json"
    if IS_ROOT:
        written = [path for path in image.root.rglob("*") if path.lstat().st_uid]
        assert [path for path in written if {path, *path.parents}.isdisjoint(image.volumes)] == []


def test_the_image_holds_what_is_named_and_no_secret() -> None:
    """Only named files get into the image: neither `.env` nor `.git`, whatever lies about.

    The list is where every builder looks for it: at the top of the context, which is this folder.
    """
    assert re.search(r"(?m)^#   docker build --file \S+ --tag \S+ \.$", DOCKERFILE)
    assert not list(DOCKER.glob("*ignore"))
    assert set(included()) == {
        *("LICENSE", "README.md", "hatch_build.py", "meltano.yml", "pyproject.toml"),
        *("tap_cognito", "requirements/dev.txt", "requirements/meltano.txt"),
    }
    assert all((ROOT / name).exists() for name in included())


def test_the_image_belongs_to_root_and_is_run_by_another_user() -> None:
    """Nothing is installed or copied after the change of user, who is the CronJob's."""
    names = [name for name, _ in instructions()]
    assert set(names[names.index("USER") :]) <= {"USER", "ENV", "ENTRYPOINT", "CMD"}
    (user,) = [rest for name, rest in instructions() if name == "USER"]
    security = POD["securityContext"]
    assert user == f"{security['runAsUser']}:{security['fsGroup']}"
    assert security["runAsNonRoot"]
    assert CONTAINER["securityContext"]["readOnlyRootFilesystem"]
    assert {mount["name"] for mount in CONTAINER["volumeMounts"]} == {
        volume["name"] for volume in POD["volumes"] if volume["emptyDir"] == {}
    }


def test_the_policy_of_the_state_is_for_its_place() -> None:
    """The policy in the CronJob's comment allows just the objects of the state's URI."""
    comment = re.sub(r"(?m)^# ?", "", CRONJOB.partition("apiVersion")[0])
    policy = json.loads(comment[comment.index("{") : comment.rindex("}") + 1])
    resources = [statement["Resource"] for statement in policy["Statement"]]
    (uri,) = [
        one["value"] for one in CONTAINER["env"] if one["name"] == "MELTANO_STATE_BACKEND_URI"
    ]
    place = uri.removeprefix("s3://")
    assert resources == [f"arn:aws:s3:::{place}/*", f"arn:aws:s3:::{BUCKET}"]
