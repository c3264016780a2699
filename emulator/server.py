"""The pool behind HTTP/1.1."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import socketserver
import struct
import threading
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from emulator import signing
from emulator.api import Api, Caller
from emulator.behaviour import Behaviour
from emulator.errors import ApiError
from emulator.faults import FAULTS, Fault, Outage
from emulator.pool import Pool
from emulator.requestlog import Request, RequestLog
from emulator.schedule import Schedule
from emulator.signing import Credential

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from io import BufferedIOBase

    from typing_extensions import Self

    from emulator.pool import Wire

_TARGET = "AWSCognitoIdentityProviderService."
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_NO_FAULT = Fault()


class _Received(NamedTuple):
    line: str
    headers: dict[str, str]
    body: bytes


class _Reply(NamedTuple):
    status: int
    body: bytes
    content_type: str = "application/x-amz-json-1.1"
    code: str | None = None


@dataclass
class Emulator(Behaviour):
    """Serves one pool or many on 127.0.0.1 between entry and exit of its context.

    All attributes of `Behaviour` are keyword arguments and may be set at any time.

    Attributes:
        pool: The pool that is served, the first one if there are many.
        port: Where it is served, 0 for any free port; later entries use the same one again.
        pools: All pools that are served now, in the place of `pool`.
        log: The requests so far.
    """

    pool: Pool = field(default_factory=Pool)
    port: int = 0
    pools: Collection[Pool] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        """Prepare the parts that outlast a context."""
        self.log = RequestLog()
        self._api = Api(self)
        self._regions: set[str] = set()
        for pool in self.pools or (self.pool,):
            self.add_pool(pool)
        self.pools = self._api.pools.values()
        self.pool = next(iter(self.pools))
        self._schedule = Schedule()
        self._outages: list[Outage] = []
        self._stopping = threading.Event()
        self._numbers = itertools.count(1)

    @property
    def url(self) -> str:
        """The endpoint for clients."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Start to serve."""
        self._stopping.clear()
        self._server = _Server(self)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and close every connection."""
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        for connection in list(self._server.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()  # waits for the requests under way: the log is complete

    def add_pool(self, pool: Pool) -> None:
        """Serve one more pool from now on."""
        self._regions.add(pool.region)
        self._api.pools[pool.account, pool.region, pool.id] = pool

    def remove_pool(self, pool: Pool) -> None:
        """Delete a pool from the service."""
        del self._api.pools[pool.account, pool.region, pool.id]

    def outage(
        self, seconds: float, status: int | None = 503, operations: Collection[str] | None = None
    ) -> None:
        """Fail every request from now on for a while.

        Args:
            seconds: How long.
            status: HTTP status of every response, None for connections that are reset instead.
            operations: Which operations fail, None for all.
        """
        self._outages.append(Outage(time.monotonic() + seconds, status, operations))

    def before_request(
        self, number: int, action: Callable[[], object], operations: Collection[str] | None = None
    ) -> None:
        """Run an action when a request arrives, before it is carried out.

        Args:
            number: Which of the requests from now on, from 1.
            action: Run once: a deletion, an outage, a new behaviour.
            operations: Which operations' requests count, None for all.
        """
        self._schedule.add(number, action, operations)

    def respond(self, received: _Received) -> tuple[bytes, str]:
        """Handle a request: the bytes to send, and what to do to the connection then."""
        if not received.line.startswith("POST / "):
            return _encode(self._control(received.line), _NO_FAULT, 0), "open"
        start = time.monotonic()
        operation = received.headers.get("x-amz-target", "").removeprefix(_TARGET)
        self._schedule.advance(operation)
        name, fault = self._fault(operation)
        parameters: Wire = json.loads(received.body)
        caller, reply = self._reply(operation, parameters, received)
        outcome = name or reply.code or "ok"
        if fault.code:
            reply = _refusal(ApiError(fault.code, "Injected", fault.status))
        elif fault.page:
            reply = _Reply(fault.status, fault.page, "text/html")
        self._stopping.wait(self.latency + (self.slow_seconds if fault.slow else 0))
        request = Request(
            received=start,
            answered=time.monotonic(),
            operation=operation,
            filter=parameters.get("Filter"),
            token=not parameters.keys().isdisjoint({"PaginationToken", "NextToken"}),
            status=0 if fault.keep is None else reply.status,
            outcome="throttled" if outcome == "TooManyRequestsException" else outcome,
            pool_id=parameters.get("UserPoolId"),
            region=caller.region,
            account=caller.account,
        )
        self.log.requests.append(request)
        return _encode(reply, fault, next(self._numbers)), fault.end

    def _fault(self, operation: str) -> tuple[str | None, Fault]:
        for outage in self._outages:
            if outage.hits(operation):
                return "outage", outage.fault
        name = self.faults.draw(operation) if self.faults else None
        return name, FAULTS[name] if name else _NO_FAULT

    def _reply(
        self, operation: str, parameters: Wire, received: _Received
    ) -> tuple[Caller, _Reply]:
        scope = signing.scope(received.headers)
        region = scope.region if scope else self.pool.region
        caller = _caller(Credential(""), region)
        try:
            if (known := self.credentials) is not None:
                credential = signing.check(received.headers, received.body, known, self._regions)
                caller = _caller(credential, region)
            return caller, _Reply(200, self._api.answer(operation, parameters, caller).encode())
        except ApiError as error:
            return caller, _refusal(error)

    def _control(self, line: str) -> _Reply:
        if line.startswith("POST /_reset "):
            self.log.requests.clear()
        elif not line.startswith("GET /_stats "):
            return _Reply(404, b"{}", "application/json")
        counts, seconds = self.log.by_operation(), self.log.seconds()
        stats = {"requests": counts, "seconds": seconds, "users": sum(map(len, list(self.pools)))}
        return _Reply(200, json.dumps(stats).encode(), "application/json")


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", emulator.port), _Connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)


class _Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # Clients go away, after a timeout for example.
            while received := _read(self.rfile):
                data, end = self.server.emulator.respond(received)
                self.connection.sendall(data)
                if end == "reset":
                    linger = (socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                    self.connection.setsockopt(*linger)
                    # Before the base class says a polite goodbye; the stream holds it open too.
                    self.rfile.close()
                    self.connection.close()
                if end != "open":
                    break


def _read(stream: BufferedIOBase) -> _Received | None:
    line = stream.readline().decode("latin-1")
    headers = {}
    for header in iter(stream.readline, b"\r\n"):
        if not header:
            return None
        name, _, value = header.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    return _Received(line, headers, stream.read(int(headers.get("content-length", "0"))))


def _caller(credential: Credential, region: str) -> Caller:
    return Caller(credential.account, region, credential.arn)


def _refusal(error: ApiError) -> _Reply:
    body = json.dumps({"__type": error.code, "message": error.message})
    return _Reply(error.status, body.encode(), code=error.code)


def _encode(reply: _Reply, fault: Fault, number: int) -> bytes:
    if fault.keep is None:
        return b""
    body = reply.body[: int(len(reply.body) * fault.keep)]
    head = (
        f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}\r\n"
        f"Content-Type: {reply.content_type}\r\n"
        f"x-amzn-RequestId: 00000000-0000-4000-8000-{number:012x}\r\n"
    )
    if reply.code:
        head += f"x-amzn-ErrorType: {reply.code}:\r\n"
    if fault.length != "none":
        head += f"Content-Length: {len(body if fault.length == 'sent' else reply.body)}\r\n"
    if fault.end == "close":
        head += "Connection: close\r\n"
    return f"{head}\r\n".encode("latin-1") + body
