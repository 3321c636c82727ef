"""Run pytest in forks of this process, which has done the slow imports.

Importing JAX, Flax and Equinox takes seconds, and a mutant's tests often take less. So this process
imports these packages once, and forks for each mutant. It must not start threads, which a fork does
not copy: it never imports ONNX Runtime and never computes anything with JAX.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import importlib.util
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

_PRELOADED = ("jax.numpy", "flax.linen", "flax.nnx", "equinox", "onnx", "onnx_ir", "pytest")
_MEMORY = 16 * 2**30


@dataclass(frozen=True)
class Ended:
    """The result of a fork.

    Attributes:
        code: the exit code, negative for a signal, or None after a timeout.
        seconds: the CPU time.
        report: the object that it wrote for this process.
        output: the text that it printed.

    """

    code: int | None
    seconds: float
    report: Mapping[str, Any]
    output: str


@dataclass(frozen=True)
class Baseline:
    """The result of tests on the unchanged code.

    Attributes:
        seconds: their CPU time.
        lines: the lines that a test runs, by the test's id and the file.
        durations: the duration of a test, by its id.

    """

    seconds: float
    lines: Mapping[str, Mapping[str, Sequence[int]]]
    durations: Mapping[str, float]

    def order(self, file: Path, first: int, last: int) -> dict[str, tuple[bool, float]]:
        """Return sort keys by test: tests that run one of these lines first, then by duration."""
        wanted = frozenset(range(first, last + 1))
        return {
            test: (
                wanted.isdisjoint(files.get(str(file), ())),
                self.durations.get(test, 0.0),
            )
            for test, files in self.lines.items()
        }


def preload() -> None:
    """Import the installed packages that most tests need and no mutant changes."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = "1"
    for name in _PRELOADED:
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)
    if "jax2onnx" in sys.modules:
        raise RuntimeError("jax2onnx was imported before its mutants.")


def baseline(test: str, files: Collection[Path], cache: Path) -> Baseline:
    """Run a file or folder of tests on the unchanged code, and record the lines run in ``files``.

    Raises:
        RuntimeError: A test fails.
    """

    def work() -> tuple[int, Mapping[str, Any]]:
        recorder = _Recorder(frozenset(map(str, files)))
        code = _pytest([test], recorder)
        return code, {"lines": recorder.sorted(), "durations": recorder.durations}

    ended = _in_fork(work, cache, 1800)
    if ended.code != 0:
        raise RuntimeError(f"{test} fails without a mutant:\n{ended.output[-4000:]}")
    return Baseline(ended.seconds, ended.report["lines"], ended.report["durations"])


def run_mutant(
    module: str,
    file: Path,
    code: CodeType,
    tests: Sequence[str],
    order: Mapping[str, tuple[bool, float]],
    cache: Path,
    limit: float,
) -> Ended:
    """Run the tests with ``code`` in place of a module, until one fails.

    Only the tests of ``order`` run, sorted by their keys there. The report has ``failed``, the id
    of a test that failed, if any, and ``loaded``, whether the module was imported.
    """

    def work() -> tuple[int, Mapping[str, Any]]:
        finder, sorter = _Finder(module, file, code), _Sorter(order)
        sys.meta_path.insert(0, finder)
        exit_code = _pytest(["-x", *tests], sorter)
        return exit_code, {"failed": sorter.failed, "loaded": finder.loaded}

    return _in_fork(work, cache, limit)


def _pytest(arguments: Sequence[str], plugin: object) -> int:
    import pytest

    options = ["-q", "--no-header", "--tb=short", "-p", "no:cacheprovider"]
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # No test needs one, and they load slowly.
    return int(pytest.main([*options, *arguments], plugins=[plugin]))


def _in_fork(work: Callable[[], tuple[int, Mapping[str, Any]]], cache: Path, limit: float) -> Ended:
    """Call ``work`` in a fork, limited to ``limit`` seconds of CPU and four times that of time."""
    with tempfile.TemporaryDirectory() as folder:
        report, output = Path(folder, "report"), Path(folder, "output")
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            _child(work, cache, limit, report, output)
        status, used = _wait(child, 4 * limit + 30)
        text = output.read_text("utf-8", "replace") if output.exists() else ""
        told = json.loads(report.read_text("utf-8")) if report.exists() else {}
    seconds = used.ru_utime + used.ru_stime
    code = None if status is None else os.waitstatus_to_exitcode(status)
    if code == -signal.SIGXCPU:
        code = None
    return Ended(code, seconds, told, text)


def _child(
    work: Callable[[], tuple[int, Mapping[str, Any]]],
    cache: Path,
    limit: float,
    report: Path,
    output: Path,
) -> None:
    """Do the work, and exit without running the parent's exit handlers."""
    code = 70
    try:
        os.setsid()
        target = os.open(output, os.O_WRONLY | os.O_CREAT)
        for stream in (1, 2):
            os.dup2(target, stream)
        sys.pycache_prefix = str(cache)
        os.environ["PYTHONPYCACHEPREFIX"] = str(cache)
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit) + 1, int(limit) + 10))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        code, told = work()
        report.write_text(json.dumps(told), "utf-8")
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _wait(child: int, limit: float) -> tuple[int | None, resource.struct_rusage]:
    """Wait for a child, and kill its session when its time is up."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        found, status, used = os.wait4(child, os.WNOHANG)
        if found:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)  # End processes that the tests left running.
            return status, used
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    return None, os.wait4(child, 0)[2]


# -- in the fork ---------------------------------------------------------------------------------


class _Recorder:
    """A plugin that records the lines that each test runs, and the test's duration."""

    def __init__(self, files: frozenset[str]) -> None:
        self.durations: dict[str, float] = {}
        self._lines: dict[str, dict[str, set[int]]] = {}
        self._files = files
        self._current: dict[str, set[int]] = {}

    def sorted(self) -> dict[str, dict[str, list[int]]]:
        """Return the lines by test and file."""
        return {
            test: {file: sorted(lines) for file, lines in files.items()}
            for test, files in self._lines.items()
        }

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._current = self._lines.setdefault(nodeid, {})
        sys.settrace(self._called)

    def pytest_runtest_logfinish(self) -> None:
        sys.settrace(None)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call":
            self.durations[report.nodeid] = report.duration

    def _called(self, frame: FrameType, event: str, argument: Any) -> Any:
        del event, argument
        return self._ran if frame.f_code.co_filename in self._files else None

    def _ran(self, frame: FrameType, event: str, argument: Any) -> Any:
        del event, argument
        self._current.setdefault(frame.f_code.co_filename, set()).add(frame.f_lineno)
        return self._ran


class _Sorter:
    """A plugin that selects and sorts the tests, and records which one failed."""

    def __init__(self, order: Mapping[str, tuple[bool, float]]) -> None:
        self.failed = ""
        self._order = order

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        chosen = [item for item in items if item.nodeid in self._order]
        items[:] = sorted(chosen, key=lambda item: self._order[item.nodeid])

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed = self.failed or report.nodeid

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.failed = self.failed or report.nodeid


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module from given code."""

    code: CodeType

    def get_code(self, fullname: str) -> CodeType:
        del fullname
        return self.code


class _Finder:
    """Finds one module, and leaves all others to the next finders."""

    def __init__(self, module: str, file: Path, code: CodeType) -> None:
        self.loaded = False
        self._module, self._file, self._code = module, file, code

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        del path, target
        if name != self._module:
            return None
        self.loaded = True
        loader = _Loader(name, str(self._file))
        loader.code = self._code
        return importlib.util.spec_from_file_location(name, self._file, loader=loader)
