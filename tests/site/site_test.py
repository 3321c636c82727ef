"""The documentation site builds strictly, loads nothing from other hosts, and is complete."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A browser loads these when it shows a page, unlike links.
LOADED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src")}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site without a network, and return its folder."""
    folder = tmp_path_factory.mktemp("site")
    nowhere = "http://127.0.0.1:9"
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", folder],
        cwd=ROOT,
        env={
            "PATH": os.defpath,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "NO_MKDOCS_2_WARNING": "1",
            "http_proxy": nowhere,
            "https_proxy": nowhere,
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder


class Page(HTMLParser):
    """The anchors, the links and the loaded files of a page."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(file.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "link" and values.get("rel") != "canonical":
            self.loaded.append(values.get("href", ""))
        self.loaded += [values[name] for one, name in LOADED if one == tag and name in values]


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {file: Page(file) for file in sorted(site.rglob("*.html"))}


def test_every_document_is_a_page(site: Path) -> None:
    documents = [file.relative_to(ROOT / "docs") for file in (ROOT / "docs").rglob("*.md")]
    expected = {
        file.with_name(file.name.replace("README", "index")).with_suffix(".html").as_posix()
        for file in documents
    }
    assert len(expected) > 30
    assert {page.relative_to(site).as_posix() for page in site.rglob("*.html")} >= expected


def test_a_page_loads_nothing_from_another_host(pages: dict[Path, Page]) -> None:
    assert len(pages) > 30
    loaded = {(file.name, url) for file, page in pages.items() for url in page.loaded}
    assert loaded
    assert not {(name, url) for name, url in loaded if re.match(r"(https?:)?//", url)}


def test_links_between_pages_have_targets(site: Path, pages: dict[Path, Page]) -> None:
    dead = []
    followed = 0
    for file, page in pages.items():
        if file.name == "404.html":  # It is served at any address, so its links are absolute.
            continue
        for link in page.links:
            path, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", path):
                continue
            target = (file.parent / path).resolve() if path else file
            followed += 1
            known = pages[target].anchors if target in pages else set()
            if not target.exists() or (anchor and anchor not in known):
                dead.append((file.name, link))
    assert followed > 1000
    assert not dead


def public_names() -> list[str]:
    """Return ``jax2onnx.__all__``, read from the source."""
    tree = ast.parse((ROOT / "jax2onnx" / "__init__.py").read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return names
    raise AssertionError("jax2onnx has no __all__")


def test_the_reference_has_every_public_name(pages: dict[Path, Page]) -> None:
    anchors = {
        anchor.rpartition(".")[2]
        for file, page in pages.items()
        if file.parent.name == "reference"
        for anchor in page.anchors
        if anchor.startswith("jax2onnx.")
    }
    assert "to_onnx" in public_names()
    assert not set(public_names()) - anchors
