"""HTTP/1.1 on a socket: requests in, responses out, sound or spoiled."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import BufferedIOBase

    from emulator.faults import Fault

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Received(NamedTuple):
    """A request: its first line, its headers with lower-case names, its body."""

    line: str
    headers: dict[str, str]
    body: bytes


class Reply(NamedTuple):
    """A response; `code` and `message` are those of an error of the service."""

    status: int
    body: bytes
    content_type: str = "application/x-amz-json-1.1"
    code: str | None = None
    message: str = ""


def request_id(number: int) -> str:
    """Return the id of a request by its number."""
    return f"00000000-0000-4000-8000-{number:012x}"


def encode(reply: Reply, fault: Fault, number: int) -> bytes:
    """Return the bytes of a response as a fault leaves them; `number` is the request's."""
    if fault.keep is None:
        return b""
    body = reply.body[: int(len(reply.body) * fault.keep)]
    head = (
        f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}\r\n"
        f"Content-Type: {reply.content_type}\r\n"
        f"x-amzn-RequestId: {request_id(number)}\r\n"
    )
    if reply.code:
        head += f"x-amzn-errortype: {reply.code}:\r\n"
        head += f"x-amzn-errormessage: {' '.join(reply.message.split())}\r\n"
    if fault.length != "none":
        head += f"Content-Length: {len(body if fault.length == 'sent' else reply.body)}\r\n"
    if fault.end == "close":
        head += "Connection: close\r\n"
    return f"{head}\r\n".encode("latin-1", "replace") + body


class Server(socketserver.ThreadingTCPServer):
    """Listens on 127.0.0.1, with a thread for each connection.

    Attributes:
        respond: Makes of a request the bytes to send, and the end of the connection then.
        connections: Those that are open.
    """

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int, respond: Callable[[Received], tuple[bytes, str]]) -> None:
        self.respond = respond
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember a connection, and serve it."""
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection, and close it."""
        self.connections.discard(request)
        super().shutdown_request(request)

    def close(self) -> None:
        """Close every connection, and wait for the requests under way."""
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class _Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: Server

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # Clients go away, after a timeout for example.
            while received := _read(self.rfile):
                data, end = self.server.respond(received)
                self.connection.sendall(data)
                if end == "reset":
                    linger = (socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                    self.connection.setsockopt(*linger)
                    # Before the base class says a polite goodbye; the stream holds it open too.
                    self.rfile.close()
                    self.connection.close()
                if end != "open":
                    break


def _read(stream: BufferedIOBase) -> Received | None:
    """Read a request; None if the client went away before its end."""
    line = stream.readline().decode("latin-1")
    headers = {}
    for header in iter(stream.readline, b"\r\n"):
        if not header:
            return None
        name, _, value = header.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    length = int(headers.get("content-length", "0"))
    body = stream.read(length)
    return Received(line, headers, body) if len(body) == length else None
