"""One deadline for all of a request: TLS, a proxy's answer, headers, body and trailers.

A socket's timeout begins again with every byte, so an endpoint that sends one at a time would hold
a request for ever.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_TICK = 0.25
"""Seconds by which a deadline may be missed."""


class _Request(threading.local):
    """The request of this thread."""

    watch: _Watch | None = None


class _Watch:
    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self._socket: socket.socket | None = None

    def watch(self, connection: socket.socket | None) -> None:
        """Watch a connection, by a copy: TLS takes the original's descriptor away."""
        copy = socket.fromfd(connection.fileno(), -1, -1) if connection else None
        with _changed:
            if self._socket:
                self._socket.close()
            self._socket = copy

    def shut_down(self) -> None:
        """End the connection under its reader."""
        if self._socket:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


_request = _Request()
_watches: set[_Watch] = set()
_changed = threading.Condition()
_watcher: threading.Thread | None = None


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Shut the connections of this thread's request down when the time is over.

    Args:
        seconds: How long it may take, from the connection to the last byte of the response.
    """
    global _watcher  # noqa: PLW0603 - one thread for all clients
    watch = _request.watch = _Watch(time.monotonic() + seconds)
    with _changed:
        _watches.add(watch)
        if not (_watcher and _watcher.is_alive()):
            _watcher = threading.Thread(target=_watch_all, name="deadlines", daemon=True)
            with contextlib.suppress(RuntimeError):  # without a thread only sockets time out
                _watcher.start()
        _changed.notify()
    try:
        yield
    finally:
        _request.watch = None
        with _changed:
            _watches.discard(watch)
        watch.watch(None)


def _watch_all() -> None:
    while True:
        with _changed:
            while not _watches:
                _changed.wait()
            now = time.monotonic()
            for watch in _watches:
                if watch.deadline < now:
                    watch.shut_down()
        time.sleep(_TICK)


def keep_deadlines(http_session: Any) -> None:
    """Let a botocore HTTP session keep the deadlines of its requests.

    Args:
        http_session: The session, before its first request.
    """
    # Not public; botocore has no other way to its connections.
    http_session._pool_classes_by_scheme.update(_POOLS)  # noqa: SLF001


def _watched(connection: socket.socket) -> socket.socket:
    if _request.watch:
        _request.watch.watch(connection)
    return connection


class _Connection(AWSHTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _watched(super()._new_conn())

    def getresponse(self, *args: Any, **kwargs: Any) -> Any:
        _watched(self.sock)  # it may have been there before this request
        return super().getresponse(*args, **kwargs)


class _TlsConnection(AWSHTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _watched(super()._new_conn())  # before TLS, and before a proxy's answer

    def getresponse(self, *args: Any, **kwargs: Any) -> Any:
        _watched(self.sock)
        return super().getresponse(*args, **kwargs)


class _Pool(AWSHTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(AWSHTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _Pool, "https": _TlsPool}
