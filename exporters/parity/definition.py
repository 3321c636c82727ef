"""The definition of a parity test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporters.artifact.layouts import FLAT
from exporters.errors import ExportError
from jax2onnx import InputError
from jax2onnx.checks.comparison import Tolerance


@dataclass(frozen=True)
class ParityTest:
    """An artifact, and what it is compared with.

    Attributes:
        target: the address of the test's target, or the name of the artifact, for reports.
        model: the file of the artifact.
        layout: the name of the layout that the artifact was made for.
        exporter: the function that built the model, as ``package.module:function``.
        options: the keyword arguments of that function.
        reference: the function that yields the cases, as ``package.module:function``.
        data: the file that the reference reads, if it reads one.
        provider: the execution provider, ``cpu`` or ``cuda``.
        atol: the absolute tolerance.
        rtol: the relative tolerance.

    Raises:
        ExportError: a tolerance is negative, infinite or NaN.
    """

    target: str
    model: Path
    exporter: str
    options: Mapping[str, Any]
    reference: str
    data: Path | None
    provider: str
    atol: float
    rtol: float
    layout: str = FLAT

    def __post_init__(self) -> None:
        try:
            Tolerance(self.atol, self.rtol)
        except InputError as error:
            raise ExportError(f"{self.target}: {error}") from error

    @property
    def tolerance(self) -> Tolerance:
        """How far values may differ."""
        return Tolerance(self.atol, self.rtol)
