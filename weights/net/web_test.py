"""Requests send the token only to the hub, follow safe redirects and refuse the others."""

import gc
import os
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from weights.conftest import TOKEN, Hub, failure
from weights.errors import WeightsError
from weights.net.web import Access, check_url, open_url, shown


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
