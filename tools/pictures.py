"""Write pictures of models, as the viewer Netron shows them, for the documentation.

    python -m tools.pictures docs/pictures

The tool needs, in addition to this repository's packages, ``pip install netron playwright`` and a
Chromium at ``$CHROMIUM`` or on PATH. Netron serves a local port, and nothing is downloaded.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import netron
from playwright.sync_api import Browser, sync_playwright

from examples import cnn, transformer
from jax2onnx import to_onnx
from tests.models import gpt2

_PORT = 8125


def _block(folder: Path) -> None:
    config = gpt2.Config(depth=1, width=64, heads=4, tokens=100, positions=32)
    to_onnx(
        gpt2.build_block(config),
        [("B", 16, 64)],
        return_mode="file",
        output_path=folder / "block.onnx",
    )


PICTURES: dict[str, Callable[[Path], None]] = {
    "block": _block,
    "cnn_nnx": cnn.main,
    "transformer": transformer.main,
}
"""The functions that write a model into a folder, by the name of its file."""


@contextlib.contextmanager
def _served(file: Path) -> Iterator[str]:
    address = netron.start(str(file), _PORT, browse=False)
    try:
        yield f"http://{address[0]}:{address[1]}"
    finally:
        netron.stop(address)


def _photograph(browser: Browser, file: Path, picture: Path) -> None:
    with _served(file) as url:
        context = browser.new_context(viewport={"width": 1600, "height": 2400})
        context.add_cookies([{"name": "consent", "value": "1", "url": url}])
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector("#canvas .node-item")
        page.wait_for_timeout(1000)  # Wait for the layout.
        page.locator("#canvas").screenshot(path=picture)
        context.close()


def main(folder: Path) -> None:
    """Write one PNG for each of ``PICTURES``."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, write in PICTURES.items():
            write(Path(scratch))
            _photograph(browser, Path(scratch) / f"{name}.onnx", folder / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
