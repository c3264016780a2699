"""Validates settings before the first request.

No value of a string is ever repeated: any of them may be a secret that was put in the wrong place.
"""

from __future__ import annotations

import copy
import difflib
import json
import re
from typing import TYPE_CHECKING, Any

from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR

from tap_cognito import urls
from tap_cognito.config.settings import pools
from tap_cognito.dates import parse_date
from tap_cognito.errors import TapCognitoError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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

_EXCLUSIVE = (
    ("user_pool_id", "user_pool_ids"),
    ("aws_secret_access_key", "api_key_id"),
    ("aws_access_key_id", "aws_profile"),
    ("attributes_include", "attributes_exclude"),
)

_FOR_THE_ENDPOINT = (
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "api_key_id",
)
"""Settings whose value is in every request, or signs it so that a weak one can be guessed."""

_CONDITION = r'\s*("?)([^\s=^"]+)\1\s*(\^?=)\s*(.*?)\s*'
"""A filter of ListUsers: the attribute may be quoted, as in AWS's own sample."""

TRUE = ("true", "1", "yes", "on")
"""What a boolean variable may be for true, in lower case."""

_BOOLEANS = {
    **dict.fromkeys(TRUE, True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}


def normalize(config: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in what a configuration leaves out.

    Args:
        config: The tap's settings.
        schema: `settings.SCHEMA`, with the SDK's own settings beside it.

    Returns:
        The settings, with their defaults, without those that are null.
    """
    defaults = {
        name: copy.deepcopy(setting["default"])
        for name, setting in schema["properties"].items()
        if setting.get("default") is not None
    }
    return defaults | {name: value for name, value in config.items() if value is not None}


def validate(config: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Find what is wrong with a configuration.

    Args:
        config: The tap's settings, normalized.
        schema: `settings.SCHEMA`, with the SDK's own settings beside it.

    Returns:
        One sentence for each problem, each naming its setting; empty when there is none.
    """
    errors = [
        error
        for error in DEFAULT_JSONSCHEMA_VALIDATOR(schema).iter_errors(config)
        if error.validator != "dependentRequired"
    ]
    # A value may break two rules of its setting, with the same advice.
    problems = list(dict.fromkeys(_explain(error, config, schema) for error in errors))
    return problems or [*_missing(config, schema), *_contradictions(config)]


def read_environment(environ: Mapping[str, str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Read the settings of `--config=ENV`.

    Args:
        environ: The environment. No `.env` file is looked for.
        schema: `settings.SCHEMA`, with the SDK's own settings beside it.

    Returns:
        The settings that are set, by name, each of its type.

    Raises:
        TapCognitoError: If a value isn't of the type of its setting; no value is repeated.
    """
    config, problems = {}, []
    for name, setting in schema["properties"].items():
        variable = f"TAP_COGNITO_{name.upper()}"
        if variable in environ:
            read, form = _READERS.get(_type(setting), (str, "text"))
            try:
                config[name] = read(environ[variable])
            except (KeyError, ValueError, RecursionError):
                problems.append(f"{variable} must be {form}")
    if problems:
        raise TapCognitoError("; ".join(problems))
    return config


def _read_json(*kinds: type) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        value = json.loads(text)
        # NaN, which JSON doesn't have, isn't equal to itself.
        if not isinstance(value, kinds) or value != value:  # noqa: PLR0124
            raise ValueError
        return value

    return read


_READERS: dict[str, tuple[Callable[[str], Any], str]] = {
    "integer": (int, "a whole number"),
    "number": (_read_json(int, float), "a number"),
    "boolean": (lambda text: _BOOLEANS[text.lower()], "true or false"),
    "object": (_read_json(dict), "a JSON object"),
    "array": (_read_json(list), "a JSON array"),
}


def _type(setting: Mapping[str, Any]) -> str:
    types = setting["type"]
    return str(types if isinstance(types, str) else types[0])


def _missing(config: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    for given, all_needed in schema.get("dependentRequired", {}).items():
        for needed in all_needed:
            if given in config and needed not in config:
                yield f"`{given}` is set but `{needed}` isn't: set both, or neither"


def _contradictions(config: Mapping[str, Any]) -> Iterator[str]:
    given = config.keys()
    for first, second in _EXCLUSIVE:
        if {first, second} <= given:
            yield f"`{first}` and `{second}` are both set: leave one of them out"
    if not given & {"user_pool_id", "user_pool_ids"}:
        yield (
            "`user_pool_id` is missing: set it to the id of a user pool, such as "
            "us-east-1_AbCdEf123, or set `user_pool_ids`"
        )
    elif "region" in given and len({pool.partition("_")[0] for pool in pools(config)}) > 1:
        yield "`region` is set but `user_pool_ids` names several regions: leave `region` out"
    if "aws_access_key_id" in given and not given & {"aws_secret_access_key", "api_key_id"}:
        yield (
            "`aws_access_key_id` is set but `aws_secret_access_key` or `api_key_id` isn't: "
            "set both, or neither"
        )
    uses_vault = "api_key_id" in given or any(
        str(value).startswith("supabase-vault:") for value in config.values()
    )
    if "vault_url" in given and not uses_vault:
        yield "`vault_url` is set but not used: set `api_key_id`, or leave it out"
    if config.get("flattening_enabled") and "flattening_max_depth" not in given:
        yield "`flattening_enabled` needs `flattening_max_depth`: set it to a number of levels"
    for name, find_problems in _OF_VALUES.items():
        if name in given:
            yield from find_problems(config)


def _endpoint_problems(config: Mapping[str, Any]) -> Iterator[str]:
    url = config["endpoint_url"]
    try:
        if not urls.is_private(url) and not config.get("allow_http"):
            yield (
                "`endpoint_url` is http:// on another host, where session tokens and users can be "
                "read on the way: use https://, or set `allow_http`"
            )
        if urls.is_loopback(url) or urls.is_cognito(url):
            return
    except ValueError:
        yield "`endpoint_url` isn't a valid URL: set it to one such as https://cognito.example.com"
        return
    for name in _FOR_THE_ENDPOINT:
        # Otherwise whoever writes the config could send any file or secret to a host of theirs.
        if "://" in config.get(name, "") or (name == "api_key_id" and name in config):
            yield (
                f"`{name}` is a reference but `endpoint_url` isn't AWS's, and what it stands for "
                "is sent or can be guessed there: leave one of them out, or put the key into the "
                "environment or a profile"
            )


def _filter_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """What Cognito wouldn't take, by the documentation of ListUsers' `Filter`."""
    parts = re.fullmatch(_CONDITION, config["user_filter"], re.DOTALL)
    fault = ""
    if not parts:
        fault = "not a valid condition"
    elif parts[2] not in SEARCHABLE:
        fault = "its attribute can't be searched"
    elif not re.fullmatch(r'"([^"\\]|\\.)*"', parts[4], re.DOTALL):
        fault = (
            'the value must be one text in double quotes, with \\" for a quote in it; '
            "Cognito takes one condition only"
        )
    if fault:
        yield (
            f'`user_filter`: {fault}. Write it as attribute = "value" or attribute ^= "start"; '
            f"searchable are {', '.join(SEARCHABLE)}"
        )


def _date_problems(config: Mapping[str, Any]) -> Iterator[str]:
    try:
        parse_date(config["start_date"])
    except ValueError:
        yield "`start_date` isn't a valid date: write it as 2026-01-01T00:00:00Z"


_OF_VALUES: dict[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {
    "endpoint_url": _endpoint_problems,
    "user_filter": _filter_problems,
    "start_date": _date_problems,
}


def _explain(error: ValidationError, config: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    known: dict[str, Any] = schema["properties"]
    rule: Any = error.validator_value
    if not error.path and error.validator == "additionalProperties":
        return "; ".join(_unknown(name, known) for name in config if name not in known)
    # Below the name of the setting may stand anything.
    name = str(error.path[0])
    if error.validator == "type" and len(error.path) == 1:
        types = [kind for kind in ([rule] if isinstance(rule, str) else rule) if kind != "null"]
        return f"`{name}` must be of type {' or '.join(types)}"
    if error.validator == "enum":
        return f"`{name}` must be one of: {', '.join(map(str, rule))}"
    if error.instance == "":
        return f"`{name}` is empty: set it, or leave it out"
    shown = f" ({error.instance})" if isinstance(error.instance, (int, float)) else ""
    advice = known[name].get("advice", "see its description in `tap-cognito --about`")
    return f"`{name}` isn't valid{shown}: {advice}"


def _unknown(name: object, known: Mapping[str, Any]) -> str:
    if not re.fullmatch(r"[A-Za-z_]{1,40}", str(name)):
        return "a name isn't a setting: `tap-cognito --about` lists them all"
    similar = difflib.get_close_matches(str(name), known, n=1)
    advice = f"did you mean `{similar[0]}`?" if similar else "`tap-cognito --about` lists them all"
    return f"`{name}` isn't a setting: {advice}"
