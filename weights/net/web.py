"""Opening URLs with as little trust as possible.

- Only ``https``. Plain ``http`` is for tests: to this machine itself, and when it was asked for.
- The token is sent to the hub's endpoint over ``https`` and nowhere else: not to another host that
  the hub redirects to, not to a proxy, and not in a message.
- Messages show a URL without user, password, query and fragment, because these may hold secrets.
- Proxies (``HTTPS_PROXY``, ``NO_PROXY``) and certificates (``SSL_CERT_FILE``, ``SSL_CERT_DIR``,
  ``REQUESTS_CA_BUNDLE``) are taken from the environment.
"""

import functools
import http.client
import io
import ipaddress
import os
import re
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import SplitResult, urljoin, urlsplit

from weights.errors import WeightsError
from weights.net.patience import PatientHTTPHandler, PatientHTTPSHandler, SlowTransferError, body

HUB = "https://huggingface.co"
_TOKEN = re.compile(r"[\x21-\x7e]+")
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
_REDIRECTS = {301, 302, 303, 307, 308}


class InterruptedTransferError(Exception):
    """The transfer broke, but another attempt may succeed. The message says how it broke."""


@dataclass(frozen=True, slots=True)
class Access:
    """The hub to use, and the rights there.

    Attributes:
        endpoint: the base URL of the model hub or of a mirror.
        token: the token for the hub, which is sent to nobody else.
        loopback_http: whether plain http to this machine itself is allowed.
        attempts: the number of attempts without progress after which a transfer fails.
        pause: the seconds before the second attempt. They double before each further attempt.
        patience: the seconds without an answer, or with less than 1 kB a second, after which a
            connection is given up.
    """

    endpoint: str = HUB
    token: str | None = field(default=None, repr=False)
    loopback_http: bool = False
    attempts: int = 5
    pause: float = 1.0
    patience: float = 60.0

    def __post_init__(self) -> None:
        """Refuse a token that cannot be sent in a header, without showing it."""
        if self.token is not None and not _TOKEN.fullmatch(self.token):
            raise WeightsError(
                "the hub token contains spaces or other characters that a token cannot have. "
                "Set HF_TOKEN to the token alone."
            )
        object.__setattr__(self, "endpoint", self.endpoint.rstrip("/"))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Access":
        """Read ``HF_ENDPOINT``, ``HF_TOKEN`` and, for tests, ``WEIGHTS_LOOPBACK_HTTP=1``."""
        variables = os.environ if environment is None else environment
        return cls(
            endpoint=variables.get("HF_ENDPOINT") or HUB,
            token=variables.get("HF_TOKEN", "").strip() or None,
            loopback_http=variables.get("WEIGHTS_LOOPBACK_HTTP") == "1",
        )


def shown(url: str) -> str:
    """Return a URL as messages may show it: without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
        text = parts._replace(
            netloc=parts.netloc.rpartition("@")[2], query="", fragment=""
        ).geturl()
    except ValueError:
        return "a malformed URL"
    return "".join(char if char.isprintable() else "?" for char in text)


def check_url(url: str, access: Access) -> SplitResult:
    """Return the parts of a URL, after checking that it may be opened.

    Raises:
        WeightsError: plain http, another scheme, credentials in the URL, or no host.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        raise WeightsError(f"{shown(url)} is not a URL. Correct it.") from None
    if parts.scheme not in ("https", "http"):
        raise WeightsError(
            f"{shown(url)}: the scheme {parts.scheme!r} is not supported. "
            "Use https://, file:// or hf://."
        )
    if not host or re.search(r"[\s\x00-\x1f\x7f]", url):
        raise WeightsError(f"{shown(url)} is not a URL. Correct it.")
    if "@" in parts.netloc:
        raise WeightsError(
            f"{shown(url)} was given with a user name or password, which would end up in pins and "
            "logs. Remove them; for the hub, set HF_TOKEN."
        )
    if parts.scheme == "http" and not (access.loopback_http and _is_loopback(host)):
        raise WeightsError(
            f"{shown(url)}: plain http is refused, because anybody on the way can read and change "
            "it. Use https://."
        )
    return parts


def open_url(
    url: str, access: Access, headers: Mapping[str, str] | None = None
) -> http.client.HTTPResponse:
    """Send a GET request and return the response, whose status is 200 or 206.

    Args:
        url: the URL.
        access: the hub and the token.
        headers: further headers of the request.

    Raises:
        InterruptedTransferError: the failure may be temporary, such as a busy server.
        WeightsError: any other failure, with the remedy.
    """
    check_url(url, access)
    request = urllib.request.Request(url, headers=dict(headers or {}))
    request.add_header("Accept-Encoding", "identity")
    request.add_header("User-Agent", "jax2onnx-weights")
    _authorise(request, access)
    try:
        response = _opener(access, url).open(request, timeout=access.patience)
    except urllib.error.HTTPError as error:
        error.close()
        raise _of_status(error.code, url, access) from None
    except urllib.error.URLError as error:
        raise _of_reason(error.reason, url, access) from None
    except (OSError, http.client.HTTPException) as error:
        raise _of_reason(error, url, access) from None
    except ValueError:  # a host name or a path that cannot be sent, here or in HTTPS_PROXY
        raise WeightsError(
            f"{shown(url)}: the URL, or the one in HTTPS_PROXY, is malformed. Correct it."
        ) from None
    assert isinstance(response, http.client.HTTPResponse)
    return response


def pieces(response: http.client.HTTPResponse, url: str, access: Access) -> Iterator[bytes]:
    """Yield the body of a response in pieces as they arrive.

    Raises:
        InterruptedTransferError: the connection broke.
        WeightsError: the pieces come too slowly.
    """
    try:
        yield from body(response, access.patience)
    except SlowTransferError:
        raise WeightsError(
            f"{shown(url)} sends less than 1 kB a second. Check the network, or try another source."
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise broken(error, url) from None


def broken(error: OSError | http.client.HTTPException, url: str) -> InterruptedTransferError:
    """Return the error for a response that could not be read."""
    return InterruptedTransferError(f"{shown(url)}: the connection broke ({type(error).__name__})")


def _opener(access: Access, url: str) -> urllib.request.OpenerDirector:
    """Return an opener that, unlike urllib's own, does not handle ftp, file and data."""
    names = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
    context = _trusted(*(os.environ.get(name) for name in names))
    opener = urllib.request.OpenerDirector()
    handlers: list[urllib.request.BaseHandler] = [
        PatientHTTPSHandler(context),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(access),
    ]
    if access.loopback_http:
        handlers.append(PatientHTTPHandler())
    if not url.startswith("http:"):  # a proxy would not reach this machine itself
        handlers.append(_proxies())
    for handler in handlers:
        opener.add_handler(handler)
    return opener


@functools.lru_cache(maxsize=4)
def _trusted(bundle: str | None, *_: str | None) -> ssl.SSLContext:
    """Return the certificates to trust, which take a tenth of a second to read.

    Args:
        bundle: the value of ``REQUESTS_CA_BUNDLE``.
        _: the values of the variables that OpenSSL itself reads.
    """
    context = ssl.create_default_context()
    if bundle:
        try:
            context.load_verify_locations(bundle)
        except OSError:
            raise WeightsError(
                f"REQUESTS_CA_BUNDLE names {bundle}, which holds no certificates. Correct it."
            ) from None
    return context


def _proxies() -> urllib.request.ProxyHandler:
    try:
        return urllib.request.ProxyHandler()
    except ValueError:
        raise WeightsError(
            "HTTPS_PROXY, or another such variable, is no URL. Correct it."
        ) from None


class _Redirects(urllib.request.HTTPRedirectHandler):
    """A handler that follows redirects to allowed URLs, and never from https to http."""

    max_redirections = 10
    max_repeats = 2

    def __init__(self, access: Access) -> None:
        self._access = access

    def http_error_302(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
    ) -> Any:
        """Check the target of a redirect before following it. The answer's body is not read."""
        fp.close()
        try:
            target = urljoin(req.full_url, headers.get("Location", ""))
        except ValueError:
            raise WeightsError(
                f"{shown(req.full_url)} redirects to a malformed URL. Try another source."
            ) from None
        if req.full_url.startswith("https:") and not target.startswith("https:"):
            raise WeightsError(
                f"{shown(req.full_url)} redirects to {shown(target)}, which is not https. "
                "Ask for the file where it is served over https."
            )
        check_url(target, self._access)
        return super().http_error_302(req, io.BytesIO(), code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Return the next request, with the token if it goes to the hub."""
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None:
            _authorise(following, self._access)
        return following


def _authorise(request: urllib.request.Request, access: Access) -> None:
    """Add the token if the request goes to the endpoint over https. Redirects do not keep it."""
    request.remove_header("Authorization")
    to_hub = _origin(request.full_url) == _origin(access.endpoint)
    if access.token and to_hub and request.full_url.startswith("https:"):
        request.add_unredirected_header("Authorization", f"Bearer {access.token}")


def _origin(url: str) -> tuple[str, str | None, int]:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise WeightsError("HF_ENDPOINT is not a URL. Correct it.") from None
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _of_status(status: int, url: str, access: Access) -> Exception:
    """Return the error for a status. It does not repeat the server's own words."""
    name = http.client.responses.get(status, "unknown status")
    begin = f"{shown(url)} answers {status} ({name})"
    if status in _TRANSIENT:
        return InterruptedTransferError(begin)
    if status in _REDIRECTS:
        return WeightsError(f"{begin} repeatedly: it redirects in a circle. Check the URL.")
    if status in (401, 403):
        remedy = (
            "Set HF_TOKEN to a token that may read it, and accept the model's terms on its page"
            if access.token is None
            else "The token in HF_TOKEN may not read it: accept the model's terms on its page, or "
            "use another token"
        )
        return WeightsError(f"{begin}. {remedy}.")
    if status == http.HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return WeightsError(f"{begin}. Put the proxy's user and password into HTTPS_PROXY.")
    if status in (404, 410):
        return WeightsError(
            f"{begin}. Check repository, revision and file name; a private repository also "
            "answers so when HF_TOKEN is missing."
        )
    return WeightsError(f"{begin}. Check the URL, or try another source.")


def _of_reason(reason: object, url: str, access: Access) -> Exception:
    """Return the error for a request without an answer."""
    if isinstance(reason, ssl.SSLCertVerificationError):
        return WeightsError(
            f"{shown(url)}: the server's certificate is not trusted ({reason.verify_message}). "
            "If a proxy or mirror has its own, set SSL_CERT_FILE to its certificate bundle."
        )
    if isinstance(reason, socket.gaierror):
        return WeightsError(
            f"{shown(url)}: the host name cannot be resolved. Check the URL, the network and "
            "HTTPS_PROXY."
        )
    if isinstance(reason, TimeoutError):
        return InterruptedTransferError(f"{shown(url)}: no answer in {access.patience:.0f} seconds")
    if isinstance(reason, OSError) and str(reason).startswith("Tunnel connection failed"):
        return WeightsError(
            f"{shown(url)}: the proxy refuses the connection. Check HTTPS_PROXY and NO_PROXY."
        )
    detail = reason.strerror if isinstance(reason, OSError) else None
    return InterruptedTransferError(
        f"{shown(url)}: no connection ({detail or type(reason).__name__})"
    )
