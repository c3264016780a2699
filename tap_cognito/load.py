"""`cognito-to-postgres`: loads users into Postgres by environment variables alone.

It starts `tap-cognito | target-postgres`, and adds what a shell lacks: both ends are checked before
the first record, the state is kept, and either end's failure is the run's. The state is in the
schema of the table, so that it goes where the table goes, and no machine keeps anything.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
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

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Engine

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
_URL = "TARGET_POSTGRES_SQLALCHEMY_URL"
_MIRROR = "TAP_COGNITO_EMIT_ACTIVATE_VERSION_MESSAGES"
_POOLS = ("TAP_COGNITO_USER_POOL_ID", "TAP_COGNITO_USER_POOL_IDS")
_TABLE = "_tap_cognito_state"

_LOGGED = re.compile(r"^(?:psycopg|sqlalchemy)(?:\.\w+)*\.(\w+): (.*)")
"""The line of a traceback that names a failure of the database."""

_WITHOUT_VALUES = {
    "DiskFull",
    "InsufficientPrivilege",
    "NotNullViolation",
    "ReadOnlySqlTransaction",
    "UndefinedColumn",
    "UndefinedTable",
    "UniqueViolation",
}
"""Failures whose first line names tables and columns, but no value."""

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
    made.update(environment)
    # The form that everybody copies; SQLAlchemy takes it for that of another driver.
    made[_URL] = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", made.get(_URL, ""))
    return {name: value for name, value in made.items() if value or name != _URL}


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


class Database:
    """The database, by the target's own connection.

    Raises:
        TapCognitoError: If it can't be reached, or the settings don't say which it is.
    """

    def __init__(self) -> None:
        try:
            module = importlib.import_module("target_postgres.target")  # an extra, without types
        except ImportError:
            raise TapCognitoError(
                "target-postgres is missing: install tap-cognito with its extra `postgres`"
            ) from None
        logging.disable(logging.INFO)  # the target says what it does, twice
        try:
            target: Any = module.TargetPostgres(parse_env_config=True)
            connector: Any = target.default_sink_class.connector_class(dict(target.config))
        except Exception as error:  # noqa: BLE001 - its asserts, and what SQLAlchemy makes of a URL
            raise TapCognitoError(
                f"target-postgres rejects its settings ({type(error).__name__}): set {_URL}, or "
                "TARGET_POSTGRES_HOST, _PORT, _USER, _PASSWORD and _DATABASE"
            ) from None
        finally:
            logging.disable(logging.NOTSET)
        self._schema = str(target.config["default_target_schema"])
        self._engine: Engine = connector._engine  # noqa: SLF001 - with the target's TLS and tunnel
        quote = self._engine.dialect.identifier_preparer.quote
        self._table = f"{quote(self._schema)}.{_TABLE}"
        self._pools = "".join(os.environ.get(name, "") for name in _POOLS)
        with self._failing():
            connector.prepare_schema(self._schema)

    def load_state(self) -> str | None:
        """Return what the last run left."""
        columns = "pools text primary key, state text not null"
        self._execute(f"create table if not exists {self._table} ({columns})")
        rows = self._execute(
            f"select state from {self._table} where pools = :pools",  # noqa: S608 - quoted
            pools=self._pools,
        )
        return rows[0] if rows else None

    def save_state(self, state: str) -> None:
        """Keep a state for the next run."""
        self._execute(
            f"insert into {self._table} (pools, state) values (:pools, :state) "  # noqa: S608 - as above
            "on conflict (pools) do update set state = excluded.state",
            pools=self._pools,
            state=state,
        )

    def _execute(self, statement: str, **values: str) -> list[Any]:
        from sqlalchemy import text  # noqa: PLC0415 - comes with the target

        with self._failing(), self._engine.begin() as connection:
            result = connection.execute(text(statement), values)
            return list(result.scalars()) if result.returns_rows else []

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        """Turn the database's failures into one line, and leave no connection open meanwhile."""
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - comes with the target

        try:
            yield
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            reason = _explain(cause)
            raise TapCognitoError(f"the database of TARGET_POSTGRES_...: {reason}") from None
        finally:
            self._engine.dispose()


def _explain(error: BaseException) -> str:
    if getattr(error, "sqlstate", None) is None:
        return explain_connection(str(error))
    return _without_values(type(error).__name__, str(error).partition("\n")[0])


def _without_values(name: str, line: str) -> str:
    return line if name in _WITHOUT_VALUES else name


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
                self.text = explain_connection(text) if lost else _without_values(name, text)
