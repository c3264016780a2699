"""`tap-cognito --about` as text, with what each setting means; the SDK's shows names only."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

from singer_sdk.about import AboutFormatter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.about import AboutInfo

_WIDTH = 88


class TextFormatter(AboutFormatter, format_name="text"):
    """Takes the place of the SDK's formatter of this name."""

    def format_about(self, about_info: AboutInfo) -> str:
        """Show the tap, its capabilities and its settings.

        Args:
            about_info: What the SDK knows of the tap.

        Returns:
            Plain text.
        """
        capabilities = ", ".join(capability.value for capability in about_info.capabilities)
        lines = [
            f"{about_info.name} {about_info.version}, Meltano SDK {about_info.sdk_version}",
            about_info.description or "",
            "",
            *textwrap.wrap(f"Capabilities: {capabilities}", _WIDTH, break_on_hyphens=False),
        ]
        for name, setting in about_info.settings["properties"].items():
            variable = f"{about_info.env_var_prefix}{name.upper()}"
            lines += ["", f"{name} ({', '.join(_kind(setting))})", f"    {variable}"]
            lines += textwrap.wrap(
                setting["description"], _WIDTH, initial_indent="    ", subsequent_indent="    "
            )
            lines += [f"    Such as: {_text(example)}" for example in setting.get("examples", ())]
        return "\n".join(lines)


def _kind(setting: dict[str, Any]) -> Iterator[str]:
    types = setting["type"]
    yield types if isinstance(types, str) else types[0]
    if setting.get("secret"):
        yield "secret"
    if setting.get("enum"):
        yield f"one of {' | '.join(setting['enum'])}"
    if setting.get("default") is not None:
        yield f"default {_text(setting['default'])}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
