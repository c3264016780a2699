"""What repeats the code in the documents can't drift from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from docs.generate import FILES, ROOT, SCHEMA, generate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_generated_parts_are_up_to_date(path: Path) -> None:
    """Documents, meltano.yml and the Hub definition are as `dev.py docs` writes them."""
    assert path.read_text(encoding="utf-8") == generate(path)


def test_only_generated_parts_are_written(tmp_path: Path) -> None:
    """A part is replaced where its comments stand, at their indentation; an unknown one fails."""
    document = tmp_path / "plugin.yml"
    text = "before\n  # generated: capabilities\n  - outdated\n  # end\nafter\n"
    document.write_text(text, encoding="utf-8")
    written = generate(document)
    assert written.startswith("before\n  # generated: capabilities\n  - catalog\n  - ")
    assert written.endswith("\n  # end\nafter\n")
    assert "outdated" not in written
    document.write_text(text.replace("capabilities", "nothing"), encoding="utf-8")
    with pytest.raises(KeyError, match="nothing"):
        generate(document)


def _plugin(path: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    return read["plugins"]["extractors"][0] if "plugins" in read else read


@pytest.mark.parametrize("path", ["meltano.yml", "hub/tap-cognito.yml"])
def test_meltano_knows_every_setting_and_which_are_secret(path: str) -> None:
    """A setting that Meltano doesn't know would be dropped without a word."""
    declared = {one["name"]: one.get("sensitive", False) for one in _plugin(path)["settings"]}
    assert declared == {
        **{name: bool(setting.get("secret")) for name, setting in SCHEMA["properties"].items()},
        "stream_map_config.salt": True,
    }


def test_meltano_yml_and_the_hub_definition_agree_on_the_capabilities() -> None:
    """meltano.yml and the Hub definition list the same capabilities."""
    assert _plugin("meltano.yml")["capabilities"] == _plugin("hub/tap-cognito.yml")["capabilities"]
