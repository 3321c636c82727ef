"""A server of bad answers. The first part of a path names the script that answers."""

from __future__ import annotations

import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.hostile.answers import always, http
from tests.hostile.areas import file_servers, hubs
from tests.hostile.entry import FIXTURES

_SECONDS = 60


def _good(path: str, _: str) -> list[bytes]:
    """Answer with a file of a fixture."""
    return [http(200, (FIXTURES / "minilm_tiny" / Path(path).name).read_bytes())]


_SCRIPTS = {"good": _good, **file_servers.scripts(), **hubs.scripts()}


class _Handler(socketserver.StreamRequestHandler):
    timeout = _SECONDS

    def handle(self) -> None:
        """Answer one request, and hang up."""
        try:
            line = self.rfile.readline(65_536).decode("latin-1")
            headers = {}
            while header := self.rfile.readline(65_536).decode("latin-1").strip():
                name, _, value = header.partition(":")
                headers[name.lower()] = value.strip()
            path = line.split(" ")[1]
            script, _, rest = path.lstrip("/").partition("/")
            answer = _SCRIPTS.get(script, always(http(404)))
            for piece in answer(f"/{rest}", f"http://{headers.get('host')}/{script}"):
                self.wfile.write(piece)
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
        except (OSError, IndexError):
            pass  # the client hung up


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: clients hang up when an answer is bad."""


@contextmanager
def serving() -> Iterator[str]:
    """Yield the URL of a server in a process of its own, so that entries may be forked."""
    command = [sys.executable, "-m", "tests.hostile.servers"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        port = int(process.stdout.readline())
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.stdin.close()  # the server ends with its input
            process.wait()


def main() -> None:
    """Serve until the input ends, after printing the port."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        print(server.server_address[1], flush=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdin.read()


if __name__ == "__main__":
    main()
