"""`cognito-to-postgres`: loads users into Postgres by environment variables alone.

It starts `tap-cognito | target-postgres`, and adds what a shell lacks: both ends are checked before
the first record, no second run starts meanwhile, the state is kept, and either end's failure is the
run's. The state is in the schema of the table, so that it goes where the table goes, and no machine
keeps anything.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from tap_cognito import logs
from tap_cognito.config.validation import TRUE
from tap_cognito.errors import TapCognitoError, bug
from tap_cognito.identity.supabase_vault import explain_connection
from tap_cognito.load_database import URL, Database, without_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Process = subprocess.Popen[bytes]

DESCRIPTION = """\
Load the users of a Cognito user pool into Postgres: the table cognito.users.

  TAP_COGNITO_USER_POOL_ID=us-east-1_AbCdEf123
  TARGET_POSTGRES_SQLALCHEMY_URL=postgresql://loader:...@host:5432/warehouse

or TARGET_POSTGRES_HOST, _PORT, _USER, _PASSWORD and _DATABASE. Every setting of the tap is a
variable TAP_COGNITO_..., every one of target-postgres TARGET_POSTGRES_.... With
TAP_COGNITO_EMIT_ACTIVATE_VERSION_MESSAGES=true the rows of deleted users leave the table."""

_TAP = (sys.executable, "-m", "tap_cognito", "--config=ENV")
_TARGET = (
    sys.executable,
    "-c",
    "from target_postgres.target import TargetPostgres; TargetPostgres.cli()",
    "--config=ENV",
)
_MIRROR = "TAP_COGNITO_EMIT_ACTIVATE_VERSION_MESSAGES"
_CONNECT_SECONDS = "10"

_LOGGED = re.compile(r"^(?:psycopg|sqlalchemy)(?:\.\w+)*\.(\w+): (.*)")
"""The line of a traceback that names a failure of the database."""

logger = logging.getLogger("tap-cognito.load")


def main() -> None:
    """Run `cognito-to-postgres`: every failure is one line, and a status that is not 0."""
    logs.install()
    logging.basicConfig(format="%(asctime)s | %(levelname)-8s | %(name)-30s | %(message)s")
    argparse.ArgumentParser(
        prog="cognito-to-postgres",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    try:
        status = _load()
    except TapCognitoError as error:
        logger.error("%s", error)  # noqa: TRY400 - one line
        status = 1
    except Exception as error:  # noqa: BLE001 - the last resort
        logger.error("%s", bug(error))  # noqa: TRY400 - one line
        status = 1
    sys.exit(status)


def _load() -> int:
    """Check both ends, then run the two programs; returns the exit status."""
    os.environ.update(_settings(os.environ))
    with contextlib.ExitStack() as stack:
        database = Database()
        stack.enter_context(database.locked())
        status = subprocess.run([*_TAP, "--test"], stdout=2, check=False).returncode  # noqa: S603
        if status:
            return status
        arguments = []
        if state := database.load_state():
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            path = Path(folder) / "state.json"
            path.write_text(state, encoding="utf-8")
            arguments = ["--state", str(path)]
        tap = _start(stack, [*_TAP, *arguments], stdout=subprocess.PIPE)
        target = _start(
            stack, _TARGET, stdin=tap.stdout, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        _stdout(tap).close()  # so that the tap sees when the target ends
        _forward_signals(tap)
        reason = Reason(target.stderr)
        for line in _stdout(target):
            database.save_state(line.decode())
        statuses = tap.wait(), target.wait()
        reason.join()
        if statuses[1]:
            raise TapCognitoError(f"target-postgres failed: {reason.text}")
        return statuses[0]


def _settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of target-postgres that give the table that the documents describe."""
    is_mirror = environment.get(_MIRROR, "").lower() in TRUE
    settings = {
        "DEFAULT_TARGET_SCHEMA": "cognito",
        "USE_COPY": "true",
        **dict.fromkeys(("ADD_RECORD_METADATA", "ACTIVATE_VERSION", "HARD_DELETE"), str(is_mirror)),
    }
    made = {f"TARGET_POSTGRES_{name}": value for name, value in settings.items()}
    made["PGCONNECT_TIMEOUT"] = _CONNECT_SECONDS  # for each address; psycopg's own is two minutes
    made.update(environment)
    # The form that everybody copies; SQLAlchemy takes it for that of another driver.
    made[URL] = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", made.get(URL, ""))
    return {name: value for name, value in made.items() if value or name != URL}


def _start(stack: contextlib.ExitStack, command: Sequence[str], **streams: Any) -> Process:
    """Start a program that ends with the stack; a terminal's Ctrl-C reaches this one alone."""
    process = subprocess.Popen(command, start_new_session=True, **streams)  # noqa: S603
    stack.enter_context(process)
    stack.callback(process.kill)
    return process


def _stdout(process: Process) -> IO[bytes]:
    output: Any = process.stdout
    return cast("IO[bytes]", output)


def _forward_signals(tap: Process) -> None:
    """Let the tap end a stopped run: what it has read is loaded, and the state kept."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, _: tap.send_signal(number))


class Reason(threading.Thread):
    """Reads what target-postgres logs, and keeps why it failed: one line without values.

    Args:
        log: Its stderr. At log level DEBUG all of it is repeated.
    """

    def __init__(self, log: IO[bytes] | None) -> None:
        super().__init__(daemon=True)
        self._log = log
        self._is_shown = os.environ.get("TAP_COGNITO_LOGLEVEL", "").upper() == "DEBUG"
        self.text = "TAP_COGNITO_LOGLEVEL=DEBUG shows its log"
        self.start()

    def run(self) -> None:
        """Read to the end."""
        is_found = False
        for raw in self._log or ():
            line = raw.decode(errors="replace")
            if self._is_shown:
                sys.stderr.write(line)
            if not is_found and (logged := _LOGGED.match(line)):
                is_found = True
                name, text = logged.groups()
                lost = name == "OperationalError"
                self.text = explain_connection(text) if lost else without_values(name, text)
