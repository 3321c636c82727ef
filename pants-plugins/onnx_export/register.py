"""The entry point of this backend: the target types and the rules that Pants loads."""

from __future__ import annotations

from collections.abc import Iterable

from pants.engine.rules import Rule
from pants.engine.target import Target
from pants.engine.unions import UnionRule

from onnx_export import clients, models, modules, parity, run, runtime, skipping, weights
from onnx_export.clients.target_types import OnnxClientTestTarget
from onnx_export.models.target_types import OnnxModelTarget
from onnx_export.parity.target_types import OnnxParityTestTarget
from onnx_export.weights.target_types import WEIGHTS_TARGET_TYPES


def target_types() -> Iterable[type[Target]]:
    return (OnnxClientTestTarget, OnnxModelTarget, OnnxParityTestTarget, *WEIGHTS_TARGET_TYPES)


def rules() -> Iterable[Rule | UnionRule]:
    return (
        *runtime.rules(),
        *skipping.rules(),
        *modules.rules(),
        *weights.rules(),
        *models.rules(),
        *run.rules(),
        *parity.rules(),
        *clients.rules(),
    )
