"""Parity tests: hold an artifact against a reference, case by case."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporters.errors import ExportError

if TYPE_CHECKING:
    from exporters.artifact.exportable import ParityCase
    from weights import Checkpoint


@dataclass(frozen=True)
class Test:
    """An artifact, and what it is held against; `reference` is "package.module:function"."""

    target: str
    model: Path
    exporter: str
    options: Mapping[str, Any]
    reference: str
    data: Path | None
    provider: str
    atol: float
    rtol: float


def hold(test: Test, checkpoint: Checkpoint, report: Callable[[str], None]) -> None:
    """Runs every case and reports on each; for the first that fails, also where it goes wrong.

    Raises:
        ExportError: a case disagrees, there is none, or the model doesn't run.
    """
    from exporters.parity import compare, divergence

    if not test.model.is_file():
        raise ExportError(f"{test.model} does not exist. Export the model first.")
    session = compare.open_session(test.model, test.provider, checkpoint.folder)
    report(f"{test.target}: {test.model.name} on {test.provider} against {test.reference}")
    failed = compare.compare_all(
        session, _cases(test, checkpoint), compare.Tolerance(test.atol, test.rtol), report
    )
    if failed:
        report(divergence.explain(test, checkpoint, failed[0].case))
        raise ExportError(
            f"{test.target}: {len(failed)} case(s) disagree: "
            f"{', '.join(each.case.name for each in failed)}."
        )


def _cases(test: Test, checkpoint: Checkpoint) -> Iterator[ParityCase]:
    """The reference's cases. It is given those of the model's options that it asks for."""
    from exporters import functions

    function = functions.find(test.reference, "reference")
    options = functions.accepted(function, test.options, positional=2)
    cases: Iterator[ParityCase] = functions.call(
        function, test.reference, (checkpoint, test.data), options
    )
    return cases
