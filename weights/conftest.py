"""Fixtures that serve a hub on this machine over https, with failures on demand."""

import ssl
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from weights.errors import WeightsError
from weights.net.web import Access, InterruptedTransferError

CERTIFICATE = Path(__file__).with_name("loopback.pem")

TOKEN = "hf_SecretSecretSecret"
_AMBIENT = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE")

Answer = Callable[["Handler"], None]


@dataclass
class Hub:
    """The files that the server serves, and the requests that it received.

        Attributes:
    url: URL of the server, without a trailing slash.
    answers: for each path without its query, the bytes to serve or a function that answers.
    asked: method and path with query, and the headers, of every request, in order.
    """

    url: str = ""
    answers: dict[str, bytes | Answer] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def paths(self) -> list[str]:
        """Return the paths that were requested, in order."""
        return [path for path, _ in self.asked]


class Handler(BaseHTTPRequestHandler):
    """Serves ``Hub.answers``, and honours ranges where the answer is plain bytes."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # Send head and body in one packet: small writes would wait for each other.
    hub: Hub

    def do_GET(self) -> None:
        self.hub.asked.append((self.path, dict(self.headers.items())))
        answer = self.hub.answers.get(self.path.partition("?")[0])
        if answer is None:
            self.reply(404, b"nothing here")
        elif callable(answer):
            answer(self)
        else:
            self.serve(answer)

    def serve(self, content: bytes) -> None:
        """Answer with ``content``, or with the range of it that the request asks for."""
        begin = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-")
        first = int(begin)
        if first == 0:
            self.reply(200, content)
        elif first >= len(content):
            self.reply(416, b"")
        else:
            span = f"bytes {first}-{len(content) - 1}/{len(content)}"
            self.reply(206, content[first:], {"Content-Range": span})

    def reply(
        self,
        status: int,
        content: bytes,
        headers: dict[str, str] | None = None,
        *,
        length: int | None = None,
    ) -> None:
        """Send an answer. A false ``length`` in its header ends the connection."""
        self.send_response(status)
        sent = {"Content-Type": "application/octet-stream", **(headers or {})}
        sent["Content-Length"] = str(len(content) if length is None else length)
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()
        self.close_connection = length is not None

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: clients of these tests hang up on purpose."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Yield a server over https whose certificate ``SSL_CERT_FILE`` names as trusted."""
    for name in _AMBIENT:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with _serving("https://localhost", context) as hub:
        yield hub


@pytest.fixture
def plain_hub() -> Iterator[Hub]:
    """Yield a server over plain http."""
    with _serving("http://127.0.0.1", None) as hub:
        yield hub


@pytest.fixture
def access(
    hub: Hub,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Iterator[Access]:
    """Yield access to the hub, and check afterwards that no output, log or file has the token."""
    yield Access(hub.url, TOKEN, attempts=3, pause=0.0)
    assert TOKEN not in "".join(capfd.readouterr()) + caplog.text
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or TOKEN.encode() not in file.read_bytes()


def failure(action: Callable[[], object]) -> str:
    """Return the message with which ``action`` fails. Its traceback must hide the token."""
    with pytest.raises((WeightsError, InterruptedTransferError)) as caught:
        action()
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


@contextmanager
def _serving(base: str, context: ssl.SSLContext | None) -> Iterator[Hub]:
    hub = Hub()
    server = _Server(("127.0.0.1", 0), type("BoundHandler", (Handler,), {"hub": hub}))
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    hub.url = f"{base}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield hub
    server.shutdown()
    thread.join()
    server.server_close()
