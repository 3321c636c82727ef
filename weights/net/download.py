"""Downloading pinned files into a store. Downloads are resumed, and hashed as they stream."""

import hashlib
import http.client
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from weights.errors import WeightsError
from weights.files.atomic import check_room, explained
from weights.files.pins import Pin
from weights.net.hub import HubPath
from weights.net.web import Access, InterruptedTransferError, open_url, pieces, shown
from weights.progress import Advance, silent
from weights.store import Store

_BUFFER = 1 << 20
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)", re.ASCII)


def download(url: str, pin: Pin, store: Store, access: Access, progress: Advance = silent) -> Path:
    """Bring the file at a URL into a store, and return its path there.

    Args:
        url: ``https://...``, ``file:///...`` or ``hf://org/repo@revision/name``.
        pin: the expected content.
        store: the store. If the connection breaks, it keeps the bytes that have arrived.
        access: the hub, the token, and the number of attempts.
        progress: called with the number of bytes as they arrive.

    Raises:
        WeightsError: the file cannot be fetched or differs from its pin; the message names the URL.
    """
    if url.startswith("file:"):
        return store.add(_local_path(url), pin, progress)
    address = HubPath.parse(url).resolve(access) if url.startswith("hf:") else url
    with store.receiving(pin) as stream:
        if stream is None:
            progress(pin.size)
            return store.path(pin)
        partial = _Partial(stream, pin, store.partial(pin), progress)
        try:
            with _explained_kept(partial, address):
                _complete(partial, address, access)
        except _UnusableError as error:
            store.discard(pin)
            raise WeightsError(str(error)) from None
        return store.keep(pin, stream)


class _UnusableError(Exception):
    """The bytes that have arrived are useless and must be removed. The message is complete."""


class _Partial:
    """A partial file and the digest of its content."""

    def __init__(self, stream: BinaryIO, pin: Pin, path: Path, progress: Advance) -> None:
        self.pin = pin
        self.path = path
        self.size = 0
        self._stream = stream
        self._progress = progress
        self._digest = hashlib.sha256()
        while chunk := stream.read(_BUFFER):
            self._count(chunk)
        self.inherited = self.size > 0

    @property
    def is_right(self) -> bool:
        return self.size == self.pin.size and self._digest.hexdigest() == self.pin.sha256

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def append(self, chunk: bytes) -> None:
        try:
            with explained(self.path):
                view = memoryview(chunk)
                while view:
                    view = view[self._stream.write(view) :]
        except WeightsError as error:
            raise _UnusableError(str(error)) from None
        self._count(chunk)

    def restart(self) -> None:
        """Discard the bytes that have arrived."""
        self._progress(-self.size)
        self._stream.seek(0)
        self._stream.truncate()
        self._digest = hashlib.sha256()
        self.size = 0
        self.inherited = False

    def _count(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self.size += len(chunk)
        self._progress(len(chunk))


@contextmanager
def _explained_kept(partial: _Partial, url: str) -> Iterator[None]:
    """Add to errors that another run continues where this one stopped."""
    try:
        yield
    except InterruptedTransferError as error:
        kept = f" {partial.size:,} of {partial.pin.size:,} bytes are kept:" if partial.size else ""
        raise WeightsError(
            f"{error}, and did so repeatedly.{kept} run again to "
            f"{'continue' if kept else 'try again'}; check the network and HTTPS_PROXY."
        ) from None
    except WeightsError as error:
        if shown(url) in str(error):
            raise
        raise WeightsError(f"{shown(url)}: {error}") from None


def _complete(partial: _Partial, url: str, access: Access) -> None:
    """Complete a partial file. Attempts that make progress are not counted."""
    failures = 0
    while not partial.is_right:
        if partial.size >= partial.pin.size:
            _refuse_or_restart(partial, url)
        before = partial.size
        try:
            _receive(partial, url, access)
        except InterruptedTransferError:
            failures = 1 if partial.size > before else failures + 1
            if failures >= access.attempts:
                raise
            time.sleep(access.pause * 2 ** (failures - 1))
        else:
            if not partial.is_right:
                _refuse_or_restart(partial, url)


def _refuse_or_restart(partial: _Partial, url: str) -> None:
    """Handle a complete file that is wrong; the part that an earlier run left may be the cause."""
    if not partial.inherited:
        raise _UnusableError(
            f"{shown(url)} has sha256 {partial.sha256}; {partial.pin.sha256} is pinned for "
            f"{partial.pin.name}. The file has changed at its source, or the pin is wrong: compare "
            "them, and pin again only what you trust."
        )
    partial.restart()


def _receive(partial: _Partial, url: str, access: Access) -> None:
    """Request the missing part of the file, or all of it if the server cannot continue."""
    headers = {"Range": f"bytes={partial.size}-"} if partial.size else {}
    with open_url(url, access, headers) as response:
        _check_answer(partial, response, url)
        _check_room(partial)
        for chunk in pieces(response, url, access):
            if partial.size + len(chunk) > partial.pin.size:
                raise _UnusableError(_wrong_size(partial, url, "more"))
            partial.append(chunk)
    if partial.size < partial.pin.size:
        raise InterruptedTransferError(
            f"{shown(url)}: the transfer ended after {partial.size:,} of {partial.pin.size:,} bytes"
        )


def _check_answer(partial: _Partial, response: http.client.HTTPResponse, url: str) -> None:
    """Refuse an answer that is not the file; restart if the server sends it from the start."""
    begin, total = 0, response.headers.get("Content-Length", "")
    if response.status == http.HTTPStatus.PARTIAL_CONTENT:
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        begin, total = (int(match[1]), match[2]) if match else (-1, "")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise WeightsError(
            f"{shown(url)} is sent compressed, which was not requested. Try another source."
        )
    page = response.headers.get_content_type() in ("text/html", "application/xhtml+xml")
    if page and not partial.pin.name.endswith((".html", ".htm")):
        raise _UnusableError(
            f"{shown(url)} answers with a web page, perhaps a login page, not with the file. "
            "Check the URL; if it needs a login, set HF_TOKEN or fetch the file by hand."
        )
    if total.isdecimal() and total.lstrip("0") != str(partial.pin.size or ""):
        raise _UnusableError(_wrong_size(partial, url, f"{int(total[:18]):,}"))
    if begin not in (0, partial.size):
        raise _UnusableError(
            f"{shown(url)} continues at byte {begin}, not at {partial.size} as it was asked to. "
            "Run again to begin anew."
        )
    if begin != partial.size:
        partial.restart()


def _check_room(partial: _Partial) -> None:
    """Check that the disk has room for the rest of the download."""
    try:
        check_room(partial.path.parent, partial.pin.size - partial.size)
    except WeightsError as error:
        raise _UnusableError(str(error)) from None


def _wrong_size(partial: _Partial, url: str, found: str) -> str:
    return (
        f"{shown(url)} has {found} bytes; {partial.pin.size:,} are pinned for {partial.pin.name}. "
        "The file has changed at its source, or the pin is wrong: compare them, and pin again only "
        "what you trust."
    )


def _local_path(url: str) -> Path:
    parts = urllib.parse.urlsplit(url)
    outside = parts.netloc not in ("", "localhost") or not parts.path.startswith("/")
    if outside or "\0" in urllib.parse.unquote(parts.path):
        raise WeightsError(f"{shown(url)} is not a file of this machine. Use file:///folder/name.")
    return Path(urllib.request.url2pathname(parts.path))
