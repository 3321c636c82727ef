"""The suites that run in each column, and what is kept of a run."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree

from tools.matrix.columns import ROOT

_VERSIONS = """
import importlib.metadata as m, json, platform
names = ("jax", "flax", "equinox", "numpy", "onnxruntime")
print(json.dumps({"CPython": platform.python_version(), **{n: m.version(n) for n in names}}))
"""


@dataclass(frozen=True)
class Suite:
    """Tests that have a row in the table.

    Attributes:
        name: its name in the table; its words joined by "-" are its name on the command line.
        paths: the files and folders that pytest runs.
        sampled: whether it runs a sample of its cases unless it gets ``--all``.
        quick: the paths that ``--sample`` runs.
    """

    name: str
    paths: tuple[str, ...]
    sampled: bool = False
    quick: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Return its name on the command line."""
        return self.name.replace(" ", "-")


_RULES = "jax2onnx/lower/rules"
_TOP = sorted(f"jax2onnx/{file.name}" for file in (ROOT / "jax2onnx").glob("*_test.py"))
SUITES = (
    Suite(
        "trace and lower",
        ("jax2onnx/trace", "jax2onnx/lower", *_TOP),
        quick=(
            "jax2onnx/trace",
            "jax2onnx/jax_internals_test.py",
            *(f"{_RULES}/{name}_test.py" for name in ("control_flow", "devices", "new_primitives")),
        ),
    ),
    Suite(
        "rewrite to write",
        tuple(f"jax2onnx/{room}" for room in ("graph", "rewrite", "legalise", "write", "checks")),
    ),
    Suite("harness of jax", ("tests/primitives",), sampled=True, quick=("tests/primitives",)),
    Suite("layers and functions", ("tests/coverage",), sampled=True),
)


@dataclass(frozen=True)
class Result:
    """The outcome of one suite in one column.

    Attributes:
        passed: tests that passed.
        failed: tests that failed or could not start.
        skipped: tests that do not apply to this release.
        every: whether all cases of the suite ran, where it is sampled by default.
        versions: the releases of CPython and of the packages that it ran with.
    """

    passed: int
    failed: int
    skipped: int
    every: bool
    versions: dict[str, str]

    def save(self, path: Path) -> None:
        """Write the result as JSON, which ``load`` reads."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self)), "utf-8")

    @staticmethod
    def load(path: Path) -> Result:
        """Read a result that ``save`` wrote."""
        return Result(**json.loads(path.read_text("utf-8")))


def counts(report: str) -> tuple[int, int, int]:
    """Return how many tests passed, failed and were skipped, from pytest's JUnit report.

    Raises:
        ValueError: The report has no tests, since pytest found none or did not start.
    """
    suites = list(ElementTree.fromstring(report).iter("testsuite"))
    total, failures, errors, skipped = (
        sum(int(suite.attrib[key]) for suite in suites)
        for key in ("tests", "failures", "errors", "skipped")
    )
    if not total:
        raise ValueError("pytest ran no tests")
    return total - failures - errors - skipped, failures + errors, skipped


def run(python: Path, suite: Suite, *, every: bool = False, quick: bool = False) -> Result:
    """Run a suite with an interpreter, and show pytest's output.

    Args:
        python: the interpreter of a column's environment.
        suite: the suite to run.
        every: run all cases of a sampled suite.
        quick: run only ``suite.quick``.
    """
    shown = subprocess.run([python, "-c", _VERSIONS], check=True, capture_output=True, text=True)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        options = ["-q", "--tb=short", "-p", "no:cacheprovider", f"--junitxml={report}"]
        paths = suite.quick if quick else suite.paths
        extra = ["--all"] if every and suite.sampled else []
        command: list[str | Path] = [python, "-m", "pytest", *options, *paths, *extra]
        subprocess.run(command, cwd=ROOT, check=False)
        passed, failed, skipped = counts(report.read_text("utf-8"))
    return Result(passed, failed, skipped, every or not suite.sampled, json.loads(shown.stdout))
