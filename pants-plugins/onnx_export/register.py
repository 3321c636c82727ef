"""What Pants loads: the target types and the rules of this backend."""

from __future__ import annotations

from collections.abc import Iterable

from pants.engine.rules import Rule
from pants.engine.target import Target
from pants.engine.unions import UnionRule

from onnx_export import export, infer, package, parity, run, runtime, weights
from onnx_export.target_types import TARGET_TYPES
from onnx_export.weights_target_types import WEIGHTS_TARGET_TYPES


def target_types() -> Iterable[type[Target]]:
    return (*TARGET_TYPES, *WEIGHTS_TARGET_TYPES)


def rules() -> Iterable[Rule | UnionRule]:
    return (
        *runtime.rules(),
        *weights.rules(),
        *infer.rules(),
        *export.rules(),
        *package.rules(),
        *run.rules(),
        *parity.rules(),
    )
