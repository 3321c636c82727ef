"""The wheel of the converter: what is in it, what it asks for; the quickstart runs on it."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from tests.commands import REPOSITORY

_EXTRA = "onnxruntime"
_DISTRIBUTIONS = {"google": "protobuf", "onnx_ir": "onnx-ir"}
"""Module -> the distribution that holds it, where their names differ."""


@pytest.fixture(scope="module")
def wheel() -> Path:
    """What `./pants package jax2onnx:wheel` makes; Pants puts it at the root of the sandbox."""
    found = [*REPOSITORY.glob("jax2onnx-*.whl"), *(REPOSITORY / "dist").glob("jax2onnx-*.whl")]
    assert found, "there is no wheel: ./pants package jax2onnx:wheel"
    return found[0]


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the content of the wheel, which is all that an installation of it is."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def metadata(installed: Path) -> Message:
    (file,) = installed.glob("*.dist-info/METADATA")
    return Parser().parsestr(file.read_text())


def run(installed: Path, code: str, folder: Path) -> str:
    """What `code` prints where the wheel is installed and this repository is not."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=folder,
        env={"PATH": os.defpath, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def imported(file: Path) -> set[str]:
    """The packages that a source file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def test_it_asks_for_what_it_imports_and_no_more(installed: Path, metadata: Message) -> None:
    modules = set[str]().union(*(imported(file) for file in installed.rglob("*.py")))
    third_party = modules - sys.stdlib_module_names - {"jax2onnx"}
    asked = metadata.get_all("Requires-Dist", [])
    required = {re.split(r"[<>=!;\[ ]", line)[0] for line in asked if "extra ==" not in line}
    assert required == {_DISTRIBUTIONS.get(name, name) for name in third_party} - {_EXTRA}
    assert required == {"jax", "numpy", "onnx", "onnx-ir", "protobuf"}
    assert [line for line in asked if line.startswith(_EXTRA) and 'extra == "allclose"' in line]


def test_it_holds_the_package_its_data_and_no_tests(installed: Path, metadata: Message) -> None:
    files = {file.relative_to(installed).as_posix() for file in installed.rglob("*")}
    assert {"jax2onnx/py.typed", "jax2onnx/legalise/ort_cpu.json"} <= files
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in files)
    rules = {f"jax2onnx/{file.relative_to(REPOSITORY / 'jax2onnx')}" for file in rule_files()}
    assert rules <= files
    assert not [name for name in files if re.search(r"_test\.py$|/(testing|generate)\.py$", name)]
    assert {name.partition("/")[0] for name in files if name.endswith(".py")} == {"jax2onnx"}
    assert "# jax2onnx" in str(metadata.get_payload())


def rule_files() -> list[Path]:
    """Of lowerings and rewrites: what is loaded by name, which no tool sees."""
    return [
        file
        for kind in ("lower", "rewrite")
        for file in (REPOSITORY / "jax2onnx" / kind / "rules").glob("*.py")
        if not file.name.endswith("_test.py")
    ]


def test_its_version_is_the_packages(installed: Path, metadata: Message, tmp_path: Path) -> None:
    code = "import jax2onnx; print(jax2onnx.__version__, jax2onnx.__file__)"
    version, file = run(installed, code, tmp_path).split()
    assert version == metadata["Version"]
    assert Path(file).is_relative_to(installed)


def test_every_file_is_dated_alike(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}


def test_a_conversion_loads_no_framework_and_no_runtime(installed: Path, tmp_path: Path) -> None:
    code = (
        "import sys, jax.numpy as jnp, jax2onnx; jax2onnx.to_onnx(jnp.sin, [('B', 3)]);"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    loaded = set(run(installed, code, tmp_path).split())
    assert not loaded & {"equinox", "exporters", "flax", "onnxruntime", "onnxscript", "torch"}


def test_the_quickstart_runs(installed: Path, tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "guides" / "quickstart.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) > 2
    assert 'to_onnx(model, [("B", 30)], return_mode="file", output_path=' in blocks[0]
    run(installed, "\n".join(blocks), tmp_path)
    assert (tmp_path / "mlp.onnx").is_file()
