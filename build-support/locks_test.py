"""Properties that every lockfile must have."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

_FOLDER = Path("3rdparty/python")
_LOCKS = sorted(path.stem for path in _FOLDER.glob("*.lock"))
_PIN = re.compile(
    r"^([a-z0-9][a-z0-9-]*)==(\S+)(?: ; ([^\\]+?))? \\\n"
    r"((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)",
    re.M,
)


def _text(name: str) -> str:
    return (_FOLDER / f"{name}.lock").read_text()


def _pins(name: str) -> set[tuple[str, str, str]]:
    """Return (package, version, marker) of each entry."""
    return {(package, version, marker) for package, version, marker, _ in _PIN.findall(_text(name))}


def _wanted(name: str) -> set[str]:
    """Return the packages that NAME.in requires, directly or through ``-r``."""
    wanted = set()
    for line in (_FOLDER / f"{name}.in").read_text().splitlines():
        if line.startswith("-r "):
            wanted |= _wanted(line[3:-3])
        elif line and not line.startswith(("#", "-c ")):
            wanted.add(re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", line)[0]).lower())
    return wanted


def test_there_are_locks() -> None:
    tools = {
        "client-onnxruntime",
        "client-torch",
        "docs",
        "pants",
        "pex",
        "plugin",
        "pytest",
        "tools",
    }
    assert {"cuda", "export", "minilm", "tests"} | tools == set(_LOCKS)


@pytest.mark.parametrize("name", _LOCKS)
def test_a_lock_consists_of_pins_with_hashes(name: str) -> None:
    body = re.sub(r"^#.*\n", "", _text(name), flags=re.M)
    assert _PIN.sub("", body) == ""


@pytest.mark.parametrize("name", _LOCKS)
def test_a_lock_has_the_packages_of_its_input(name: str) -> None:
    assert _wanted(name) <= {package for package, _, _ in _pins(name)}


def test_tests_run_with_the_pins_of_exports() -> None:
    assert _pins("export") <= _pins("tests")


@pytest.mark.parametrize("name", ["cuda", "export", "minilm", "tests", "tools"])
def test_every_interpreter_gets_the_same_releases(name: str) -> None:
    """Equal artifacts under several versions of CPython depend on this."""
    assert [pin for pin in _pins(name) if "python_" in pin[2].replace("platform_python", "")] == []


def test_the_constraints_of_a_release_are_the_pins_of_exports() -> None:
    head, *lines = Path("exporters/constraints.txt").read_text().splitlines()
    pins = [
        f"{name}=={version}" + f" ; {marker}" * bool(marker)
        for name, version, marker in _pins("export")
    ]
    assert head.startswith("#")
    assert sorted(lines) == sorted(pins)


def test_the_lock_of_node_has_digests_and_no_addresses() -> None:
    text = Path("3rdparty/node/package-lock.json").read_text()
    assert "://" not in text
    packages = {name: entry for name, entry in json.loads(text)["packages"].items() if name}
    assert [name for name, entry in packages.items() if "integrity" not in entry] == []


def test_cuda_differs_from_export_only_in_the_runtime() -> None:
    assert {package for package, _, _ in _pins("export") ^ _pins("cuda")} == {
        "onnxruntime",
        "onnxruntime-gpu",
    }


def test_both_launchers_run_the_same_release() -> None:
    configured = re.search(r'^pants_version = "(.+?)"', Path("pants.toml").read_text(), re.M)
    assert configured is not None
    assert ("pantsbuild-pants", configured[1], "") in _pins("pants")
    assert ("pantsbuild-pants", configured[1], "") in _pins("plugin")


def test_both_launchers_use_the_same_pex() -> None:
    configured = set(re.findall(r'"v(\d[\d.]+)["|]', Path("pants.toml").read_text()))
    assert {("pex", version, "") for version in configured} == _pins("pex")
