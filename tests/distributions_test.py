"""The three wheels of a release belong together, and hold what a repository of one's own needs."""

from __future__ import annotations

import re
import sys
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from tests.commands import REPOSITORY
from tests.imports import imported

NAMES = ("jax2onnx", "onnx_exporters", "onnx_exporters_pants")
_DISTRIBUTIONS = {"google": "protobuf", "onnx_ir": "onnx-ir"}
"""The distribution of a module, where their names differ."""


class Wheel:
    """A wheel of ``./pants package``, which Pants puts in the sandbox's root."""

    def __init__(self, name: str, folder: Path) -> None:
        pattern = f"{name}-*.whl"
        found = [*REPOSITORY.glob(pattern), *(REPOSITORY / "dist").glob(pattern)]
        assert found, (
            f"there is no wheel {name}; run ./pants package with the targets of tests/BUILD"
        )
        self.folder = folder / name
        with zipfile.ZipFile(found[0]) as archive:
            self.dates = {entry.date_time[0] for entry in archive.infolist()}
            archive.extractall(self.folder)
        self.files = {
            file.relative_to(self.folder).as_posix(): file
            for file in sorted(self.folder.rglob("*"))
            if file.is_file()
        }
        (metadata,) = self.folder.glob("*.dist-info/METADATA")
        self.metadata: Message = Parser().parsestr(metadata.read_text())

    @property
    def required(self) -> set[str]:
        """Return the names of the packages that it requires without extras."""
        asked = self.metadata.get_all("Requires-Dist", [])
        return {re.split(r"[<>=!;\[ ]", line)[0] for line in asked if "extra ==" not in line}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Wheel]:
    folder = tmp_path_factory.mktemp("wheels")
    return {name: Wheel(name, folder) for name in NAMES}


def test_they_have_one_version(wheels: dict[str, Wheel]) -> None:
    (version,) = {wheel.metadata["Version"] for wheel in wheels.values()}
    asked = wheels["onnx_exporters"].metadata.get_all("Requires-Dist", [])
    assert f"jax2onnx=={version}" in asked
    source = wheels["onnx_exporters"].files["exporters/__init__.py"].read_text()
    assert f'__version__ = "{version}"' in source


@pytest.mark.parametrize("name", NAMES)
def test_each_has_metadata_and_no_tests(wheels: dict[str, Wheel], name: str) -> None:
    wheel = wheels[name]
    assert wheel.dates == {1980}
    assert wheel.metadata["License-Expression"] == "Apache-2.0"
    assert any(file.endswith(".dist-info/licenses/LICENSE") for file in wheel.files)
    assert not [n for n in wheel.files if re.search(r"_test\.py$|/(testing|conftest)\b", n)]
    readme = str(wheel.metadata.get_payload())
    assert readme.startswith(f"# {wheel.metadata['Name']}\n")
    assert not re.findall(r"\]\((?!https://)", readme)


def test_the_exporters_require_the_packages_that_they_import(wheels: dict[str, Wheel]) -> None:
    wheel = wheels["onnx_exporters"]
    # The scripts of clients run in environments of their own.
    python = [
        file
        for name, file in wheel.files.items()
        if name.endswith(".py") and not name.startswith("exporters/clients/")
    ]
    modules = set[str]().union(*map(imported, python))
    third_party = modules - sys.stdlib_module_names - {"exporters", "weights"}
    assert {_DISTRIBUTIONS.get(name, name) for name in third_party} <= wheel.required | {"jax"}


def test_the_exporters_hold_their_families_and_the_pins_of_the_release(
    wheels: dict[str, Wheel],
) -> None:
    files = wheels["onnx_exporters"].files
    assert {"exporters/py.typed", "weights/py.typed", "exporters/drivers/build.py"} <= set(files)
    assert "exporters/families/gpt_oss/configs/20b.json" in files
    assert "jax==" in files["exporters/constraints.txt"].read_text()
    (entry,) = (file for name, file in files.items() if name.endswith("entry_points.txt"))
    assert "onnx-exporters = exporters.__main__:main" in entry.read_text()


def test_the_plugin_requires_nothing_and_holds_its_scripts(wheels: dict[str, Wheel]) -> None:
    wheel = wheels["onnx_exporters_pants"]
    assert wheel.required == set()
    for name, original in {
        "onnx_export/request.py": "exporters/drivers/request.py",
        "onnx_export/run/summary.py": "exporters/artifact/summary.py",
    }.items():
        exporters = wheels["onnx_exporters"].files
        assert wheel.files[name].read_text() == exporters[original].read_text()
    assert "onnx_export/run/place.py" in wheel.files
    python = [file for name, file in wheel.files.items() if name.endswith(".py")]
    modules = set[str]().union(*map(imported, python)) - sys.stdlib_module_names
    assert modules == {"onnx_export", "pants"}
