"""References to secrets: a setting may say where its value is instead of what it is.

A scheme is one function here and its place in `SCHEMES`. No error shows what is behind the
scheme: where a shell has replaced a variable, it is the secret itself.
"""

from __future__ import annotations

import functools
import json
import os
import re
import stat
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tap_cognito import logs
from tap_cognito.config.settings import SECRETS
from tap_cognito.error_codes import ErrorKind, classify, error_code
from tap_cognito.error_messages import who_denied
from tap_cognito.errors import CredentialsError, TapCognitoError
from tap_cognito.identity.credentials import create_session
from tap_cognito.identity.supabase_vault import is_postgres_url, read_secret
from tap_cognito.local_faults import explain_unconnected, make_client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import boto3

_MAX_BYTES = 64 * 1024
"""As much as Secrets Manager holds in a secret."""

_LOOKUP = ("user_pool_id", "user_pool_ids", "region", "aws_profile", "allow_http")
"""The settings that Secrets Manager and Parameter Store are asked with."""


class _Sources(NamedTuple):
    """What references may be looked up in."""

    session: Callable[[], boto3.Session]
    """Makes the session for Secrets Manager and Parameter Store."""
    vault_url: str | None = None
    """The Postgres URL of the database that holds Supabase Vault."""


def resolve_secrets(config: Mapping[str, Any]) -> dict[str, Any]:
    """Put secrets in the place of the references to them.

    AWS is asked with `aws_profile`, or with boto3's default chain, once for each reference.

    Args:
        config: The tap's settings, validated.

    Returns:
        The settings with no reference left in them, and `aws_secret_access_key` in the place of
        `api_key_id`. All secrets in them are masked on stderr from now on.

    Raises:
        CredentialsError: If a reference can't be resolved, or what it stands for can't be a
            secret; the text names the setting and says why.
    """
    resolved = dict(config)
    lookup = {name: config[name] for name in _LOOKUP if name in config}
    sources = _Sources(functools.cache(lambda: create_session(lookup)))
    if "vault_url" in config:
        resolved["vault_url"] = _resolve("vault_url", config["vault_url"], sources)
        sources = sources._replace(vault_url=resolved["vault_url"])
    for name in SECRETS:
        if name in config and name != "vault_url":
            resolved[name] = _resolve(name, config[name], sources)
    if "api_key_id" in config:
        scheme = "supabase-vault://"
        reference = scheme + resolved.pop("api_key_id").removeprefix(scheme)
        resolved["aws_secret_access_key"] = _resolve("api_key_id", reference, sources)
    return resolved


def _resolve(setting: str, value: str, sources: _Sources) -> str:
    subject = f"`{setting}`"
    scheme, separator, place = value.partition("://")
    if separator and not (setting == "vault_url" and is_postgres_url(value)):
        if scheme not in SCHEMES:
            schemes = ", ".join(f"{known}://" for known in SCHEMES)
            raise CredentialsError(f"{subject} uses an unknown scheme; supported: {schemes}")
        subject = f"{subject}: the reference {scheme}://…"
        try:
            value = SCHEMES[scheme](place, sources)
        except TapCognitoError as error:
            raise CredentialsError(f"{subject} can't be resolved: {error}") from None
        subject += " resolves to a value that"
    logs.hide(value)
    if not value or not value.isprintable():
        raise CredentialsError(f"{subject} is empty or contains a line break")
    return value


def _env(name: str, _: _Sources) -> str:
    if name not in os.environ:
        raise TapCognitoError(
            "there is no such environment variable; omit the `$`: a shell replaces it with "
            "the value"
        )
    return os.environ[name]


def _open(path: str, flags: int) -> int:
    """Open without waiting: a FIFO would wait for a writer."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _file(path: str, _: _Sources) -> str:
    try:
        with open(unquote(path), "rb", opener=_open) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise TapCognitoError("it isn't a regular file")
            read = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise TapCognitoError(str(error.strerror)) from None
    except ValueError:
        raise TapCognitoError("it isn't a path") from None
    if len(read) > _MAX_BYTES:
        raise TapCognitoError(f"the file is larger than {_MAX_BYTES // 1024} KiB")
    try:
        text = read.decode("utf-8-sig")
    except ValueError:
        raise TapCognitoError("the file isn't UTF-8 text") from None
    return re.sub(r"\r?\n\Z", "", text)


_COLONS_OF_AN_ARN = 6


def _secretsmanager(reference: str, sources: _Sources) -> str:
    name, _, key = reference.partition("#")
    if name.startswith("arn:") and name.count(":") > _COLONS_OF_AN_ARN:
        raise TapCognitoError(
            "the ARN goes on behind the secret's name, as ECS writes it: end it there, and write "
            "the JSON key behind `#`"
        )
    answer = _ask_aws(sources, "secretsmanager", "GetSecretValue", name, SecretId=name)
    secret = answer.get("SecretString")
    if secret is None:
        raise TapCognitoError("the secret is binary, not text")
    logs.hide(secret)
    if not key:
        return str(secret)
    try:
        found = json.loads(secret)[key]
    except (ValueError, LookupError, TypeError, RecursionError):
        found = None
    if not isinstance(found, str):
        raise TapCognitoError("the secret isn't a JSON object with a text at that key")
    return found


def _ssm(name: str, sources: _Sources) -> str:
    answer = _ask_aws(sources, "ssm", "GetParameter", name, Name=name, WithDecryption=True)
    parameter = answer.get("Parameter")
    value = parameter.get("Value") if isinstance(parameter, dict) else None
    if not isinstance(value, str):
        raise TapCognitoError("the answer of ssm has no such parameter: check AWS_ENDPOINT_URL_SSM")
    return value


def _ask_aws(
    sources: _Sources, service: str, operation: str, name: str, **parameters: Any
) -> Mapping[str, Any]:
    # An ARN names its own region.
    region = name.split(":")[3] if name.startswith("arn:") and name.count(":") > 3 else None  # noqa: PLR2004
    client = None
    try:
        client = make_client(
            sources.session(),
            service,
            region_name=region,
            config=Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard"}),
        )
        answer: Mapping[str, Any] = getattr(client, xform_name(operation))(**parameters)
    except ClientError as error:
        reason = {
            ErrorKind.NOT_FOUND: "there is no such secret",
            ErrorKind.ACCESS_DENIED: f"no permission: {who_denied(error)}"
            if who_denied(error)
            else f"no permission: allow {service}:{operation} (and kms:Decrypt of its key)",
        }.get(classify(error), f"AWS refused {service}:{operation} ({error_code(error)})")
        raise TapCognitoError(reason) from None
    except (BotoCoreError, ValueError) as error:
        fault = explain_unconnected(error, client.meta.endpoint_url) if client else None
        raise TapCognitoError(
            fault or f"the request to {service} failed ({type(error).__name__})"
        ) from None
    return answer


def _supabase_vault(name: str, sources: _Sources) -> str:
    if not sources.vault_url:
        raise TapCognitoError("set `vault_url` to the database that holds Supabase Vault")
    return read_secret(sources.vault_url, name)


SCHEMES: dict[str, Callable[[str, _Sources], str]] = {
    "env": _env,
    "file": _file,
    "aws-secretsmanager": _secretsmanager,
    "aws-ssm": _ssm,
    "supabase-vault": _supabase_vault,
}
