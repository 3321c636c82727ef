"""The inferred dependencies of weights: the modules of their generator and of the driver."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.engine.target import FieldSet, InferDependenciesRequest, InferredDependencies
from pants.engine.unions import UnionRule

from onnx_export.compat import Rule, collect_rules, rule
from onnx_export.modules import of_field, of_option, owners
from onnx_export.subsystem import OnnxExport
from onnx_export.weights.target_types import (
    PinsField,
    WeightsDependenciesField,
    WeightsFunctionField,
)


@dataclass(frozen=True)
class MadeModules(FieldSet):
    required_fields = (WeightsFunctionField, WeightsDependenciesField)

    function: WeightsFunctionField
    dependencies: WeightsDependenciesField


class InferMadeDependencies(InferDependenciesRequest[MadeModules]):
    infer_from = MadeModules


@rule(desc="Infer dependencies of weights that a function makes")
async def infer_made(request: InferMadeDependencies, options: OnnxExport) -> InferredDependencies:
    weights = request.field_set
    return await owners(
        of_field(weights.function, weights.address, weights.dependencies),
        of_option("weights_driver", options.weights_driver, weights.dependencies),
    )


@dataclass(frozen=True)
class PinnedModules(FieldSet):
    required_fields = (PinsField, WeightsDependenciesField)

    dependencies: WeightsDependenciesField


class InferPinnedDependencies(InferDependenciesRequest[PinnedModules]):
    infer_from = PinnedModules


@rule(desc="Infer dependencies of pinned weights")
async def infer_pinned(
    request: InferPinnedDependencies, options: OnnxExport
) -> InferredDependencies:
    dependencies = request.field_set.dependencies
    return await owners(of_option("weights_driver", options.weights_driver, dependencies))


def rules() -> Iterable[Rule | UnionRule]:
    return (
        *collect_rules(),
        UnionRule(InferDependenciesRequest, InferMadeDependencies),
        UnionRule(InferDependenciesRequest, InferPinnedDependencies),
    )
