"""The database of `cognito-to-postgres`: the check, the state and the lock."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
from typing import TYPE_CHECKING, Any

from tap_cognito.errors import TapCognitoError
from tap_cognito.identity.supabase_vault import explain_connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

URL = "TARGET_POSTGRES_SQLALCHEMY_URL"
_POOLS = ("TAP_COGNITO_USER_POOL_ID", "TAP_COGNITO_USER_POOL_IDS")
_TABLE = "_tap_cognito_state"

_NOT_A_TABLE = """
select true from pg_class join pg_namespace on pg_namespace.oid = relnamespace
where nspname = :schema and relname = 'users' and relkind not in ('r', 'p')"""

_LOCK = "select pg_try_advisory_lock(hashtextextended(:name, 0))"
"""A session's: it ends with the connection, however the run ends."""

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
                f"target-postgres rejects its settings ({type(error).__name__}): set {URL}, or "
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
        if self._execute(_NOT_A_TABLE, schema=self._schema):
            raise TapCognitoError(
                "`users` is a foreign table or a view, which can't be loaded into: set "
                "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA to another schema"
            )

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs of the same pools and schema away, until this one ends in any way.

        Raises:
            TapCognitoError: If there is one.
        """
        from sqlalchemy import text  # noqa: PLC0415 - comes with the target

        with contextlib.ExitStack() as stack:
            with self._failing():
                session = stack.enter_context(self._engine.connect())
                session.execution_options(isolation_level="AUTOCOMMIT")
                name = f"{self._table} {self._pools}"
                is_free = session.execute(text(_LOCK), {"name": name}).scalar()
            if not is_free:
                raise TapCognitoError(
                    "another cognito-to-postgres loads the same pools into the same schema: "
                    "wait until it has ended"
                )
            yield

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
    return without_values(type(error).__name__, str(error).partition("\n")[0])


def without_values(name: str, line: str) -> str:
    """Return what may be shown of a failure of the database.

    Args:
        name: The exception's.
        line: The first line of its text.
    """
    return line if name in _WITHOUT_VALUES else name
