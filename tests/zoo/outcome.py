"""The outcome of an attempt to convert a model, and the file that keeps outcomes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Exporter = Literal["ours", "public"]
Stage = Literal["jax", "convert", "check", "run", "compare", "done"]

LIMIT = 600.0
"""The seconds that a model may take, with its compilation in JAX."""

TOO_LONG = 124
"""The status with which a worker ends if a model takes longer."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of an attempt.

    Attributes:
        model: the name of the model.
        stage: the stage that failed: ``jax`` where JAX itself cannot run the model, ``convert``,
            ``check`` with the checker of ONNX, ``run`` on ONNX Runtime, ``compare`` with JAX; or
            ``done``, if the results agree.
        reason: the error, unless it is ``done``.
        operators: how many operators the ONNX model has.
        seconds: the CPU time of the conversion.
        known: the reason why the model is known to fail with this repository's exporter.
    """

    model: str
    stage: Stage
    reason: str = ""
    operators: int | None = None
    seconds: float | None = None
    known: str = ""

    @property
    def as_expected(self) -> bool:
        """Return whether it agrees, or fails for a known reason."""
        return self.agrees != bool(self.known)

    @property
    def agrees(self) -> bool:
        """Return whether the model converted and agrees with JAX."""
        return self.stage == "done"


@dataclass(frozen=True)
class Outcomes:
    """The outcomes of a library's models with one exporter.

    Attributes:
        versions: the releases of the library and of JAX.
        models: the outcomes, in the order in which the models are declared.
    """

    versions: dict[str, str]
    models: tuple[Outcome, ...]

    def after(self, earlier: Outcomes | None, declared: Sequence[str]) -> Outcomes:
        """Return these outcomes, and the earlier ones of other models that are still declared."""
        every = (*(() if earlier is None else earlier.models), *self.models)
        held = {outcome.model: outcome for outcome in every}
        return Outcomes(self.versions, tuple(held[name] for name in declared if name in held))

    def save(self, path: Path) -> None:
        """Write the outcomes as JSON, which ``load`` reads."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1), "utf-8")

    @staticmethod
    def load(path: Path) -> Outcomes | None:
        """Read the outcomes that ``save`` wrote, or return None if there are none."""
        if not path.exists():
            return None
        held = json.loads(path.read_text("utf-8"))
        return Outcomes(held["versions"], tuple(Outcome(**each) for each in held["models"]))
