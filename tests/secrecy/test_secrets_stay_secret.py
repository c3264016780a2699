"""Planted secrets and people are searched for in everything that a run writes.

Every planted text has `planted` (a secret) or `zqperson` (a person) in each of its parts. What may
go wrong isn't listed but derived: from the settings, the schemes of references, the variables that
botocore reads, AWS's codes, and the operations and columns that a run of all streams has. So what
is added there is tried here too.
"""

from __future__ import annotations

import base64
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import yaml
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES

from emulator import NEXT_KEY, Credential, Emulator, Pool, tokens
from tap_cognito.config.settings import SCHEMA, SECRETS
from tap_cognito.identity.secret_references import SCHEMES
from tap_cognito.streams import NAMES
from tests.support.catalogs import selected
from tests.support.hostile import ATTACKS, PERSON, TEXTS, Hostile, mutated
from tests.support.identities import (
    AUTH_METHODS,
    EXTERNAL_ID,
    IN_ROLE,
    KEY_ID,
    NAME,
    PASSWORD,
    PLANTED,
    SECRET,
    TEMPORARY,
    TOKEN,
    SecretStores,
)
from tests.support.leaks import Run, found, leaks, people, records
from tests.support.paths import ROOT
from tests.support.programs import IMPATIENT_TAP, run_tap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


USERS = 20
TWO_PAGES: dict[str, Any] = {"page_sizes": {"ListUsers": 12}}
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
NOBODY = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


def some(cases: Sequence[Any], count: int) -> list[Any]:
    """A few cases that always run, always the same ones; the others take minutes."""
    always = set(random.Random(1).sample(range(len(cases)), min(count, len(cases))))  # noqa: S311
    return [
        case if number in always else pytest.param(case, marks=pytest.mark.slow)
        for number, case in enumerate(cases)
    ]


def run(config: Any, *arguments: str, env: Mapping[str, str] | None = None, **files: Any) -> Run:
    """Run the command line to its end.

    Args:
        config: Its settings, or the content of their file; None for no settings.
        arguments: Further arguments.
        env: Further environment.
        files: The content of further files by option: `catalog`, `state`.
    """
    # The name of a temporary folder of pytest's may be in an error; it has the test's name in it.
    with tempfile.TemporaryDirectory(prefix="files-") as folder:
        given = [*arguments]
        for option, content in {"config": config, **files}.items():
            if content is not None:
                path = Path(folder) / f"{option}.json"
                is_raw = isinstance(content, bytes)
                path.write_bytes(content if is_raw else json.dumps(content).encode())
                given += [f"--{option}", str(path)]
        done = run_tap({}, *given, env=env, program=IMPATIENT_TAP)
    return Run(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A pool of two pages that knows one temporary key."""
    keys = {KEY_ID: Credential(SECRET, TOKEN)}
    with Emulator(Pool(USERS), credentials=keys, next_key=NEXT_KEY, **TWO_PAGES) as made:
        yield made


@pytest.fixture(scope="module")
def hostile() -> Iterator[Hostile]:
    """A pool whose endpoint may be hostile."""
    with (
        Emulator(Pool(USERS), next_key=NEXT_KEY, **TWO_PAGES) as emulator,
        Hostile(emulator.url) as server,
    ):
        yield server


@pytest.fixture(scope="module")
def log_config(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a run that logs all that any library has to say, in two forms."""
    path = tmp_path_factory.mktemp("logging") / "logging.yaml"
    path.write_text(yaml.safe_dump(LOG_CONFIG))
    return {**NOBODY, **LEVELS, "SINGER_SDK_LOG_CONFIG": str(path)}


@pytest.fixture(scope="module")
def catalog() -> dict[str, Any]:
    """All streams and columns."""
    return selected(*NAMES)


def config(emulator: Emulator | Hostile, **more: Any) -> dict[str, Any]:
    """Settings that read the pool."""
    return {
        "user_pool_id": "us-east-1_Emulated1",
        "endpoint_url": emulator.url,
        "max_requests_per_second": 1000,
        "user_details_requests_per_second": 1000,
        "user_mfa_requests_per_second": 1000,
        **more,
    }


# The search itself


@pytest.mark.programs
def test_the_search_finds_what_botocore_logs(emulator: Emulator) -> None:
    """A client without the tap's precautions writes its token and the users to its DEBUG log."""
    program = (
        "import boto3, json, sys; boto3.set_stream_logger('', 10);"
        "c = json.loads(sys.argv[1]);"
        "s = boto3.Session(region_name='us-east-1', **c['keys']);"
        "s.client('cognito-idp', endpoint_url=c['url']).list_users(UserPoolId=c['pool'])"
    )
    given = {"keys": TEMPORARY, "url": emulator.url, "pool": "us-east-1_Emulated1"}
    ran = subprocess.run(
        [sys.executable, "-c", program, json.dumps(given)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    assert {KEY_ID, TOKEN} <= {secret for secret in PLANTED if secret in ran.stderr}
    assert found(ran.stderr)


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        SECRET[9:18],
        *(quote(SECRET), quote(SECRET, safe=""), base64.b64encode(SECRET.encode()).decode()),
        base64.b64encode(f"user:{SECRET}".encode()).decode(),
    ],
)
def test_the_search_finds_a_secret_in_any_notation(form: str) -> None:
    """The search finds a planted secret as it is, in part, in a URL and in base64."""
    assert found(f"some {form} text")


@pytest.mark.parametrize("before", ["", "a", "aaa/", "token="])
def test_the_search_finds_a_name_in_a_token(before: str) -> None:
    """The search finds base64 within base64, whatever stands before it, and whoever it is."""
    token = tokens.encode("listing", (1,), NEXT_KEY)
    assert found(f"{before}{token}")
    assert leaks(Run(0, "", f"{before}{token}"))
    token = tokens.encode("listing", (1,), "山田 太郎")
    assert leaks(Run(0, "", f"{before}{token}"), {"山田 太郎"})


# Runs that succeed


@pytest.mark.parametrize("name", AUTH_METHODS)
def test_a_run_that_succeeds_says_nothing_secret(
    name: str, stores: SecretStores, emulator: Emulator, log_config: Mapping[str, str]
) -> None:
    """No authentication method leaks, with every logger at DEBUG and in structured logs."""
    method = AUTH_METHODS[name](stores)
    emulator.credentials = method.signer
    ran = run(config(emulator, **method.settings), env={**log_config, **method.environ(stores)})
    assert ran.status == 0, ran.stderr
    assert len(records(ran.stdout)) == USERS
    assert '"type":"STATE"' in ran.stdout
    assert not leaks(ran, people(ran.stdout))


@pytest.mark.programs
def test_all_streams_say_nothing_secret(
    hostile: Hostile, catalog: Any, log_config: Mapping[str, str]
) -> None:
    """All streams together write neither a secret, nor a user outside of their records."""
    hostile.reset("nothing", times=0)
    ran = run(config(hostile, **TEMPORARY), env=log_config, catalog=catalog)
    assert ran.status == 0, ran.stderr
    assert len(people(ran.stdout)) > USERS
    assert len(hostile.seen) > 5
    assert not leaks(ran, people(ran.stdout))


def test_a_catalog_holds_nothing_secret(
    stores: SecretStores, log_config: Mapping[str, str]
) -> None:
    """Discovery with all secrets set prints none of them."""
    settings = {
        "user_pool_id": "us-east-1_AbCdEf",
        "aws_access_key_id": KEY_ID,
        "api_key_id": NAME,
        "vault_url": stores.vault.url(),
        "aws_session_token": TOKEN,
        **IN_ROLE,
    }
    ran = run(settings, "--discover", env={**log_config, **stores.environment})
    assert ran.status == 0, ran.stderr
    assert json.loads(ran.stdout)["streams"]
    assert not leaks(ran)


# Credentials that fail


def _wrong(setting: str) -> Callable[[SecretStores, Emulator], dict[str, str]]:
    return lambda *_: {**TEMPORARY, setting: f"{TEMPORARY[setting][:-4]}wrong"}


def _expired(_: SecretStores, emulator: Emulator) -> dict[str, str]:
    emulator.credentials = {KEY_ID: Credential(SECRET, TOKEN, time.time() - 1)}
    return TEMPORARY


def _denied(_: SecretStores, emulator: Emulator) -> dict[str, str]:
    emulator.denied = {"cognito-idp:ListUsers"}
    return TEMPORARY


def _role_refused(*_: object) -> dict[str, str]:
    return {**TEMPORARY, **IN_ROLE, "aws_assume_role_external_id": f"{EXTERNAL_ID}-wrong"}


def _role_wrongly_signed(*_: object) -> dict[str, str]:
    return {**TEMPORARY, **IN_ROLE, "aws_secret_access_key": f"{SECRET}wrong"}


def _token_loop(_: SecretStores, emulator: Emulator) -> dict[str, str]:
    emulator.token_loop = 1
    return TEMPORARY


def _token_refused(_: SecretStores, emulator: Emulator) -> dict[str, str]:
    emulator.token_lifetime, emulator.refuse_filter = 1, True
    return TEMPORARY


class _ForOneRequest(dict[str, Credential]):
    left = 1

    def __getitem__(self, key: str) -> Credential:
        self.left -= 1
        return super().__getitem__(key)._replace(expires=None if self.left >= 0 else 0.0)


def _expires_on_the_way(_: SecretStores, emulator: Emulator) -> dict[str, str]:
    emulator.credentials = _ForOneRequest({KEY_ID: Credential(SECRET, TOKEN)})
    return TEMPORARY


def _vault(
    change: Callable[[str], str], reference: str = NAME
) -> Callable[[SecretStores, Emulator], dict[str, str]]:
    return lambda stores, _: {
        "aws_access_key_id": KEY_ID,
        "api_key_id": reference,
        "vault_url": change(stores.vault.url()),
    }


def _two_lines(*_: object) -> dict[str, str]:
    return {**TEMPORARY, "aws_session_token": f"{TOKEN}\n"}


def _not_json(stores: SecretStores, _: Emulator) -> dict[str, str]:
    reference = stores.places["secret", "aws_secret_access_key"] + "#key"
    return {**TEMPORARY, "aws_secret_access_key": reference}


FAILURES: dict[str, tuple[Callable[[SecretStores, Emulator], dict[str, str]], str]] = {
    "wrong-key-id": (_wrong("aws_access_key_id"), "UnrecognizedClientException"),
    "wrong-secret": (_wrong("aws_secret_access_key"), "InvalidSignatureException"),
    "wrong-token": (_wrong("aws_session_token"), "UnrecognizedClientException"),
    "expired": (_expired, "ExpiredTokenException"),
    "expires-on-the-way": (_expires_on_the_way, "ExpiredTokenException"),
    "denied": (_denied, "may not call"),
    "token-loop": (_token_loop, "pagination token"),
    "token-refused": (_token_refused, "refuses the pagination tokens"),
    "role-refused": (_role_refused, "refused AssumeRole"),
    "role-wrongly-signed": (_role_wrongly_signed, "InvalidSignatureException"),
    "two-lines": (_two_lines, "`aws_session_token` is empty or contains a line break"),
    "no-json": (_not_json, "isn't a JSON object"),
    "both": (
        lambda stores, _: {**TEMPORARY, "api_key_id": NAME, "vault_url": stores.vault.url()},
        "both",
    ),
    "no-such-scheme": (
        lambda *_: {**TEMPORARY, "aws_session_token": f"x://{TOKEN}"},
        "unknown scheme",
    ),
    "vault-not-there": (_vault(lambda url: re.sub(r":\d+/", ":1/", url)), "nothing listens there"),
    "vault-password": (_vault(lambda url: url.replace("25c@", "25cx@")), "or the password"),
    "vault-no-secret": (_vault(str, "not there"), "no such secret"),
    "vault-no-url": (_vault(lambda url: f"{url}?planted=1"), "isn't a valid Postgres URL"),
    "vault-other-url": (_vault(lambda url: f"x{url}"), "unknown scheme"),
    "vault-unescaped": (
        _vault(lambda url: url.replace(quote(PASSWORD, safe=""), PASSWORD)),
        "percent-encode",
    ),
    "vault-dsn": (
        _vault(lambda _: f"host=127.0.0.1 port=1 user=u password='{PASSWORD}'"),
        "nothing listens there",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_credentials_that_fail_say_nothing_secret(
    name: str, stores: SecretStores, emulator: Emulator, log_config: Mapping[str, str]
) -> None:
    """Each failure of credentials is explained without a secret, with every logger at DEBUG."""
    prepare, expected = FAILURES[name]
    settings = config(emulator, **prepare(stores, emulator))
    ran = run(settings, env={**log_config, **stores.environment})
    assert ran.status == 1
    assert expected in ran.stderr
    assert "DEBUG" in ran.stderr
    assert not leaks(ran, people(ran.stdout))


def test_what_a_vault_answers_is_not_repeated(
    stores: SecretStores, emulator: Emulator, log_config: Mapping[str, str]
) -> None:
    """The text of an error that a database function raises isn't in the message."""
    function = "function vault._crypto_aead_det_decrypt(secret text) returns text"
    with stores.vault.server.connect(stores.vault.name) as connection:
        (before,) = connection.execute(
            "select pg_get_functiondef('vault._crypto_aead_det_decrypt'::regproc)"
        ).fetchone() or ("",)
        connection.execute(
            f"create or replace {function} language plpgsql as "
            f"$$ begin raise exception '{SECRET}' using detail = '{PERSON}'; end $$".encode()
        )
    settings = _vault(str)(stores, emulator)
    ran = run(config(emulator, **settings), env={**log_config, **stores.environment})
    with stores.vault.server.connect(stores.vault.name) as connection:
        connection.execute(before.encode())
    assert "it failed with SQLSTATE P0001" in ran.stderr
    assert not leaks(ran)


# Settings, variables, files and arguments of unexpected content


@pytest.mark.programs
@pytest.mark.parametrize("name", some(sorted(SCHEMA["properties"]), 4))
def test_a_secret_in_any_setting_is_not_repeated(
    name: str, hostile: Hostile, log_config: Mapping[str, str]
) -> None:
    """A secret in any setting isn't shown: as text, URL, list or name, accepted or not."""
    hostile.reset("nothing", times=0)
    for value in (
        *(SECRET, PASSWORD, [SECRET], {SECRET: SECRET}, f"{SECRET}\n", f"\x1b[31m{SECRET}"),
        *(f"http://{SECRET}@{SECRET}/?{SECRET}", f"postgresql://planted:{PASSWORD}@127.0.0.1:1/a"),
        *(f"us-east-1_{SECRET}", f'{PERSON} = "{SECRET}"', f'email = "{PERSON}'),
    ):
        given = config(hostile, **{**TEMPORARY, name: value})
        assert not leaks(run(given, env=log_config)), value


@pytest.mark.programs
def test_a_secret_in_place_of_a_name_is_not_repeated(log_config: Mapping[str, str]) -> None:
    """An unknown setting is named only if its name resembles that of a setting."""
    for name in (SECRET, KEY_ID, PERSON, f"{SECRET}: {PERSON}"):
        assert not leaks(run({"user_pool_id": "a_1", name: name}, env=log_config))


@pytest.mark.programs
@pytest.mark.parametrize("setting", SECRETS)
def test_a_reference_that_is_the_secret_already_is_not_repeated(
    setting: str, hostile: Hostile, log_config: Mapping[str, str]
) -> None:
    """A secret that a shell has put after any scheme, known or not, isn't shown."""
    hostile.reset("nothing", times=0)
    nowhere = {
        f"AWS_ENDPOINT_URL_{name}": "http://127.0.0.1:1" for name in ("SECRETS_MANAGER", "SSM")
    }
    environment = {**log_config, **nowhere, "AWS_MAX_ATTEMPTS": "1"}
    for scheme in (*SCHEMES, "planted"):
        given = {**TEMPORARY, **IN_ROLE, setting: f"{scheme}://{SECRET}"}
        ran = run(config(hostile, **given), env=environment)
        assert ran.status == 1
        assert f"`{setting}`" in ran.stderr or scheme == "supabase-vault"
        assert not leaks(ran), scheme


def botocore_variables() -> list[str]:
    """The environment variables that botocore reads, and those of other libraries."""
    names = {"HTTPS_PROXY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_ENDPOINT_URL"}
    for _, variables, _, _ in BOTOCORE_DEFAUT_SESSION_VARIABLES.values():
        names |= {variables} if isinstance(variables, str) else set(variables or ())
    return sorted(names)


@pytest.mark.programs
@pytest.mark.parametrize("variable", some(botocore_variables(), 5))
def test_a_secret_in_any_variable_is_not_repeated(
    variable: str, hostile: Hostile, log_config: Mapping[str, str]
) -> None:
    """A secret in any variable that botocore reads isn't shown."""
    hostile.reset("nothing", times=0)
    for value in (
        SECRET,
        f"socks5://planted:{PASSWORD}@127.0.0.1:1",
        f"http://{SECRET}@b/?{SECRET}",
    ):
        given = config(hostile, endpoint_url=None if "ENDPOINT" in variable else hostile.url)
        given |= TEMPORARY if "PROFILE" not in variable else {}
        assert not leaks(run(given, env={**log_config, variable: value})), value


@pytest.mark.programs
@pytest.mark.parametrize("seed", some(range(300), 12))
def test_a_file_with_anything_in_it_is_not_repeated(
    seed: int, hostile: Hostile, catalog: Any, log_config: Mapping[str, str]
) -> None:
    """A config, catalog or state with a secret in any one place is read without showing it."""
    hostile.reset("nothing", times=0)
    option = ("config", "catalog", "state")[seed % 3]
    bookmark = {"replication_key": "updated_at", "replication_key_value": "2026-01-01T00:00:00"}
    partition = {"context": {"user_pool_id": "us-east-1_Emulated1"}, "filter": "0a", **bookmark}
    files = {
        "config": config(hostile, **TEMPORARY, stream_maps={"users": {"email": "str(email)"}}),
        "catalog": catalog,
        "state": {"bookmarks": {"users": {**bookmark, "partitions": [partition], "version": 1}}},
    }
    choose = random.Random(seed)  # noqa: S311 - repeatable
    files[option] = mutated(files[option], choose, choose.choice((SECRET, *TEXTS)))
    ran = run(files.pop("config"), env=log_config, **files)
    assert ran.status in {0, 1}
    stdout = "".join(
        line
        for line in ran.stdout.splitlines(keepends=True)
        # A catalog's own columns are in the target's SCHEMA.
        if not line.startswith('{"type":"SCHEMA"') or option != "catalog"
    )
    assert not leaks(ran._replace(stdout=stdout), people(ran.stdout))


@pytest.mark.programs
@pytest.mark.parametrize("option", ["config", "catalog", "state"])
def test_a_file_that_is_no_json_is_not_repeated(option: str, log_config: Mapping[str, str]) -> None:
    """A file with text, another encoding, a repeated key or an unfinished object isn't quoted."""
    for content in (
        *(SECRET.encode(), PERSON.encode("utf-16"), f'["{SECRET}"]'.encode()),
        *(f'{{"{SECRET}": {PERSON}'.encode(), b"\x00planted", b'{"planted": NaN}', b""),
    ):
        files: dict[str, Any] = {"config": {"user_pool_id": "a_1"}, option: content}
        ran = run(files.pop("config"), env=log_config, **files)
        assert ran.status == 1
        assert not leaks(ran), content


@pytest.mark.programs
def test_a_secret_in_any_argument_is_not_repeated(log_config: Mapping[str, str]) -> None:
    """A secret in the place of a file, an option or a stray argument isn't shown."""
    inline = json.dumps({"aws_secret_access_key": SECRET})
    for arguments in (
        *(["--config", inline], ["--config", SECRET], ["--catalog", inline], ["--state", inline]),
        *(
            [SECRET],
            [f"--{SECRET}"],
            [f"--{SECRET}={SECRET}"],
            [f"--about={SECRET}"],
            ["-p", SECRET],
        ),
        *(["--about", "--format", SECRET], ["--config", f"/{SECRET}/a.json"]),
        *(["--config", f"/\x1b[31m{SECRET}"], ["--state", "x" * 5_000], ["--test", SECRET]),
    ):
        ran = run(None, *arguments, env=log_config)
        assert ran.status in {1, 2}
        assert not leaks(ran), arguments


@pytest.mark.programs
@pytest.mark.parametrize(
    "maps",
    [
        {"email": f"md5('{PERSON}' + email"},
        {"email": f"md5('{PERSON}' + emial)"},
        {"email": f"md5('{PERSON}' + email)"},
        {"email": f"config['{PERSON}']"},
        {"email": f"'{PERSON}'.missing"},
        {"__filter__": f"email != '{PERSON}'"},
        {"__filter__": f"email < 5 or '{PERSON}'"},
        {"__alias__": "zqperson("},
        {"__alias__": f"'{PERSON}"},
        {"__else__": PERSON},
        {"__key_properties__": [PERSON]},
        {PERSON: None},
    ],
    ids=repr,
)
def test_a_map_expression_is_not_repeated(
    maps: dict[str, Any], hostile: Hostile, log_config: Mapping[str, str]
) -> None:
    """An expression that works, that doesn't, or that fails on a record isn't quoted."""
    hostile.reset("nothing", times=0)
    given = config(hostile, **TEMPORARY, stream_maps={"users": maps})
    ran = run(given, env=log_config)
    assert ran.status in {0, 1}
    assert not found(ran.stderr)
    assert not [person for person in people(ran.stdout) if person in ran.stderr]


# An endpoint that answers anything


@pytest.mark.programs
@pytest.mark.parametrize("seed", some(range(200), 8))
def test_an_answer_with_anything_in_it_is_not_repeated(
    seed: int, hostile: Hostile, catalog: Any, log_config: Mapping[str, str]
) -> None:
    """An answer with a secret in any one place, or with an error code, isn't quoted."""
    hostile.reset(("mutated", "known code")[seed % 2], seed=seed)
    ran = run(config(hostile, **TEMPORARY), env=log_config, catalog=catalog)
    assert ran.status in {0, 1}
    assert not leaks(ran, people(ran.stdout) - {PERSON})


@pytest.mark.programs
@pytest.mark.parametrize("attack", some(sorted(ATTACKS), 10))
def test_an_endpoint_of_somebody_else_is_not_repeated(
    attack: str, hostile: Hostile, catalog: Any, log_config: Mapping[str, str]
) -> None:
    """Codes, texts, headers, pages and redirects of a hostile endpoint aren't quoted."""
    hostile.reset(attack, times=2)
    ran = run(config(hostile, **TEMPORARY), env=log_config, catalog=catalog)
    assert ran.status in {0, 1}
    assert not leaks(ran, people(ran.stdout) - {PERSON})


@pytest.mark.slow
@pytest.mark.parametrize("attack", sorted(ATTACKS))
def test_each_operation_alone_may_be_attacked(
    attack: str, hostile: Hostile, catalog: Any, log_config: Mapping[str, str]
) -> None:
    """What fails at the first of them hides nothing of the others."""
    hostile.reset("nothing", times=0)
    run(config(hostile, **TEMPORARY), env=log_config, catalog=catalog)
    for operation in sorted(hostile.seen):
        hostile.reset(attack, times=2, only=operation)
        ran = run(config(hostile, **TEMPORARY), env=log_config, catalog=catalog)
        assert ran.status in {0, 1}
        assert not leaks(ran, people(ran.stdout) - {PERSON}), operation


@pytest.mark.programs
@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR"])
@pytest.mark.parametrize("attack", ["an echo as code", "forbidden page", "nothing"])
def test_no_level_says_more(attack: str, level: str, hostile: Hostile) -> None:
    """No level of the SDK's own logging shows a secret."""
    hostile.reset(attack, times=1)
    ran = run(config(hostile, **TEMPORARY), env={**NOBODY, "TAP_COGNITO_LOGLEVEL": level})
    assert not leaks(ran, people(ran.stdout))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_stopped_says_nothing_secret(
    number: signal.Signals,
    stores: SecretStores,
    emulator: Emulator,
    log_config: Mapping[str, str],
    tmp_path: Path,
) -> None:
    """Stopped during a request, a run shows its place at DEBUG, and no secret."""
    emulator.latency = 60
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config(emulator, **{**TEMPORARY, **IN_ROLE})))
    emulator.credentials = stores.issuer.issued
    arrived = threading.Event()
    emulator.before_request(1, arrived.set)
    with subprocess.Popen(
        [sys.executable, "-m", "tap_cognito", "--config", path],
        env={**log_config, **stores.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as tap:
        assert arrived.wait(30)
        tap.send_signal(number)
        stdout, stderr = tap.communicate(timeout=30)
    assert tap.returncode == 128 + number
    assert f"stopped by {number.name}" in stderr
    assert "DEBUG" in stderr
    assert not leaks(Run(0, stdout, stderr))


# Marks


@pytest.mark.programs
def test_about_marks_the_secret_settings() -> None:
    """`--about` marks each secret setting and no other; an example isn't a secret."""
    ran = run(None, "--about", "--format=json")
    known = json.loads(ran.stdout)["settings"]["properties"]
    secret = {*TEMPORARY, "aws_assume_role_external_id", "vault_url"}
    for mark in ("secret", "writeOnly"):
        assert {name for name, setting in known.items() if setting.get(mark)} == secret


def test_meltano_hides_the_secret_settings() -> None:
    """meltano.yml has `sensitive: true` at each secret setting, and at no other."""
    project = yaml.safe_load((ROOT / "meltano.yml").read_text())
    (tap,) = project["plugins"]["extractors"]
    sensitive = {setting["name"] for setting in tap["settings"] if setting.get("sensitive")}
    others = ("aws_assume_role_external_id", "stream_map_config.salt", "vault_url")
    assert sensitive == {*TEMPORARY, *others}
