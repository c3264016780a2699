"""Whatever is written to stderr passes one door, which holds secrets and escape sequences back."""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from urllib.parse import quote, quote_plus

import pytest

from tap_cognito import logs
from tests.support.programs import run_program

SECRET = 'planted/p@ss: "w0rd" é+1'
TOKEN = "planted/token+" * 100
START = "import logging, sys, threading, warnings\nfrom tap_cognito import logs\nlogs.install()\n"
LOGGING = "logging.basicConfig(level='DEBUG', format='%(name)s %(message)s')\n"


def run(code: str, **environment: str) -> str:
    """What a program writes to stderr that has installed the door, and knows two secrets."""
    hide = f"logs.hide({SECRET!r}, {TOKEN!r})\n"
    done = run_program(
        [sys.executable, "-c", START + hide + code],
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
    )
    return done.stderr


WAYS = {
    "print": "print({text!r}, file=sys.stderr)",
    "pieces": "for part in {text!r}: sys.stderr.write(part)\nsys.stderr.write('\\n')",
    "no line break": "sys.stderr.write({text!r}); sys.stderr.flush()",
    "a log": LOGGING + "logging.getLogger('tap-cognito').error({text!r})",
    "a value of a log": LOGGING + "logging.getLogger('any').error('%s %d', {text!r}, 5)",
    "the SDK's JSON": "from singer_sdk.logging import StructuredFormatter\n"
    "handler = logging.StreamHandler(); handler.setFormatter(StructuredFormatter())\n"
    "logging.getLogger('any').addHandler(handler)\n"
    "logging.getLogger('any').error({text!r}, extra={{'more': [{text!r}]}})",
    "a warning": LOGGING + "warnings.warn({text!r})",
    "an exception": "raise RuntimeError({text!r})",
    "an exception of a thread": LOGGING + "def fail(): raise KeyError({text!r})\n"
    "thread = threading.Thread(target=fail); thread.start(); thread.join()",
    "an exception that can't be raised": LOGGING + "class Odd:\n"
    "    def __del__(self): raise ValueError({text!r})\nOdd()",
    "a traceback in a log": LOGGING + "try:\n"
    "    try: raise KeyError({text!r})\n"
    "    except KeyError: raise ValueError({text!r})\n"
    "except ValueError: logging.exception('failed')",
    "a record that can't be formatted": LOGGING + "logging.error('%d', {text!r})",
    "a library": LOGGING + "logs.quiet_libraries()\n"
    "logging.getLogger('botocore.x').debug({text!r})\n"
    "logging.getLogger('urllib3.connection').warning('headers %s', {text!r})\n"
    "logging.getLogger('singer_sdk.mapper').info('rule: %r', {text!r})",
}


TEXT = (
    f"a {SECRET} b {quote(SECRET, safe='')} c {TOKEN} d jane.doe e\x1b[31mf\u202eg\u2028h\x07i\x9b"
    f"\rFORGED\nFORGED {'x' * 20_000}"
)


@functools.cache
def written(way: str) -> str:
    """What comes out when all at once goes in."""
    return run(WAYS[way].format(text=TEXT))


@pytest.mark.programs
@pytest.mark.parametrize("way", WAYS)
def test_no_secret_passes(way: str) -> None:
    """A secret written to stderr in any way, as it is or percent-encoded, is masked."""
    assert "planted" not in written(way)
    assert "w0rd" not in written(way)


@pytest.mark.programs
@pytest.mark.parametrize("way", [way for way in WAYS if "exception" in way or "traceback" in way])
def test_no_text_of_an_exception_passes(way: str) -> None:
    """Of an exception the class and the frames are shown, not its text, which may be a user's."""
    assert "Error" in written(way)
    assert "jane" not in written(way)


@pytest.mark.programs
@pytest.mark.parametrize("way", ["a library", "a record that can't be formatted"])
def test_no_value_of_a_library_passes(way: str) -> None:
    """A library's log line is shown without its values."""
    assert "jane" not in written(way)


@pytest.mark.programs
@pytest.mark.parametrize("way", WAYS)
def test_no_control_character_passes(way: str) -> None:
    """Stderr has no escape sequence, no change of direction and no injected line."""
    assert all(letter.isprintable() or letter == "\n" for letter in written(way))
    assert not [code for code in ("u001b", "u202e", "u2028", "u0007") if code in written(way)]
    if way in {"a log", "a value of a log", "a warning", "the SDK's JSON"}:
        assert not any(line.startswith("FORGED") for line in written(way).splitlines())


@pytest.mark.programs
@pytest.mark.parametrize("way", WAYS)
def test_a_line_is_cut(way: str) -> None:
    """A code of 300,000 characters doesn't become a line of that length."""
    assert max(map(len, written(way).splitlines()), default=0) < 8_000


@pytest.mark.parametrize("text", ["\\", "planted/", "%70", "{[", f"{SECRET} "])
def test_a_line_of_any_length_is_cleaned(text: str) -> None:
    """Long lines are masked in linear time, and no secret in them is cut in two."""
    logs.hide(SECRET)
    began = time.process_time()
    cleaned = logs.clean(text * 300_000)
    assert len(cleaned) <= 2_000
    assert "w0rd" not in cleaned
    assert time.process_time() - began < 1


def test_a_secret_is_not_cut_in_two() -> None:
    """Where a long text would be cut within a secret, its beginning isn't shown either."""
    logs.hide(SECRET)
    for length in range(1, len(SECRET)):
        text = "\a" * (logs._READ - length) + SECRET  # noqa: SLF001 - where it is cut
        assert not logs.clean(text)


@pytest.mark.programs
def test_json_stays_json() -> None:
    """A JSON line for Meltano stays valid: its texts are cut one by one."""
    text = f"{SECRET} {'x' * 5_000}"
    (line,) = run(WAYS["the SDK's JSON"].format(text=text)).splitlines()
    record = json.loads(line)
    assert record["message"].startswith("*** xxx")
    assert len(record["message"]) == 2_000
    assert record["extra"] == {"more": [record["message"]]}


@pytest.mark.parametrize(
    "notation",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower(),
        quote_plus(SECRET),
        json.dumps(SECRET)[1:-1],
        repr({SECRET})[2:-2],
        SECRET.replace("@", "%40"),
    ],
)
def test_a_secret_is_found_in_any_notation(notation: str) -> None:
    """A secret is masked as it is, percent-encoded in part or as a whole, and escaped."""
    logs.hide(SECRET)
    assert logs.clean(f"before {notation} after") == "before *** after"


@pytest.mark.programs
def test_the_secrets_of_the_environment_are_known() -> None:
    """Passwords of URLs and variables that are named like secrets are masked."""
    environment = {
        "AWS_SECRET_ACCESS_KEY": "planted/secret/1",
        "HTTPS_PROXY": "socks5://user:planted%2Fproxy1@127.0.0.1:1",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/token",
    }
    shown = run(
        "print('planted/secret/1 planted/proxy1 planted%2Fproxy1 /var/run/secrets/token',"
        " file=sys.stderr)",
        **environment,
    )
    assert shown == "*** *** *** /var/run/secrets/token\n"


@pytest.mark.parametrize("password", ["a", "reader", "postgres", "tap-cognito", "us-east-1"])
def test_a_mask_does_not_tell_what_a_password_is(password: str) -> None:
    """A password that is a common word isn't masked: the mask would reveal it."""
    line = "tap-cognito: a reader of postgres in us-east-1"
    logs.hide(password)
    assert logs.clean(line) == line
