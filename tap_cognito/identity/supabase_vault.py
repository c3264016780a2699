"""Supabase Vault: secrets in a Postgres database, by id, name or key id.

No error shows the database's address or Postgres' own words: which part of a URL is a password
isn't always plain, and what Postgres says quotes users and databases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from tap_cognito import logs
from tap_cognito.errors import TapCognitoError

if TYPE_CHECKING:
    import psycopg

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
    "password": "it refuses the user or the password",
    "role": "it refuses the user",
    "pg_hba": "it rejects connections from this machine: check pg_hba.conf and `sslmode`",
    "database": "there is no database of this name",
    "timeout": "no answer in time: check host, port and the network",
    "refused": "nothing listens there: check host and port",
    "resolve": "its host is unknown",
    "certificate": "its certificate isn't trusted: check `sslmode` and `sslrootcert`",
    "SSL": "TLS negotiation failed: check `sslmode`",
    "connection slots": "it has too many connections",
}
"""What is wrong with a connection, by a word of libpq's text; it gives no SQLSTATE."""


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
    except ImportError:
        raise TapCognitoError(
            "psycopg is missing: install tap-cognito with its extra `vault`"
        ) from None
    _check(vault_url)
    try:
        identifier = UUID(key)
    except ValueError:
        identifier = None
    try:
        with psycopg.connect(vault_url, connect_timeout=10) as connection:
            rows = connection.execute(_QUERY, {"id": identifier, "name": key}).fetchall()
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


def _check(vault_url: str) -> None:
    """Refuse a URL in which a part of the password may be taken for something else."""
    import psycopg  # noqa: PLC0415 - as above
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    try:
        parameters = conninfo_to_dict(vault_url)
    except psycopg.Error:  # its text quotes the URL
        raise TapCognitoError(_NOT_A_URL) from None
    logs.hide(str(parameters.get("password") or ""))
    if is_postgres_url(vault_url):
        authority, _, rest = vault_url.partition("://")[2].partition("/")
        ports = str(parameters.get("port") or "0").split(",")
        if authority.count("@") > 1 or "@" in rest or not all(map(str.isdecimal, ports)):
            raise TapCognitoError(_NOT_A_URL)


_NOT_A_URL = (
    "`vault_url` isn't a valid Postgres URL: percent-encode the user and the password in it, "
    "such as `@` as %40, `/` as %2F and `%` as %25"
)


def _explain(error: psycopg.Error) -> str:
    text = str(error)
    if error.sqlstate == _NO_PERMISSION and _DECRYPT in text:
        return (
            f"its role may not decrypt: grant execute on function vault.{_DECRYPT}, "
            "see docs/credentials.md"
        )
    if error.sqlstate:
        return _BY_STATE.get(error.sqlstate, f"it answers with SQLSTATE {error.sqlstate}")
    # Before it stands the host, which may have any of these words in its name.
    reason = text.rpartition("failed: ")[2].partition("host '")[0]
    return next(
        (words for word, words in _BY_WORDS.items() if word in reason), "it can't be reached"
    )
