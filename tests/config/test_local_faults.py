"""What is wrong on this machine is said at once, by the name of the variable, setting or file."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from emulator import Emulator, Pool
from tap_cognito.cognito import client as cognito_client
from tap_cognito.error_codes import ErrorKind, classify
from tap_cognito.error_messages import Request, from_botocore, who_denied
from tap_cognito.errors import CredentialsError, TapCognitoError
from tap_cognito.identity import credentials
from tap_cognito.identity.credentials import create_session
from tap_cognito.tap import TapCognito
from tests.support.hostile import Hostile, response
from tests.support.identities import IN_ROLE, KEY_ID, TEMPORARY, TEMPORARY_SIGNER
from tests.support.tls import server_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

POOL = "us-east-1_AbCdEf123"


def refusal(url: str | None = "http://127.0.0.1:1", **settings: Any) -> str:
    """What a run ends with, within 20 seconds."""
    began = time.monotonic()
    config = {"user_pool_id": POOL, "endpoint_url": url, **TEMPORARY, **settings}
    with pytest.raises(TapCognitoError) as raised:
        TapCognito(
            config={name: value for name, value in config.items() if value is not None}
        ).read_all()
    assert time.monotonic() - began < 20
    text = str(raised.value)
    assert "\n" not in text
    assert "a bug" not in text
    return text


@pytest.fixture
def variable(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Set a variable from `NAME=value`, and return its name."""

    def set_(text: str) -> str:
        name, _, value = text.partition("=")
        monkeypatch.setenv(name, value)
        return name

    return set_


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry for no longer than a moment."""
    monkeypatch.setattr(cognito_client, "START_SECONDS", 0.1)


@pytest.mark.parametrize(
    "setting",
    [
        "AWS_CA_BUNDLE=",
        "REQUESTS_CA_BUNDLE=",
        "AWS_CA_BUNDLE= ",
        "AWS_CA_BUNDLE=/nowhere/ca.pem",
        "REQUESTS_CA_BUNDLE=/dev/null",
        f"AWS_CA_BUNDLE={__file__}",
        "AWS_DEFAULTS_MODE=fast",
        "AWS_STS_REGIONAL_ENDPOINTS=global",
        "AWS_REQUEST_CHECKSUM_CALCULATION=sometimes",
        "AWS_ACCOUNT_ID_ENDPOINT_MODE=what",
        "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES=x",
        "AWS_PROFILE=",
        "AWS_DEFAULT_PROFILE=",
    ],
)
def test_a_variable_that_boto3_refuses_is_named(
    setting: str, variable: Callable[[str], str]
) -> None:
    """Also beside an `endpoint_url`, which has no part in it."""
    name = variable(setting)
    text = refusal()
    assert text.startswith(name)
    assert "endpoint_url" not in text


def test_of_two_wrong_variables_one_is_named(variable: Callable[[str], str]) -> None:
    """The next run names the other."""
    names = [variable("AWS_DEFAULTS_MODE=fast"), variable("AWS_ACCOUNT_ID_ENDPOINT_MODE=what")]
    assert any(refusal().startswith(f"{name} has a value that") for name in names)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ca_bundle =", "`ca_bundle` of the AWS profile is set but empty"),
        ("ca_bundle = /nowhere/ca.pem", "`ca_bundle` of the AWS profile names a file that can't"),
        ("defaults_mode = fast", "`defaults_mode` of the AWS profile has a value that"),
    ],
)
def test_a_setting_of_the_profile_that_boto3_refuses_is_named(
    line: str, words: str, variable: Callable[[str], str], tmp_path: Path
) -> None:
    """By its name in the shared AWS config."""
    shared = tmp_path / "config"
    shared.write_text(f"[default]\n{line}\n")
    variable(f"AWS_CONFIG_FILE={shared}")
    assert refusal().startswith(words)


def test_a_variable_is_named_before_the_setting_that_it_replaces(
    variable: Callable[[str], str], tmp_path: Path
) -> None:
    """boto3 doesn't look at the profile's where the variable is set."""
    shared = tmp_path / "config"
    shared.write_text("[default]\ndefaults_mode = standard\n")
    variable(f"AWS_CONFIG_FILE={shared}")
    variable("AWS_DEFAULTS_MODE=fast")
    assert refusal().startswith("AWS_DEFAULTS_MODE has a value that")


@pytest.mark.parametrize("url", ["https://localhost:99999", "https://localhost:port"])
def test_an_endpoint_of_the_environment_that_is_no_url_is_named(
    url: str, variable: Callable[[str], str]
) -> None:
    """AWS_ENDPOINT_URL, and not a setting that isn't set."""
    text = refusal(None) if variable(f"AWS_ENDPOINT_URL={url}") else ""
    assert text.startswith("AWS_ENDPOINT_URL")
    assert "isn't a valid URL" in text


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        ("socks5://127.0.0.1:1080", "HTTPS_PROXY isn't a proxy of HTTP"),
        ("http://127.0.0.1:port", "HTTPS_PROXY isn't a valid URL"),
        ("http://planted:planted@127.0.0.1:99999", "HTTPS_PROXY isn't a valid URL"),
        ("http://127.0.0.1:1", "the proxy http://127.0.0.1:1 of HTTPS_PROXY can't be reached"),
    ],
)
@pytest.mark.usefixtures("impatient")
def test_a_proxy_that_cannot_be_used_is_named(
    proxy: str, words: str, variable: Callable[[str], str]
) -> None:
    """By its variable, without its login; `endpoint_url` isn't blamed."""
    variable(f"HTTPS_PROXY={proxy}")
    text = refusal(None)
    assert words in text
    assert "planted" not in text
    assert "endpoint_url" not in text


class _Refusing(BaseHTTPRequestHandler):
    """Answers all requests with the status of its server, which lists their first lines."""

    server: Any

    def do_CONNECT(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        self.server.asked.append(self.requestline)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.wfile.write(b"HTTP/1.1 %d No\r\n\r\n<html>" % self.server.status)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def proxy() -> Iterator[Any]:
    """A proxy that refuses all."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusing) as server:
        refusing: Any = server
        refusing.asked, refusing.url = [], f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield refusing
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("status", [302, 401, 403, 404, 405, 407])
@pytest.mark.parametrize(
    ("name", "endpoint_url"), [("HTTPS_PROXY", None), ("http_proxy", "http://127.0.0.1:1")]
)
@pytest.mark.usefixtures("impatient")
def test_a_proxy_that_refuses_is_named(
    status: int, name: str, endpoint_url: str | None, proxy: Any, variable: Any
) -> None:
    """By its variable, and soon; one on this machine is used for HTTP too."""
    proxy.status = status
    variable(f"{name}={proxy.url}")
    variable("no_proxy=")
    text = refusal(endpoint_url)
    assert f"the proxy {proxy.url} of {name} " in text
    assert f"check {name}, or add the host of " in text
    asked = f"POST {endpoint_url}/" if endpoint_url else "CONNECT cognito-idp.us-east-1.amazonaws"
    assert proxy.asked
    assert all(line.startswith(asked) for line in proxy.asked)


@pytest.mark.usefixtures("impatient")
def test_a_server_that_is_not_cognito_is_told_by_its_status(proxy: Any) -> None:
    """And by what leads to it, without a minute of retries."""
    proxy.status = 404
    text = refusal(proxy.url)
    assert "HTTP status 404 (404): that isn't AWS's answer; check `endpoint_url`" in text
    assert len(proxy.asked) > 1


def test_a_proxy_that_keeps_credentials_away_is_named(variable: Callable[[str], str]) -> None:
    """Also where nobody says which host was asked."""
    variable("HTTPS_PROXY=http://127.0.0.1:1")
    text = refusal(None, **IN_ROLE)
    assert "no credentials: the proxy http://127.0.0.1:1 of HTTPS_PROXY can't be reached" in text
    assert "invalid" not in text


@pytest.mark.usefixtures("impatient")
def test_a_certificate_that_is_not_trusted_is_named(tmp_path: Path) -> None:
    """With the variable that names the ones to trust."""
    context = server_context(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with contextlib.suppress(OSError), connection:
                        context.wrap_socket(connection, server_side=True)

        threading.Thread(target=serve, daemon=True).start()
        url = f"https://127.0.0.1:{server.getsockname()[1]}"
        text = refusal(url)
        server.shutdown(socket.SHUT_RDWR)
    assert f"the certificate of {url} isn't trusted here" in text
    assert "AWS_CA_BUNDLE" in text


def test_faults_before_the_first_connection_are_retried_for_ten_seconds() -> None:
    """An untrusted certificate and a dead proxy count as no connection."""
    assert {error.__name__ for error in cognito_client._UNCONNECTED} == {  # noqa: SLF001
        *("ConnectTimeoutError", "EndpointConnectionError"),
        *("ProxyConnectionError", "SSLError"),
    }
    assert cognito_client.START_SECONDS <= 10


@pytest.mark.parametrize(
    "name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
)
@pytest.mark.parametrize("end", ["\n", "\r"])
def test_a_line_break_in_a_key_of_the_environment_is_named(
    name: str, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is sent, with the variables to look at."""
    for setting, value in TEMPORARY.items():
        monkeypatch.setenv(setting.upper(), value)
    monkeypatch.setenv(name, os.environ[name] + end)
    text = refusal(**dict.fromkeys(TEMPORARY))
    assert "has a line break" in text
    assert "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in text


def test_sslkeylogfile_makes_the_tap_write_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning says so; the sessions' keys would make a capture readable."""
    log = tmp_path / "keys"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    session = create_session({"user_pool_id": POOL, **TEMPORARY})
    client: Any = session.client("cognito-idp", endpoint_url="https://127.0.0.1:1")
    manager = client._endpoint.http_session._manager  # noqa: SLF001
    assert manager.connection_pool_kw["ssl_context"].keylog_filename is None
    assert not log.exists()
    assert "SSLKEYLOGFILE is left out" in caplog.text


# Who denied


DENIALS = {
    "because no identity-based policy allows the cognito-idp:ListUsers action": "attach this IAM",
    "": "attach this IAM policy",
    "in words that nobody knows": "attach this IAM policy",
    "with an explicit deny in a service control policy": "a service control policy of the AWS "
    "organisation denies it explicitly",
    "because no service control policy allows the cognito-idp:ListUsers action": "a service "
    "control policy of the AWS organisation doesn't allow it",
    "with an explicit deny in an identity-based policy": "a policy of the user or role denies it",
    "with an explicit deny in an identity-based policy: arn:aws:iam::1:policy/x": "a policy of the "
    "user or role denies it",
    "with an explicit deny": "a policy denies it explicitly",
    "because no permissions boundary allows the cognito-idp:ListUsers action": "the permissions "
    "boundary of the user or role doesn't allow it",
    "because no session policy allows the cognito-idp:ListUsers action": "the policy of the "
    "role's session doesn't allow it",
    "because no VPC endpoint policy allows the cognito-idp:ListUsers action": "the policy of the "
    "VPC endpoint doesn't allow it",
    "because no resource control policy allows it": "a resource control policy of the AWS org",
}


@pytest.mark.parametrize("reason", DENIALS)
def test_a_denial_names_who_denied(reason: str) -> None:
    """The policy to attach is shown where it helps, and no word of AWS's text is."""
    session = create_session({"user_pool_id": POOL, **TEMPORARY})
    message = (
        "User: arn:aws:sts::123456789012:assumed-role/jane/session policy is not authorized to "
        f"perform: cognito-idp:ListUsers on resource: arn:aws:x {reason}"
    )
    answer: Any = {"Error": {"Code": "AccessDeniedException", "Message": message}}
    error = ClientError(answer, "ListUsers")
    request = Request("ListUsers", session.client("cognito-idp"), POOL)
    text = str(from_botocore(error, classify(error), request))
    assert DENIALS[reason] in text
    assert ("attach this" in text) == ("attach this" in DENIALS[reason])
    assert "jane" not in text
    assert "123456789012" not in text
    assert who_denied(ValueError()) == ""


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ErrorKind.OTHER),
        (408, ErrorKind.TRANSIENT),
        (429, ErrorKind.THROTTLED),
        (500, ErrorKind.TRANSIENT),
        (501, ErrorKind.UNSUPPORTED),
        (502, ErrorKind.TRANSIENT),
        (503, ErrorKind.TRANSIENT),
        (504, ErrorKind.TRANSIENT),
        (505, ErrorKind.OTHER),
    ],
)
def test_a_status_counts_where_the_code_says_nothing(status: int, kind: ErrorKind) -> None:
    """An error with a code that nobody knows is what its HTTP status is."""
    answer: Any = {
        "Error": {"Code": "SomethingNewException"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    assert classify(ClientError(answer, "ListUsers")) is kind


@pytest.mark.parametrize("member", ["message", "Message"])
@pytest.mark.parametrize("status", [400, 200])
def test_a_denial_on_the_wire_names_who_denied(member: str, status: int) -> None:
    """What AWS says of it reaches who explains it."""
    reason = "with an explicit deny in a service control policy"
    text = {"__type": "AccessDeniedException", member: f"User: jane is not authorized {reason}"}

    def deny(*_: Any) -> bytes:
        return response(json.dumps(text), f"{status} No")

    with Emulator(Pool(3)) as emulator, Hostile(emulator.url) as server:
        server.reset("nothing", times=9)
        server.attack = deny
        refused = refusal(server.url)
    assert "a service control policy of the AWS organisation denies it explicitly" in refused
    assert "jane" not in refused


# Credentials that can't be renewed once


@pytest.mark.programs
def test_a_credential_process_that_fails_once_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The last credentials are used while they are valid, with a warning."""
    soon = (datetime.now(timezone.utc) + timedelta(minutes=5)).isoformat()
    keys = {
        "Version": 1,
        "AccessKeyId": KEY_ID,
        "SecretAccessKey": TEMPORARY["aws_secret_access_key"],
        "SessionToken": TEMPORARY["aws_session_token"],
        "Expiration": soon,
    }
    calls, program, shared = (tmp_path / name for name in ("calls", "program.py", "config"))
    program.write_text(
        "import pathlib\n"
        f"calls = pathlib.Path({str(calls)!r})\n"
        "calls.open('a').write('.')\n"
        "if len(calls.read_text()) == 3: raise SystemExit('planted')\n"
        f"print({json.dumps(json.dumps(keys))})\n"
    )
    shared.write_text(f'[default]\ncredential_process = "{sys.executable}" "{program}"\n')
    monkeypatch.setenv("AWS_CONFIG_FILE", str(shared))
    monkeypatch.setattr(credentials, "_RENEW_AGAIN_SECONDS", 0.0)
    with Emulator(Pool(130), credentials=TEMPORARY_SIGNER) as emulator:
        settings = {"user_pool_id": emulator.pool.id, "endpoint_url": emulator.url}
        TapCognito(config=settings).read_all()
    assert len(calls.read_text()) > 3
    assert "the last ones are still valid, and are used" in caplog.text
    assert "planted" not in caplog.text


@pytest.mark.parametrize(
    ("code", "is_bridged"),
    [("Throttling", True), ("ServiceUnavailable", True), ("AccessDenied", False)],
)
def test_what_aws_refuses_to_renew_is_not_waited_for(code: str, *, is_bridged: bool) -> None:
    """STS that is throttled or has a fault may renew later; one that denies won't."""

    class Renewing:
        method = "assume-role"
        answers = iter([Credentials("a", "b").get_frozen_credentials()])

        def get_frozen_credentials(self) -> Any:
            for given in self.answers:
                return given
            status = {"HTTPStatusCode": 503 if code == "ServiceUnavailable" else 400}
            answer: Any = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": status}
            raise ClientError(answer, "AssumeRole")

    source: Any = Renewing()
    guarded = credentials._GuardedCredentials(source)  # noqa: SLF001 - what a session asks
    first = guarded.get_frozen_credentials()
    if is_bridged:
        assert guarded.get_frozen_credentials() == first
    else:
        with pytest.raises(TapCognitoError, match=code):
            guarded.get_frozen_credentials()


def test_credentials_that_have_expired_end_the_run() -> None:
    """A failure to renew is only bridged while the last credentials are valid."""

    class Expired:
        method = "custom-process"

        def __init__(self) -> None:
            self.frozen: Any = Credentials("a", "b").get_frozen_credentials()

        def refresh_needed(self, seconds: float) -> bool:
            return seconds >= 60

        def get_frozen_credentials(self) -> Any:
            if self.frozen is None:
                raise ValueError
            return self.frozen

    expired: Any = Expired()
    guarded = credentials._GuardedCredentials(expired)  # noqa: SLF001
    assert guarded.get_frozen_credentials().access_key == "a"
    expired.frozen = None
    with pytest.raises(CredentialsError, match="credential_process"):
        guarded.get_frozen_credentials()
