"""Downloads from a server on this machine are resumed, verified and refused."""

import contextlib
import hashlib
import resource
from dataclasses import replace
from pathlib import Path

import pytest

from weights.conftest import TOKEN, Handler, Hub, failure
from weights.files.pins import Pin
from weights.net.download import download
from weights.net.web import Access
from weights.store import Store

CONTENT = bytes(range(256)) * 20_000


def pinned(content: bytes = CONTENT, name: str = "model.safetensors") -> Pin:
    return Pin(name, hashlib.sha256(content).hexdigest(), len(content))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def refusal(url: str, store: Store, access: Access, pin: Pin | None = None) -> str:
    """Return the message with which the download fails, and check that the store stays empty."""
    pin = pin or pinned()
    message = failure(lambda: download(url, pin, store, access))
    assert not store.path(pin).exists()
    return message


def test_from_the_hub(hub: Hub, store: Store, access: Access) -> None:
    hub.answers["/org/repo/resolve/main/model.safetensors"] = CONTENT
    counts: list[int] = []
    url = "hf://org/repo@main/model.safetensors"
    file = download(url, pinned(), store, access, counts.append)
    assert file.read_bytes() == CONTENT
    assert file == store.path(pinned())
    assert file.stat().st_mode & 0o777 == 0o444
    assert sum(counts) == len(CONTENT)
    assert hub.asked[0][1]["Authorization"] == f"Bearer {TOKEN}"
    assert download(url, pinned(), store, access) == file
    assert len(hub.asked) == 1
    assert list((store.root / "partial").iterdir()) == []


def test_from_any_https_server_without_the_token(hub: Hub, store: Store, access: Access) -> None:
    hub.answers["/m.safetensors"] = CONTENT
    elsewhere = replace(access, endpoint="https://hub.example")
    download(f"{hub.url}/m.safetensors?download=true", pinned(), store, elsewhere)
    assert hub.asked[0][0] == "/m.safetensors?download=true"
    assert "Authorization" not in hub.asked[0][1]


def test_from_a_file(tmp_path: Path, store: Store, hub: Hub, access: Access) -> None:
    (tmp_path / "a file").write_bytes(CONTENT)
    url = (tmp_path / "a file").as_uri()
    assert download(url, pinned(), store, access).read_bytes() == CONTENT
    wrong = pinned(b"other")
    assert f"{len(CONTENT)} bytes; 5 are pinned" in refusal(url, store, access, wrong)
    absent = (tmp_path / "absent").as_uri()
    assert "does not exist" in refusal(absent, store, access, wrong)
    assert "not a file of this" in refusal("file://host/a", store, access, wrong)


def test_an_empty_file(hub: Hub, store: Store, access: Access) -> None:
    hub.answers["/m"] = b""
    assert download(f"{hub.url}/m", pinned(b""), store, access).read_bytes() == b""


def test_resumes_within_a_run(hub: Hub, store: Store, access: Access) -> None:
    """Each connection breaks after a while, and the next one continues where it ended."""
    step = len(CONTENT) // 8

    def answer(handler: Handler) -> None:
        begin = int(handler.headers.get("Range", "bytes=0-")[6:-1])
        part, rest = CONTENT[begin : begin + step], len(CONTENT) - begin
        span = {"Content-Range": f"bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}"}
        handler.reply(206 if begin else 200, part, span, length=rest)

    hub.answers["/m"] = answer
    file = download(f"{hub.url}/m", pinned(), store, replace(access, attempts=2))
    assert file.read_bytes() == CONTENT
    assert [headers.get("Range") for _, headers in hub.asked[:3]] == [
        None,
        f"bytes={step}-",
        f"bytes={2 * step}-",
    ]


def test_resumes_in_another_run(hub: Hub, store: Store, access: Access) -> None:
    hub.answers["/m"] = lambda handler: handler.reply(200, CONTENT[:1000], length=len(CONTENT))
    message = refusal(f"{hub.url}/m", store, replace(access, attempts=1))
    assert "1,000 of 5,120,000 bytes are kept: run again to continue" in message
    hub.answers["/m"] = CONTENT
    assert download(f"{hub.url}/m", pinned(), store, access).read_bytes() == CONTENT
    assert hub.asked[-1][1]["Range"] == "bytes=1000-"


def test_a_server_that_cannot_resume(hub: Hub, store: Store, access: Access) -> None:
    store.partial(pinned()).parent.mkdir(parents=True)
    store.partial(pinned()).write_bytes(CONTENT[:1000])
    hub.answers["/m"] = lambda handler: handler.reply(200, CONTENT)
    counts: list[int] = []
    file = download(f"{hub.url}/m", pinned(), store, access, counts.append)
    assert file.read_bytes() == CONTENT
    assert sum(counts) == len(CONTENT)


@pytest.mark.parametrize("left", [b"x" * 1000, CONTENT + b"x", b"x" * len(CONTENT)])
def test_unusable_bytes_of_an_earlier_run_are_replaced(
    hub: Hub, store: Store, left: bytes, access: Access
) -> None:
    store.partial(pinned()).parent.mkdir(parents=True)
    store.partial(pinned()).write_bytes(left)
    hub.answers["/m"] = CONTENT
    assert download(f"{hub.url}/m", pinned(), store, access).read_bytes() == CONTENT


def test_a_range_that_was_not_asked_for(hub: Hub, store: Store, access: Access) -> None:
    store.partial(pinned()).parent.mkdir(parents=True)
    store.partial(pinned()).write_bytes(CONTENT[:1000])
    span = {"Content-Range": f"bytes 7-{len(CONTENT) - 1}/{len(CONTENT)}"}
    hub.answers["/m"] = lambda handler: handler.reply(206, CONTENT[7:], span)
    assert "continues at byte 7, not at 1000" in refusal(f"{hub.url}/m", store, access)


def test_digest_mismatch(hub: Hub, store: Store, access: Access) -> None:
    other = b"x" * len(CONTENT)
    hub.answers["/m"] = other
    message = refusal(f"{hub.url}/m", store, access)
    assert f"{hub.url}/m has sha256 {hashlib.sha256(other).hexdigest()}" in message
    assert f"{pinned().sha256} is pinned for model.safetensors" in message
    assert "pin again only what you trust" in message
    assert not store.partial(pinned()).exists()
    assert len(hub.asked) == 1


@pytest.mark.parametrize("size", [5, len(CONTENT) + 1])
def test_size_mismatch_is_seen_at_once(hub: Hub, store: Store, size: int, access: Access) -> None:
    hub.answers["/m"] = bytes(size)
    message = refusal(f"{hub.url}/m", store, access)
    assert f"has {size:,} bytes; 5,120,000 are pinned" in message


def test_endless_answer(hub: Hub, store: Store, access: Access) -> None:
    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        with contextlib.suppress(OSError):
            while True:
                handler.wfile.write(bytes(1 << 20))

    hub.answers["/m"] = answer
    assert "has more bytes" in refusal(f"{hub.url}/m", store, access)


def test_login_page(hub: Hub, store: Store, access: Access) -> None:
    page = {"Content-Type": "text/html; charset=utf-8"}
    hub.answers["/m"] = lambda handler: handler.reply(200, b"<html>Sign in</html>", page)
    assert "a web page, perhaps a login page" in refusal(f"{hub.url}/m", store, access)


def test_compressed_answer(hub: Hub, store: Store, access: Access) -> None:
    packed = {"Content-Encoding": "gzip"}
    hub.answers["/m"] = lambda handler: handler.reply(200, CONTENT, packed)
    assert "compressed" in refusal(f"{hub.url}/m", store, access)


@pytest.mark.parametrize(
    ("status", "requests", "words"),
    [
        (400, 1, "answers 400 (Bad Request)"),
        (401, 1, "The token in HF_TOKEN may not read it"),
        (403, 1, "accept the model's terms"),
        (404, 1, "Check repository, revision and file name"),
        (429, 3, "did so repeatedly"),
        (503, 3, "answers 503 (Service Unavailable), and did so repeatedly"),
    ],
)
def test_wrong_status(
    hub: Hub, store: Store, status: int, requests: int, words: str, access: Access
) -> None:
    hub.answers["/m"] = lambda handler: handler.reply(status, TOKEN.encode())
    message = refusal(f"{hub.url}/m?signature=abc", store, replace(access, attempts=3))
    assert words in message
    assert f"{hub.url}/m" in message
    assert "signature" not in message
    assert len(hub.asked) == requests


def test_no_token(hub: Hub, store: Store, access: Access) -> None:
    hub.answers["/m"] = lambda handler: handler.reply(401, b"")
    message = refusal(f"{hub.url}/m", store, replace(access, token=None))
    assert "Set HF_TOKEN" in message


def test_a_temporary_failure_is_retried(hub: Hub, store: Store, access: Access) -> None:
    def answer(handler: Handler) -> None:
        if len(hub.asked) < 3:
            handler.reply(503, b"")
        else:
            handler.serve(CONTENT)

    hub.answers["/m"] = answer
    assert download(f"{hub.url}/m", pinned(), store, replace(access, attempts=3)).exists()


def test_full_disk(hub: Hub, store: Store, access: Access) -> None:
    hub.answers["/m"] = CONTENT
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        message = refusal(f"{hub.url}/m", store, access)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(store.root) in message
    assert "write to another disk" in message
    assert not store.partial(pinned()).exists()


def test_no_room(hub: Hub, store: Store, access: Access) -> None:
    hub.answers["/m"] = lambda handler: handler.reply(200, b"", length=1 << 60)
    message = refusal(f"{hub.url}/m", store, access, Pin("m", "0" * 64, 1 << 60))
    assert "has room for" in message


def test_interrupt_keeps_the_received_bytes(hub: Hub, store: Store, access: Access) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    hub.answers["/m"] = CONTENT
    with pytest.raises(KeyboardInterrupt):
        download(f"{hub.url}/m", pinned(), store, access, interrupt)
    assert not store.path(pinned()).exists()
    assert 0 < store.partial(pinned()).stat().st_size < len(CONTENT)
    assert download(f"{hub.url}/m", pinned(), store, access).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.org/m", "plain http is refused"),
        ("hf://org/m", "404"),
        ("hf://org", "is not of the form"),
        ("hf://org/repo@main/../x", "is not of the form"),
        ("hf://org/repo@main//x", "is not of the form"),
        ("hf://-rf/repo@main/x", "is not of the form"),
    ],
)
def test_bad_urls(store: Store, access: Access, url: str, words: str) -> None:
    assert words in refusal(url, store, access)
