"""The documents, as the tests read them."""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
from typing import TYPE_CHECKING, NamedTuple

from tests.support.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


_TIMEOUT = 300
"""Seconds: some commands install what they run."""
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


def blocks(document: str, language: str, section: str | None = None) -> list[str]:
    """Return the texts of a document's blocks in a language, under any title or this one."""
    return [
        block.text
        for block in fenced(document)
        if block.language == language and section in {None, block.section}
    ]


def fenced(document: str) -> list[Block]:
    """Return the fenced blocks of a document."""
    text = (ROOT / document).read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        titles = re.findall(
            r"(?m)^#+ (.+)$", re.sub(r"(?ms)^```.*?^```$", "", text[: match.start()])
        )
        found.append(Block(document, (titles or [""])[-1], match["language"], match["text"]))
    return found


def shell(commands: str, folder: Path, more: Mapping[str, str], *paths: Path) -> str:
    """Run commands as a document shows them, to a good end.

    Args:
        commands: A block's text.
        folder: Where to run them.
        more: Variables beside those of the tests.
        paths: Folders of programs, before that of the tests.

    Returns:
        What they wrote to stdout and stderr.
    """
    path = os.pathsep.join([*map(str, paths), sysconfig.get_path("scripts"), os.environ["PATH"]])
    run = subprocess.run(
        ["bash", "-euc", commands],  # noqa: S607 - whichever there is
        cwd=folder,
        env={**os.environ, "MELTANO_CLI_DISABLE_VERSION_CHECK": "true", **more, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        timeout=_TIMEOUT,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    return run.stdout
