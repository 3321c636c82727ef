"""The imports of the repository go one way.

An import in a function or under ``TYPE_CHECKING`` counts too, because a module that names a type of
another one cannot be understood without it. The root of ``jax2onnx`` is an exception: it loads its
public names when they are used, so an import of such a name counts as an import of the module that
defines it.

The constants below are the rules. This is not import-linter because its contracts can state layers
and the absence of cycles, but not which names of a module are public. It would also add six
packages to a lock file.
"""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]

PACKAGES: dict[str, tuple[str, ...]] = {
    "jax2onnx": (),
    "weights": ("jax2onnx",),
    "exporters": ("jax2onnx", "weights"),
    "onnx_export": (),
    "ruff_backend": (),
}
"""The packages that have rules, and the packages of this repository that each may import."""

FOLDERS = dict.fromkeys(("onnx_export", "ruff_backend"), "pants-plugins")
"""The folder of a package, where it is not the root of the repository."""

OTHERS = ("benchmarks", "examples", "tests", "tools")
"""The other packages of the repository, which the packages above must not import."""

LAYERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "jax2onnx": (
        ("__init__", "errors", "files", "marks"),
        ("jax_internals", "options"),
        ("graph",),
        ("trace",),
        ("lower",),
        ("rewrite",),
        ("legalise",),
        ("write",),
        ("api", "decorator", "models"),
        ("checks",),
        ("__main__", "testing"),
    ),
    "weights": (
        ("rendering",),
        ("errors", "progress"),
        ("files",),
        ("derived", "store", "synthetic"),
        ("net",),
        ("__init__",),
    ),
    "exporters": (
        ("__init__", "annotations", "errors"),
        ("functions", "model"),
        ("artifact",),
        ("generation", "parity"),
        ("families",),
        ("cli", "drivers"),
        ("clients",),
        ("__main__",),
    ),
    "onnx_export": (
        ("__init__", "compat", "errors", "layouts", "request", "script", "subsystem"),
        ("fields", "runtime", "skipping"),
        ("modules",),
        ("weights",),
        ("models",),
        ("parity", "run"),
        ("clients",),
        ("register",),
        ("testing",),
    ),
}
"""The modules and folders of a package. Each may import itself and those of earlier lines."""

PUBLIC_MODULES = (
    "jax2onnx",
    "jax2onnx.checks.comparison",
    "jax2onnx.checks.runtime",
    "jax2onnx.errors",
    "jax2onnx.files",
    "jax2onnx.models",
)
"""The modules of ``jax2onnx`` that other packages may use: the names in their ``__all__``."""

PRIVATE_JAX = ("jax._src", "jaxlib")
"""Modules of JAX that may change in any release. Only ``jax2onnx.jax_internals`` imports them."""


@dataclass(frozen=True)
class Import:
    """One imported name.

    Attributes:
        importer: the module that holds the statement.
        line: the number of its line.
        module: the module that is imported or that the name is taken from.
        name: the imported name, or "" where it is a module.
    """

    importer: str
    line: int
    module: str
    name: str = ""

    def __str__(self) -> str:
        what = f"{self.name} of {self.module}" if self.name else self.module
        return f"{self.importer}:{self.line} imports {what}"


def modules_of(package: str) -> dict[str, Path]:
    """Return the files of a package by module, with tests. ``__init__`` has the package's name."""
    base = ROOT / FOLDERS.get(package, "")
    found = {}
    for file in sorted((base / package).rglob("*.py")):
        parts = file.relative_to(base).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


FILES = {name: file for package in PACKAGES for name, file in modules_of(package).items()}


def imports_of(module: str, file: Path) -> Iterator[Import]:
    """Yield the imports of a file, one for each name of a ``from`` statement."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: ruff bans relative imports"
            for alias in node.names:
                yield resolved(Import(module, node.lineno, str(node.module), alias.name))


def resolved(found: Import) -> Import:
    """Return the import with the imported submodule as its module, where the name is one."""
    inner = f"{found.module}.{found.name}"
    if inner in FILES:
        return Import(found.importer, found.line, inner)
    return found


def constant(module: str, name: str) -> Any:
    """Return the value of a literal that a module assigns to a name."""
    for node in ast.parse(FILES[module].read_bytes()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return ast.literal_eval(node.value)
    raise LookupError(f"{module} does not assign {name}")


IMPORTS = [found for name, file in FILES.items() for found in imports_of(name, file)]


LAZY = constant("jax2onnx", "_MODULES")
EXPORTED = {module: constant(module, "__all__") for module in PUBLIC_MODULES}


def defining_module(found: Import) -> str:
    """Return the module that defines an imported name, if it is a lazy name of ``jax2onnx``."""
    if found.module == "jax2onnx" and found.name in EXPORTED["jax2onnx"]:
        return f"jax2onnx.{LAZY.get(found.name, 'errors')}"
    return found.module


def is_test(module: str) -> bool:
    """Return whether a module is a test, or is used only by tests."""
    return module.endswith(("_test", ".conftest"))


def listed(found: Iterable[Import]) -> list[str]:
    return [str(each) for each in found]


def test_every_package_is_found() -> None:
    assert {name.partition(".")[0] for name in FILES} == set(PACKAGES)
    assert len(IMPORTS) > 1000


def test_packages_import_only_the_packages_below_them() -> None:
    ours = {*PACKAGES, *OTHERS}
    wrong = [
        found
        for found in IMPORTS
        if (package := found.module.partition(".")[0]) in ours
        and package not in (own := found.importer.partition(".")[0], *PACKAGES[own])
    ]
    assert listed(wrong) == []


@pytest.mark.parametrize("package", LAYERS)
def test_folders_import_only_the_folders_before_them(package: str) -> None:
    height = {unit: number for number, units in enumerate(LAYERS[package]) for unit in units}

    def unit_of(module: str) -> str:
        return [*module.split("."), "__init__"][1]

    wrong = [
        found
        for found in IMPORTS
        if found.module.partition(".")[0] == package
        and found.importer.partition(".")[0] == package
        and found.importer != "jax2onnx"
        and not is_test(found.importer)
        and (own := unit_of(found.importer)) != (other := unit_of(defining_module(found)))
        and height[other] >= height[own]
    ]
    assert listed(wrong) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_there_are_no_import_cycles(package: str) -> None:
    graph: dict[str, set[str]] = {}
    for found in IMPORTS:
        target = defining_module(found)
        if (
            found.importer.partition(".")[0] == package
            and found.importer != "jax2onnx"
            and target in FILES
            and not is_test(found.importer)
        ):
            graph.setdefault(found.importer, set()).add(target)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


def test_other_packages_import_only_public_names_of_jax2onnx() -> None:
    wrong = [
        found
        for found in IMPORTS
        if (
            found.module.partition(".")[0] == "jax2onnx"
            and found.importer.partition(".")[0] != "jax2onnx"
            and not is_test(found.importer)
            and found.module not in PUBLIC_MODULES
        )
        or (
            found.module in PUBLIC_MODULES
            and found.importer.partition(".")[0] != "jax2onnx"
            and found.name
            and found.name not in EXPORTED[found.module]
        )
    ]
    assert listed(wrong) == []


def test_packages_import_only_public_names_of_each_other() -> None:
    wrong = [
        found
        for found in IMPORTS
        if found.module.partition(".")[0] == "jax2onnx"
        and found.importer.partition(".")[0] != "jax2onnx"
        and not (
            found.module in EXPORTED
            and (found.name in ("", "__version__") or found.name in EXPORTED[found.module])
        )
    ]
    assert listed(wrong) == []


def test_private_modules_are_imported_only_in_their_own_package() -> None:
    def is_foreign(found: Import) -> bool:
        parts = found.module.split(".")
        private = [i for i, part in enumerate(parts) if part[0] == "_" and part[1] != "_"]
        return bool(private) and not f"{found.importer}.".startswith(
            ".".join(parts[: private[0]]) + "."
        )

    wrong = [found for found in IMPORTS if found.module in FILES and is_foreign(found)]
    assert listed(wrong) == []


def test_only_one_module_imports_private_modules_of_jax() -> None:
    wrong = [
        found
        for found in IMPORTS
        if f"{found.module}.{found.name}.".startswith(tuple(f"{name}." for name in PRIVATE_JAX))
        and found.importer != "jax2onnx.jax_internals"
    ]
    assert listed(wrong) == []
