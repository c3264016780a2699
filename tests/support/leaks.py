"""The search for what a run must not show: planted secrets, and people."""

from __future__ import annotations

import base64
import json
import re
from typing import Any, NamedTuple

from emulator import PLACES


class Run(NamedTuple):
    """What came out of a run."""

    status: int
    stdout: str
    stderr: str


def records(stdout: str) -> list[dict[str, Any]]:
    """The records that a run has written."""
    messages = [json.loads(line) for line in stdout.splitlines() if line.startswith('{"type":"REC')]
    return [message["record"] for message in messages]


def people(stdout: str) -> set[str]:
    """Who is in the records of a run: names of users and groups, addresses, numbers, subs."""
    texts: list[Any] = []
    for record in records(stdout):
        attributes = record.get("attributes")
        values = attributes if isinstance(attributes, dict) else {}
        texts += [values.get(key) for key in ("email", "name", "phone_number", "sub")]
        texts += [record.get(key) for key in ("username", "email", "group_name")]
    return {text for text in texts if isinstance(text, str) and len(text) > 5}


_BASE64 = re.compile(r"[A-Za-z0-9+/]{16,}")
_DEPTH = 2
"""A pagination token is base64 of an object, in which a name stands in base64."""


def unwrapped(text: str) -> str:
    """A text, and all that it holds in base64, wherever that begins, and in base64 of base64."""
    layers = [text]
    for _ in range(_DEPTH):
        layers.append(" ".join(_decoded(run) for run in _BASE64.findall(layers[-1])))
    return " ".join(layers)


def _decoded(run: str) -> str:
    # Where the first of four characters is isn't known, and the padding isn't part of the run.
    starts = (run[start:] + "A" * ((start - len(run)) % 4) for start in range(4))
    return " ".join(base64.b64decode(start).decode("utf-8", "replace") for start in starts)


def found(text: str) -> list[str]:
    """Which planted texts a text holds, in whatever notation, and in whatever part."""
    everything = unwrapped(text)
    return _planted(everything) + [place for place in PLACES if place in everything]


def leaks(run: Run, persons: set[str] | frozenset[str] = frozenset()) -> list[str]:
    """What a run has shown that it must not: outside of the records, or in them."""
    lines = run.stdout.splitlines(keepends=True)
    said = "".join(line for line in lines if not line.startswith('{"type":"RECORD"')) + run.stderr
    loaded = "".join(line for line in lines if line.startswith('{"type":"RECORD"'))
    everything = unwrapped(said)
    return [
        *_planted(everything),
        *(place for place in (*PLACES, *persons) if place in everything),
        *_planted(loaded, "planted"),
    ]


def _planted(text: str, word: str = "planted|zqperson") -> list[str]:
    """The places of a word, with what is around them."""
    found = re.finditer(word, text, re.IGNORECASE)
    return [text[max(0, one.start() - 40) : one.end() + 40] for one in found]
