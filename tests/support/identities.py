"""Authentication methods with planted secrets, and the services that store or check these."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

import boto3

from emulator import Credential, signing
from emulator.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from typing_extensions import Self

    from quickstart.postgres import Postgres

KEY_ID = "AKIAPLANTEDKEYID0001"
SECRET = "planted1/planted2+planted3/planted4+0001"
TOKEN = "planted5/planted6+planted7/planted8+planted9=="
EXTERNAL_ID = "planted-external-planted-0001"
PASSWORD = "planted a@planted:b/planted%25c"
ROLE_SECRET = "planted/role+planted/"
ROLE_TOKEN = "planted/role+planted+token/"
OTHER = {
    "AWS_ACCESS_KEY_ID": "AKIAPLANTEDOTHER0001",
    "AWS_SECRET_ACCESS_KEY": "planted/other+planted/00000000000000001",
    "AWS_SESSION_TOKEN": "planted/other+planted/0001",
}
"""What the environment holds: it may ask for secrets, but not sign the requests to Cognito."""

PLANTED = (
    *(KEY_ID, SECRET, TOKEN, EXTERNAL_ID, PASSWORD, ROLE_SECRET, ROLE_TOKEN),
    *OTHER.values(),
)

ROLE = "arn:aws:iam::210987654321:role/cognito-reader"
REGION = "us-east-1"
PAIR = {"aws_access_key_id": KEY_ID, "aws_secret_access_key": SECRET}
TEMPORARY = {**PAIR, "aws_session_token": TOKEN}
IN_ROLE = {"aws_assume_role_arn": ROLE, "aws_assume_role_external_id": EXTERNAL_ID}

NAME, ID, KEY_OF_ONE, KEY_OF_TWO, NULL, EMPTY = (
    "cognito_secret",
    *(f"11111111-2222-4333-8444-55555555555{digit}" for digit in range(5)),
)
"""What secrets in Supabase Vault are looked up by."""

NAMED_LIKE_AN_ID = "0123456789abcdef0123456789abcdef"

VAULT = """
create schema vault;
create table vault.secrets (
  id uuid primary key default gen_random_uuid(), name text, description text not null default '',
  secret text, key_id uuid, nonce bytea,
  created_at timestamptz not null default now(), updated_at timestamptz not null default now()
);
create unique index on vault.secrets (name) where name is not null;
create function vault._crypto_aead_det_decrypt(secret text) returns text
  language sql immutable
  as $$ select convert_from(decode(secret, 'base64'), 'utf8') $$;
revoke execute on function vault._crypto_aead_det_decrypt from public;
create view vault.decrypted_secrets as
  select id, name, description, secret,
    vault._crypto_aead_det_decrypt(secret) as decrypted_secret,
    key_id, nonce, created_at, updated_at
  from vault.secrets;
"""
"""Supabase Vault as its users see it, with base64 for the cipher."""


@dataclass(frozen=True)
class Vault:
    """A database that holds Supabase Vault."""

    server: Postgres
    name: str

    def create(self) -> None:
        """Make the database, its secrets, and roles that may read all, nothing, or no secret."""
        with self.server.connect() as connection:
            connection.execute(f"create database {self.name}".encode())
            for role in ("reader", "stranger", "viewer"):
                connection.execute(
                    f"create role {self.name}_{role} login password '{PASSWORD}'".encode()
                )
        with self.server.connect(self.name) as connection:
            connection.execute(VAULT)
            readers = f"{self.name}_reader, {self.name}_viewer"
            connection.execute(
                f"grant usage on schema vault to {readers};"
                f"grant select on vault.decrypted_secrets to {readers};"
                "grant execute on function vault._crypto_aead_det_decrypt "
                f"to {self.name}_reader".encode()
            )
        self.store(SECRET, id=ID, name=NAME, key_id=KEY_OF_ONE)
        self.store(SECRET, name=NAMED_LIKE_AN_ID)
        self.store(SECRET, key_id=KEY_OF_TWO)
        self.store("another", key_id=KEY_OF_TWO)
        self.store(None, id=NULL)
        self.store("", id=EMPTY)

    def store(self, secret: str | None, **columns: str) -> None:
        """Add a secret."""
        encrypted = None if secret is None else base64.b64encode(secret.encode()).decode()
        values = {"secret": encrypted, **columns}
        names, places = ", ".join(values), ", ".join(f"%({name})s" for name in values)
        with self.server.connect(self.name) as connection:
            connection.execute(
                f"insert into vault.secrets ({names}) values ({places})".encode(),  # noqa: S608
                values,
            )

    def url(
        self, role: str = "reader", password: str = PASSWORD, database: str | None = None
    ) -> str:
        """The value of `vault_url`."""
        user = f"{self.name}_{role}:{quote(password, safe='')}"
        return f"postgresql://{user}@{self.server.host}:{self.server.port}/{database or self.name}"


@dataclass
class Issuer:
    """STS and a container's credentials endpoint, between entry and exit of its context.

    It gives numbered credentials, and only to those whom it knows by their signature.

    Attributes:
        known: Who may assume the role, by access key id.
        lifetime: Seconds that credentials last as their holder sees it.
        truth: Seconds that they really last; without it, `lifetime`.
        issued: The credentials so far, by access key id.
        requests: The parameters of what was asked for.
    """

    known: Mapping[str, Credential]
    lifetime: float = 3600
    truth: float | None = None
    issued: dict[str, Credential] = field(default_factory=dict)
    requests: list[dict[str, str]] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Start to serve."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Asked, self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The endpoint of STS; `/container` below it is the container's."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def issue(self) -> dict[str, str]:
        """Make new credentials."""
        now, number = time.time(), len(self.issued) + 1
        key_id, secret, token = f"ASIAISSUED{number:010}", ROLE_SECRET, f"{ROLE_TOKEN}{number}"
        self.issued[key_id] = Credential(secret, token, now + (self.truth or self.lifetime))
        expiration = datetime.fromtimestamp(now + self.lifetime, timezone.utc).isoformat()
        return {
            "AccessKeyId": key_id,
            "SecretAccessKey": secret,
            "SessionToken": token,
            "Expiration": expiration,
        }

    def sts(self, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        """Answer a request to STS."""
        asked = dict(parse_qsl(body.decode()))
        self.requests.append(asked)
        action = asked["Action"]
        name, proof = ("ExternalId", EXTERNAL_ID)
        code, message = "AccessDenied", f"not with {asked}"
        if action == "AssumeRoleWithWebIdentity":
            name, proof = ("WebIdentityToken", TOKEN)
        else:
            try:
                signing.check(headers, body, self.known)
            except ApiError as error:
                name, code, message = "", error.code, error.message
        if asked.get(name) != proof:
            return 403, (
                f"<ErrorResponse><Error><Code>{code}</Code>"
                f"<Message>{message}</Message></Error></ErrorResponse>"
            )
        members = "".join(f"<{name}>{value}</{name}>" for name, value in self.issue().items())
        return 200, (
            f"<{action}Response><{action}Result><Credentials>{members}</Credentials>"
            f"</{action}Result></{action}Response>"
        )


class _Asked(BaseHTTPRequestHandler):
    def __init__(self, issuer: Issuer, *arguments: Any) -> None:
        self._issuer = issuer
        super().__init__(*arguments)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._answer(*self._issuer.sts(headers, body))

    def do_GET(self) -> None:
        if self.path != "/container" or self.headers["Authorization"] != TOKEN:
            self._answer(403, "{}")
            return
        given = self._issuer.issue()
        given["Token"] = given.pop("SessionToken")
        self._answer(200, json.dumps(given))

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


FORMS = ("env", "file", "secret", "secret-json", "secret-arn", "ssm", "supabase-vault")


@dataclass
class SecretStores:
    """What holds the secrets of the authentication methods: a Vault, AWS's services, files."""

    vault: Vault
    aws_url: str
    folder: Path
    issuer: Issuer
    places: dict[tuple[str, str], str] = field(default_factory=dict)
    """A reference for each form and setting."""
    secrets: dict[str, str] = field(default_factory=dict)
    """Environment variables that references name."""

    def __post_init__(self) -> None:
        """Lay the secrets into all places."""
        session = boto3.Session(KEY_ID, SECRET, region_name=REGION)
        secretsmanager = session.client("secretsmanager", endpoint_url=self.aws_url)
        ssm = session.client("ssm", endpoint_url=self.aws_url)
        values = {**TEMPORARY, "aws_assume_role_external_id": EXTERNAL_ID}
        values["vault_url"] = self.vault.url()
        at = self.vault.name  # so that stages don't meet
        secretsmanager.create_secret(Name=f"{at}/all", SecretString=json.dumps(values))
        secretsmanager.create_secret(Name=f"{at}/binary", SecretBinary=b"\xff")
        for setting, value in values.items():
            self.secrets[f"PLANTED_{setting}"] = value
            (self.folder / setting).write_text(f"{value}\n", encoding="utf-8")
            arn = secretsmanager.create_secret(Name=f"{at}/{setting}", SecretString=value)["ARN"]
            ssm.put_parameter(Name=f"/{at}/{setting}", Value=value, Type="SecureString")
            self.vault.store(value, name=f"planted_{setting}")
            references = (
                f"env://PLANTED_{setting}",
                (self.folder / setting).as_uri(),
                f"aws-secretsmanager://{at}/{setting}",
                f"aws-secretsmanager://{at}/all#{setting}",
                f"aws-secretsmanager://{arn}",
                f"aws-ssm:///{at}/{setting}",
                f"supabase-vault://planted_{setting}",
            )
            for form, reference in zip(FORMS, references, strict=True):
                self.places[form, setting] = reference

    def references(self, form: str, *settings: str) -> dict[str, str]:
        """Settings as references of a form."""
        given = {setting: self.places[form, setting] for setting in settings}
        return given | ({"vault_url": self.vault.url()} if form == "supabase-vault" else {})

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a run: no AWS configuration, other keys, and what references name."""
        services = ("SECRETS_MANAGER", "SSM")
        return {
            "AWS_CONFIG_FILE": str(self.folder / "config"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "credentials"),
            **{f"AWS_ENDPOINT_URL_{service}": self.aws_url for service in services},
            "AWS_ENDPOINT_URL_STS": self.issuer.url,
            **OTHER,
            **self.secrets,
        }

    def profile(self) -> dict[str, str]:
        """Write the shared files with a profile, and name it."""
        (self.folder / "config").write_text("[profile reader]\nregion = eu-west-1\n")
        (self.folder / "credentials").write_text(
            f"[reader]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n"
            f"aws_session_token = {TOKEN}\n"
        )
        return {"aws_profile": "reader"}


@dataclass(frozen=True)
class AuthMethod:
    """Settings, what the environment adds, and whose signature must come of them."""

    settings: dict[str, str]
    signer: Mapping[str, Credential]
    environment: Mapping[str, str | None] = field(default_factory=dict)
    """`None` takes a variable away."""

    def environ(self, stores: SecretStores) -> dict[str, str]:
        """The environment of a run."""
        merged = {**stores.environment, **self.environment}
        return {name: value for name, value in merged.items() if value is not None}


PERMANENT_SIGNER = {KEY_ID: Credential(SECRET)}
TEMPORARY_SIGNER = {KEY_ID: Credential(SECRET, TOKEN)}
_NO_KEYS: dict[str, str | None] = dict.fromkeys(OTHER)


def _in_vault(reference: str) -> Callable[[SecretStores], AuthMethod]:
    def method(stores: SecretStores) -> AuthMethod:
        settings = {"api_key_id": reference, "vault_url": stores.vault.url()}
        return AuthMethod({"aws_access_key_id": KEY_ID, **settings}, PERMANENT_SIGNER)

    return method


def _by_reference(form: str) -> Callable[[SecretStores], AuthMethod]:
    return lambda stores: AuthMethod(stores.references(form, *TEMPORARY), TEMPORARY_SIGNER)


def _web_identity(stores: SecretStores) -> AuthMethod:
    (stores.folder / "identity").write_text(TOKEN)
    variables = {
        "AWS_ROLE_ARN": ROLE,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(stores.folder / "identity"),
    }
    return AuthMethod({}, stores.issuer.issued, {**_NO_KEYS, **variables})


AUTH_METHODS: dict[str, Callable[[SecretStores], AuthMethod]] = {
    "key-pair": lambda _: AuthMethod(PAIR, PERMANENT_SIGNER),
    "temporary-keys": lambda _: AuthMethod(TEMPORARY, TEMPORARY_SIGNER),
    "vault-name": _in_vault(NAME),
    "vault-id": _in_vault(ID),
    "vault-key-id": _in_vault(KEY_OF_ONE),
    **{f"reference-{form}": _by_reference(form) for form in FORMS},
    "profile": lambda stores: AuthMethod(stores.profile(), TEMPORARY_SIGNER),
    "environment": lambda _: AuthMethod(
        {}, TEMPORARY_SIGNER, {name.upper(): value for name, value in TEMPORARY.items()}
    ),
    "container": lambda stores: AuthMethod(
        {},
        stores.issuer.issued,
        {
            **_NO_KEYS,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{stores.issuer.url}/container",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN,
        },
    ),
    "web-identity": _web_identity,
    "role-on-keys": lambda stores: AuthMethod({**TEMPORARY, **IN_ROLE}, stores.issuer.issued),
    "role-on-profile": lambda stores: AuthMethod(
        {
            **stores.profile(),
            **IN_ROLE,
            **stores.references("secret", "aws_assume_role_external_id"),
        },
        stores.issuer.issued,
    ),
}


_numbers = itertools.count(1)


@contextlib.contextmanager
def secret_stores(postgres: Postgres, aws_url: str, folder: Path) -> Iterator[SecretStores]:
    """Make what the authentication methods need."""
    vault = Vault(postgres, f"planted_{next(_numbers)}")
    vault.create()
    with Issuer(TEMPORARY_SIGNER) as issuer:
        yield SecretStores(vault, aws_url, folder, issuer)
