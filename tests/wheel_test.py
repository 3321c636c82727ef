"""The converter's wheel has the right content and metadata, and the quickstart runs on it.

``python -m tools.wheel_check`` also installs the wheel with pip, for which it needs an index.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from jax2onnx.jax_internals import TESTED
from tests.commands import REPOSITORY
from tests.imports import imported
from tools import wheel_check

_EXTRA = "onnxruntime"
_DISTRIBUTIONS = {"google": "protobuf", "onnx_ir": "onnx-ir"}
"""The distribution of a module, where their names differ."""


@pytest.fixture(scope="module")
def wheel() -> Path:
    """Return the wheel of ``./pants package //:wheel``, which Pants puts in the sandbox's root."""
    found = [*REPOSITORY.glob("jax2onnx-*.whl"), *(REPOSITORY / "dist").glob("jax2onnx-*.whl")]
    assert found, "there is no wheel; run ./pants package //:wheel"
    return found[0]


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the content of the wheel, as pip would install it."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def metadata(installed: Path) -> Message:
    (file,) = installed.glob("*.dist-info/METADATA")
    return Parser().parsestr(file.read_text())


def run(installed: Path, code: str, folder: Path) -> str:
    """Return the output of ``code`` where the wheel is installed and this repository is not."""
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


def test_it_requires_exactly_the_packages_that_it_imports(
    installed: Path, metadata: Message
) -> None:
    modules = set[str]().union(*(imported(file) for file in installed.rglob("*.py")))
    third_party = modules - sys.stdlib_module_names - {"jax2onnx"}
    asked = metadata.get_all("Requires-Dist", [])
    required = {re.split(r"[<>=!;\[ ]", line)[0] for line in asked if "extra ==" not in line}
    assert required == {_DISTRIBUTIONS.get(name, name) for name in third_party} - {_EXTRA}
    assert required == {"jax", "numpy", "onnx", "onnx-ir", "protobuf"}
    assert [line for line in asked if line.startswith(_EXTRA) and 'extra == "runtime"' in line]
    extras = set(metadata.get_all("Provides-Extra", []))
    assert extras == {"allclose", "dev", "docs", "equinox", "flax", "runtime"}


def test_its_bounds_of_jax_are_the_tested_releases(metadata: Message) -> None:
    oldest, newest = TESTED
    major, minor = newest.split(".")[:2]
    (bounds,) = [r for r in metadata.get_all("Requires-Dist", []) if re.match(r"jax\b", r)]
    assert bounds == f"jax<{major}.{int(minor) + 1},>={oldest}"


def test_it_holds_the_package_its_data_and_no_tests(installed: Path, metadata: Message) -> None:
    files = {file.relative_to(installed).as_posix() for file in installed.rglob("*")}
    assert {"jax2onnx/py.typed", "jax2onnx/legalise/ort_cpu.json"} <= files
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in files)
    rules = {f"jax2onnx/{file.relative_to(REPOSITORY / 'jax2onnx')}" for file in rule_files()}
    assert rules <= files
    assert not [name for name in files if re.search(r"_test\.py$|/testing\b", name)]
    assert {name.partition("/")[0] for name in files if name.endswith(".py")} == {"jax2onnx"}
    assert "# jax2onnx" in str(metadata.get_payload())


def rule_files() -> list[Path]:
    """Return the modules of lowering and rewriting that are imported by name."""
    return [
        file
        for kind in ("lower", "rewrite")
        for file in (REPOSITORY / "jax2onnx" / kind / "rules").rglob("*.py")
        if not file.name.endswith("_test.py")
    ]


def test_its_version_is_that_of_the_package(
    installed: Path, metadata: Message, tmp_path: Path
) -> None:
    code = "import jax2onnx; print(jax2onnx.__version__, jax2onnx.__file__)"
    version, file = run(installed, code, tmp_path).split()
    assert version == metadata["Version"]
    assert Path(file).is_relative_to(installed)


def test_its_metadata_has_urls_keywords_and_classifiers(metadata: Message) -> None:
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Keywords"]
    names = {line.partition(",")[0] for line in metadata.get_all("Project-URL", [])}
    assert names == {"Changelog", "Documentation", "Issues", "Source"}
    classifiers = metadata.get_all("Classifier", [])
    assert not [c for c in classifiers if c.startswith("License")]  # The licence is an expression.
    for version in wheel_check.VERSIONS:
        assert f"Programming Language :: Python :: {version}" in classifiers


def test_its_readme_has_no_relative_links(metadata: Message) -> None:
    readme = str(metadata.get_payload())
    assert readme == (REPOSITORY / "jax2onnx" / "README.md").read_text()
    assert not re.findall(r"\]\((?!https://)", readme)


def test_the_first_command_of_the_quickstart_installs_extras_that_exist(metadata: Message) -> None:
    extras = set(wheel_check.extras().split(","))
    assert extras <= set(metadata.get_all("Provides-Extra", []))


def test_a_wheel_with_another_file_or_with_placeholders_is_refused(
    wheel: Path, tmp_path: Path
) -> None:
    files = wheel_check.contents(wheel)
    wheel_check.compare(files, dict(files))
    with pytest.raises(wheel_check.WheelError, match=r"differ in jax2onnx/api\.py"):
        wheel_check.compare(files, {n: c for n, c in files.items() if n != "jax2onnx/api.py"})
    for host, refused in ("https://jax2onnx.example/", True), ("https://host.org/", False):
        path = tmp_path / "w.whl"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("w.dist-info/METADATA", f"Project-URL: Source, {host}source\n")
        if refused:
            with pytest.raises(wheel_check.WheelError, match="placeholders"):
                wheel_check.refuse_placeholders(path)
        else:
            wheel_check.refuse_placeholders(path)


def test_all_files_have_the_same_date(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}


def test_a_conversion_loads_no_framework_and_no_runtime(installed: Path, tmp_path: Path) -> None:
    code = (
        "import sys, jax.numpy as jnp, jax2onnx; jax2onnx.to_onnx(jnp.sin, [('B', 3)]);"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    loaded = set(run(installed, code, tmp_path).split())
    assert not loaded & {"equinox", "exporters", "flax", "onnxruntime", "onnxscript", "torch"}


def test_the_command_shows_which_implementation_is_installed(
    installed: Path, metadata: Message, tmp_path: Path
) -> None:
    code = (
        "import runpy, sys; sys.argv[1:] = ['--version'];"
        "runpy.run_module('jax2onnx', run_name='__main__', alter_sys=True)"
    )
    said = run(installed, code, tmp_path)
    assert said == f"jax2onnx {metadata['Version']}\n"


def test_the_quickstart_runs(installed: Path, tmp_path: Path) -> None:
    program = wheel_check.quickstart()
    assert 'to_onnx(model, [("B", 30)], return_mode="file", output_path=' in program
    run(installed, program, tmp_path)
    assert (tmp_path / "mlp.onnx").is_file()
