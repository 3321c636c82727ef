"""Weights targets: their fields, their files, and their dependencies."""

from __future__ import annotations

from collections.abc import Iterable

from pants.engine.rules import Rule
from pants.engine.unions import UnionRule

from onnx_export.weights import (
    base,
    dependencies,
    derived,
    pinned,
    repository,
    synthetic,
    wheel,
)


def rules() -> Iterable[Rule | UnionRule]:
    return (
        *base.rules(),
        *repository.rules(),
        *wheel.rules(),
        *synthetic.rules(),
        *derived.rules(),
        *pinned.rules(),
        *dependencies.rules(),
    )
