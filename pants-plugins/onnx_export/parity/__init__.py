"""The ``onnx_parity_test`` target: its fields and the ``test`` goal."""

from __future__ import annotations

from collections.abc import Iterable

from pants.engine.rules import Rule
from pants.engine.unions import UnionRule

from onnx_export.parity import cuda, dependencies, goal


def rules() -> Iterable[Rule | UnionRule]:
    return (
        *dependencies.rules(),
        *cuda.rules(),
        *goal.rules(),
    )
