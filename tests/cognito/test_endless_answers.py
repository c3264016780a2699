"""An endpoint that never ends its answers holds no request for longer than its time."""

from __future__ import annotations

import itertools
import json
import socketserver
import threading
import time
from typing import Any

import pytest

from emulator import Emulator, Pool
from tap_cognito.cognito import client, listing, pools, responses, source
from tap_cognito.cognito.source import Nested
from tap_cognito.errors import TapCognitoError
from tests.support.listings import pages, pool_at, pool_of, read

OK = b"HTTP/1.1 200 OK\r\n"
ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "headers": (OK, b"x-a: b\r\n"),
    "a header": (OK + b"x-a: ", b"b"),
    "interim responses": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body": (OK + b"Content-Length: 9999999\r\n\r\n", b" "),
    "trailers": (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", b"x-a: b\r\n"),
}


class _Endless(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(1 << 16)
        begin, again = self.server.answer  # type: ignore[attr-defined]
        try:
            self.request.sendall(begin)
            for _ in range(1_000):  # longer than the test may take
                if not self.server.stop.wait(0.02):  # type: ignore[attr-defined]
                    self.request.sendall(again)
        except OSError:
            pass  # the client goes away


@pytest.mark.parametrize("what", ENDLESS)
def test_an_answer_without_end_ends(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever drips, the request fails when the time of the whole response is over."""
    monkeypatch.setattr(responses, "MAX_SECONDS", 0.3)
    monkeypatch.setattr(client, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(client, "START_SECONDS", 0.0)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Endless) as server:
        server.daemon_threads = True
        extra: Any = server
        extra.answer, extra.stop = ENDLESS[what], threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        began = time.monotonic()
        with pytest.raises(TapCognitoError):
            list(pages(pool_at(f"http://127.0.0.1:{server.server_address[1]}")))
        assert time.monotonic() - began < 8
        extra.stop.set()
        server.shutdown()


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


def test_a_list_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of pools and groups no more are kept than ten times what AWS allows."""
    for module in (listing, pools, source):
        monkeypatch.setattr(module, "MOST_PARENTS", 20)
    with Emulator(Pool(1), respond=endless) as emulator:
        pool = pool_of(emulator)
        with pytest.raises(TapCognitoError, match="a list without end"):
            pools.resolve(["us-east-1_*"], lambda _: pool.client)
        groups = pool.listing("ListGroups", "Groups", "GroupName")

        def members(group: Any) -> list[Any]:
            return [pool.listing("ListUsersInGroup", "Users", GroupName=group["GroupName"])]

        with pytest.raises(TapCognitoError, match="a list without end"):
            list(read([Nested(pool.id, groups, members)]))
