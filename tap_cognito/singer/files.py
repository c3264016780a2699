"""The files of a run: config and catalog, read so that a fault names its file."""

from __future__ import annotations

import codecs
import itertools
import json
import re
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tap_cognito import logs
from tap_cognito.config.settings import SECRETS
from tap_cognito.errors import TapCognitoError

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

_MAX_MIB = 64
"""A state of 10,000 pools, each with a scan under way, is a tenth of it."""
_MAX_DEPTH = 50
"""Levels of nested objects and lists, several times those of a catalog; validators recurse."""


def load_config(path: str) -> dict[str, Any]:
    """Read a config file.

    Args:
        path: Its path; it may be a pipe.

    Returns:
        The settings in it, not yet checked. Those that are secret are masked on stderr from now
        on.

    Raises:
        TapCognitoError: If it can't be read or isn't a JSON object.
    """
    # What is no file may be anything: the settings themselves, or a secret.
    shown = f" {path}" if re.fullmatch(r"[\w ./\\:-]{1,200}\.json", path) else ""
    try:
        with Path(path).open("rb") as file:
            config = read_object(file, f"--config {path[:200]}")
    except OSError as error:
        raise TapCognitoError(f"--config{shown}: {error.strerror}; it must be a file") from None
    except ValueError:
        raise TapCognitoError("--config isn't the path of a file") from None
    for name in SECRETS:
        if isinstance(config.get(name), str):
            logs.hide(config[name])
    return config


def first_error(validator: Draft202012Validator, value: Any) -> ValidationError | None:
    """Return the first error that a validator finds, if any."""
    return next(validator.iter_errors(value), None)


def where(error: ValidationError) -> str:
    """Return the place of an error, by those names that the form itself gives."""
    path = [str(part) for part in error.absolute_schema_path]
    names = [name for keyword, name in itertools.pairwise(path) if keyword == "properties"]
    return f"`{'.'.join(names)}`" if names else "its top"


def read_object(file: IO[Any], name: str, if_damaged: str = "") -> dict[str, Any]:
    """Read a JSON object.

    Args:
        file: The file.
        name: What it is called in an error.
        if_damaged: What to do if it is empty or isn't JSON.

    Raises:
        TapCognitoError: If it isn't one.
    """
    content = getattr(file, "buffer", file).read(_MAX_MIB * 1024 * 1024 + 1)
    advice = f": {if_damaged}" if if_damaged else ""
    if len(content) > _MAX_MIB * 1024 * 1024:
        raise TapCognitoError(f"{name} is larger than {_MAX_MIB} MiB")
    if not content.strip():
        raise TapCognitoError(f"{name} is empty{advice}")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise TapCognitoError(
            f"{name} is in UTF-16, as some shells write it: write it as UTF-8, in PowerShell with "
            "`| Out-File -Encoding utf8`"
        )
    try:
        value = json.loads(content.decode("utf-8-sig"), parse_constant=_refuse)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and content[error.pos :].lstrip()[:1] == b"{":
            raise TapCognitoError(f"{name} has several JSON objects: give the last one") from None
        where = f"line {error.lineno}, column {error.colno}"
        raise TapCognitoError(f"{name} isn't JSON: {error.msg}, {where}{advice}") from None
    except (ValueError, RecursionError):
        raise TapCognitoError(f"{name} isn't JSON in UTF-8, or nested too deep") from None
    if not isinstance(value, dict):
        raise TapCognitoError(f"{name} must be a JSON object")
    if _is_deeper(value, _MAX_DEPTH):
        raise TapCognitoError(f"{name} is nested too deep: more than {_MAX_DEPTH} levels")
    return value


def _is_deeper(value: Any, depth: int) -> bool:
    """Return whether a JSON value is nested deeper, without recursion."""
    level = [value]
    for _ in range(depth):
        children = (item.values() if isinstance(item, dict) else item for item in level)
        level = [
            child for several in children for child in several if isinstance(child, (dict, list))
        ]
    return bool(level)


def _refuse(constant: str) -> None:
    """Refuse NaN and Infinity, which Python takes and JSON doesn't have."""
    raise ValueError(constant)
