"""Makes the README's links absolute when the package is built: its page at the index is alone."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_DEFINITION = re.compile(r"(?m)^\[(?P<name>[^\]]+)\]: (?!https?:)(?P<path>\S+)\n")
_CLONE = re.compile(r"(?m)^git clone .*$")


class Links(MetadataHookInterface):
    """The package's description and URLs.

    The workflow that builds says in PACKAGE_REPOSITORY and PACKAGE_COMMIT where the repository is
    and what is built. Without them the description has no such links, and there are no URLs.
    """

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Set `readme` and `urls`, unless the source is an sdist, which brings them."""
        metadata.setdefault("urls", {})
        if "readme" in metadata:
            return
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        repository = os.environ.get("PACKAGE_REPOSITORY")
        if repository:
            text = absolute(text, repository, os.environ["PACKAGE_COMMIT"])
            metadata["urls"] = {
                "Changelog": f"{repository}/blob/HEAD/CHANGELOG.md",
                "Documentation": f"{repository}#where-to-read-on",
                "Issues": f"{repository}/issues",
                "Repository": repository,
                "Security": f"{repository}/security/policy",
            }
        else:
            text = unlinked(text)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def absolute(text: str, repository: str, commit: str) -> str:
    """Lead the links of a document to a commit of the repository on its code host.

    Args:
        text: Markdown, whose relative links are definitions: `[name]: path`.
        repository: Its URL.
        commit: Its hash.

    Returns:
        The same, with absolute links and the URL to clone. Pictures are linked as files, not as
        pages about them.
    """

    def lead(match: re.Match[str]) -> str:
        kind = "raw" if match["path"].endswith(".svg") else "blob"
        return f"[{match['name']}]: {repository}/{kind}/{commit}/{match['path']}\n"

    return _CLONE.sub(f"git clone {repository}", _DEFINITION.sub(lead, text))


def unlinked(text: str) -> str:
    """Turn the relative links of a document into their texts, and leave out its pictures.

    Args:
        text: Markdown, whose relative links are definitions: `[name]: path`.

    Returns:
        The same without those links.
    """
    for definition in _DEFINITION.finditer(text):
        name = re.escape(definition["name"])
        text = re.sub(rf"!\[[^\]]*\]\[{name}\]\n+", "", text)
        text = re.sub(rf"\[([^\]]+)\]\[{name}\]", r"\1", text)
        text = re.sub(rf"\[({name})\](?!:)", r"\1", text)
    return _DEFINITION.sub("", text)
