"""Each authentication method, against a pool that checks by whom a request is signed."""

from __future__ import annotations

import copy
import fnmatch
import json
import os
import re
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import yaml
from moto.sts.models import sts_backends
from psycopg.errors import InsufficientPrivilege

from emulator import Credential, Emulator, Pool
from tap_cognito import logs
from tap_cognito.config.settings import SCHEMA
from tap_cognito.config.validation import normalize, validate
from tap_cognito.errors import CredentialsError, TapCognitoError
from tap_cognito.identity.credentials import create_session
from tap_cognito.identity.secret_references import SCHEMES, resolve_secrets
from tap_cognito.tap import TapCognito
from tests.support.documents import blocks
from tests.support.hostile import Hostile, response
from tests.support.identities import (
    AUTH_METHODS,
    EMPTY,
    EXTERNAL_ID,
    FORMS,
    IN_ROLE,
    KEY_ID,
    KEY_OF_TWO,
    NAME,
    NAMED_LIKE_AN_ID,
    NULL,
    OTHER,
    PAIR,
    PASSWORD,
    PERMANENT_SIGNER,
    PLANTED,
    ROLE,
    TEMPORARY,
    TEMPORARY_SIGNER,
    AuthMethod,
    Issuer,
    SecretStores,
)
from tests.support.paths import ROOT
from tests.support.programs import run_program, run_tap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tap_cognito.cognito.pools import Region


USERS = 150


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A pool that accepts no key yet."""
    with Emulator(Pool(USERS), credentials={}) as made:
        yield made


@pytest.fixture
def environ(stores: SecretStores, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment of the secret stores; change it with this."""
    for name, value in stores.environment.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def config(emulator: Emulator, **more: Any) -> dict[str, Any]:
    """Settings that read the pool, without credentials."""
    return {
        "user_pool_id": emulator.pool.id,
        "endpoint_url": emulator.url,
        "max_requests_per_second": 500,
        **more,
    }


def read(emulator: Emulator, **settings: Any) -> int:
    """Read the pool with these credentials, and count its users."""
    return count_users(TapCognito(config=config(emulator, **settings)).find_pools())


def count_users(regions: list[Region]) -> int:
    """Count the users of the only pool."""
    ((pool,),) = (region.pools() for region in regions)
    pages = pool.listing("ListUsers", "Users").read(threading.Event())
    return sum(len(page.items) for page in pages if page)


def refusal(emulator: Emulator, **settings: Any) -> str:
    """What these credentials are refused with, before anything is asked of Cognito."""
    with pytest.raises(TapCognitoError) as raised:
        read(emulator, **settings)
    text = str(raised.value)
    assert not emulator.log.requests
    assert "\n" not in text
    assert not [secret for secret in PLANTED if secret in text]
    return text


def enter(method: AuthMethod, environ: pytest.MonkeyPatch) -> None:
    """Set the environment as an authentication method has it."""
    for variable, value in method.environment.items():
        if value is None:
            environ.delenv(variable, raising=False)
        else:
            environ.setenv(variable, value)


# Each authentication method


@pytest.mark.parametrize("name", AUTH_METHODS)
def test_each_auth_method_signs_with_its_own_secret_and_leaves_the_environment_alone(
    name: str, stores: SecretStores, emulator: Emulator, environ: pytest.MonkeyPatch
) -> None:
    """The pool is read by who the settings mean, even if the environment holds other keys."""
    method = AUTH_METHODS[name](stores)
    enter(method, environ)
    emulator.credentials = method.signer
    before = dict(os.environ)
    assert read(emulator, **method.settings) == USERS
    assert dict(os.environ) == before


@pytest.mark.parametrize("name", AUTH_METHODS)
def test_what_each_auth_method_signs_with_is_masked(
    name: str, stores: SecretStores, emulator: Emulator, environ: pytest.MonkeyPatch
) -> None:
    """Keys, tokens, external ids and the Vault's password are masked, wherever they come from."""
    environ.setattr(logs, "_secrets", logs._Secrets())  # noqa: SLF001 - what other tests hid
    method = AUTH_METHODS[name](stores)
    enter(method, environ)
    emulator.credentials = method.signer
    before = set(method.signer)
    assert read(emulator, **method.settings) == USERS
    secrets = [PASSWORD] if "vault_url" in method.settings else []
    secrets += [EXTERNAL_ID] if "aws_assume_role_arn" in method.settings else []
    for key_id in set(method.signer) - before or before:
        credential = method.signer[key_id]
        secrets += [key_id, credential.secret, *filter(None, [credential.session_token])]
    assert {secret: logs.clean(f"a {secret} z") for secret in secrets} == dict.fromkeys(
        secrets, "a *** z"
    )


def test_a_secret_is_masked_as_a_whole_too(
    stores: SecretStores, environ: pytest.MonkeyPatch
) -> None:
    """The JSON object of Secrets Manager, of which a reference names one key, is masked."""
    environ.setattr(logs, "_secrets", logs._Secrets())  # noqa: SLF001 - what other tests hid
    reference = stores.references("secret-json", "aws_session_token")
    resolve_secrets({"user_pool_id": "us-east-1_A", **reference})
    assert KEY_ID[:12] not in logs.clean(f'a {{"aws_access_key_id": "{KEY_ID}", "aws')


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("setting", TEMPORARY)
def test_a_reference_may_stand_for_any_part_of_a_key(
    setting: str, form: str, stores: SecretStores, emulator: Emulator
) -> None:
    """A reference works for each of the three parts of a key, with the others literal."""
    emulator.credentials = TEMPORARY_SIGNER
    assert read(emulator, **{**TEMPORARY, **stores.references(form, setting)}) == USERS


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize("form", FORMS)
def test_an_external_id_may_be_a_reference(
    form: str, stores: SecretStores, emulator: Emulator
) -> None:
    """The role is given only for the external id that the reference stands for."""
    emulator.credentials = stores.issuer.issued
    reference = stores.references(form, "aws_assume_role_external_id")
    assert read(emulator, **{**TEMPORARY, **IN_ROLE, **reference}) == USERS


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize("form", [form for form in FORMS if form != "supabase-vault"])
def test_the_vault_url_may_be_a_reference(
    form: str, stores: SecretStores, emulator: Emulator
) -> None:
    """The secret comes from the database that the reference stands for."""
    emulator.credentials = PERMANENT_SIGNER
    reference = stores.references(form, "vault_url")
    assert read(emulator, aws_access_key_id=KEY_ID, api_key_id=NAME, **reference) == USERS


def test_a_command_resolves_its_references(stores: SecretStores, emulator: Emulator) -> None:
    """The command line reads the pool with keys from four places."""
    emulator.credentials = TEMPORARY_SIGNER
    settings = {
        **stores.references("secret-arn", "aws_access_key_id"),
        **stores.references("supabase-vault", "aws_secret_access_key"),
        **stores.references("ssm", "aws_session_token"),
        **stores.references("file", "vault_url"),
    }
    run = run_tap(config(emulator, **settings), env=stores.environment)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count('"type":"RECORD"') == USERS


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        ("{}\n", "{}"),
        ("{}\r\n", "{}"),
        ("{}", "{}"),
        ("ü{}\n", "ü{}"),
        ("\ufeff{}\r\n", "{}"),
    ],
)
def test_a_file_is_taken_without_its_last_line_break(
    content: str, secret: str, tmp_path: Path, emulator: Emulator
) -> None:
    """The last line break and a byte-order mark of a secret's file don't belong to the secret."""
    path = tmp_path / "a secret"
    path.write_bytes(content.format(PAIR["aws_secret_access_key"]).encode())
    emulator.credentials = {KEY_ID: Credential(secret.format(PAIR["aws_secret_access_key"]))}
    reference = path.as_uri()
    assert "%20" in reference
    assert read(emulator, aws_access_key_id=KEY_ID, aws_secret_access_key=reference) == USERS


# Roles


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize(
    ("settings", "session"),
    [({}, "tap-cognito"), ({"aws_assume_role_session_name": "nightly"}, "nightly")],
)
def test_sts_is_told_role_session_and_external_id(
    settings: Mapping[str, str], session: str, stores: SecretStores, emulator: Emulator
) -> None:
    """One request to STS, with what the settings say."""
    stores.issuer.requests.clear()
    emulator.credentials = stores.issuer.issued
    read(emulator, **TEMPORARY, **IN_ROLE, **settings)
    (asked,) = stores.issuer.requests
    del asked["Version"]
    assert asked == {
        "Action": "AssumeRole",
        "RoleArn": ROLE,
        "RoleSessionName": session,
        "ExternalId": EXTERNAL_ID,
    }


def test_a_role_of_another_account_is_assumed_at_an_sts_of_somebody_else(
    moto_url: str, emulator: Emulator, environ: pytest.MonkeyPatch
) -> None:
    """Moto's STS gives the credentials that sign; an external id is optional."""
    environ.setenv("AWS_ENDPOINT_URL_STS", moto_url)
    regions = TapCognito(config=config(emulator, **PAIR, aws_assume_role_arn=ROLE)).find_pools()
    given = sts_backends["210987654321"]["aws"].assumed_roles[-1]
    assert (given.role_arn, given.session_name) == (ROLE, "tap-cognito")
    emulator.credentials = {
        given.access_key_id: Credential(given.secret_access_key, given.session_token)
    }
    assert count_users(regions)


def test_a_role_is_assumed_again_when_its_credentials_expire_during_a_run(
    stores: SecretStores,
) -> None:
    """A run that outlasts its credentials goes on with new ones, and no request is refused."""
    # botocore asks for new credentials 15 minutes before the old ones are said to expire:
    # here after one second. Two seconds later the pool refuses the old ones.
    with Issuer(TEMPORARY_SIGNER, lifetime=15 * 60 + 1, truth=3) as issuer:
        settings = {**TEMPORARY, **IN_ROLE, "max_requests_per_second": 10}
        with Emulator(Pool(3000), credentials=issuer.issued) as slow:
            run = run_tap(
                config(slow) | settings,
                env={**stores.environment, "AWS_ENDPOINT_URL_STS": issuer.url},
            )
            assert run.returncode == 0, run.stderr
            assert run.stdout.count('"type":"RECORD"') == 3000
            assert slow.log.seconds() > 4
            assert slow.log.count() == slow.log.count(outcome="ok")
            assert 2 <= len(issuer.issued) < 10


def test_a_command_whose_role_is_refused_says_so_in_one_line(
    stores: SecretStores, emulator: Emulator
) -> None:
    """Botocore's own warning, with a traceback and AWS's text, isn't shown."""
    settings = {**TEMPORARY, **IN_ROLE, "aws_assume_role_external_id": "wrong"}
    # The SDK warns that a Python's end of life is near, in more than a line.
    environment = {**stores.environment, "PYTHONWARNINGS": "ignore"}
    run = run_tap(config(emulator, **settings), env=environment)
    assert run.returncode == 1
    (line,) = [line for line in run.stderr.splitlines() if "| INFO " not in line]
    assert "AWS refused AssumeRole (AccessDenied)" in line


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize(
    ("settings", "code", "advice"),
    [
        (
            {"aws_assume_role_external_id": "wrong"},
            "AccessDenied",
            {"`aws_assume_role_arn`", "sts:AssumeRole"},
        ),
        (
            {"aws_secret_access_key": "wrong"},
            "InvalidSignatureException",
            {"`aws_secret_access_key`"},
        ),
        (
            {"aws_access_key_id": "AKIAUNKNOWN"},
            "UnrecognizedClientException",
            {"`aws_access_key_id`"},
        ),
    ],
)
def test_a_role_that_is_refused_is_a_refusal(
    settings: Mapping[str, str], code: str, advice: set[str], emulator: Emulator
) -> None:
    """The line has AWS's code and names the setting or the permission that is wrong."""
    text = refusal(emulator, **{**TEMPORARY, **IN_ROLE, **settings})
    assert f"AWS refused AssumeRole ({code})" in text
    assert not [words for words in advice if words not in text]


def test_credentials_that_have_expired_on_arrival_are_a_refusal(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine whose clock is fast sees them so; the line names the clock, after one request."""
    with Issuer(TEMPORARY_SIGNER, lifetime=-60) as issuer:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", issuer.url)
        text = refusal(emulator, **TEMPORARY, **IN_ROLE)
        assert len(issuer.issued) == 1
    assert "have already expired: check this machine's clock" in text


@pytest.mark.parametrize("requests", [2, 10])
def test_a_role_that_is_refused_in_mid_run_is_one_line(
    requests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a role is taken away from the tap, its next renewal fails with AWS's code."""
    # Credentials that end in five minutes are renewed before each request, of one listing here.
    with Issuer(TEMPORARY_SIGNER, lifetime=5 * 60) as issuer, Emulator(Pool(900)) as pool:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", issuer.url)
        pool.credentials = issuer.issued
        pool.before_request(requests, lambda: setattr(issuer, "known", {}))
        settings = config(pool, **TEMPORARY, **IN_ROLE, user_filter='status = "Enabled"')
        with pytest.raises(CredentialsError) as raised:
            TapCognito(config=settings).sync_all()
        assert pool.log.count() == requests
    text = str(raised.value)
    assert text.startswith("`users`: AWS refused AssumeRole (UnrecognizedClientException): ")
    assert "\n" not in text
    assert not [secret for secret in PLANTED if secret in text]


def test_where_neither_setting_nor_pool_names_a_region_the_environment_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As for all that uses boto3."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert create_session({"user_pool_id": "local_abc", **PAIR}).region_name == "eu-west-1"


@pytest.mark.parametrize("pool_id", ["us-east-1_AbCdEf", "local_abc"])
def test_the_region_of_the_settings_is_where_everything_is_asked(pool_id: str) -> None:
    """Cognito and all else, whatever the id of the pool begins with."""
    settings = {"user_pool_id": pool_id, "region": "eu-west-1", **PAIR}
    assert create_session(settings).region_name == "eu-west-1"
    (region,) = TapCognito(config=settings).find_pools()
    assert region.client.region == "eu-west-1"
    replica = {"user_pool_ids": [pool_id], "region": "eu-west-1", **PAIR}
    (region,) = TapCognito(config=replica).find_pools()
    assert region.client.region == "eu-west-1"


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shared file that boto3 looks into."""
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "shared"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path / "shared"


PROCESS = "the `credential_process` of the AWS profile: run it by hand"
SHARED = "the AWS_* variables, or the shared AWS config and credentials files"


@pytest.mark.programs
@pytest.mark.parametrize("role", [{}, {"aws_assume_role_arn": ROLE}])
@pytest.mark.parametrize(
    ("shared", "expected"),
    [
        (
            "[default]\naws_access_key_id = AKIAHALF\n",
            f"an access key id or secret is missing) from {SHARED}",
        ),
        ("[default]\ncredential_process = false\n", PROCESS),
        (f"[default]\ncredential_process = echo {PAIR['aws_secret_access_key']}\n", PROCESS),
        ("[default]\ncredential_process = echo [1]\n", PROCESS),
        ("[default]\ncredential_process = /not/there\n", PROCESS),
        ("[default]\nrole_arn = x\nsource_profile = gone\n", "or of the AWS profile"),
        ("[default\n", f"a file can't be parsed) from {SHARED}"),
    ],
)
def test_credentials_that_boto3_cannot_load_are_a_refusal(
    role: Mapping[str, str],
    shared: str,
    expected: str,
    emulator: Emulator,
    damaged: Path,
) -> None:
    """Half a key pair, a broken program or a damaged shared file is one line about credentials."""
    damaged.write_text(shared)
    text = refusal(emulator, **role)
    assert text.startswith("no credentials (")
    assert expected in text


MISSING = "/not/there"
SSO = f"""[default]
sso_session = planted
sso_account_id = 123456789012
sso_role_name = {PAIR["aws_secret_access_key"]}
[sso-session planted]
sso_start_url = https://planted.example.com
sso_region = us-east-1
"""
UNAVAILABLE: dict[str, tuple[dict[str, str], str, str]] = {
    "web identity": (
        {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": MISSING},
        "",
        "no credentials (FileNotFoundError) from the web identity: check AWS_WEB_IDENTITY_TOKEN_",
    ),
    "container": (
        {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/container",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": MISSING,
        },
        "",
        "no credentials (FileNotFoundError) from the container: check AWS_CONTAINER_CREDENTIALS_",
    ),
    "a token of the container with a line break": (
        {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/container",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": f"{PAIR['aws_secret_access_key']}\r\nx",
        },
        "",
        "no credentials (ValueError) from the container",
    ),
    "a host that is no container's": (
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://planted.example.com/"},
        "",
        "from the container",
    ),
    "a time of the instance that is no number": (
        {"AWS_METADATA_SERVICE_TIMEOUT": "planted"},
        "",
        f"no credentials (ValueError) from {SHARED}",
    ),
    "half a pair": (
        {"AWS_ACCESS_KEY_ID": KEY_ID},
        "",
        "no credentials (an access key id or secret is missing) from the environment",
    ),
    "SSO without a login": ({}, SSO, "from AWS SSO: run `aws sso login` for the profile"),
}


@pytest.mark.parametrize("role", [{}, {"aws_assume_role_arn": ROLE}], ids=["alone", "role"])
@pytest.mark.parametrize("fault", UNAVAILABLE)
def test_credentials_that_are_not_there_name_where_they_come_from(
    fault: str,
    role: Mapping[str, str],
    emulator: Emulator,
    damaged: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Missing credentials are one line about them, and not about the endpoint."""
    variables, shared, expected = UNAVAILABLE[fault]
    damaged.write_text(shared)
    for name, value in {"HOME": str(damaged.parent), **variables}.items():
        monkeypatch.setenv(name, value)
    text = refusal(emulator, **role)
    assert expected in text
    assert "planted" not in text


@pytest.mark.programs
def test_an_mfa_code_that_nobody_can_type_is_a_refusal(emulator: Emulator, damaged: Path) -> None:
    """A profile that asks for an MFA code fails at once where there is no terminal."""
    damaged.write_text(
        f"[default]\nrole_arn = {ROLE}\nsource_profile = base\nmfa_serial = planted\n"
        f"[base]\naws_access_key_id = {KEY_ID}\n"
        f"aws_secret_access_key = {PAIR['aws_secret_access_key']}\n"
    )
    path = damaged.with_name("config.json")
    path.write_text(json.dumps(config(emulator)))
    run = run_program(
        [sys.executable, "-m", "tap_cognito", "--config", path],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert run.returncode == 1
    expected = (
        "no credentials (EOFError) from the role of `aws_assume_role_arn` or of the AWS profile"
    )
    assert expected in run.stderr


@pytest.mark.programs
@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (f"print('{PAIR['aws_secret_access_key']}')", "JSONDecodeError"),
        ("print('{}')", "CredentialRetrievalError"),
        ("raise SystemExit('planted')", "CredentialRetrievalError"),
        ("print('[1]')", "AttributeError"),
    ],
)
def test_a_refresh_that_fails_during_a_run_is_one_line_about_credentials(
    output: str, reason: str, emulator: Emulator, damaged: Path
) -> None:
    """A credential process that fails at its third call ends the run in one line."""
    emulator.credentials = TEMPORARY_SIGNER
    soon = (datetime.now(timezone.utc) + timedelta(seconds=50)).isoformat()
    keys = {
        "Version": 1,
        "AccessKeyId": KEY_ID,
        "SecretAccessKey": TEMPORARY["aws_secret_access_key"],
        "SessionToken": TEMPORARY["aws_session_token"],
        "Expiration": soon,
    }
    program = damaged.with_name("program.py")
    program.write_text(
        "import json, pathlib\n"
        f"calls = pathlib.Path({str(damaged.with_name('calls'))!r})\n"
        "calls.open('a').write('.')\n"
        f"if len(calls.read_text()) < 4: print({json.dumps(json.dumps(keys))})\n"
        f"else: {output}\n"
    )
    damaged.write_text(f'[default]\ncredential_process = "{sys.executable}" "{program}"\n')
    environment = {
        name: str(damaged) for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
    }
    run = run_tap(config(emulator), env=environment)
    (line,) = [line for line in run.stderr.splitlines() if " ERROR " in line]
    assert f"no credentials ({reason}) from the `credential_process` of the AWS profile" in line
    assert run.returncode == 1
    assert emulator.log.requests
    assert "Traceback" not in run.stderr
    assert not [secret for secret in (*PLANTED, "planted") if secret in run.stderr]


@pytest.mark.parametrize("settings", [{}, PAIR], ids=["default", "keys"])
def test_a_shared_file_that_cannot_be_parsed_is_a_refusal(
    settings: dict[str, str],
    tmp_path: Path,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where the keys are in the settings: it would fail each client."""
    shared = tmp_path / "config"
    shared.write_text("[default\nplanted=1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(shared))
    given = {**config(emulator), **dict.fromkeys(PAIR), **settings}
    with pytest.raises(CredentialsError, match="a file can't be parsed") as raised:
        TapCognito(config=given).find_pools()
    assert "planted" not in str(raised.value)


# Over HTTP


@pytest.mark.programs
@pytest.mark.parametrize(
    "variables",
    [
        {"AWS_ENDPOINT_URL": "http://planted:secret@cognito.example.com/planted?planted"},
        {"AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": "http://cognito.example.com"},
    ],
)
def test_nothing_is_sent_over_http_to_another_host(
    variables: Mapping[str, str], emulator: Emulator
) -> None:
    """HTTP to another host is refused wherever the address comes from; only the host is shown."""
    given = {**config(emulator, **TEMPORARY), "endpoint_url": None}
    run = run_tap(given, env=variables)
    (line,) = [line for line in run.stderr.splitlines() if " ERROR " in line]
    assert "http://cognito.example.com is another host without HTTPS" in line
    assert "planted" not in run.stderr
    assert run.returncode == 1


@pytest.mark.programs
@pytest.mark.parametrize(
    ("variables", "shown"),
    [
        ({"http_proxy": "http://planted:secret@proxy.invalid:3128"}, "http://proxy.invalid:3128"),
        ({"http_proxy": "proxy.invalid:3128"}, "http://proxy.invalid:3128"),
        ({"http_proxy": "http://[planted"}, None),
        ({"http_proxy": "http://proxy.invalid:3128", "no_proxy": "127.0.0.1"}, ""),
        ({"https_proxy": "http://proxy.invalid:3128"}, ""),
    ],
)
def test_what_is_for_this_machine_is_not_sent_through_a_proxy_elsewhere(
    variables: Mapping[str, str], shown: str | None, emulator: Emulator
) -> None:
    """A request to a loopback address over HTTP isn't sent through a proxy on another host."""
    emulator.credentials = TEMPORARY_SIGNER
    run = run_tap(config(emulator, **TEMPORARY), env={"no_proxy": "", **variables})
    if shown != "":
        (line,) = [line for line in run.stderr.splitlines() if " ERROR " in line]
        fault = f"{shown} is a proxy on another host" if shown else "http_proxy isn't a valid URL"
        assert fault in line
        assert "planted" not in run.stderr
        assert not emulator.log.requests
    assert run.returncode == (shown != ""), run.stderr


@pytest.mark.usefixtures("environ")
def test_a_role_is_not_assumed_over_http_at_another_host(
    emulator: Emulator, environ: pytest.MonkeyPatch
) -> None:
    """STS over HTTP on another host is refused, unless `allow_http` is set."""
    environ.setenv("AWS_ENDPOINT_URL_STS", "http://sts.invalid")
    settings = {**TEMPORARY, **IN_ROLE}
    assert "http://sts.invalid is another host without HTTPS" in refusal(emulator, **settings)
    text = refusal(emulator, **settings, allow_http=True)
    assert "no credentials (no answer, EndpointConnectionError)" in text


# What can't be had


@pytest.mark.parametrize("settings", [{}, IN_ROLE])
def test_no_credentials_anywhere_is_a_refusal(
    settings: Mapping[str, str], emulator: Emulator, environ: pytest.MonkeyPatch
) -> None:
    """The line lists the settings for credentials, and the other places that were tried."""
    for name in OTHER:
        environ.delenv(name)
    text = refusal(emulator, **settings)
    assert "no AWS credentials were found: set `aws_access_key_id`" in text


@pytest.mark.usefixtures("environ")
def test_a_profile_that_is_not_there_is_a_refusal(emulator: Emulator) -> None:
    """The line names the setting."""
    assert "`aws_profile` or AWS_PROFILE names a profile that isn't in" in refusal(
        emulator, aws_profile="nobody"
    )


@pytest.mark.usefixtures("environ")
def test_a_region_that_cannot_be_told_is_a_refusal(emulator: Emulator) -> None:
    """A pool ID without a region needs the setting `region`, and the line says so."""
    text = refusal(emulator, **PAIR, user_pool_id="local_abc")
    assert text == (
        "the region can't be derived from the pool id local_abc: set `region`, such as us-east-1"
    )


UNRESOLVED = {
    "vaults://planted/secret+access/key+0000000000001": "uses an unknown scheme; supported: "
    "env://, file://, aws-secretsmanager://, aws-ssm://, supabase-vault://",
    "env://NOT_THERE": "there is no such environment variable",
    "env://planted/secret+access/key+0000000000001": "omit the `$`",
    "env://EMPTY": "resolves to a value that is empty or contains a line break",
    "env://TWO_LINES": "resolves to a value that is empty or contains a line break",
    "file:///not/there": "can't be resolved: No such file or directory",
    "file:///not/../tmp": "can't be resolved: No such file",
    "file:///tmp": "can't be resolved: Is a directory",
    "file:///%00": "it isn't a path",
    "aws-secretsmanager://not-there": "there is no such secret",
    "aws-secretsmanager://arn:aws:secretsmanager:us-east-1:1:secret:planted-AbCdEf:key::": "as ECS "
    "writes it: end it there, and write the JSON key behind `#`",
    "aws-secretsmanager://{at}/binary": "the secret is binary, not text",
    "aws-secretsmanager://{at}/all#not-there": "isn't a JSON object with a text at that key",
    "aws-secretsmanager://{at}/aws_session_token#a": "isn't a JSON object with a text at that key",
    "aws-ssm:///not/there": "there is no such secret",
    "aws-ssm://": "the request to ssm failed (ParamValidationError)",
    "supabase-vault://not there": "there is no such secret in Supabase Vault",
}


@pytest.mark.parametrize("setting", ["aws_session_token", "aws_assume_role_external_id"])
@pytest.mark.parametrize("reference", UNRESOLVED)
def test_a_reference_that_cannot_be_resolved_is_a_refusal(
    setting: str,
    reference: str,
    stores: SecretStores,
    emulator: Emulator,
    environ: pytest.MonkeyPatch,
) -> None:
    """The line names the setting and the scheme, and says why; the rest may be a secret."""
    environ.setenv("EMPTY", "")
    environ.setenv("TWO_LINES", f"{TEMPORARY['aws_session_token']}\n")
    reason = UNRESOLVED[reference]
    reference = reference.format(at=stores.vault.name)
    settings = {**TEMPORARY, **IN_ROLE, setting: reference}
    if reference.startswith("supabase-vault:"):
        settings["vault_url"] = stores.vault.url()
    text = refusal(emulator, **settings)
    scheme, _, place = reference.partition("://")
    assert text.startswith(f"`{setting}`")
    assert f": the reference {scheme}://… " in text or scheme == "vaults"
    assert not place or place not in text
    assert reason in text


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", b"\n", b"one\ntwo\n", b"one\n\n", b"one\r"])
def test_a_file_that_holds_no_secret_is_a_refusal(
    content: bytes, tmp_path: Path, emulator: Emulator
) -> None:
    """Binary, empty and multi-line files are each refused as what they are."""
    path = tmp_path / "secret"
    path.write_bytes(content)
    text = refusal(emulator, aws_access_key_id=KEY_ID, aws_secret_access_key=path.as_uri())
    assert re.search("the file isn't UTF-8 text|is empty or contains a line break", text)


def test_a_file_that_is_not_regular_is_a_refusal(tmp_path: Path, emulator: Emulator) -> None:
    """A FIFO isn't waited for, and an endless device isn't read into memory."""
    began = time.monotonic()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    rescue = threading.Timer(10, os.open, [fifo, os.O_WRONLY | os.O_NONBLOCK])
    rescue.start()
    for path in (fifo, Path("/dev/zero"), Path("/dev/tty")):
        reference = path.as_uri()
        text = refusal(emulator, aws_access_key_id=KEY_ID, aws_secret_access_key=reference)
        assert re.search("isn't a regular file|No such device", text)
    rescue.cancel()
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("size", [64 * 1024 + 1, 1 << 40])
def test_a_large_file_is_a_refusal(size: int, tmp_path: Path, emulator: Emulator) -> None:
    """A file that is too long for a secret is refused without being read."""
    path = tmp_path / "secret"
    path.touch()
    os.truncate(path, size)  # without taking up the disk
    text = refusal(emulator, aws_access_key_id=KEY_ID, aws_secret_access_key=path.as_uri())
    assert "the file is larger than 64 KiB" in text


@pytest.mark.parametrize("setting", TEMPORARY)
def test_a_literal_with_a_line_break_is_a_refusal(setting: str, emulator: Emulator) -> None:
    """A secret with a line break is refused by its setting's name, and isn't sent."""
    text = refusal(emulator, **{**TEMPORARY, setting: f"{TEMPORARY[setting]}\n"})
    assert text == f"`{setting}` is empty or contains a line break"


ACTIONS = {
    "aws-secretsmanager://cognito": "secretsmanager:GetSecretValue",
    "aws-ssm:///cognito": "ssm:GetParameter",
}


@pytest.mark.parametrize("reference", ACTIONS)
@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (
            {
                "denied": {
                    "cognito-idp:secretsmanager.GetSecretValue",
                    "cognito-idp:AmazonSSM.GetParameter",
                }
            },
            "no permission: allow {} (and kms:Decrypt of its key)",
        ),
        ({"credentials": {}}, "AWS refused {} (UnrecognizedClientException)"),
        (None, "no AWS credentials were found"),
    ],
    ids=["denied", "unknown", "nobody"],
)
def test_a_service_that_refuses_is_a_refusal(
    reference: str,
    behaviour: dict[str, Any] | None,
    reason: str,
    emulator: Emulator,
    environ: pytest.MonkeyPatch,
) -> None:
    """The line names the IAM action that is missing, or says why AWS couldn't be asked."""
    for name in OTHER if behaviour is None else ():
        environ.delenv(name)
    with Emulator(Pool(), **behaviour or {}) as service:
        for name in ("SECRETS_MANAGER", "SSM"):
            environ.setenv(f"AWS_ENDPOINT_URL_{name}", service.url)
        text = refusal(emulator, aws_access_key_id=KEY_ID, aws_secret_access_key=reference)
    assert text.startswith("`aws_secret_access_key`: ")
    assert reason.format(ACTIONS[reference]) in text


@pytest.mark.parametrize("answer", ["{}", '{"Parameter": null}', '{"Parameter": {"Value": 1}}'])
def test_an_answer_of_ssm_without_the_parameter_is_a_refusal(
    answer: str, emulator: Emulator, environ: pytest.MonkeyPatch
) -> None:
    """Whatever serves AWS_ENDPOINT_URL_SSM, the line names it."""
    with Hostile("http://127.0.0.1:1") as ssm:
        ssm.attack, ssm.attacked = (lambda _: response(answer)), range(1, 9)
        environ.setenv("AWS_ENDPOINT_URL_SSM", ssm.url)
        text = refusal(
            emulator, aws_access_key_id=KEY_ID, aws_secret_access_key="aws-ssm:///planted"
        )
    assert "AWS_ENDPOINT_URL_SSM" in text


# Supabase Vault


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("not there", "there is no such secret in Supabase Vault"),
        ("00000000-0000-4000-8000-000000000000", "there is no such secret in Supabase Vault"),
        (NULL, "there is no such secret in Supabase Vault"),
        (EMPTY, "is empty or contains a line break"),
        (KEY_OF_TWO, "2 secrets have this key id: use the secret's id or name"),
        ("x' or true --", "there is no such secret in Supabase Vault"),
    ],
)
def test_a_secret_that_vault_has_not_is_a_refusal(
    reference: str, reason: str, stores: SecretStores, emulator: Emulator
) -> None:
    """The line names the setting."""
    vault = {"api_key_id": reference, "vault_url": stores.vault.url()}
    text = refusal(emulator, aws_access_key_id=KEY_ID, **vault)
    assert text.startswith("`api_key_id`: ")
    assert reference not in text
    assert reason in text


UNESCAPED = "percent-encode the user and the password in it"


def with_password(raw: str) -> Callable[[SecretStores], str]:
    """A URL with a password in it that isn't percent-encoded."""
    return lambda stores: stores.vault.url().replace(quote(PASSWORD, safe=""), raw)


BROKEN_VAULTS: dict[str, tuple[Callable[[SecretStores], str], str]] = {
    "no permission": (lambda stores: stores.vault.url("stranger"), "grant usage on schema vault"),
    "no Vault": (
        lambda stores: stores.vault.url(database="postgres"),
        "there is no Supabase Vault in it",
    ),
    "no database": (
        lambda stores: stores.vault.url(database="not_there"),
        "no database of this name",
    ),
    "wrong password": (
        lambda stores: stores.vault.url(password="planted/wrong"),
        "it refuses the user or the password",
    ),
    "no such user": (
        lambda stores: stores.vault.url("nobody"),
        "it refuses the user or the password",
    ),
    "nobody there": (
        lambda stores: stores.vault.url().replace(str(stores.vault.server.port), "1"),
        "nothing listens there: check host and port",
    ),
    "unknown host": (
        lambda stores: stores.vault.url().replace("127.0.0.1", "password.invalid"),
        "its host is unknown",
    ),
    "no TLS": (lambda stores: f"{stores.vault.url()}?sslmode=require", "TLS negotiation failed"),
    "a URL of another kind": (
        lambda stores: stores.vault.url().replace("postgresql:", "mysql:"),
        "uses an unknown scheme",
    ),
    "a URL with a fault": (
        lambda stores: f"{stores.vault.url()}?planted=1",
        "isn't a valid Postgres URL",
    ),
    "an invalid sslmode": (
        lambda stores: f"{stores.vault.url()}?sslmode=required",
        "`sslmode` of `vault_url` is invalid",
    ),
    "a long connect_timeout": (
        lambda stores: f"{stores.vault.url()}?connect_timeout=61",
        "`connect_timeout` of `vault_url` is invalid",
    ),
    "no password": (
        lambda stores: stores.vault.url().replace(f":{quote(PASSWORD, safe='')}@", "@"),
        "it asks for a password: put one into the URL",
    ),
    "no URL": (lambda stores: stores.vault.url().partition("//")[2], "isn't a valid Postgres URL"),
    "a password with @": (with_password("planted@pa55"), UNESCAPED),
    "a password with /": (with_password("planted/pa55"), UNESCAPED),
    "a password with / after digits": (with_password("1/planted"), UNESCAPED),
    "a password with %": (with_password("planted%pa55"), UNESCAPED),
    "a password with / and @": (with_password("S3cr/etPassw0rd@"), UNESCAPED),
    "a user and a password alone": (lambda _: "postgresql://reader:planted/postgres", UNESCAPED),
    "itself in Vault": (
        lambda stores: stores.places["supabase-vault", "vault_url"],
        "set `vault_url` to the database that holds Supabase Vault",
    ),
}


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize("fault", BROKEN_VAULTS)
def test_a_vault_that_cannot_be_asked_is_a_refusal(
    fault: str, stores: SecretStores, emulator: Emulator
) -> None:
    """The line says why, and shows no part of the URL: it may be a part of the password."""
    vault_url, reason = BROKEN_VAULTS[fault]
    vault = {"api_key_id": NAME, "vault_url": vault_url(stores)}
    text = refusal(emulator, aws_access_key_id=KEY_ID, **vault)
    assert reason in text
    assert "`vault_url`" in text
    shown = {*re.findall(r"\w+", vault["vault_url"])} & {*re.findall(r"\w+", text)}
    assert shown <= {"connect_timeout", "sslmode", "supabase", "vault"}


@pytest.mark.usefixtures("environ")
def test_a_vault_without_its_extra_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch, emulator: Emulator
) -> None:
    """Without psycopg the line names the extra to install."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    vault = {"vault_url": "postgresql://127.0.0.1:1/postgres", "api_key_id": "1"}
    assert "install tap-cognito with its extra `vault`" in refusal(
        emulator, aws_access_key_id=KEY_ID, aws_secret_access_key=None, **vault
    )


@pytest.mark.usefixtures("environ")
def test_a_vault_that_must_not_decrypt_names_the_grant(
    stores: SecretStores, emulator: Emulator
) -> None:
    """The missing grant that is named is that of the function, and not of the view."""
    vault = {"api_key_id": NAME, "vault_url": stores.vault.url("viewer")}
    text = refusal(emulator, aws_access_key_id=KEY_ID, **vault)
    assert "grant execute on function vault._crypto_aead_det_decrypt" in text


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize("reference", [NAME, f"supabase-vault://{NAME}", NAMED_LIKE_AN_ID])
def test_a_secret_in_vault_is_found_by_its_name(
    reference: str, stores: SecretStores, emulator: Emulator
) -> None:
    """A Vault secret is found with or without the scheme, and if its name looks like an ID."""
    emulator.credentials = PERMANENT_SIGNER
    vault = {"api_key_id": reference, "vault_url": stores.vault.url()}
    assert read(emulator, aws_access_key_id=KEY_ID, **vault) == USERS


def test_vault_is_asked_by_its_least_grants(stores: SecretStores) -> None:
    """The role of these tests may read the Vault's view and nothing else."""
    with stores.vault.server.connect(stores.vault.name) as connection:
        connection.execute(f"set role {stores.vault.name}_reader".encode())
        with pytest.raises(InsufficientPrivilege):
            connection.execute("select secret from vault.secrets")


# The document


DOCUMENT = "docs/credentials.md"


def policies_and_configs() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The JSON blocks of the document."""
    parsed = [json.loads(block) for block in blocks(DOCUMENT, "json")]
    return (
        [block for block in parsed if "Version" in block],
        [block for block in parsed if "Version" not in block],
    )


def test_the_documents_settings_have_no_problem() -> None:
    """Each example of docs/credentials.md is valid, and one is shown in both forms."""
    _, (as_file,) = policies_and_configs()
    as_plugin, *parts = map(yaml.safe_load, blocks(DOCUMENT, "yaml"))
    assert as_plugin["plugins"]["extractors"][0]["config"] == as_file
    assert len(parts) == 7
    schema = copy.deepcopy(SCHEMA)
    TapCognito.append_builtin_config(schema)
    for part in (as_file, *parts):
        config = {"user_pool_id": "us-east-1_AbCdEf123", **part}
        assert validate(normalize(config, schema), schema) == []


def test_the_documents_errors_are_those_of_the_tap(emulator: Emulator) -> None:
    """The quoted errors that need no server are the tap's, word by word."""
    lines = blocks(DOCUMENT, "text")[0].splitlines()
    vault = {"vault_url": "postgresql://127.0.0.1:1/a"}
    for settings, line in zip(
        (
            {**PAIR, "api_key_id": "a", **vault},
            {"aws_session_token": "a"},
            {**PAIR, "aws_secret_access_key": "env://NOT_THERE"},
        ),
        lines,
        strict=False,
    ):
        assert refusal(emulator, **settings) == line


def test_the_documents_policies_grant_what_errors_ask_for() -> None:
    """Every action that the tap may name is granted by one of the document's policies."""
    granted: set[str] = set()
    for policy in policies_and_configs()[0]:
        for statement in policy["Statement"]:
            action = statement["Action"]
            granted.update([action] if isinstance(action, str) else action)
    assert granted == {
        "cognito-idp:DescribeUserPool",
        "cognito-idp:ListUsers",
        "kms:Decrypt",
        "sts:AssumeRole",
        *ACTIONS.values(),
    }


def test_the_documents_policy_of_secrets_manager_is_for_one_secret() -> None:
    """Its pattern stands for the six characters that AWS adds, and for no other secret's name."""
    (pattern,) = (
        statement["Resource"]
        for policy in policies_and_configs()[0]
        for statement in policy["Statement"]
        if statement["Action"] == "secretsmanager:GetSecretValue"
    )
    prefix = "arn:aws:secretsmanager:us-east-1:123456789012:secret:cognito/reader"
    assert fnmatch.fnmatchcase(f"{prefix}-AbC123", pattern)
    assert not fnmatch.fnmatchcase(f"{prefix}-admin-AbC123", pattern)
    assert not fnmatch.fnmatchcase(f"{prefix}s-AbC123", pattern)


def test_the_documents_grants_are_enough_for_vault(
    stores: SecretStores, emulator: Emulator
) -> None:
    """A role with the document's grants, and nothing else, reads the secret."""
    (grants,) = blocks(DOCUMENT, "sql")
    role = f"{stores.vault.name}_documented"
    with stores.vault.server.connect(stores.vault.name) as connection:
        connection.execute(grants.replace("cognito_vault", role).encode())
        connection.execute(f"alter role {role} password '{PASSWORD}'".encode())
    emulator.credentials = PERMANENT_SIGNER
    vault_url = stores.vault.url("documented")
    assert read(emulator, aws_access_key_id=KEY_ID, api_key_id=NAME, vault_url=vault_url) == USERS


def test_the_document_lists_every_scheme() -> None:
    """The table of references has a row for each."""
    text = (ROOT / "docs" / "credentials.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z-]+)://", text, re.MULTILINE)) == set(SCHEMES)
