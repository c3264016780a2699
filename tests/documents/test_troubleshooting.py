"""docs/troubleshooting.md quotes messages that there are."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import tap_cognito
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
_QUOTED = re.compile(r"^\| (?P<ticks>`+) ?(?P<message>.+?) ?(?P=ticks) \|", re.MULTILINE)
_PLACEHOLDER = re.compile(r"%[sd]|%\.\d[a-z]|\{\w*\}")


def quoted() -> list[str]:
    """The messages of the first table."""
    ours, _, _ = TEXT.partition("## From other programs")
    return [match["message"] for match in _QUOTED.finditer(ours)]


def messages() -> Iterator[str]:
    """The texts in the code, with an ellipsis for what is filled in."""
    for path in Path(tap_cognito.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "…"
                    for part in node.values
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield _PLACEHOLDER.sub("…", node.value)


def test_each_quoted_message_is_in_the_code() -> None:
    """A message that people look for is written as the tap writes it."""
    known = list(messages())
    unknown = [quote for quote in quoted() if not any(quote in message for message in known)]
    assert unknown == []
    assert len(quoted()) > 35


def test_the_messages_are_in_alphabetical_order() -> None:
    """The quoted messages are sorted, from their first letter on."""
    keys = [re.sub(r"[^a-z ]", "", quote.lower()).strip() for quote in quoted()]
    assert keys == sorted(keys)
