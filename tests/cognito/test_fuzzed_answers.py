"""Whatever is answered, at whatever level, a request ends in items or in one line for the user."""

from __future__ import annotations

import json
import socketserver
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator import Emulator, Pool
from tap_cognito.cognito import client, pools
from tap_cognito.errors import TapCognitoError
from tests.support.listings import pages, pool_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_cognito.cognito.listing import UserPool

pytestmark = pytest.mark.whole_pools

USER = {
    "Username": "ada",
    "Attributes": [{"Name": "sub", "Value": "00000000-0000-4000-8000-000000000000"}],
    "UserCreateDate": 1.7e9,
}
ANSWER = {"Users": [USER]}
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just(10**400)
)
NAMES = st.sampled_from(
    ["__type", "message", "Users", "Username", "Attributes", "Name", "Value", "PaginationToken"]
)
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner), max_leaves=8
)
STATUS = st.sampled_from([200, 201, 301, 307, 400, 403, 404, 408, 413, 425, 429, 500, 502, 503])


@st.composite
def spoiled(draw: st.DrawFn) -> Any:
    """A good answer with something else at one of its places."""
    answer: Any = json.loads(json.dumps(ANSWER))
    user = answer["Users"][0]
    places: list[tuple[Any, Any]] = [
        *((answer, name) for name in ("Users", "PaginationToken", "NextToken", "__type")),
        *((user, name) for name in (*USER, "Enabled", "UserStatus", "UserLastModifiedDate")),
        *((user["Attributes"][0], name) for name in ("Name", "Value")),
        *((answer["Users"], 0), (user["Attributes"], 0)),
    ]
    place, key = draw(st.sampled_from(places))
    place[key] = draw(ANYTHING)
    return answer


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    answers: Iterator[tuple[int, bytes]] = iter(())


class _Answer(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(1 << 16)
        status, body = next(self.server.answers, (200, b'{"Users": []}'))  # type: ignore[attr-defined]
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self.request.sendall(head.encode() + body)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[_Server, UserPool]]:
    """A server of given answers, and the pool at it."""
    with _Server(("127.0.0.1", 0), _Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server, pool_at(f"http://127.0.0.1:{server.server_address[1]}")
        server.shutdown()


def read(served: tuple[_Server, UserPool], status: int, body: bytes) -> None:
    """Read a pool whose first answer is given; anything but one line for the user is raised."""
    server, pool = served
    server.answers = iter([(status, body)])
    try:
        for _ in pages(pool):
            pass
    except TapCognitoError as error:
        line = str(error)
    else:
        return
    assert "\n" not in line
    assert "a bug" not in line


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(status=STATUS, answer=st.one_of(ANYTHING, spoiled()))
def test_no_answer_is_a_bug(served: tuple[_Server, UserPool], status: int, answer: Any) -> None:
    """JSON of any shape, with any status, is read, retried or refused in one line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "MAX_BACKOFF", 0.0)
        read(served, status, json.dumps(answer).encode())


@pytest.mark.parametrize("status", [200, 400, 502, 503, 429])
@pytest.mark.parametrize(
    "body", [b"[]", b'"text"', b"5", b"null", b'{"__type": 5}', b"[" * 99_999, b"\xff", b""]
)
def test_a_body_that_is_no_object_is_no_bug(
    served: tuple[_Server, UserPool], status: int, body: bytes
) -> None:
    """An error is told by its status where its body isn't an object with a code."""
    read(served, status, body)


@pytest.mark.parametrize("status", [301, 307, 401, 403, 404, 405, 407, 413, 425, 429, 502, 503])
@pytest.mark.parametrize("body", [b"<html>Blocked</html>", b"[]"])
def test_a_page_of_a_proxy_is_transient(
    served: tuple[_Server, UserPool], status: int, body: bytes
) -> None:
    """What isn't AWS's answer is asked for again, whatever its status."""
    server, pool = served
    server.answers = iter([(status, body)])
    assert list(pages(pool)) == [[]]


def test_an_error_with_status_200_is_an_error(served: tuple[_Server, UserPool]) -> None:
    """The code counts, not the status: nobody retries a denial for a minute."""
    server, pool = served
    server.answers = iter([(200, b'{"__type": "x#AccessDeniedException", "message": "no"}')])
    with pytest.raises(TapCognitoError, match="may not call cognito-idp:ListUsers"):
        list(pages(pool))


@pytest.mark.parametrize("pool_id", ["us-east-1_Abc def", "us-east-1_Abc\n", "us-east-1_\u0661"])
def test_ids_of_pools_are_matched_whole(pool_id: str) -> None:
    """What an endpoint calls an id isn't repeated in a line, nor in a state."""

    def amend(operation: str, _: Any, answer: Any) -> Any:
        if operation == "ListUserPools":
            answer["UserPools"][0]["Id"] = pool_id
        return answer

    with Emulator(Pool(1), amend=amend) as emulator:
        region = pool_at(emulator.url).client
        with pytest.raises(TapCognitoError, match="an id that is none") as failure:
            pools.resolve(["us-east-1_*"], lambda _: region)
    assert pool_id not in str(failure.value)
