"""Limits of time for answers that never end, however slowly or cunningly a server sends them.

The timeout of a socket limits the time without any byte. A server that sends one byte a minute, or
interim answers without end, never reaches it.
"""

import contextlib
import http.client
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self, TypeVar

_LEAST_BYTES = 1_000
"""Bytes of an answer in a second, at least, on average over the time of patience."""

_BUFFER = 1 << 18
_T = TypeVar("_T")


class SlowTransferError(Exception):
    """An answer comes too slowly."""


class _Patience:
    """Shuts a connection down when a block takes too long, wherever the block waits.

    Args:
        connection: the connection or its answer.
        seconds: the time for the block, from its begin or from the last call of ``renew``.
    """

    def __init__(
        self, connection: http.client.HTTPConnection | http.client.HTTPResponse, seconds: float
    ) -> None:
        self._connection = connection
        self._seconds = seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.is_over = False

    def __enter__(self) -> Self:
        self.renew()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def renew(self) -> None:
        """Begin the time anew."""
        self._deadline = time.monotonic() + self._seconds

    def _watch(self) -> None:
        while (left := self._deadline - time.monotonic()) > 0:
            if self._ended.wait(left):
                return
        self.is_over = True
        while not self._ended.wait(0.1):  # the socket may be made in the meantime
            if found := _socket_of(self._connection):
                with contextlib.suppress(OSError):
                    found.shutdown(socket.SHUT_RDWR)


def body(response: http.client.HTTPResponse, seconds: float) -> Iterator[bytes]:
    """Yield the body of an answer in pieces as they arrive.

    Args:
        response: the answer.
        seconds: the time over which the least speed of 1 kB a second is measured.

    Raises:
        SlowTransferError: it comes more slowly than that.
        OSError: the connection breaks.
        http.client.HTTPException: the answer ends early or is malformed.
    """
    received = 0
    with _Patience(response, seconds) as patience:
        while True:
            try:
                piece = response.read1(_BUFFER)
            except (OSError, http.client.HTTPException):
                if patience.is_over:
                    raise SlowTransferError from None
                raise
            if patience.is_over:
                raise SlowTransferError
            if not piece:
                return
            received += len(piece)
            if received >= _LEAST_BYTES * seconds:
                received = 0
                patience.renew()
            yield piece


class PatientHTTPHandler(urllib.request.HTTPHandler):
    """Opens http URLs, and allows each step before the answer's body only the request's timeout."""

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """Send a request."""
        return self.do_open(_PlainConnection, req)


class PatientHTTPSHandler(urllib.request.HTTPSHandler):
    """Opens https URLs; see ``PatientHTTPHandler``."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(context=context)
        self._given = context

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """Send a request."""
        return self.do_open(_SecureConnection, req, context=self._given)


class _PlainConnection(http.client.HTTPConnection):
    def connect(self) -> None:
        _timed(self, super().connect)

    def getresponse(self) -> http.client.HTTPResponse:
        return _timed(self, super().getresponse)


class _SecureConnection(http.client.HTTPSConnection):
    def connect(self) -> None:
        _timed(self, super().connect)

    def getresponse(self) -> http.client.HTTPResponse:
        return _timed(self, super().getresponse)


def _timed(connection: http.client.HTTPConnection, step: Callable[[], _T]) -> _T:
    """Return ``step()``, which must not take longer than the timeout of the connection."""
    assert connection.timeout is not None
    with _Patience(connection, connection.timeout) as patience:
        try:
            result = step()
        except (OSError, http.client.HTTPException):
            if patience.is_over:
                raise TimeoutError from None
            raise
        if patience.is_over:  # http.client takes the end of a connection for the end of the headers
            if isinstance(result, http.client.HTTPResponse):
                result.close()
            connection.close()
            raise TimeoutError
        return result


def _socket_of(
    connection: http.client.HTTPConnection | http.client.HTTPResponse,
) -> socket.socket | None:
    """Return the socket of a connection or of an answer, or None if there is none now."""
    if isinstance(connection, http.client.HTTPResponse):
        # urllib gives the connection's socket to the answer, which has no public way to it.
        raw = getattr(connection.fp, "raw", None)
        found = getattr(raw, "_sock", None)
    else:
        found = connection.sock
    return found if isinstance(found, socket.socket) else None
