"""Requests send the token only to the hub, follow safe redirects and refuse the others."""

import gc
import os
import time
import warnings
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from weights.conftest import TOKEN, Handler, Hub, failure
from weights.errors import WeightsError
from weights.net.web import Access, check_url, open_url, pieces, shown


def get(url: str, access: Access) -> bytes:
    with open_url(url, access) as response:
        return response.read()


def refusal(url: str, access: Access) -> str:
    return failure(lambda: open_url(url, access))


def tokens(hub: Hub) -> list[str | None]:
    """Return the ``Authorization`` header of each request."""
    return [headers.get("Authorization") for _, headers in hub.asked]


def test_the_token_goes_to_the_hub(hub: Hub, access: Access) -> None:
    hub.answers["/a"] = b"content"
    assert get(f"{hub.url}/a", access) == b"content"
    assert get(f"{hub.url}/a", replace(access, endpoint="https://hub.example")) == b"content"
    assert get(f"{hub.url}/a", replace(access, token=None)) == b"content"
    assert tokens(hub) == [f"Bearer {TOKEN}", None, None]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_within_the_hub_keeps_the_token(hub: Hub, access: Access, status: int) -> None:
    hub.answers["/a"] = lambda handler: handler.reply(status, b"", {"Location": "/b"})
    hub.answers["/b"] = b"content"
    assert get(f"{hub.url}/a", access) == b"content"
    assert tokens(hub) == [f"Bearer {TOKEN}"] * 2


def test_redirect_to_another_host_does_not_see_the_token(hub: Hub, access: Access) -> None:
    """A hub serves large files from another host; here it is another name of the same server."""
    other = f"{hub.url.replace('localhost', '127.0.0.1')}/b?signature=abc"
    hub.answers["/a"] = lambda handler: handler.reply(302, b"", {"Location": other})
    hub.answers["/b"] = b"content"
    with open_url(f"{hub.url}/a", access, {"Range": "bytes=3-"}) as response:
        assert response.read() == b"tent"
    assert tokens(hub) == [f"Bearer {TOKEN}", None]
    assert hub.asked[1][1]["Range"] == "bytes=3-"


def test_redirect_back_to_the_hub(hub: Hub, access: Access) -> None:
    """A redirect over another host and back restores the token, and does not leak it."""
    other = hub.url.replace("localhost", "127.0.0.1")
    hub.answers["/a"] = lambda handler: handler.reply(302, b"", {"Location": f"{other}/b"})
    hub.answers["/b"] = lambda handler: handler.reply(302, b"", {"Location": f"{hub.url}/c"})
    hub.answers["/c"] = b"content"
    assert get(f"{hub.url}/a", access) == b"content"
    assert tokens(hub) == [f"Bearer {TOKEN}", None, f"Bearer {TOKEN}"]


@pytest.mark.parametrize(
    "location", ["http://localhost/m", "ftp://localhost/m", "file:///etc/passwd", "data:,x"]
)
@pytest.mark.parametrize("loopback_http", [False, True])
def test_redirect_away_from_https(
    hub: Hub, access: Access, location: str, loopback_http: bool
) -> None:
    hub.answers["/a"] = lambda handler: handler.reply(302, b"", {"Location": location})
    message = refusal(f"{hub.url}/a", replace(access, loopback_http=loopback_http))
    assert f"{hub.url}/a redirects to {location}, which is not https" in message


def test_a_cycle_of_redirects(hub: Hub, access: Access) -> None:
    hub.answers["/a"] = lambda handler: handler.reply(302, b"", {"Location": "/b?token=abc"})
    hub.answers["/b"] = lambda handler: handler.reply(302, b"", {"Location": "/a"})
    message = refusal(f"{hub.url}/a", access)
    assert "redirects in a circle" in message
    assert "abc" not in message


def test_redirects_without_end(hub: Hub, access: Access) -> None:
    for i in range(30):
        target = {"Location": f"/{i + 1}"}
        hub.answers[f"/{i}"] = lambda handler, target=target: handler.reply(302, b"", target)  # type: ignore[misc]
    assert "redirects in a circle" in refusal(f"{hub.url}/0", access)
    assert len(hub.asked) < 20


def test_plain_http(plain_hub: Hub) -> None:
    plain_hub.answers["/m"] = b"content"
    access = Access(plain_hub.url, TOKEN)
    assert "plain http is refused" in refusal(f"{plain_hub.url}/m", access)
    assert plain_hub.asked == []
    assert get(f"{plain_hub.url}/m", replace(access, loopback_http=True)) == b"content"
    assert tokens(plain_hub) == [None]


@pytest.mark.parametrize(
    "url",
    ["http://example.org/m", "http://127.0.0.1.example.org/m", "http://10.0.0.1/m", "http://0/m"],
)
def test_plain_http_to_other_hosts_is_never_allowed(url: str) -> None:
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
    ],
)
def test_bad_urls(access: Access, url: str, words: str) -> None:
    assert words in refusal(url, access)


def test_shown() -> None:
    url = f"https://user:{TOKEN}@host:8443/a/b?X-Signature={TOKEN}#{TOKEN}"
    assert shown(url) == "https://host:8443/a/b"
    assert shown("https://host/\x1b[2J") == "https://host/?[2J"


def test_an_untrusted_certificate(
    hub: Hub, access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    message = refusal(f"{hub.url}/m", access)
    assert "certificate is not trusted" in message
    assert "SSL_CERT_FILE" in message
    assert hub.asked == []


def test_requests_ca_bundle(
    hub: Hub, access: Access, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", os.environ["SSL_CERT_FILE"])
    monkeypatch.delenv("SSL_CERT_FILE")
    hub.answers["/m"] = b"content"
    assert get(f"{hub.url}/m", access) == b"content"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "absent"))
    assert "REQUESTS_CA_BUNDLE" in refusal(f"{hub.url}/m", access)


def test_proxy(hub: Hub, access: Access, plain_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy of the environment is asked, and refuses, since this one supports only GET."""
    monkeypatch.setenv("https_proxy", plain_hub.url)
    with warnings.catch_warnings():
        # http.client leaves a refusing proxy's response to the garbage collector to close.
        warnings.simplefilter("ignore", ResourceWarning)
        assert "the proxy refuses" in refusal(f"{hub.url}/m", access)
        gc.collect()
    monkeypatch.setenv("no_proxy", "localhost")
    hub.answers["/m"] = b"content"
    assert get(f"{hub.url}/m", access) == b"content"


def test_a_host_that_does_not_answer(access: Access) -> None:
    assert "no connection" in refusal("https://127.0.0.1:1/m", access)
    assert "cannot be resolved" in refusal("https://host.invalid/m", access)


@pytest.mark.parametrize("token", [f"{TOKEN}\r\nX: y", f"{TOKEN} {TOKEN}", f"{TOKEN}é", ""])
def test_a_token_that_no_header_can_hold(token: str) -> None:
    message = failure(lambda: Access(token=token))
    assert "Set HF_TOKEN to the token alone" in message


def test_access_from_the_environment() -> None:
    environment = {"HF_TOKEN": f"{TOKEN}\n", "HF_ENDPOINT": "https://mirror.example/hub/"}
    access = Access.from_environment(environment)
    assert (access.endpoint, access.token) == ("https://mirror.example/hub", TOKEN)
    assert TOKEN not in repr(access)
    assert not access.loopback_http
    assert Access.from_environment({}) == Access()
    assert Access.from_environment({"WEIGHTS_LOOPBACK_HTTP": "1"}).loopback_http


def drip(handler: Handler, first: bytes, again: bytes) -> None:
    """Send ``first``, and then ``again`` every 20 milliseconds until the client hangs up."""
    handler.wfile.write(first)
    with suppress(OSError):
        while True:
            handler.wfile.write(again)
            handler.wfile.flush()
            time.sleep(0.02)
    handler.close_connection = True


@pytest.mark.parametrize(
    ("first", "again", "words"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", "no answer in"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"a", "no answer in"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"a", "sends less than 1 kB a second"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"a", "sends less than 1 kB"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n", "less than 1 kB"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0", "sends less than 1 kB"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n", "less than"),
    ],
)
def test_answers_without_end(
    hub: Hub, access: Access, first: bytes, again: bytes, words: str
) -> None:
    hub.answers["/a"] = lambda handler: drip(handler, first, again)
    patient = replace(access, patience=0.5)

    def read() -> None:
        with open_url(f"{hub.url}/a", patient) as response:
            for _ in pieces(response, f"{hub.url}/a", patient):
                pass

    started = time.monotonic()
    assert words in failure(read)
    assert time.monotonic() - started < 5


def test_the_body_of_a_redirect_is_not_read(hub: Hub, access: Access) -> None:
    redirect = b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 3000000000\r\n\r\n"
    hub.answers["/a"] = lambda handler: drip(handler, redirect, b"a")
    hub.answers["/b"] = b"content"
    assert get(f"{hub.url}/a", access) == b"content"


@pytest.mark.parametrize("url", ["https://a..b/c", f"https://{'a' * 70}.b/", "https://a/\udcff"])
def test_urls_that_cannot_be_sent(access: Access, url: str) -> None:
    message = refusal(url, access)
    assert "malformed. Correct it" in message or "cannot be resolved" in message


@pytest.mark.parametrize(
    "proxy",
    [
        "http://user:secret@localhost:1",
        "http://user:secret@localhost:port",
        "http://user:secret@[::1",
        "http:user:secret",
        "//user:secret@a..b",
        "user:secret@localhost:1",
        "ftp://user:secret@localhost:1",
    ],
)
def test_the_password_of_a_proxy_is_not_shown(
    access: Access, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    assert "secret" not in refusal("https://host.example/a", replace(access, patience=2.0))
