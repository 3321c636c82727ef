"""The environment: variables, proxies, limits, full devices, folders that cannot be written."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.hostile.entry import FIXTURES, Entry, nothing

AREA = "environment"
WEIGHTS = str(FIXTURES / "minilm_tiny")
EXPORT = ("export", "minilm", WEIGHTS, "-o", "{here}/out/m.onnx")
PIN = ("pin", "hf://org/repo@main", "-o", "{here}/out/p.json")


def entries() -> Iterator[Entry]:
    """Yield the entries of this area."""
    yield from _hubs()
    yield from _proxies()
    yield from _stores()
    yield from _limits()
    yield from _outputs()


def _hubs() -> Iterator[Entry]:
    for endpoint, expected in (
        ("x", "is not supported"),
        ("http://example.org", "plain http is refused"),
        ("https://[::1", "Correct it"),
        ("https://h:99999", "Correct it"),
        ("https://h:port", "Correct it"),
        ("ftp://h", "is not supported"),
        ("https://u:{PASSWORD}@h", "a user name or password"),
        ("https://a..b", "malformed. Correct it"),
        ("https://", "is not a URL"),
        ("//h", "is not supported"),
        ("https://h\x7f", "is not a URL"),
        ("https://h h", "is not a URL"),
        ("file:///etc", "is not supported"),
        ("\x1b[31m", "is not supported"),
        ("https://" + "a" * 300, "malformed. Correct it"),
        ("http://127.0.0.1:1", "and did so repeatedly"),
        ("HTTPS://[::1", "Correct it"),
        ("javascript:1", "is not supported"),
        ("https://h/?{TOKEN}", "h"),
        ("http://[::ffff:1.1.1.1]", "plain http is refused"),
    ):
        yield Entry(
            AREA,
            f"HF_ENDPOINT={ascii(endpoint)[1:-1][:30]}",
            nothing,
            PIN,
            expected,
            {"HF_ENDPOINT": endpoint},
        )
    for token in (
        "a b",
        "a\nb",
        "a\rb: c",
        "é",
        "\x1b[31m",
        "a\tb",
        "\x7f",
        "a\x00b".replace("\x00", "\x01"),
        "日本",
    ):
        yield Entry(
            AREA,
            f"HF_TOKEN={token!a}",
            nothing,
            PIN,
            "the hub token contains",
            {"HF_TOKEN": token},
        )
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"):
        for value in ("/nowhere", "/dev/null", "/etc", "{here}/stdout", "\x1b[31m"):
            environment = {name: value, "HF_ENDPOINT": "https://127.0.0.1:1"}
            yield Entry(
                AREA,
                f"{name}={ascii(value)[1:-1]}",
                nothing,
                PIN,
                "REQUESTS_CA_BUNDLE names" if name[0] == "R" else "and did so repeatedly",
                environment,
            )


def _proxies() -> Iterator[Entry]:
    for proxy in (
        "http://u:{PASSWORD}@127.0.0.1:1",
        "http://u:{PASSWORD}@127.0.0.1:port",
        "http://u:{PASSWORD}@[::1",
        "http:u:{PASSWORD}",
        "//u:{PASSWORD}@a..b",
        "u:{PASSWORD}@127.0.0.1:1",
        "ftp://u:{PASSWORD}@127.0.0.1:1",
        "http://u:{PASSWORD}@127.0.0.1:99999",
        "http://u:{PASSWORD}@a b",
        "socks5://u:{PASSWORD}@127.0.0.1:1",
        "http://u:{PASSWORD}",
        "http://{PASSWORD}@127.0.0.1:1",
        "https://u:{PASSWORD}@127.0.0.1:1",
        "http://u:%zz{PASSWORD}@127.0.0.1:1",
        "http://\x1b[31m{PASSWORD}@127.0.0.1:1",
        "{PASSWORD}",
    ):
        for name in ("HTTPS_PROXY", "https_proxy"):
            environment = {name: proxy, "HF_ENDPOINT": "https://hub.example"}
            yield Entry(
                AREA,
                f"{name}={ascii(proxy)[1:-1]}",
                nothing,
                PIN,
                "https://hub.example",
                environment,
            )


def _stores() -> Iterator[Entry]:
    def pinned(make: Callable[[Path], object]) -> Callable[[Path], None]:
        def prepare(here: Path) -> None:
            (here / "w").mkdir()
            pin = '{"name":"model.safetensors","sha256":"' + "0" * 64 + '","size":100}'
            (here / "w" / "p.json").write_text('{"origin":"{hub}/gone","files":[' + pin + "]}")
            make(here)

        return prepare

    def blocked(*names: str) -> Callable[[Path], None]:
        def make(here: Path) -> None:
            for name in names:
                (here / name).parent.mkdir(parents=True, exist_ok=True)
                (here / name).write_text("a file")

        return make

    arguments = ("export", "minilm", "{here}/w/p.json", "-o", "{here}/out/m.onnx")
    for name, make, environment, expected, status in (
        (
            "a file as EXPORTERS_STORE",
            blocked("s"),
            {"EXPORTERS_STORE": "{here}/s"},
            "is a file",
            2,
        ),
        (
            "EXPORTERS_STORE below a file",
            blocked("s"),
            {"EXPORTERS_STORE": "{here}/s/t"},
            "Check the path",
            1,
        ),
        ("EXPORTERS_STORE in /proc", nothing, {"EXPORTERS_STORE": "/proc/s"}, "Check the path", 1),
        (
            "EXPORTERS_STORE of 300 bytes",
            nothing,
            {"EXPORTERS_STORE": "{here}/" + "a" * 300},
            "File name too long",
            1,
        ),
        (
            "XDG_CACHE_HOME below a file",
            blocked("s"),
            {"XDG_CACHE_HOME": "{here}/s/t"},
            "Check the path",
            1,
        ),
        (
            "a file as XDG_CACHE_HOME",
            blocked("s"),
            {"XDG_CACHE_HOME": "{here}/s"},
            "Check the path",
            1,
        ),
        ("HOME in /proc", nothing, {"HOME": "/proc/gone"}, "Check the path", 1),
        ("a file as HOME", blocked("h"), {"HOME": "{here}/h"}, "Check the path", 1),
        (
            "a file as the folder of partial downloads",
            blocked("s/partial"),
            {"EXPORTERS_STORE": "{here}/s"},
            "Check the path",
            1,
        ),
        (
            "a file as the folder of digests",
            blocked("s/sha256"),
            {"EXPORTERS_STORE": "{here}/s"},
            "404",
            1,
        ),
        (
            "a folder as a partial download",
            lambda here: (here / "s/partial" / ("0" * 64)).mkdir(parents=True),
            {"EXPORTERS_STORE": "{here}/s"},
            "Check the path",
            1,
        ),
    ):
        yield Entry(AREA, name, pinned(make), arguments, expected, environment, status)


def _limits() -> Iterator[Entry]:
    for size in (1000, 2000, 4096, 16_384):
        limits = {resource.RLIMIT_FSIZE: size}
        yield Entry(
            AREA,
            f"files of at most {size} bytes, export",
            nothing,
            EXPORT,
            "File too large",
            limits=limits,
        )
    yield Entry(
        AREA,
        "files of at most 250 bytes, pin",
        nothing,
        ("pin", WEIGHTS, "-o", "{here}/out/p.json"),
        "File too large",
        limits={resource.RLIMIT_FSIZE: 250},
    )


def _outputs() -> Iterator[Entry]:
    for name, arguments in (
        ("inspect", ("inspect", WEIGHTS)),
        ("inspect --json", ("inspect", WEIGHTS, "--json")),
        ("pin", ("pin", WEIGHTS)),
        ("help", ("--help",)),
    ):
        yield Entry(
            AREA,
            f"a full device as the output of {name}",
            nothing,
            arguments,
            "No space left on device",
            stdout="/dev/full",
        )
