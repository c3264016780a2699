"""An endpoint that answers anything but what it should, with planted texts wherever they fit."""

from __future__ import annotations

import copy
import json
import random
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

import urllib3

from tap_cognito import error_codes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from typing_extensions import Self

PERSON = "zqperson.jane@zqperson.example"
ESCAPES = "\x1b[31mzqperson\u202e"
TEXTS: tuple[Any, ...] = (
    *(PERSON, [PERSON], {PERSON: PERSON}, [[PERSON]], {"Name": PERSON, "Value": {PERSON: 1}}),
    *(ESCAPES, "", " ", -1, 0, 1e300, 10**400, True, None, [], {}),
)
"""What may stand where something else belongs."""


class Asked(NamedTuple):
    """A request, and what the emulator says to it."""

    operation: str
    headers: Mapping[str, str]
    truth: Callable[[], tuple[int, bytes]]
    choose: random.Random

    @property
    def echo(self) -> str:
        """The headers, as a proxy may quote them: with the signature and the token."""
        return f"{dict(self.headers)} {PERSON}"


def response(
    body: bytes | str, status: str = "200 OK", *headers: str, length: int | None = None
) -> bytes:
    """The bytes of a response."""
    body = body.encode() if isinstance(body, str) else body
    head = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {length or len(body)}"]
    return "\r\n".join([*head, "Connection: close", "", ""]).encode("utf-8") + body


def error(code: str, message: str, status: str = "400 Bad Request") -> bytes:
    """An error of AWS."""
    return response(json.dumps({"__type": code, "message": message}), status)


def mutated(value: Any, choose: random.Random, text: Any) -> Any:
    """A copy of a JSON value with something else at a random place in it."""
    places = list(_places(value))
    changed = {"": copy.deepcopy(value)}
    place = choose.choice(places)
    parent: Any = changed
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = text
    return changed[""]


def _places(value: Any, at: tuple[Any, ...] = ("",)) -> Iterator[tuple[Any, ...]]:
    yield at
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for key, item in inner:
        yield from _places(item, (*at, key))


def _mutate(asked: Asked) -> bytes:
    status, body = asked.truth()
    answer = mutated(json.loads(body), asked.choose, asked.choose.choice(TEXTS))
    return response(json.dumps(answer), f"{status} OK")


def _known_code(asked: Asked) -> bytes:
    codes = sorted(error_codes._KINDS)  # noqa: SLF001 - so that a new one is tried too
    status = asked.choose.choice(("400 Bad Request", "403 Forbidden", "404 Not Found"))
    return error(asked.choose.choice(codes), asked.echo, status)


def _true(asked: Asked, *headers: str) -> bytes:
    return response(asked.truth()[1], "200 OK", *headers)


ATTACKS: dict[str, Callable[[Asked], bytes]] = {
    "mutated": _mutate,
    "known code": _known_code,
    "unknown code": lambda asked: error("UnknownException", asked.echo),
    "a person as code": lambda asked: error(PERSON, asked.echo),
    "escapes as code": lambda asked: error(ESCAPES, asked.echo),
    "a long code": lambda asked: error("zqperson" * 40_000, asked.echo),
    "an object as code": lambda asked: response(
        json.dumps({"__type": {PERSON: 1}, "message": [asked.echo]}), "400 Bad Request"
    ),
    "an echo as code": lambda asked: error(asked.echo, ""),
    "forbidden page": lambda asked: response(f"<html>{asked.echo}", "403 Forbidden"),
    "error page": lambda asked: response(f"<html>{asked.echo}", "500 Oops zqperson"),
    "unavailable": lambda asked: error(PERSON, asked.echo, "503 zqperson"),
    "gone": lambda asked: response(asked.echo, "404 Not Found"),
    "too large": lambda asked: response(asked.echo, "413 zqperson"),
    "redirect": lambda asked: response(
        "", "301 Moved", f"Location: http://zqperson:planted@127.0.0.1:1/?{asked.echo}"
    ),
    "proxy login": lambda asked: response(
        asked.echo, "407 zqperson", f'Proxy-Authenticate: Basic realm="{PERSON}"'
    ),
    "empty": lambda _: response(""),
    "text": lambda asked: response(asked.echo),
    "a list": lambda asked: response(json.dumps([asked.echo])),
    "another object": lambda asked: response(json.dumps({PERSON: asked.echo})),
    "deep": lambda _: response("[" * 100_000),
    "no UTF-8": lambda asked: response(b'{"\xff": "' + asked.echo.encode()),
    "cut off": lambda asked: response(asked.truth()[1][:-5]),
    "cut off by the connection": lambda asked: response(asked.truth()[1], length=10**6),
    "no header": lambda asked: _true(asked, "zqperson no header"),
    "a bad request id": lambda asked: _true(asked, f"x-amzn-RequestId: {ESCAPES}"),
    "a bad encoding": lambda asked: _true(asked, "Content-Encoding: gzip"),
    "a bad type": lambda asked: _true(asked, f"Content-Type: {PERSON}", f"Date: {PERSON}"),
    "no status": lambda asked: f"HTTP/1.1 {asked.echo}\r\n\r\n".encode(),
    "no HTTP": lambda asked: asked.echo.encode(),
    "nothing": lambda _: b"",
}
"""Each is made with each operation that a run calls, new ones included."""


class Hostile(ThreadingHTTPServer):
    """Stands before an emulator, between entry and exit of its context.

    Args:
        url: The emulator.

    Attributes:
        attack: What requests of each operation are answered with.
        times: How many of them; all others get the emulator's answers.
        after: How many get the emulator's answers before.
        only: The one operation that is attacked, if not all of them are.
        seed: Of the attacks that choose.
        seen: How often each operation was called.
    """

    daemon_threads = True
    request_queue_size = 128  # as many readers connect at once

    def __init__(self, url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.emulator = url
        self.connections = urllib3.PoolManager(maxsize=32)
        self.reset("nothing", times=0)

    def reset(
        self, attack: str, *, times: int = 3, after: int = 0, seed: int = 0, only: str = ""
    ) -> None:
        """Begin another run."""
        self.attack, self.only, self.seed = ATTACKS[attack], only, seed
        self.attacked = range(after + 1, after + times + 1)
        self.seen: Counter[str] = Counter()

    @property
    def url(self) -> str:
        """The endpoint for clients."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        """Start to serve."""
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.shutdown()
        self._thread.join()
        self.server_close()
        self.connections.clear()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients go away."""


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hostile

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        self.server.seen[operation] += 1
        count = self.server.seen[operation]
        headers = dict(self.headers.items())
        asked = Asked(
            operation,
            headers,
            lambda: self._forward(headers, body),
            random.Random(f"{self.server.seed} {operation} {count}"),  # noqa: S311 - repeatable
        )
        if count in self.server.attacked and self.server.only in {"", operation}:
            self.wfile.write(self.server.attack(asked))
            self.close_connection = True
            return
        status, answer = asked.truth()
        self.wfile.write(response(answer, f"{status} OK"))
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass

    def _forward(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        left_out = {"host", "content-length", "connection"}
        sent = {name: value for name, value in headers.items() if name.lower() not in left_out}
        answer = self.server.connections.urlopen(
            "POST", self.server.emulator, body=body, headers=sent, retries=False
        )
        return answer.status, answer.data
