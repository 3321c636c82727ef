"""Downloads: resumed, checked, and refused, against a server on this machine."""

import contextlib
import hashlib
import io
import os
import resource
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from weights.conftest import Handler, Hub
from weights.download import download
from weights.errors import WeightsError
from weights.pins import Pin
from weights.store import Store
from weights.web import Access, check_url, shown

TOKEN = "hf_SecretSecretSecret"
CONTENT = bytes(range(256)) * 20_000


def pinned(content: bytes = CONTENT, name: str = "model.safetensors") -> Pin:
    return Pin(name, hashlib.sha256(content).hexdigest(), len(content))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture(autouse=True)
def no_token_is_ever_seen(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """After every test: the token is in no output, no log and no file."""
    yield
    assert TOKEN not in "".join(capfd.readouterr()) + caplog.text
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or TOKEN.encode() not in file.read_bytes()


def access(hub: Hub, **changes: object) -> Access:
    return Access(**{"endpoint": hub.url, "token": TOKEN, "pause": 0.0, **changes})  # type: ignore[arg-type]


def refusal(url: str, store: Store, grant: Access, pin: Pin | None = None) -> str:
    """The message with which the download fails, having left no file in the store."""
    pin = pin or pinned()
    with pytest.raises(WeightsError) as caught:
        download(url, pin, store, grant)
    trace = io.StringIO()
    traceback.print_exception(caught.value, file=trace)
    assert TOKEN not in trace.getvalue()
    assert not store.path(pin).exists()
    return str(caught.value)


def test_from_the_hub(hub: Hub, store: Store) -> None:
    hub.answers["/org/repo/resolve/main/model.safetensors"] = CONTENT
    counts: list[int] = []
    url = "hf://org/repo@main/model.safetensors"
    file = download(url, pinned(), store, access(hub), counts.append)
    assert file.read_bytes() == CONTENT
    assert file == store.path(pinned())
    assert file.stat().st_mode & 0o777 == 0o444
    assert sum(counts) == len(CONTENT)
    assert hub.asked[0][1]["Authorization"] == f"Bearer {TOKEN}"
    assert download(url, pinned(), store, access(hub)) == file
    assert len(hub.asked) == 1
    assert list((store.root / "partial").iterdir()) == []


def test_from_any_https_server_without_the_token(hub: Hub, store: Store) -> None:
    hub.answers["/m.safetensors"] = CONTENT
    elsewhere = access(hub, endpoint="https://hub.example")
    download(f"{hub.url}/m.safetensors?download=true", pinned(), store, elsewhere)
    assert hub.asked[0][0] == "/m.safetensors?download=true"
    assert "Authorization" not in hub.asked[0][1]


def test_from_a_file(tmp_path: Path, store: Store, hub: Hub) -> None:
    (tmp_path / "a file").write_bytes(CONTENT)
    url = (tmp_path / "a file").as_uri()
    assert download(url, pinned(), store, access(hub)).read_bytes() == CONTENT
    wrong = pinned(b"other")
    assert f"{len(CONTENT)} bytes; 5 are pinned" in refusal(url, store, access(hub), wrong)
    absent = (tmp_path / "absent").as_uri()
    assert "does not exist" in refusal(absent, store, access(hub), wrong)
    assert "not a file of this" in refusal("file://host/a", store, access(hub), wrong)


def test_an_empty_file(hub: Hub, store: Store) -> None:
    hub.answers["/m"] = b""
    assert download(f"{hub.url}/m", pinned(b""), store, access(hub)).read_bytes() == b""


def test_resumes_within_a_run(hub: Hub, store: Store) -> None:
    """Every connection breaks after a while: each continues where the last one ended."""
    step = len(CONTENT) // 8

    def answer(handler: Handler) -> None:
        begin = int(handler.headers.get("Range", "bytes=0-")[6:-1])
        part, rest = CONTENT[begin : begin + step], len(CONTENT) - begin
        span = {"Content-Range": f"bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}"}
        handler.reply(206 if begin else 200, part, span, length=rest)

    hub.answers["/m"] = answer
    file = download(f"{hub.url}/m", pinned(), store, access(hub, attempts=2))
    assert file.read_bytes() == CONTENT
    assert [headers.get("Range") for _, headers in hub.asked[:3]] == [
        None,
        f"bytes={step}-",
        f"bytes={2 * step}-",
    ]


def test_resumes_in_another_run(hub: Hub, store: Store) -> None:
    hub.answers["/m"] = lambda handler: handler.reply(200, CONTENT[:1000], length=len(CONTENT))
    message = refusal(f"{hub.url}/m", store, access(hub, attempts=1))
    assert "1,000 of 5,120,000 bytes are kept: run again to continue" in message
    hub.answers["/m"] = CONTENT
    assert download(f"{hub.url}/m", pinned(), store, access(hub)).read_bytes() == CONTENT
    assert hub.asked[-1][1]["Range"] == "bytes=1000-"


def test_a_server_that_cannot_resume(hub: Hub, store: Store) -> None:
    store.partial(pinned()).parent.mkdir(parents=True)
    store.partial(pinned()).write_bytes(CONTENT[:1000])
    hub.answers["/m"] = lambda handler: handler.reply(200, CONTENT)
    counts: list[int] = []
    file = download(f"{hub.url}/m", pinned(), store, access(hub), counts.append)
    assert file.read_bytes() == CONTENT
    assert sum(counts) == len(CONTENT)


@pytest.mark.parametrize("left", [b"x" * 1000, CONTENT + b"x", b"x" * len(CONTENT)])
def test_garbage_of_an_earlier_run(hub: Hub, store: Store, left: bytes) -> None:
    store.partial(pinned()).parent.mkdir(parents=True)
    store.partial(pinned()).write_bytes(left)
    hub.answers["/m"] = CONTENT
    assert download(f"{hub.url}/m", pinned(), store, access(hub)).read_bytes() == CONTENT


def test_a_range_that_was_not_asked_for(hub: Hub, store: Store) -> None:
    store.partial(pinned()).parent.mkdir(parents=True)
    store.partial(pinned()).write_bytes(CONTENT[:1000])
    span = {"Content-Range": f"bytes 7-{len(CONTENT) - 1}/{len(CONTENT)}"}
    hub.answers["/m"] = lambda handler: handler.reply(206, CONTENT[7:], span)
    assert "continues at byte 7, not at 1000" in refusal(f"{hub.url}/m", store, access(hub))


def test_digest_mismatch(hub: Hub, store: Store) -> None:
    other = b"x" * len(CONTENT)
    hub.answers["/m"] = other
    message = refusal(f"{hub.url}/m", store, access(hub))
    assert f"{hub.url}/m has sha256 {hashlib.sha256(other).hexdigest()}" in message
    assert f"{pinned().sha256} is pinned for model.safetensors" in message
    assert "pin again only what you trust" in message
    assert not store.partial(pinned()).exists()
    assert len(hub.asked) == 1


@pytest.mark.parametrize("size", [5, len(CONTENT) + 1])
def test_size_mismatch_is_seen_at_once(hub: Hub, store: Store, size: int) -> None:
    hub.answers["/m"] = bytes(size)
    message = refusal(f"{hub.url}/m", store, access(hub))
    assert f"has {size:,} bytes; 5,120,000 are pinned" in message


def test_endless_answer(hub: Hub, store: Store) -> None:
    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        with contextlib.suppress(OSError):
            while True:
                handler.wfile.write(bytes(1 << 20))

    hub.answers["/m"] = answer
    assert "has more bytes" in refusal(f"{hub.url}/m", store, access(hub))


def test_login_page(hub: Hub, store: Store) -> None:
    page = {"Content-Type": "text/html; charset=utf-8"}
    hub.answers["/m"] = lambda handler: handler.reply(200, b"<html>Sign in</html>", page)
    assert "a web page, perhaps a login page" in refusal(f"{hub.url}/m", store, access(hub))


def test_compressed_answer(hub: Hub, store: Store) -> None:
    packed = {"Content-Encoding": "gzip"}
    hub.answers["/m"] = lambda handler: handler.reply(200, CONTENT, packed)
    assert "compressed" in refusal(f"{hub.url}/m", store, access(hub))


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
def test_wrong_status(hub: Hub, store: Store, status: int, requests: int, words: str) -> None:
    hub.answers["/m"] = lambda handler: handler.reply(status, TOKEN.encode())
    message = refusal(f"{hub.url}/m?signature=abc", store, access(hub, attempts=3))
    assert words in message
    assert f"{hub.url}/m" in message
    assert "signature" not in message
    assert len(hub.asked) == requests


def test_no_token(hub: Hub, store: Store) -> None:
    hub.answers["/m"] = lambda handler: handler.reply(401, b"")
    message = refusal(f"{hub.url}/m", store, access(hub, token=None))
    assert "Set HF_TOKEN" in message


def test_a_passing_failure(hub: Hub, store: Store) -> None:
    def answer(handler: Handler) -> None:
        if len(hub.asked) < 3:
            handler.reply(503, b"")
        else:
            handler.serve(CONTENT)

    hub.answers["/m"] = answer
    assert download(f"{hub.url}/m", pinned(), store, access(hub, attempts=3)).exists()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_within_the_hub_keeps_the_token(hub: Hub, store: Store, status: int) -> None:
    hub.answers["/a"] = lambda handler: handler.reply(status, b"", {"Location": "/b"})
    hub.answers["/b"] = CONTENT
    download(f"{hub.url}/a", pinned(), store, access(hub))
    assert [headers.get("Authorization") for _, headers in hub.asked] == [f"Bearer {TOKEN}"] * 2


def test_redirect_to_another_host_does_not_see_the_token(hub: Hub, store: Store) -> None:
    """A hub sends large files from elsewhere, under a signed URL; here by another name of it."""
    store.partial(pinned()).parent.mkdir(parents=True)
    store.partial(pinned()).write_bytes(CONTENT[:1000])
    other = hub.url.replace("localhost", "127.0.0.1")
    hub.answers["/a"] = lambda handler: handler.reply(
        302, b"", {"Location": f"{other}/b?signature=abc"}
    )
    hub.answers["/b"] = CONTENT
    download(f"{hub.url}/a", pinned(), store, access(hub))
    assert hub.asked[0][1]["Authorization"] == f"Bearer {TOKEN}"
    assert "Authorization" not in hub.asked[1][1]
    assert hub.asked[1][1]["Range"] == "bytes=1000-"


def test_redirect_back_to_the_hub(hub: Hub, store: Store) -> None:
    """A detour over another host does not lose the token for good, nor leak it."""
    other = hub.url.replace("localhost", "127.0.0.1")
    hub.answers["/a"] = lambda handler: handler.reply(302, b"", {"Location": f"{other}/b"})
    hub.answers["/b"] = lambda handler: handler.reply(302, b"", {"Location": f"{hub.url}/c"})
    hub.answers["/c"] = CONTENT
    download(f"{hub.url}/a", pinned(), store, access(hub))
    seen = [headers.get("Authorization") for _, headers in hub.asked]
    assert seen == [f"Bearer {TOKEN}", None, f"Bearer {TOKEN}"]


@pytest.mark.parametrize(
    "location", ["http://localhost/m", "ftp://localhost/m", "file:///etc/passwd", "data:,x"]
)
@pytest.mark.parametrize("loopback_http", [False, True])
def test_redirect_away_from_https(
    hub: Hub, store: Store, location: str, loopback_http: bool
) -> None:
    hub.answers["/a"] = lambda handler: handler.reply(302, b"", {"Location": location})
    message = refusal(f"{hub.url}/a", store, access(hub, loopback_http=loopback_http))
    assert f"{hub.url}/a redirects to {location.partition(',')[0]}" in message
    assert "which is not https" in message


def test_redirect_in_a_circle(hub: Hub, store: Store) -> None:
    hub.answers["/a"] = lambda handler: handler.reply(302, b"", {"Location": "/b?token=abc"})
    hub.answers["/b"] = lambda handler: handler.reply(302, b"", {"Location": "/a"})
    message = refusal(f"{hub.url}/a", store, access(hub))
    assert "redirects in a circle" in message
    assert "abc" not in message


def test_redirects_without_end(hub: Hub, store: Store) -> None:
    for i in range(30):
        target = {"Location": f"/{i + 1}"}
        hub.answers[f"/{i}"] = lambda handler, target=target: handler.reply(302, b"", target)  # type: ignore[misc]
    assert "redirects in a circle" in refusal(f"{hub.url}/0", store, access(hub))
    assert len(hub.asked) < 20


def test_plain_http(plain_hub: Hub, store: Store) -> None:
    plain_hub.answers["/m"] = CONTENT
    message = refusal(f"{plain_hub.url}/m", store, access(plain_hub))
    assert "plain http is refused" in message
    assert plain_hub.asked == []
    allowed = access(plain_hub, loopback_http=True)
    download(f"{plain_hub.url}/m", pinned(), store, allowed)
    assert "Authorization" not in plain_hub.asked[0][1]


@pytest.mark.parametrize(
    "url",
    ["http://example.org/m", "http://127.0.0.1.example.org/m", "http://10.0.0.1/m", "http://0/m"],
)
def test_plain_http_to_others_is_never_allowed(url: str) -> None:
    with pytest.raises(WeightsError, match="plain http is refused"):
        check_url(url, Access(loopback_http=True))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://host/m", "scheme 'ftp'"),
        ("/etc/passwd", "scheme ''"),
        ("https:///m", "is not a URL"),
        ("https://[::1/m", "malformed URL is not a URL"),
        ("https://host:port/m", "is not a URL"),
        ("https://host/a b", "is not a URL"),
        ("https://host/a\r\nX: y", "is not a URL"),
        (f"https://user:{TOKEN}@host/m", "user name or password"),
        ("hf://org/m", "404"),
        ("hf://org", "is not of the form"),
        ("hf://org/repo@main/../x", "is not of the form"),
        ("hf://org/repo@main//x", "is not of the form"),
        ("hf://-rf/repo@main/x", "is not of the form"),
    ],
)
def test_bad_urls(hub: Hub, store: Store, url: str, words: str) -> None:
    assert words in refusal(url, store, access(hub))


def test_shown() -> None:
    url = f"https://user:{TOKEN}@host:8443/a/b?X-Signature={TOKEN}#{TOKEN}"
    assert shown(url) == "https://host:8443/a/b"
    assert shown("https://host/\x1b[2J") == "https://host/?[2J"


def test_an_untrusted_certificate(hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    message = refusal(f"{hub.url}/m", store, access(hub))
    assert "certificate is not trusted" in message
    assert "SSL_CERT_FILE" in message
    assert hub.asked == []


def test_requests_ca_bundle(
    hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", os.environ["SSL_CERT_FILE"])
    monkeypatch.delenv("SSL_CERT_FILE")
    hub.answers["/m"] = CONTENT
    download(f"{hub.url}/m", pinned(), store, access(hub))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "absent"))
    other = pinned(b"other")
    assert "REQUESTS_CA_BUNDLE" in refusal(f"{hub.url}/m", store, access(hub), other)


def test_proxy(hub: Hub, plain_hub: Hub, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy of the environment is asked, and refuses: it knows only GET."""
    monkeypatch.setenv("https_proxy", plain_hub.url)
    assert "the proxy refuses" in refusal(f"{hub.url}/m", store, access(hub))
    monkeypatch.setenv("no_proxy", "localhost")
    hub.answers["/m"] = CONTENT
    download(f"{hub.url}/m", pinned(), store, access(hub))


def test_nobody_listens(store: Store) -> None:
    grant = Access(pause=0.0, attempts=2)
    assert "no connection" in refusal("https://127.0.0.1:1/m", store, grant)
    assert "cannot be resolved" in refusal("https://host.invalid/m", store, grant)


@pytest.mark.parametrize("token", [f"{TOKEN}\r\nX: y", f"{TOKEN} {TOKEN}", f"{TOKEN}é", ""])
def test_a_token_that_no_header_can_hold(token: str) -> None:
    with pytest.raises(WeightsError, match="Set HF_TOKEN to the token alone") as caught:
        Access(token=token)
    assert TOKEN not in str(caught.value)


def test_access_from_the_environment() -> None:
    environment = {"HF_TOKEN": f"{TOKEN}\n", "HF_ENDPOINT": "https://mirror.example/hub/"}
    grant = Access.from_environment(environment)
    assert (grant.endpoint, grant.token) == ("https://mirror.example/hub", TOKEN)
    assert TOKEN not in repr(grant)
    assert not grant.loopback_http
    assert Access.from_environment({}) == Access()
    assert Access.from_environment({"WEIGHTS_LOOPBACK_HTTP": "1"}).loopback_http


def test_full_disk(hub: Hub, store: Store) -> None:
    hub.answers["/m"] = CONTENT
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        message = refusal(f"{hub.url}/m", store, access(hub))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(store.root) in message
    assert "Free some space" in message
    assert not store.partial(pinned()).exists()


def test_no_room(hub: Hub, store: Store) -> None:
    hub.answers["/m"] = lambda handler: handler.reply(200, b"", length=1 << 60)
    message = refusal(f"{hub.url}/m", store, access(hub), Pin("m", "0" * 64, 1 << 60))
    assert "has room for" in message


def test_interrupt_keeps_what_has_come(hub: Hub, store: Store) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    hub.answers["/m"] = CONTENT
    with pytest.raises(KeyboardInterrupt):
        download(f"{hub.url}/m", pinned(), store, access(hub), interrupt)
    assert not store.path(pinned()).exists()
    assert 0 < store.partial(pinned()).stat().st_size < len(CONTENT)
    assert download(f"{hub.url}/m", pinned(), store, access(hub)).read_bytes() == CONTENT
