"""Parity tests: compare an artifact with a reference, case by case."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from exporters.artifact.folder import folder_of_data
from exporters.artifact.layouts import LAYOUTS
from exporters.errors import ExportError
from exporters.functions import accepted, call, check_options, find, no_exit
from exporters.model.exportable import ParityCase
from exporters.parity.compare import Outcome, compare_all, open_session
from exporters.parity.definition import ParityTest
from exporters.parity.divergence import explain
from weights import Checkpoint


def verify(
    test: ParityTest, checkpoint: Checkpoint, report: Callable[[str], None]
) -> list[Outcome]:
    """Run every case of a parity test and report on each.

    For the first case that fails, the report also names the module of the model at which the
    artifact and JAX begin to differ.

    Args:
        test: the test.
        checkpoint: the weights of the artifact.
        report: called with each line of the report.

    Returns:
        The outcomes, which all agree.

    Raises:
        ExportError: a case disagrees, there is no case, or the model does not run.
    """
    if not test.model.is_file():
        raise ExportError(f"{test.model} does not exist. Export the model first.")
    exporter = find(test.exporter, "exporter")
    check_options(exporter, test.exporter, test.options, positional=1)
    with folder_of_data(LAYOUTS[test.layout], test.model, checkpoint) as data:
        return _verify(test, checkpoint, data, report)


def _verify(
    test: ParityTest, checkpoint: Checkpoint, data: Path, report: Callable[[str], None]
) -> list[Outcome]:
    """Do what ``verify`` does; ``data`` is the folder of the artifact's external data."""
    session = open_session(test.model, test.provider, data)
    report(f"{test.target}: {test.model.name} on {test.provider} against {test.reference}")
    with no_exit(test.reference):
        cases = cases_of(test.reference, test.exporter, test.options, checkpoint, test.data)
        outcomes = compare_all(session, cases, test.tolerance, report)
    failed = [each for each in outcomes if each.findings]
    if failed:
        report(explain(test, checkpoint, data, failed[0].case))
        names = ", ".join(each.case.name for each in failed)
        raise ExportError(
            f"{test.target}: {len(failed)} case(s) disagree: {names}. The report above says where "
            "the values differ."
        )
    return outcomes


def cases_of(
    reference: str,
    exporter: str,
    options: Mapping[str, Any],
    checkpoint: Checkpoint,
    data: Path | None,
) -> Iterator[ParityCase]:
    """Return the cases of a reference.

    The reference receives the options that its signature names, and, if it has a parameter
    ``exported``, what the exporter returned.

    Args:
        reference: the function that yields the cases, as ``package.module:function``.
        exporter: the exporter, as ``package.module:function``.
        options: the options of the exporter.
        checkpoint: the weights.
        data: the file that the reference reads, if it reads one.
    """
    function = find(reference, "reference")
    chosen = accepted(function, options, positional=2)
    if "exported" in inspect.signature(function).parameters:
        chosen.pop("exported", None)
        chosen["exported"] = call(find(exporter, "exporter"), exporter, [checkpoint], options)
    cases: Iterator[ParityCase] = call(function, reference, (checkpoint, data), chosen)
    return cases
