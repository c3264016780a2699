"""Writes the parts of documents that repeat the code: `python3 dev.py docs`.

The schema of the settings is the source for docs/settings.md, docs/own-project.md, meltano.yml and
hub/tap-cognito.yml, the schemas of the streams for the column tables of docs/streams.md, the
results of the benchmark for the README's table. In these files a generated part stands between two
comments, `generated: PART` and `end`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

import yaml

from tap_cognito.config import settings
from tap_cognito.tap import TapCognito

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).resolve().parent.parent
FILES = tuple(
    ROOT / name
    for name in (
        *("README.md", "docs/own-project.md", "docs/settings.md", "docs/streams.md"),
        *("hub/tap-cognito.yml", "meltano.yml"),
    )
)
TapCognito.append_builtin_config(TapCognito.config_jsonschema)
SCHEMA: dict[str, Any] = TapCognito.config_jsonschema
POSTGRES_TYPES = {
    "array": "jsonb",
    "boolean": "boolean",
    "date-time": "timestamp without time zone",
    "integer": "bigint",
    "object": "jsonb",
    "string": "text",
}
"""What target-postgres makes of a JSON type or its format."""

_PART = re.compile(
    r"(?P<start>(?P<indent> *)(?:<!--|#) generated: (?P<part>[\w ]+\w)(?: -->)?\n)"
    r".*?(?P<end> *(?:<!--|#) end\b)",
    re.DOTALL,
)


def main() -> None:
    """Write the files."""
    for path in FILES:
        path.write_text(generate(path), encoding="utf-8")


def generate(path: Path) -> str:
    """Bring the generated parts of a file up to date.

    Args:
        path: One of `FILES`.

    Returns:
        The full text that the file should have.

    Raises:
        KeyError: If a part is unknown, or a column has no description.
    """

    def fill(match: re.Match[str]) -> str:
        name, *arguments = match["part"].split()
        return match["start"] + indent(_PARTS[name](*arguments), match["indent"]) + match["end"]

    return _PART.sub(fill, path.read_text(encoding="utf-8"))


def _settings_table(whose: str) -> str:
    rows = [("setting", "type", "default", "description")]
    for name, setting in SCHEMA["properties"].items():
        if (name in settings.SCHEMA["properties"]) != (whose == "tap"):
            continue
        kind, description = _kind(setting), setting["description"]
        if setting.get("secret"):
            kind += ", secret"
        default = ""
        if setting.get("default") is not None:
            default = f"`{json.dumps(setting['default'])}`"
        for title, values in (("One of", "enum"), ("For example", "examples")):
            if values in setting:
                description += (
                    f" {title}: {', '.join(f'`{_text(value)}`' for value in setting[values])}."
                )
        rows.append((f"`{name}`", kind, default, description))
    return _table(rows)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _kind(setting: dict[str, Any]) -> str:
    """The kind of a setting, in Meltano's terms."""
    if "enum" in setting:
        return "options"
    if setting.get("format") == "date-time":
        return "date_iso8601"
    types = setting["type"]
    kind = str(types if isinstance(types, str) else types[0])
    # Meltano can't pass on a decimal that comes from the environment.
    return "integer" if kind == "number" else kind


def _columns_table(stream: str) -> str:
    tap = TapCognito(config={"user_pool_id": "us-east-1_Any"})
    rows = [("column", "JSON", "Postgres", "description")]
    for name, column in tap.streams[stream].schema["properties"].items():
        types = [column["type"][0], *filter(None, [column.get("format")])]
        postgres = POSTGRES_TYPES[types[-1]]
        rows.append((f"`{name}`", ", ".join(types), postgres, column["description"]))
    return _table(rows)


def _speed_table() -> str:
    """The seconds of each program that was measured, at each latency of a request."""
    results = json.loads((ROOT / "benchmarks" / "results.json").read_text(encoding="utf-8"))
    seconds: dict[int, dict[str, float]] = {}
    for run in results["runs"]:
        row = seconds.setdefault(run["latency_ms"], {"AWS's limit": run["limit_seconds"]})
        row[run["program"]] = run["seconds"]
    programs = ("AWS's limit", "tap at 30/s", "tap at 24/s (default)", "AWS CLI", "boto3 loop")
    rows: list[tuple[str, ...]] = [("a request takes", *programs)]
    for latency, row in seconds.items():
        rows.append((f"{latency} ms", *(f"{row[program]:.1f}" for program in programs)))
    return _table(rows)


def _table(rows: Sequence[Sequence[str]]) -> str:
    header, *lines = (" | ".join(cell.replace("|", "&#124;") for cell in row) for row in rows)
    rule = "|---" * len(rows[0])
    return f"| {header} |\n{rule}|\n" + "".join(f"| {line} |\n" for line in lines)


_SALT = {
    "name": "stream_map_config.salt",
    "kind": "string",
    "sensitive": True,
    "label": "Salt",
    "description": "The salt of expressions that hash: `config['salt']`.",
}
"""A setting of Meltano's alone, so that it is masked: of an object Meltano masks no part."""


def _definitions() -> str:
    """The settings as a plugin definition of Meltano has them."""
    definitions = []
    for name, setting in SCHEMA["properties"].items():
        secret, examples = setting.get("secret"), setting.get("examples")
        options = [
            {"label": value.capitalize(), "value": value} for value in setting.get("enum", ())
        ]
        fields = {
            "name": name,
            "kind": _kind(setting),
            "sensitive": secret,
            "label": setting["title"],
            "description": setting["description"],
            "placeholder": _text(examples[0]) if examples and not secret else None,
            "value": setting.get("default"),
            "options": options or None,
        }
        definitions.append({key: value for key, value in fields.items() if value is not None})
    return _yaml([*definitions, _SALT])


def _declarations() -> str:
    """The least that Meltano must know of a setting to pass it on, in a line for each."""
    lines = []
    for name, setting in SCHEMA["properties"].items():
        kind = _kind(setting).replace("options", "string")  # Meltano would ask which there are
        secret = ", sensitive: true" if setting.get("secret") else ""
        lines.append(f"- {{name: {name}, kind: {kind}{secret}}}\n")
    lines.append(f"- {{name: {_SALT['name']}, kind: string, sensitive: true}}\n")
    return "".join(lines)


def _capabilities() -> str:
    return _yaml([capability.value for capability in TapCognito.capabilities])


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=float("inf"))


_PARTS: dict[str, Callable[..., str]] = {
    "capabilities": _capabilities,
    "columns": _columns_table,
    "declarations": _declarations,
    "definitions": _definitions,
    "settings": _settings_table,
    "speed": _speed_table,
}

if __name__ == "__main__":
    main()
