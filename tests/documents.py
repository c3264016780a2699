"""The documents, as the tests read them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent

_BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL
)


class Block(NamedTuple):
    """A fenced block."""

    document: str
    """Its document's path in the repository."""
    section: str
    """The title above it."""
    language: str
    text: str


def blocks(document: str, language: str | None = None, section: str | None = None) -> list[Block]:
    """Find the fenced blocks of a document, in a language and under a title if these are given."""
    text = (ROOT / document).read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        titles = re.findall(
            r"(?m)^#+ (.+)$", re.sub(r"(?ms)^```.*?^```$", "", text[: match.start()])
        )
        block = Block(document, (titles or [""])[-1], match["language"], match["text"])
        if language in {None, block.language} and section in {None, block.section}:
            found.append(block)
    return found
