"""Listings of a hub are read, and pins are made from them."""

import hashlib
import json
from typing import Any

import pytest

from weights.conftest import Handler, Hub
from weights.errors import WeightsError
from weights.files.pins import Pin
from weights.net.hub import HubPath, pin_hub
from weights.net.web import Access

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CARD = b"---\nlicense: apache-2.0\n---\n"
CONFIG = b'{"model_type": "gpt_oss"}'
WEIGHTS = Pin("model.safetensors", "ab" * 32, 13_761_264_768)


def pin_of(name: str, content: bytes) -> Pin:
    return Pin(name, hashlib.sha256(content).hexdigest(), len(content))


def entry(path: str, size: int, lfs: Pin | None = None) -> dict[str, Any]:
    """Return an entry of a listing in the hub's form."""
    listed: dict[str, Any] = {"type": "file", "path": path, "size": size, "oid": "f" * 40}
    if lfs:
        listed["lfs"] = {"oid": lfs.sha256, "size": lfs.size, "pointerSize": 136}
    return listed


LISTING = [
    {"type": "directory", "path": "original", "size": 0, "oid": "e" * 40},
    entry(".gitattributes", 1519),
    entry("README.md", len(CARD)),
    entry("config.json", len(CONFIG)),
    entry("model.safetensors", WEIGHTS.size, WEIGHTS),
    entry("pytorch_model.bin", 12, Pin("x", "cd" * 32, 12)),
]


@pytest.fixture
def grant(hub: Hub) -> Access:
    """Return access to a hub that has one repository."""
    hub.answers["/api/models/org/repo/revision/main"] = json.dumps({"sha": COMMIT}).encode()
    hub.answers[f"/api/models/org/repo/tree/{COMMIT}"] = json.dumps(LISTING).encode()
    hub.answers[f"/org/repo/resolve/{COMMIT}/config.json"] = CONFIG
    hub.answers[f"/org/repo/resolve/{COMMIT}/README.md"] = CARD
    return Access(hub.url, "hf_Secret", pause=0.0, attempts=2)


def test_pins_of_a_repository(hub: Hub, grant: Access) -> None:
    """The commit is pinned, large files are not fetched, and pickles are not pinned."""
    pins = pin_hub("hf://org/repo@main", grant)
    assert pins.files == (pin_of("README.md", CARD), pin_of("config.json", CONFIG), WEIGHTS)
    assert pins.origin == f"hf://org/repo@{COMMIT}"
    assert not any("model.safetensors" in path for path in hub.paths())
    assert all(headers["Authorization"] == "Bearer hf_Secret" for _, headers in hub.asked)


def test_the_revision_is_main_unless_it_is_given(grant: Access) -> None:
    assert pin_hub("hf://org/repo", grant).origin == f"hf://org/repo@{COMMIT}"


def test_a_folder_of_a_repository(hub: Hub, grant: Access) -> None:
    listing = [entry("original/model.safetensors", WEIGHTS.size, WEIGHTS)]
    hub.answers[f"/api/models/org/repo/tree/{COMMIT}/original"] = json.dumps(listing).encode()
    pins = pin_hub("hf://org/repo@main/original", grant)
    assert pins.files == (WEIGHTS,)
    assert pins.origin == f"hf://org/repo@{COMMIT}/original"


def test_side_files_in_folders_of_modules(hub: Hub, grant: Access) -> None:
    """Folders that hold no side files are not even listed."""
    tree = f"/api/models/org/repo/tree/{COMMIT}"
    folders = [{"type": "directory", "path": path} for path in ("1_Pooling", "onnx")]
    hub.answers[tree] = json.dumps([*folders, entry("model.safetensors", 1, WEIGHTS)]).encode()
    inner = [entry("1_Pooling/config.json", 2), entry("1_Pooling/pytorch_model.bin", 2)]
    hub.answers[f"{tree}/1_Pooling"] = json.dumps(inner).encode()
    hub.answers[f"/org/repo/resolve/{COMMIT}/1_Pooling/config.json"] = b"{}"
    pins = pin_hub("hf://org/repo@main", grant)
    assert pins.files == (pin_of("1_Pooling/config.json", b"{}"), WEIGHTS)
    assert not any("onnx" in path for path in hub.paths())


def test_chosen_files(grant: Access) -> None:
    assert pin_hub("hf://org/repo@main", grant, ["model.*"]).files == (WEIGHTS,)
    with pytest.raises(WeightsError, match="holds no safetensors"):
        pin_hub("hf://org/repo@main", grant, ["*.json"])


def test_pages(hub: Hub, grant: Access) -> None:
    tree = f"/api/models/org/repo/tree/{COMMIT}"

    def answer(handler: Handler) -> None:
        page = 1 if "cursor=2" in handler.path else 0
        raw = json.dumps(LISTING[:4] if page == 0 else LISTING[4:]).encode()
        link = {} if page else {"Link": f'<{hub.url}{tree}?cursor=2>; rel="next"'}
        handler.reply(200, raw, link)

    hub.answers[tree] = answer
    assert [pin.name for pin in pin_hub("hf://org/repo@main", grant).files] == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]


@pytest.mark.parametrize(
    ("path", "answer", "words"),
    [
        ("revision/main", b"<html>Sign in</html>", "not valid JSON"),
        ("revision/main", b'{"sha": "main"}', "names no commit"),
        ("revision/main", b"[]", "must hold a JSON object"),
        (f"tree/{COMMIT}", b"{}", "is not a listing"),
        (f"tree/{COMMIT}", b'[{"path": 3}]', "malformed listing"),
        (f"tree/{COMMIT}", b"[]", "holds no safetensors"),
        (
            f"tree/{COMMIT}",
            json.dumps([entry("a.safetensors", 1, Pin("a", "ab" * 32, 1)) | {"lfs": {}}]).encode(),
            "no digest or no size of",
        ),
    ],
)
def test_malformed_answers_are_refused(
    hub: Hub, grant: Access, path: str, answer: bytes, words: str
) -> None:
    hub.answers[f"/api/models/org/repo/{path}"] = answer
    with pytest.raises(WeightsError, match=words):
        pin_hub("hf://org/repo@main", grant)


def test_a_listing_whose_pages_form_a_cycle(hub: Hub, grant: Access) -> None:
    tree = f"/api/models/org/repo/tree/{COMMIT}"
    link = {"Link": f'<{tree}>; rel="next"'}
    hub.answers[tree] = lambda handler: handler.reply(200, b"[]", link)
    with pytest.raises(WeightsError, match="goes round in a circle"):
        pin_hub("hf://org/repo@main", grant)


def test_next_page_elsewhere_does_not_see_the_token(hub: Hub, grant: Access) -> None:
    tree = f"/api/models/org/repo/tree/{COMMIT}"
    other = hub.url.replace("localhost", "127.0.0.1")
    link = {"Link": f'<{other}/page>; rel="next"'}
    hub.answers[tree] = lambda handler: handler.reply(200, json.dumps(LISTING).encode(), link)
    hub.answers["/page"] = b"[]"
    pin_hub("hf://org/repo@main", grant)
    (page,) = (headers for path, headers in hub.asked if path == "/page")
    assert "Authorization" not in page


def test_a_missing_repository_and_a_broken_connection(hub: Hub, grant: Access) -> None:
    with pytest.raises(WeightsError, match=r"answers 404.*private repository"):
        pin_hub("hf://org/other@main", grant)
    path = "/api/models/org/repo/revision/main"
    hub.answers[path] = lambda handler: handler.reply(200, b"{", length=100)
    with pytest.raises(WeightsError, match=f"{path}: the answer ended early.*repeatedly"):
        pin_hub("hf://org/repo@main", grant)
    assert hub.paths().count(path) == 2


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("hf://org/repo", HubPath("org/repo", "main", "")),
        ("hf://org/repo@v1.0/", HubPath("org/repo", "v1.0", "")),
        (
            "hf://org/my.repo-2@refs%2Fpr%2F1/a/b.json",
            HubPath("org/my.repo-2", "refs%2Fpr%2F1", "a/b.json"),
        ),
    ],
)
def test_paths(url: str, expected: HubPath) -> None:
    assert HubPath.parse(url) == expected
