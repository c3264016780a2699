"""References to secrets: a setting may say where its value is instead of what it is.

A scheme is one function here and its place in `SCHEMES`.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote
from uuid import UUID

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tap_cognito.errors import TapCognitoError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import boto3

_REFERENCE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_POSTGRES = {"postgres", "postgresql"}


class Sources(NamedTuple):
    """What references may be looked up in."""

    session: Callable[..., boto3.Session]
    """Makes the session for Secrets Manager and Parameter Store."""
    vault_url: str | None = None
    """The Postgres URL of the database that holds Supabase Vault."""


class _NotFoundError(Exception):
    """Why a reference cannot be resolved; the text holds no secret."""


def resolve(setting: str, value: str, sources: Sources) -> str:
    """Give the secret that a setting means.

    Args:
        setting: The name of the setting, for the error.
        value: A reference such as `env://NAME`, or the secret itself.
        sources: Where to look up.

    Returns:
        The secret.

    Raises:
        TapCognitoError: If the reference cannot be resolved, or what it stands for cannot be a
            secret; the text says why.
    """
    match = _REFERENCE.match(value)
    subject = f"`{setting}`"
    if match and not (setting == "vault_url" and match[1] in _POSTGRES):
        subject += f": what {value} stands for"
        value = _look_up(setting, value, sources)
    if not value or not value.isprintable():
        raise TapCognitoError(f"{subject} is empty or has a line break in it")
    return value


def _look_up(setting: str, reference: str, sources: Sources) -> str:
    scheme, _, rest = reference.partition("://")
    try:
        if scheme in SCHEMES:
            return SCHEMES[scheme](rest, sources)
        reason = f"the schemes are {', '.join(f'{one}://' for one in SCHEMES)}"
        reference = f"{scheme}://…"  # it may be no reference at all, but a secret
    except _NotFoundError as error:
        reason = str(error)
    raise TapCognitoError(f"`{setting}`: the reference {reference} cannot be resolved: {reason}")


def _env(name: str, _: Sources) -> str:
    if name not in os.environ:
        raise _NotFoundError("there is no such environment variable")
    return os.environ[name]


def _file(path: str, _: Sources) -> str:
    try:
        text = Path(unquote(path)).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise _NotFoundError(str(reason)) from None
    return re.sub(r"\r?\n\Z", "", text)


def _secretsmanager(reference: str, sources: Sources) -> str:
    name, _, key = reference.partition("#")
    answer = _ask_aws(sources, "secretsmanager", "GetSecretValue", name, SecretId=name)
    secret = answer.get("SecretString")
    if secret is None:
        raise _NotFoundError("the secret is binary, not text")
    if not key:
        return str(secret)
    try:
        found = json.loads(secret)[key]
    except (ValueError, LookupError, TypeError):
        found = None
    if not isinstance(found, str):
        raise _NotFoundError(f"the secret is no JSON object with a text at the key {key}")
    return found


def _ssm(name: str, sources: Sources) -> str:
    answer = _ask_aws(sources, "ssm", "GetParameter", name, Name=name, WithDecryption=True)
    return str(answer["Parameter"]["Value"])


def _ask_aws(
    sources: Sources, service: str, operation: str, name: str, **parameters: Any
) -> Mapping[str, Any]:
    # An ARN names its own region.
    region = name.split(":")[3] if name.startswith("arn:") and name.count(":") > 3 else None  # noqa: PLR2004
    try:
        make: Any = sources.session().client
        client = make(
            service,
            region_name=region,
            config=Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard"}),
        )
        answer: Mapping[str, Any] = getattr(client, xform_name(operation))(**parameters)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in {"ResourceNotFoundException", "ParameterNotFound"}:
            reason = "there is no such secret"
        elif code.startswith("AccessDenied"):
            reason = f"no permission: allow {service}:{operation} (and kms:Decrypt of its key)"
        else:
            reason = f"AWS refused {service}:{operation} ({code})"
        raise _NotFoundError(reason) from None
    except BotoCoreError as error:
        raise _NotFoundError(f"{service} cannot be asked ({type(error).__name__})") from None
    return answer


def _supabase_vault(reference: str, sources: Sources) -> str:
    if not sources.vault_url:
        raise _NotFoundError("set `vault_url` to the database that holds Supabase Vault")
    try:
        import psycopg  # noqa: PLC0415 - an extra: most taps need no Postgres
        from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415
    except ImportError:
        raise _NotFoundError("install `tap-cognito[vault]`") from None
    try:
        parameters = conninfo_to_dict(sources.vault_url)
    except psycopg.Error:  # its text quotes the URL
        raise _NotFoundError("`vault_url` is no Postgres URL") from None
    try:
        key = UUID(reference)
        condition = "id = %(key)s or key_id = %(key)s"
    except ValueError:
        key = reference  # type: ignore[assignment]
        condition = "name = %(key)s"
    query = f"select decrypted_secret from vault.decrypted_secrets where {condition}"  # noqa: S608
    shown = " ".join(f"{k}={v}" for k, v in parameters.items() if k in {"host", "port", "dbname"})
    try:
        with psycopg.connect(sources.vault_url, connect_timeout=10) as connection:
            rows = connection.execute(query, {"key": key}).fetchall()
    except psycopg.errors.UndefinedTable:
        raise _NotFoundError(f"there is no Supabase Vault in the database {shown}") from None
    except psycopg.errors.InsufficientPrivilege:
        raise _NotFoundError(
            "the role of `vault_url` may not read vault.decrypted_secrets"
        ) from None
    except psycopg.Error as error:
        raise _NotFoundError(
            f"the database {shown} cannot be asked: {_why(error, parameters)}"
        ) from None
    if len(rows) > 1:
        raise _NotFoundError(f"{len(rows)} secrets have this key id: use the secret's id or name")
    if not rows or rows[0][0] is None:
        raise _NotFoundError("there is no such secret in Supabase Vault")
    return str(rows[0][0])


def _why(error: Exception, parameters: Mapping[str, Any]) -> str:
    """Psycopg's own reason on one line, without the password."""
    text = " ".join(str(error).split())
    password = str(parameters.get("password") or "")
    return text.replace(password, "***") if password else text


SCHEMES: dict[str, Callable[[str, Sources], str]] = {
    "env": _env,
    "file": _file,
    "aws-secretsmanager": _secretsmanager,
    "aws-ssm": _ssm,
    "supabase-vault": _supabase_vault,
}
