"""An endpoint that never ends its answers holds no request for longer than its time."""

from __future__ import annotations

import gc
import itertools
import json
import signal
import socketserver
import subprocess
import threading
import time
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from emulator import Emulator, Pool
from quickstart import pool
from tap_cognito.cognito import client, listing, pools, responses, source
from tap_cognito.cognito.source import Nested
from tap_cognito.errors import TapCognitoError
from tests.support.listings import pages, pool_at, pool_of, read
from tests.support.programs import TAP, TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OK = b"HTTP/1.1 200 OK\r\n"
ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "headers": (OK, b"x-a: b\r\n"),
    "a header": (OK + b"x-a: ", b"b"),
    "interim responses": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body": (OK + b"Content-Length: 9999999\r\n\r\n", b" "),
    "a huge body": (OK + b"Content-Length: 99999999999\r\n\r\n", b" " * (1 << 18)),
    "trailers": (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", b"x-a: b\r\n"),
    "a TLS handshake": (b"\x16\x03\x03\x40\x00\x02", b"a"),
}


class _Endless(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(1 << 16)
        self.server.asked.set()  # type: ignore[attr-defined]
        begin, again = self.server.answer  # type: ignore[attr-defined]
        try:
            self.request.sendall(begin)
            for _ in range(1_000):  # longer than the test may take
                if not self.server.stop.wait(0.02):  # type: ignore[attr-defined]
                    self.request.sendall(again)
        except OSError:
            pass  # the client goes away


@contextmanager
def endless_server(what: str) -> Iterator[tuple[str, threading.Event]]:
    """Serve an answer without end; gives the host and port, and what is set by the request."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Endless) as server:
        server.daemon_threads = True
        extra: Any = server
        extra.answer, extra.stop, extra.asked = ENDLESS[what], threading.Event(), threading.Event()
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}", extra.asked
        extra.stop.set()
        server.shutdown()


def scheme(what: str) -> str:
    """The scheme of the address of such an endpoint."""
    return "https" if "TLS" in what else "http"


@pytest.fixture
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that may take a third of a second, and aren't sent again."""
    monkeypatch.setattr(responses, "MAX_SECONDS", 0.3)
    monkeypatch.setattr(client, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(client, "START_SECONDS", 0.0)


@pytest.mark.usefixtures("_in_haste")
@pytest.mark.parametrize("what", ENDLESS)
def test_an_answer_without_end_ends(what: str) -> None:
    """Whatever drips, the request fails when the time of the whole response is over."""
    with endless_server(what) as (place, _):
        began = time.monotonic()
        with pytest.raises(TapCognitoError):
            list(pages(pool_at(f"{scheme(what)}://{place}")))
        assert time.monotonic() - began < 8


@pytest.mark.usefixtures("_in_haste")
def test_a_proxys_answer_without_end_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that never ends the headers of its answer to CONNECT holds no request either."""
    with endless_server("a header") as (place, _), warnings.catch_warnings():
        # Python itself leaves a socket open that is reset before TLS begins.
        warnings.simplefilter("ignore", ResourceWarning)
        monkeypatch.setenv("HTTPS_PROXY", f"http://{place}")
        began = time.monotonic()
        with pytest.raises(TapCognitoError):
            list(pages(pool_at("https://cognito.example")))
        assert time.monotonic() - began < 8
        gc.collect()


@pytest.mark.programs
@pytest.mark.parametrize("what", ENDLESS)
def test_a_run_that_waits_for_it_can_be_stopped(what: str, tmp_path: Path) -> None:
    """SIGTERM ends a run within two seconds, whatever it is receiving."""
    path = tmp_path / "config.json"
    with endless_server(what) as (place, asked):
        endpoint = f"{scheme(what)}://{place}"
        path.write_text(
            json.dumps({"user_pool_id": "us-east-1_A", "endpoint_url": endpoint, **pool.KEYS})
        )
        with subprocess.Popen([*TAP, "--config", str(path)], stderr=subprocess.DEVNULL) as tap:
            try:
                assert asked.wait(TIMEOUT)
                tap.send_signal(signal.SIGTERM)
                assert tap.wait(2) == 128 + signal.SIGTERM
            finally:
                tap.kill()


NUMBERS = itertools.count()


def endless(operation: str, _: Any, carry_out: Any) -> str:
    """Let a list go on for ever, with new names on each page."""
    member = {"ListUserPools": ("UserPools", "Id"), "ListGroups": ("Groups", "GroupName")}
    if operation not in member:
        return str(carry_out())
    number = next(NUMBERS)
    items, key = member[operation]
    answer = {items: [{key: f"us-east-1_A{number}"}], "NextToken": f"token{number}"}
    return json.dumps(answer)


@pytest.mark.usefixtures("_unlimited")
def test_a_list_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of pools and groups no more are kept than ten times what AWS allows."""
    for module in (listing, pools, source):
        monkeypatch.setattr(module, "MOST_PARENTS", 20)
    with Emulator(Pool(1), respond=endless) as emulator:
        read_pool = pool_of(emulator)
        with pytest.raises(TapCognitoError, match="a list without end"):
            pools.resolve(["us-east-1_*"], lambda _: read_pool.client)
        groups = read_pool.listing("ListGroups", "Groups", "GroupName")

        def members(group: Any) -> list[Any]:
            return [read_pool.listing("ListUsersInGroup", "Users", GroupName=group["GroupName"])]

        with pytest.raises(TapCognitoError, match="a list without end"):
            list(read([Nested(read_pool.id, groups, members)]))
