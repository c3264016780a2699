"""What is refused before the first request, and in which words."""

from __future__ import annotations

import difflib
import json
import re
from typing import TYPE_CHECKING, Any

from singer_sdk.helpers._compat import datetime_fromisoformat
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR, extend_validator_with_defaults

from tap_cognito.settings import region

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jsonschema import ValidationError

SEARCHABLE = (
    "username",
    "email",
    "phone_number",
    "name",
    "given_name",
    "family_name",
    "preferred_username",
    "cognito:user_status",
    "status",
    "sub",
)
"""Attributes that a filter of ListUsers may be on."""

_validator = extend_validator_with_defaults(DEFAULT_JSONSCHEMA_VALIDATOR)

_EXCLUSIVE = (
    ("aws_secret_access_key", "api_key_id"),
    ("aws_access_key_id", "aws_profile"),
)
_NEEDS = (
    ("aws_access_key_id", "aws_secret_access_key", "api_key_id"),
    ("aws_secret_access_key", "aws_access_key_id"),
    ("api_key_id", "aws_access_key_id"),
    ("api_key_id", "vault_url"),
    ("aws_session_token", "aws_access_key_id"),
    ("aws_assume_role_external_id", "aws_assume_role_arn"),
)
"""Settings that are of use only together with one of the others in their row."""

_WHAT_TO_DO = {
    "user_pool_id": "set it to the id of a user pool, such as us-east-1_AbCdEf123",
    "aws_assume_role_arn": "set it to a role such as arn:aws:iam::123456789012:role/reader",
    "region": "set it to an AWS region, such as us-east-1",
    "max_requests_per_second": "set it to a whole number from 1 to 1000; AWS's quota is 30",
    "user_filter": "ListUsers takes up to 256 characters",
    "lookback_seconds": "set it to a number of seconds, up to a year",
    "endpoint_url": "set it to an http:// or https:// URL without a user, or leave it out",
}


def problems(config: dict[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Say what is wrong with a configuration, without ever repeating a value that is secret.

    Args:
        config: The tap's settings; those that are missing or null get their defaults.
        schema: `settings.SCHEMA`, with the SDK's own settings beside it.

    Returns:
        One sentence for each problem, each naming its setting; empty when there is none.
    """
    for name in [name for name, value in config.items() if value is None]:
        del config[name]
    found = [_explain(error, config, schema) for error in _validator(schema).iter_errors(config)]
    return found or list(_contradictions(config))


def environment_problems(environ: Mapping[str, str], schema: Mapping[str, Any]) -> list[str]:
    """Say which environment variables of `--config=ENV` the SDK cannot read.

    Args:
        environ: The environment.
        schema: `settings.SCHEMA`, with the SDK's own settings beside it.

    Returns:
        One sentence for each problem, each naming its variable.
    """
    found = []
    for name, setting in schema["properties"].items():
        variable = f"TAP_COGNITO_{name.upper()}"
        for kind, read, form in (
            ("integer", int, "a whole number"),
            ("object", json.loads, "JSON"),
        ):
            if variable in environ and kind in setting["type"]:
                try:
                    read(environ[variable])
                except ValueError:
                    found.append(f"{variable} must be {form}")
    return found


def _contradictions(config: Mapping[str, Any]) -> Iterator[str]:
    for one, other in _EXCLUSIVE:
        if config.get(one) and config.get(other):
            yield f"`{one}` and `{other}` are both set: leave one of them out"
    for given, *needed in _NEEDS:
        if config.get(given) and not any(map(config.get, needed)):
            names = " or ".join(f"`{name}`" for name in needed)
            yield f"`{given}` is set but {names} is not: set both, or neither"
    values = map(str, config.values())
    if config.get("vault_url") and not (
        config.get("api_key_id") or any(one.startswith("supabase-vault:") for one in values)
    ):
        yield "`vault_url` is set but not used: set `api_key_id`, or leave it out"
    of_pool = region({"user_pool_id": config["user_pool_id"]})
    if config.get("region") and of_pool not in {None, config["region"]}:
        yield (
            f"`region` is {config['region']} but `user_pool_id` belongs to {of_pool}: "
            "correct one of them, or leave `region` out"
        )
    if config.get("user_filter"):
        yield from _filter_problems(config["user_filter"])
    if config.get("start_date"):
        try:
            datetime_fromisoformat(config["start_date"])
        except ValueError:
            yield (
                f"`start_date` is no date ({_shorten(config['start_date'])}): "
                "write it as 2026-01-01T00:00:00Z"
            )


def _filter_problems(text: str) -> Iterator[str]:
    """What Cognito would not take, by the documentation of ListUsers' `Filter`."""
    parts = re.fullmatch(r"\s*([^\s=^]+)\s*(\^?=)\s*(.*?)\s*", text, re.DOTALL)
    fault = ""
    if not parts:
        fault = "it is no condition"
    elif parts[1] not in SEARCHABLE:
        # What stands there may be anything, somebody's name or address too.
        known = re.fullmatch(r"[A-Za-z_:]{1,40}", parts[1])
        fault = f"{parts[1] if known else 'its attribute'} cannot be searched"
    elif not re.fullmatch(r'"([^"\\]|\\.)*"', parts[3], re.DOTALL):
        fault = (
            'the value must be one text in double quotes, with \\" for a quote in it; '
            "Cognito takes one condition only"
        )
    if fault:
        yield (
            f'`user_filter`: {fault}. Write it as attribute = "value" or attribute ^= "start"; '
            f"searchable are {', '.join(SEARCHABLE)}"
        )


def _explain(error: ValidationError, config: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    known: dict[str, Any] = schema["properties"]
    rule: Any = error.validator_value
    if not error.path and error.validator == "required":
        (name,) = re.findall(r"^'(\w+)'", error.message)
        return f"`{name}` is missing: {_WHAT_TO_DO[name]}"
    if not error.path and error.validator == "additionalProperties":
        return "; ".join(_unknown(str(name), known) for name in config if name not in known)
    name = ".".join(str(part) for part in error.path)
    setting = known.get(str(error.path[0]), {}) if error.path else {}
    if error.validator == "type":
        types = [kind for kind in ([rule] if isinstance(rule, str) else rule) if kind != "null"]
        return f"`{name}` must be of type {' or '.join(types)}"
    if error.validator == "enum":
        return f"`{name}` must be one of: {', '.join(map(str, rule))}"
    if error.instance == "":
        return f"`{name}` is empty: give it a value, or leave it out"
    is_private = setting.get("writeOnly") or name == "user_filter" or "@" in str(error.instance)
    shown = "" if is_private else f" ({_shorten(error.instance)})"
    advice = _WHAT_TO_DO.get(name, f"it breaks the rule {error.validator}={rule}")
    return f"`{name}` is not valid{shown}: {advice}"


def _unknown(name: str, known: Mapping[str, Any]) -> str:
    similar = difflib.get_close_matches(name, known, n=1)
    advice = f"did you mean `{similar[0]}`?" if similar else "`tap-cognito --about` lists them all"
    return f"`{_shorten(name)}` is not a setting: {advice}"


def _shorten(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:60] + "…"  # noqa: PLR2004 - a readable line
