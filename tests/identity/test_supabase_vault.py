"""`vault_url` says where a database is and who asks, and nothing else."""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from psycopg.pq import Conninfo

from tap_cognito.errors import TapCognitoError
from tap_cognito.identity import supabase_vault
from tap_cognito.identity.supabase_vault import read_secret
from tests.support.identities import NAME, PASSWORD, SECRET
from tests.support.tls import server_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from tests.support.identities import SecretStores

URL = "postgresql://reader:planted-pa55word@127.0.0.1:1/postgres"


def refusal(vault_url: str) -> str:
    """What a URL is refused with."""
    with pytest.raises(TapCognitoError) as raised:
        read_secret(vault_url, "name")
    return str(raised.value)


@contextlib.contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve each connection in a thread of its own; yields the URL."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    stack.callback(connection.close)
                    threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"postgresql://reader:planted-pa55word@127.0.0.1:{server.getsockname()[1]}/postgres"
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("form", [f"{URL}?{{}}=planted", "host=127.0.0.1 port=1 {}=planted"])
def test_a_vault_url_takes_no_parameter_that_could_run_write_or_read_something(form: str) -> None:
    """Of all that libpq knows, eight are accepted; the others are refused by name."""
    accepted = {
        *("host", "port", "user", "password", "dbname"),
        *("sslmode", "sslrootcert", "connect_timeout"),
    }
    others = {option.keyword.decode() for option in Conninfo.get_defaults()} - accepted
    assert {"sslkey", "sslkeylogfile", "options", "service", "passfile", "hostaddr"} <= others
    for name in others:
        assert f"`vault_url` sets `{name}`, which isn't accepted" in refusal(form.format(name))
    for name in ("ssl%6bey", "sslkeylog%66ile"):
        if "?" in form:
            assert "which isn't accepted" in refusal(form.format(name))


def test_a_vault_url_loads_no_native_code_and_writes_no_file(tmp_path: Path) -> None:
    """`sslkeylogfile` and an engine's `sslkey` end before anything is opened."""
    place = quote(str(tmp_path))
    for parameter in (f"sslkeylogfile={place}/keys", f"sslkey={place}/engine.so:key"):
        assert "which isn't accepted" in refusal(f"{URL}?sslmode=require&{parameter}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "query", ["pgbouncer=true", "sslmode=prefer&supa=base-pooler.x", "schema=public&pgbouncer=1"]
)
def test_the_parameters_of_supabases_pages_are_left_out_with_a_word(
    query: str, stores: SecretStores, caplog: pytest.LogCaptureFixture
) -> None:
    """The secret is read, and the line at INFO names what was left out."""
    caplog.set_level(logging.INFO, "tap-cognito")
    assert read_secret(f"{stores.vault.url()}?{query}", NAME) == SECRET
    for name in ("pgbouncer", "supa", "schema"):
        assert (name in {*re.findall(r"\w+", caplog.messages[-1])}) == (f"{name}=" in query)
    assert "true" not in caplog.text
    assert "base-pooler" not in caplog.text


def test_a_password_of_the_environment_or_a_file_goes_to_no_vault_url(
    stores: SecretStores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes only the config can't get PGPASSWORD, or a password file's, sent to a host."""
    without = stores.vault.url().replace(stores.vault.url().split(":")[2].split("@")[0], "", 1)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert "it asks for a password: put one into the URL" in refusal(without)
    monkeypatch.delenv("PGPASSWORD")
    passwords = tmp_path / ".pgpass"
    passwords.write_text("*:*:*:*:" + PASSWORD.replace("\\", r"\\").replace(":", r"\:"))
    passwords.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    assert "it asks for a password: put one into the URL" in refusal(without)


def test_a_vault_that_logs_in_and_never_answers_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line after the time of the query; libpq itself would wait without end."""
    monkeypatch.setattr(supabase_vault, "_QUERY_SECONDS", 1)
    asked = threading.Event()

    def serve(connection: socket.socket) -> None:
        while (first := connection.recv(8))[4:] != b"\x00\x03\x00\x00":  # asks for TLS
            assert first
            connection.sendall(b"N")
        connection.recv(1024)
        # AuthenticationOk, and ready for a query.
        connection.sendall(b"R\x00\x00\x00\x08\x00\x00\x00\x00Z\x00\x00\x00\x05I")
        connection.recv(1024)
        asked.set()

    with listening(serve) as url:
        text = refusal(f"{url}?connect_timeout=2")
    assert asked.is_set()
    assert "the database of `vault_url` doesn't answer within 3 s" in text


# libpq's words: each of these fails when they change


def _no_answer(connection: socket.socket) -> None:
    connection.recv(8)


def test_a_vault_that_never_lets_in_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is connected to and doesn't speak."""
    monkeypatch.setattr(supabase_vault, "_QUERY_SECONDS", 10)
    with listening(_no_answer) as url:
        assert "no answer in time" in refusal(f"{url}?connect_timeout=2")


@pytest.mark.parametrize("roots", ["system", "nowhere.pem"])
def test_a_vaults_certificate_that_is_not_trusted_is_said(roots: str, tmp_path: Path) -> None:
    """A self-signed one, and a file of roots that isn't there."""
    context = server_context(tmp_path)

    def serve(connection: socket.socket) -> None:
        connection.recv(8)
        connection.sendall(b"S")
        with contextlib.suppress(OSError):
            context.wrap_socket(connection, server_side=True)

    roots = roots if roots == "system" else quote(str(tmp_path / roots))
    with listening(serve) as url:
        text = refusal(f"{url}?sslmode=verify-full&sslrootcert={roots}")
    assert "its certificate isn't trusted: check `sslmode` and `sslrootcert`" in text


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("nologin", "it refuses the user"),
        ("connection limit 0", "it has too many connections"),
        ("", "it rejects connections from this machine: check pg_hba.conf"),
    ],
)
def test_what_a_real_postgres_says_is_understood(
    change: str, reason: str, stores: SecretStores
) -> None:
    """Who may not log in, who has too many connections, and whom pg_hba.conf rejects."""
    vault = stores.vault
    role = f"{vault.name}_barred"
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(vault.server.connect())

        def run(statement: str) -> psycopg.Cursor:
            return server.execute(statement.encode())

        run(f"create role {role} login password '{PASSWORD}'")
        stack.callback(run, f"drop role {role}")
        if change:
            run(f"alter role {role} {change}")
        else:
            ((path,),) = run("show hba_file").fetchall()
            rules = Path(path)
            before = rules.read_text()
            rules.write_text(f"host all {role} all reject\n{before}")
            stack.callback(run, "select pg_reload_conf()")
            stack.callback(rules.write_text, before)
            run("select pg_reload_conf()")
        assert reason in refusal(vault.url("barred"))


def test_what_is_not_understood_gets_a_true_general_sentence() -> None:
    """Postgres' words in another language aren't taken for a host that can't be reached."""

    def serve(connection: socket.socket) -> None:
        while connection.recv(8)[4:] != b"\x00\x03\x00\x00":
            connection.sendall(b"N")
        fields = b"SFATAL\0VFATAL\0C28P01\0MAuthentifizierung fehlgeschlagen\0\0"
        connection.sendall(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)
        connection.close()

    with listening(serve) as url:
        assert "it can't be reached or rejected the login" in refusal(url)
