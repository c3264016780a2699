"""The commands for working on tap-cognito.

They need Python 3.10 to 3.14, pip and the package index, nothing else: everything is installed into
this folder (`.tools/`, `.venv/`), in exactly the versions of `requirements/dev.txt`.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent
LOCK = ROOT / "requirements" / "dev.txt"
TOOLS = ROOT / ".tools"
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

MODULES = {
    "quickstart": "quickstart",
    "history": "quickstart.history",
    "test": "pytest",
    "mutate": "mutmut",
    "docs": "docs.generate",
    "benchmark": "benchmarks",
    "verify": "verify",
}
CHECKS = [
    ["ruff", "check"],
    ["ruff", "format", "--check"],
    ["mypy"],
    ["lint-imports", "--no-cache", "--no-logo"],
    ["zizmor", "--offline", "--quiet", "--strict-collection", "."],
]


def main() -> None:
    """Prepare the environment and run a command in it."""
    # A signal ends the current step too: subprocess.run kills it on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    parser = argparse.ArgumentParser(prog="dev.py", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    commands.add_parser("quickstart", help="load an emulated user pool into an embedded Postgres")
    commands.add_parser("history", help="play four months of an emulated pool with dbt's models")
    commands.add_parser("test", help="run the tests; further arguments go to pytest")
    commands.add_parser("coverage", help="run the tests, and fail if they miss much of the package")
    commands.add_parser("mutate", add_help=False, help="run mutmut: which mutations do tests miss?")
    commands.add_parser("check", help="run the linters, the formatter and the type checker")
    commands.add_parser("docs", help="generate the parts of the documents that repeat the code")
    commands.add_parser("benchmark", add_help=False, help="compare the tap's speed with others'")
    commands.add_parser(
        "verify", add_help=False, help="compare the tap with a plain loop over a pool"
    )
    commands.add_parser("lock", help="renew requirements/ from pyproject.toml")
    options, rest = parser.parse_known_args()
    if rest and options.command not in {"test", "coverage", "mutate", "benchmark", "verify"}:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if not (3, 10) <= sys.version_info < (3, 15):
        fail(f"this is Python {sys.version.split()[0]}; use a version from 3.10 to 3.14")
    os.chdir(ROOT)
    # Otherwise each of hundreds of processes compiles everything that it imports.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    home = os.environ.get("HOME")
    if os.name != "nt" and not (home and os.access(home, os.W_OK)):
        os.environ.setdefault("UV_CACHE_DIR", str(TOOLS / "cache"))
        os.environ.setdefault("PIP_NO_CACHE_DIR", "1")
    if has_system_certificates():
        os.environ.setdefault("UV_SYSTEM_CERTS", "true")  # they include a TLS proxy's
    if options.command == "lock":
        lock()
        return
    install()
    if options.command == "check":
        codes = [subprocess.call([PYTHON.with_name(name), *rest]) for name, *rest in CHECKS]
        sys.exit(max(codes))
    if options.command == "coverage":
        steps = ["erase"], ["run", "-m", "pytest", *rest], ["combine", "--quiet"], ["report"]
        codes = [subprocess.call([PYTHON, "-m", "coverage", *step]) for step in steps]
        sys.exit(max(codes))
    if options.command == "mutate":
        os.environ["PYTHONPATH"] = str(TOOLS / "mutmut")
        place = ("--python", str(PYTHON), "--target", os.environ["PYTHONPATH"])
        locked = ("--require-hashes", "--requirement", str(LOCK.with_name("mutation.txt")))
        run_uv("pip", "install", "--quiet", *place, *locked)
    become([str(PYTHON), "-m", MODULES[options.command], *rest])


def install() -> None:
    """Install the lock into `.venv`, unless it is there."""
    stamp = VENV / "stamp"
    wanted = fingerprint(LOCK, ROOT / "pyproject.toml")
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    say("Installing the locked packages into .venv, about a minute")
    run_uv("venv", "--quiet", "--clear", "--no-project", "--python", base_python(), str(VENV))
    install = ("pip", "install", "--python", str(PYTHON))
    run_uv(*install, "--quiet", "--require-hashes", "--requirement", str(LOCK))
    run_uv(*install, "--quiet", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    stamp.write_text(wanted)


def lock() -> None:
    """Pin versions that pyproject.toml allows, for every Python and system.

    dev.txt has the newest of everything, build.txt and meltano.txt have parts of it, mutation.txt
    adds to it, dbt.txt is apart from it, and lowest.txt has the oldest that the package allows.
    """
    say(f"Renewing {LOCK.parent.relative_to(ROOT)}/")
    compile_ = (
        *("pip", "compile", "--quiet", "--upgrade", "--universal", "--python-version", "3.10"),
        *("--generate-hashes", "--no-annotate", "--custom-compile-command", "python3 dev.py lock"),
    )
    part = ("--constraint", str(LOCK), "--group")
    for name, *arguments in (
        (LOCK.name, "--group", "dev", "--all-extras", "pyproject.toml"),
        ("build.txt", *part, "build"),
        ("meltano.txt", *part, "meltano"),
        ("mutation.txt", *part, "mutation"),
        # Wheels only: newer versions of dbt build a part of it from what no hash covers.
        ("dbt.txt", "--only-binary", ":all:", "--group", "dbt"),
        ("lowest.txt", "--resolution", "lowest-direct", "pyproject.toml"),
    ):
        run_uv(*compile_, *arguments, "--output-file", str(LOCK.with_name(name)))


def run_uv(*arguments: str) -> None:
    """Run uv in the locked version."""
    found = re.search(r"^uv==.*?[^\\]$", LOCK.read_text(), re.MULTILINE | re.DOTALL)
    if not found:
        fail(f"{LOCK.relative_to(ROOT)} doesn't pin uv")
    pin, stamp = found[0] + "\n", TOOLS / "uv.txt"
    if not stamp.is_file() or stamp.read_text() != pin:
        pip = [base_python(), "-m", "pip"]
        if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:
            fail(f"{pip[0]} has no pip: install it (Debian and Ubuntu: python3-pip)")
        say("Installing uv into .tools")
        shutil.rmtree(TOOLS, ignore_errors=True)
        TOOLS.mkdir()
        pinned = TOOLS / "pinned.txt"
        pinned.write_text(pin)
        install = [*pip, "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        run([*install, "--target", str(TOOLS), "--requirement", str(pinned)])
        pinned.rename(stamp)
    run([base_python(), "-m", "uv", *arguments])


def run(command: list[str]) -> None:
    """Run a step of the installation; it prints its own errors first."""
    environment = os.environ | {
        "PIP_ROOT_USER_ACTION": "ignore",
        "PYTHONPATH": str(TOOLS),
        "UV_PYTHON_DOWNLOADS": "never",
    }
    code = subprocess.run(command, env=environment, check=False).returncode
    if code:
        fail(
            f"`{' '.join(command[2:4])}` failed, see above. Is the package index reachable? Behind "
            "a TLS proxy, set SSL_CERT_FILE and PIP_CERT to a file with its certificate"
        )


def become(command: list[str]) -> NoReturn:
    """Replace this process by another program."""
    if os.name == "nt":  # where exec would return to the shell at once
        sys.exit(subprocess.call(command))
    os.execv(command[0], command)  # noqa: S606 - our own interpreter


def base_python() -> str:
    """The Python that .venv is based on, also when .venv's own runs dev.py."""
    inside = Path(sys.prefix).resolve() == VENV
    base: str = sys._base_executable if inside else sys.executable  # type: ignore[attr-defined] # noqa: SLF001
    return base


def has_system_certificates() -> bool:
    """Whether the system has certificates: without any, uv must use its own."""
    if sys.platform != "linux":
        return True
    paths = ssl.get_default_verify_paths()
    return bool(paths.cafile or (paths.capath and any(Path(paths.capath).iterdir())))


def fingerprint(*files: Path) -> str:
    """Hash what an environment depends on: these files, this Python and this folder."""
    parts = [sys.version, sys.base_prefix, str(ROOT), *(file.read_text() for file in files)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def say(message: str) -> None:
    """Show the current step."""
    sys.stderr.write(f"dev.py: {message} ...\n")


def fail(message: str) -> NoReturn:
    """Exit with one line that says what is wrong."""
    sys.exit(f"dev.py: {message}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
