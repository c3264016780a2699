"""What repeats the settings' schema cannot drift from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from docs.generate import ROOT, SCHEMA, files

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("path", list(files()), ids=lambda path: path.name)
def test_generated_files_are_what_the_schema_says(path: Path) -> None:
    """The settings' page, meltano.yml and the Hub definition are as `dev.py docs` writes them."""
    assert path.read_text(encoding="utf-8") == files()[path]


def _plugin(path: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    return read["plugins"]["extractors"][0] if "plugins" in read else read


@pytest.mark.parametrize("path", ["meltano.yml", "hub/tap-cognito.yml"])
def test_meltano_knows_every_setting_and_which_are_secret(path: str) -> None:
    """A setting that Meltano does not know would be dropped without a word."""
    declared = {one["name"]: one.get("sensitive", False) for one in _plugin(path)["settings"]}
    assert declared == {
        name: bool(setting.get("secret")) for name, setting in SCHEMA["properties"].items()
    }


def test_meltano_yml_and_the_hub_definition_agree_on_the_capabilities() -> None:
    """Both tell Meltano the same about the plugin."""
    assert _plugin("meltano.yml")["capabilities"] == _plugin("hub/tap-cognito.yml")["capabilities"]
