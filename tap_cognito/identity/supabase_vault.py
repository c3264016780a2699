"""Supabase Vault: secrets in a Postgres database, by id, name or key id.

No error shows the database's address or Postgres' own words: which part of a URL is a password
isn't always plain, and what Postgres says quotes users and databases.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from tap_cognito import logs
from tap_cognito.errors import TapCognitoError
from tap_cognito.local_faults import NO_THREADS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import psycopg

_Answer = TypeVar("_Answer")

_URL = ("postgres://", "postgresql://")

_QUERY = """
select
  decrypted_secret,
  case when id = %(id)s then 'id' when name = %(name)s then 'name' else 'key id' end as found_by
from vault.decrypted_secrets
where id = %(id)s or key_id = %(id)s or name = %(name)s
"""

_DECRYPT = "_crypto_aead_det_decrypt"

_NO_PERMISSION = "42501"

_BY_STATE = {
    _NO_PERMISSION: "its role may not read it: grant usage on schema vault and select on "
    "vault.decrypted_secrets",
    "42P01": "there is no Supabase Vault in it: check the name of the database",
}
"""What is wrong, by SQLSTATE."""

_BY_WORDS = {
    "too many": "it has too many connections",
    "no password supplied": "it asks for a password: put one into the URL",
    "password": "it refuses the user or the password",
    "role": "it refuses the user",
    "pg_hba": "it rejects connections from this machine: check pg_hba.conf and `sslmode`",
    "database": "there is no database of this name",
    "refused": "nothing listens there: check host and port",
    "timeout": "no answer in time: check host, port and the network",
    "resolve": "its host is unknown",
    "certificate": "its certificate isn't trusted: check `sslmode` and `sslrootcert`",
    "SSL": "TLS negotiation failed: check `sslmode`",
}
"""What is wrong with a connection, by a word of libpq's text, which has no SQLSTATE."""

_OTHERWISE = (
    "it can't be reached or rejected the login: check host, port, user, password and `sslmode`"
)

_TAKEN = (
    *("host", "port", "user", "password", "dbname"),
    *("sslmode", "sslrootcert", "connect_timeout"),
)
"""What a URL may set. Some of libpq's other parameters load native code (`sslkey`), write files
(`sslkeylogfile`) or read further ones (`service`, `passfile`)."""

_OF_SUPABASE = ("pgbouncer", "schema", "supa")
"""Parameters of Supabase's own pages, for other programs; libpq refuses them."""

_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

_CONNECT_SECONDS = 10
_QUERY_SECONDS = 10
"""Seconds that the query may take beyond those of the connection."""

_LONGEST_CONNECT = 60

_NO_FILE = f"{os.devnull}/none"
"""A path that can't exist."""

logger = logging.getLogger("tap-cognito.vault")


def is_postgres_url(text: str) -> bool:
    """Return whether a text is a Postgres URL, and no reference to one.

    Args:
        text: The value of `vault_url`.

    Returns:
        Whether it begins like one.
    """
    return text.startswith(_URL)


def read_secret(vault_url: str, key: str) -> str:
    """Read a secret.

    Args:
        vault_url: The URL, or the connection string, of the database that holds Supabase Vault.
        key: The secret's id, name or key id, in this order.

    Returns:
        The decrypted secret.

    Raises:
        TapCognitoError: If it can't be read.
    """
    try:
        import psycopg  # noqa: PLC0415 - an extra: most taps need no Postgres
        from psycopg.conninfo import make_conninfo  # noqa: PLC0415
    except ImportError:
        raise TapCognitoError(
            "psycopg is missing: install tap-cognito with its extra `vault`"
        ) from None
    parameters = _parameters(vault_url)
    try:
        identifier = UUID(key)
    except ValueError:
        identifier = None
    seconds = _connect_seconds(parameters) + _QUERY_SECONDS

    def ask() -> list[tuple[str | None, str]]:
        with psycopg.connect(make_conninfo(**parameters)) as connection:
            return connection.execute(_QUERY, {"id": identifier, "name": key}).fetchall()

    try:
        rows = _within(seconds, ask)
    except psycopg.Error as error:
        raise TapCognitoError(f"the database of `vault_url`: {_explain(error)}") from None
    for found_by in ("id", "name", "key id"):
        secrets = [secret for secret, by in rows if by == found_by]
        if len(secrets) > 1:
            raise TapCognitoError(
                f"{len(secrets)} secrets have this key id: use the secret's id or name"
            )
        if secrets and secrets[0] is not None:
            return str(secrets[0])
    raise TapCognitoError("there is no such secret in Supabase Vault")


def _within(seconds: float, ask: Callable[[], _Answer]) -> _Answer:
    """Return what a function returns, or raise what it raises; leave it behind after a time.

    libpq limits the login only: a server that accepts it and never answers would hold the tap.
    """
    answer: Future[_Answer] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except Exception as error:  # noqa: BLE001 - raised again by the caller's thread
            answer.set_exception(error)

    try:
        threading.Thread(target=run, daemon=True, name="vault").start()
    except RuntimeError:
        raise TapCognitoError(NO_THREADS) from None
    try:
        return answer.result(seconds)
    except FutureTimeoutError:
        raise TapCognitoError(
            f"the database of `vault_url` doesn't answer within {seconds:.0f} s: check host, port "
            "and the network"
        ) from None


def _parameters(vault_url: str) -> dict[str, str]:
    """Parse a URL, and refuse one that says more than where the database is and who asks.

    Also refused is one in which a part of the password may be taken for something else.
    """
    import psycopg  # noqa: PLC0415 - as above
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    if is_postgres_url(vault_url):
        vault_url = _without_supabases(vault_url)
    try:
        given = conninfo_to_dict(vault_url)
    except psycopg.Error:  # its text quotes the URL
        raise TapCognitoError(_NOT_A_URL) from None
    parameters = {name: str(value) for name, value in given.items()}
    logs.hide(parameters.get("password"))
    if is_postgres_url(vault_url):
        authority, _, rest = vault_url.partition("://")[2].partition("/")
        ports = (parameters.get("port") or "0").split(",")
        if authority.count("@") > 1 or "@" in rest or not all(map(str.isdecimal, ports)):
            raise TapCognitoError(_NOT_A_URL)
    if others := sorted(parameters.keys() - {*_TAKEN}):  # names of libpq's, never parts of a secret
        raise TapCognitoError(
            f"`vault_url` sets `{others[0]}`, which isn't accepted: leave it out; accepted are "
            f"{', '.join(_TAKEN)}"
        )
    if parameters.get("sslmode", "prefer") not in _SSL_MODES:
        raise TapCognitoError(
            f"`sslmode` of `vault_url` is invalid: it is one of {', '.join(_SSL_MODES)}"
        )
    # What the URL leaves out isn't taken from elsewhere: whoever writes it would choose the server
    # that gets the password of the environment, or of a file.
    return {
        "password": "",
        **parameters,
        "passfile": _NO_FILE,
        "connect_timeout": str(_connect_seconds(parameters)),
    }


def _without_supabases(vault_url: str) -> str:
    address, _, query = vault_url.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    left_out = sorted({name for name, _, _ in pairs} & {*_OF_SUPABASE})
    if left_out:
        logger.info(
            "`vault_url`: %s of its parameters are left out, which Postgres doesn't know: %s",
            len(left_out),
            ", ".join(left_out),
        )
    kept = "&".join("".join(pair) for pair in pairs if pair[0] not in _OF_SUPABASE)
    return f"{address}?{kept}" if kept else address


def _connect_seconds(parameters: Mapping[str, str]) -> int:
    text = parameters.get("connect_timeout", str(_CONNECT_SECONDS))
    seconds = int(text) if re.fullmatch(r"[0-9]{1,3}", text) else 0
    if not 1 <= seconds <= _LONGEST_CONNECT:
        raise TapCognitoError(
            "`connect_timeout` of `vault_url` is invalid: set it to a number of seconds, up to "
            f"{_LONGEST_CONNECT}"
        )
    return seconds


_NOT_A_URL = (
    "`vault_url` isn't a valid Postgres URL: percent-encode the user and the password in it, "
    "such as `@` as %40, `/` as %2F and `%` as %25, and give it no parameter but "
    f"{', '.join(_TAKEN[5:])}"
)


def _explain(error: psycopg.Error) -> str:
    text = str(error)
    if error.sqlstate == _NO_PERMISSION and _DECRYPT in text:
        return (
            f"its role may not decrypt: grant execute on function vault.{_DECRYPT}, "
            "see docs/credentials.md"
        )
    if error.sqlstate:
        return _BY_STATE.get(error.sqlstate, f"it failed with SQLSTATE {error.sqlstate}")
    return explain_connection(text)


def explain_connection(text: str) -> str:
    """Return what is wrong with a connection, by what libpq says; its own words aren't repeated."""
    # Before it stands the host, which may have any of these words in its name.
    reason = text.rpartition("failed: ")[2].partition("host '")[0]
    return next((words for word, words in _BY_WORDS.items() if word in reason), _OTHERWISE)
