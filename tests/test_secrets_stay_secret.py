"""Planted secrets and people's data are searched for in everything that a run writes."""

from __future__ import annotations

import base64
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import yaml

from emulator import Credential, Emulator, Pool
from identities import (
    EXTERNAL_ID,
    IN_ROLE,
    KEY_ID,
    NAME,
    PASSWORD,
    PLANTED,
    SECRET,
    TEMPORARY,
    TOKEN,
    WAYS,
    Stage,
)
from support import run_tap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


PROJECT = Path(__file__).parent.parent
SECRET_SETTINGS = {
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "aws_assume_role_external_id",
    "vault_url",
}
LEVELS = {"LOGLEVEL": "DEBUG", "TAP_COGNITO_LOGLEVEL": "DEBUG"}
LOG_CONFIG = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "structured": {"()": "singer_sdk.logging.StructuredFormatter"},
        "plain": {"format": "%(levelname)s %(name)s %(message)s"},
    },
    "handlers": {
        name: {"class": "logging.StreamHandler", "formatter": name, "stream": "ext://sys.stderr"}
        for name in ("structured", "plain")
    },
    "root": {"level": "DEBUG", "handlers": ["structured", "plain"]},
    "loggers": {
        name: {"level": "DEBUG"}
        for name in (
            *("boto3", "botocore", "botocore.auth", "botocore.endpoint", "botocore.parsers"),
            *("psycopg", "urllib3", "urllib3.connectionpool", "singer_sdk", "tap-cognito"),
        )
    },
}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A pool of two pages that knows one temporary key."""
    with Emulator(Pool(90), credentials={KEY_ID: Credential(SECRET, TOKEN)}) as made:
        yield made


@pytest.fixture(scope="module")
def log_config(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a run that logs all that any library has to say, in two forms."""
    path = tmp_path_factory.mktemp("logging") / "logging.yaml"
    path.write_text(yaml.safe_dump(LOG_CONFIG))
    return {**LEVELS, "SINGER_SDK_LOG_CONFIG": str(path)}


def config(emulator: Emulator, **more: Any) -> dict[str, Any]:
    """Settings that read the pool."""
    return {
        "user_pool_id": emulator.pool.id,
        "endpoint_url": emulator.url,
        "max_requests_per_second": 500,
        **more,
    }


def people(emulator: Emulator) -> list[str]:
    """Who is in the pool: user names, e-mail addresses, names, phone numbers and subs."""
    personal = {"email", "name", "phone_number", "sub"}
    return [
        text
        for user in emulator.pool.users()
        for text in (
            user["Username"],
            *(each["Value"] for each in user["Attributes"] if each["Name"] in personal),
        )
    ]


def found(text: str, secrets: Any = PLANTED) -> list[str]:
    """Which of the secrets a text holds, as they are or in another notation."""
    return [
        secret
        for secret in secrets
        if any(
            form in text
            for form in (
                secret,
                quote(secret),
                quote(secret, safe=""),
                json.dumps(secret)[1:-1],
                base64.b64encode(secret.encode()).decode().rstrip("="),
            )
        )
    ]


def said(stdout: str, stderr: str) -> str:
    """All that a run has written but the records themselves."""
    return "".join(
        line
        for line in (*stdout.splitlines(keepends=True), stderr)
        if not line.startswith('{"type":"RECORD"')
    )


# The search itself


def test_the_search_finds_what_botocore_logs(emulator: Emulator) -> None:
    """A client without the tap's precautions writes its token and the users to its DEBUG log."""
    program = (
        "import boto3, json, sys; boto3.set_stream_logger('', 10);"
        "c = json.loads(sys.argv[1]); pool, url = c.pop('user_pool_id'), c.pop('endpoint_url');"
        "s = boto3.Session(region_name='us-east-1', **c);"
        "s.client('cognito-idp', endpoint_url=url).list_users(UserPoolId=pool)"
    )
    settings = config(emulator, **TEMPORARY)
    del settings["max_requests_per_second"]
    run = subprocess.run(
        [sys.executable, "-c", program, json.dumps(settings)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    assert found(run.stderr) == [KEY_ID, TOKEN]
    assert found(run.stderr, people(emulator))


@pytest.mark.parametrize(
    "form",
    [
        "no {} here",
        *(quote(SECRET), quote(SECRET, safe=""), base64.b64encode(SECRET.encode()).decode()),
    ],
)
def test_the_search_finds_a_secret_in_any_notation(form: str) -> None:
    """As it is, in a URL and in base64."""
    assert found(f"some {form.format(SECRET)} text") == [SECRET]


# Runs that succeed


@pytest.mark.parametrize("name", WAYS)
def test_a_run_that_succeeds_says_nothing_secret(
    name: str, at: Stage, emulator: Emulator, log_config: Mapping[str, str]
) -> None:
    """By every way in, with every logger at DEBUG and in structured logs."""
    way = WAYS[name](at)
    emulator.credentials = way.signer
    run = run_tap(config(emulator, **way.settings), env={**way.environ(at), **log_config})
    assert run.returncode == 0, run.stderr
    assert run.stdout.count('"type":"RECORD"') == 90
    text = said(run.stdout, run.stderr)
    assert "DEBUG" in text
    assert '"type":"STATE"' in text
    assert not found(text)
    assert not found(text, people(emulator))


def test_levels_from_the_environment_say_nothing_secret(at: Stage, emulator: Emulator) -> None:
    """With the SDK's own logging at DEBUG, and a profile and a role."""
    way = WAYS["role-on-profile"](at)
    emulator.credentials = way.signer
    run = run_tap(config(emulator, **way.settings), env={**at.environment, **LEVELS})
    text = said(run.stdout, run.stderr)
    assert run.returncode == 0
    assert "| DEBUG " in text
    assert not found(text)
    assert not found(text, people(emulator))


def test_a_catalog_holds_nothing_secret(at: Stage, log_config: Mapping[str, str]) -> None:
    """Discovery with all secrets set."""
    settings = {
        "user_pool_id": "us-east-1_AbCdEf",
        "aws_access_key_id": KEY_ID,
        "api_key_id": NAME,
        "vault_url": at.vault.url(),
        "aws_session_token": TOKEN,
        **IN_ROLE,
    }
    run = run_tap(settings, "--discover", env={**at.environment, **log_config})
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["streams"]
    assert not found(run.stdout + run.stderr)


# Runs that fail


def _wrong(setting: str) -> Callable[[Stage, Emulator], dict[str, str]]:
    return lambda *_: {**TEMPORARY, setting: f"{TEMPORARY[setting][:-4]}wrong"}


def _expired(_: Stage, emulator: Emulator) -> dict[str, str]:
    emulator.credentials = {KEY_ID: Credential(SECRET, TOKEN, time.time() - 1)}
    return TEMPORARY


def _denied(_: Stage, emulator: Emulator) -> dict[str, str]:
    emulator.denied = {"cognito-idp:ListUsers"}
    return TEMPORARY


def _role_refused(*_: object) -> dict[str, str]:
    return {**TEMPORARY, **IN_ROLE, "aws_assume_role_external_id": f"{EXTERNAL_ID}-wrong"}


def _role_wrongly_signed(*_: object) -> dict[str, str]:
    return {**TEMPORARY, **IN_ROLE, "aws_secret_access_key": f"{SECRET}wrong"}


def _token_loop(_: Stage, emulator: Emulator) -> dict[str, str]:
    emulator.token_loop = 1
    return TEMPORARY


class _ForFiveRequests(dict[str, Credential]):
    left = 5

    def __getitem__(self, key: str) -> Credential:
        self.left -= 1
        return super().__getitem__(key)._replace(expires=None if self.left >= 0 else 0.0)


def _expires_on_the_way(_: Stage, emulator: Emulator) -> dict[str, str]:
    emulator.credentials = _ForFiveRequests({KEY_ID: Credential(SECRET, TOKEN)})
    return TEMPORARY


def _vault(
    change: Callable[[str], str], reference: str = NAME
) -> Callable[[Stage, Emulator], dict[str, str]]:
    return lambda at, _: {
        "aws_access_key_id": KEY_ID,
        "api_key_id": reference,
        "vault_url": change(at.vault.url()),
    }


def _two_lines(*_: object) -> dict[str, str]:
    return {**TEMPORARY, "aws_session_token": f"{TOKEN}\n"}


def _not_json(at: Stage, _: Emulator) -> dict[str, str]:
    reference = at.places["secret", "aws_secret_access_key"] + "#key"
    return {**TEMPORARY, "aws_secret_access_key": reference}


FAILURES: dict[str, tuple[Callable[[Stage, Emulator], dict[str, str]], str]] = {
    "wrong-key-id": (_wrong("aws_access_key_id"), "UnrecognizedClientException"),
    "wrong-secret": (_wrong("aws_secret_access_key"), "InvalidSignatureException"),
    "wrong-token": (_wrong("aws_session_token"), "UnrecognizedClientException"),
    "expired": (_expired, "ExpiredTokenException"),
    "expires-on-the-way": (_expires_on_the_way, "ExpiredTokenException"),
    "denied": (_denied, "may not call"),
    "token-loop": (_token_loop, "same pagination token"),
    "role-refused": (_role_refused, "refused AssumeRole"),
    "role-wrongly-signed": (_role_wrongly_signed, "InvalidSignatureException"),
    "two-lines": (_two_lines, "`aws_session_token` is empty or has a line break in it"),
    "no-json": (_not_json, "is no JSON object"),
    "both": (lambda at, _: {**TEMPORARY, "api_key_id": NAME, "vault_url": at.vault.url()}, "both"),
    "no-such-scheme": (lambda *_: {**TEMPORARY, "aws_session_token": f"x://{TOKEN}"}, "x://…"),
    "vault-not-there": (_vault(lambda url: re.sub(r":\d+/", ":1/", url)), "Connection refused"),
    "vault-password": (_vault(lambda url: url.replace("0001@", "0001x@")), "password authentic"),
    "vault-no-secret": (_vault(str, "not there"), "no such secret"),
    "vault-no-url": (_vault(lambda url: f"{url}?planted=1"), "no Postgres URL"),
    "vault-other-url": (_vault(lambda url: f"x{url}"), "xpostgresql://…"),
    "vault-dsn": (
        _vault(lambda _: f"host=127.0.0.1 port=1 user=u password='{PASSWORD}'"),
        "Connection refused",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_run_that_fails_says_nothing_secret(
    name: str, at: Stage, emulator: Emulator, log_config: Mapping[str, str]
) -> None:
    """Whatever the reason, with every logger at DEBUG: what failed, and no secret."""
    prepare, expected = FAILURES[name]
    settings = config(emulator, **prepare(at, emulator))
    run = run_tap(settings, env={**at.environment, **log_config})
    assert run.returncode == 1
    assert expected in run.stderr
    assert "DEBUG" in run.stderr
    text = said(run.stdout, run.stderr)
    assert not found(text)
    assert not found(text, people(emulator))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_stopped_says_nothing_secret(
    number: signal.Signals,
    at: Stage,
    emulator: Emulator,
    log_config: Mapping[str, str],
    tmp_path: Path,
) -> None:
    """In the middle of a request, with its place in the program shown at DEBUG."""
    emulator.latency = 60
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config(emulator, **{**TEMPORARY, **IN_ROLE})))
    emulator.credentials = at.issuer.issued
    before = len(at.issuer.issued)
    with subprocess.Popen(
        [sys.executable, "-m", "tap_cognito", "--config", path],
        env={**at.environment, **log_config},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as tap:
        deadline = time.monotonic() + 30
        while len(at.issuer.issued) == before and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.3)
        tap.send_signal(number)
        stdout, stderr = tap.communicate(timeout=30)
    assert tap.returncode == 128 + number
    assert f"stopped by {number.name}" in stderr
    assert "DEBUG" in stderr
    assert not found(stdout + stderr)


# What other programs are told


def test_about_marks_the_secret_settings() -> None:
    """Each of them, and no other; an example is not a secret."""
    run = subprocess.run(
        [sys.executable, "-m", "tap_cognito", "--about", "--format=json"],
        capture_output=True,
        text=True,
        check=True,
    )
    known = json.loads(run.stdout)["settings"]["properties"]
    for mark in ("secret", "writeOnly"):
        assert {name for name, setting in known.items() if setting.get(mark)} == SECRET_SETTINGS


def test_meltano_hides_the_secret_settings() -> None:
    """`sensitive: true` stands at each of them, and at no other."""
    project = yaml.safe_load((PROJECT / "meltano.yml").read_text())
    (tap,) = project["plugins"]["extractors"]
    sensitive = {setting["name"] for setting in tap["settings"] if setting.get("sensitive")}
    assert sensitive == SECRET_SETTINGS
