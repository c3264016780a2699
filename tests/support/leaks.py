"""The search for what a run must not tell: planted secrets, and people."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.support.identities import PLANTED

if TYPE_CHECKING:
    from collections.abc import Iterator


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


def in_base64(secret: str) -> Iterator[str]:
    """What a secret looks like in base64, wherever it begins, without its ends."""
    for offset in range(3):
        yield base64.b64encode(b" " * offset + secret.encode()).decode()[4:-5]


BASE64 = [text for secret in PLANTED for text in in_base64(secret)]


def found(text: str) -> list[str]:
    """Which planted texts a text holds, in whatever notation, and in whatever part."""
    shown = re.findall(r"\S*(?:planted|zqperson)\S*", text, re.IGNORECASE)
    return shown + [secret for secret in BASE64 if secret in text]


def leaks(run: Run, somebody: set[str] | frozenset[str] = frozenset()) -> list[str]:
    """What a run has told that it must not: to anybody, or in the records."""
    lines = run.stdout.splitlines(keepends=True)
    said = "".join(line for line in lines if not line.startswith('{"type":"RECORD"')) + run.stderr
    loaded = "".join(line for line in lines if line.startswith('{"type":"RECORD"'))
    return [
        *found(said),
        *(person for person in somebody if person in said),
        *re.findall(r"\S*planted\S*", loaded, re.IGNORECASE),
    ]
