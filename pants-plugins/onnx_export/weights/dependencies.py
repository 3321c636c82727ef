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
    DerivingFunctionField,
    GeneratorField,
    PinsField,
    WeightsDependenciesField,
)


@dataclass(frozen=True)
class SyntheticModules(FieldSet):
    required_fields = (GeneratorField, WeightsDependenciesField)

    generator: GeneratorField
    dependencies: WeightsDependenciesField


class InferSyntheticDependencies(InferDependenciesRequest[SyntheticModules]):
    infer_from = SyntheticModules


@rule(desc="Infer dependencies of synthetic weights")
async def infer_synthetic(
    request: InferSyntheticDependencies, options: OnnxExport
) -> InferredDependencies:
    weights = request.field_set
    return await owners(
        of_field(weights.generator, weights.address, weights.dependencies),
        of_option("weights_driver", options.weights_driver, weights.dependencies),
    )


@dataclass(frozen=True)
class DerivedModules(FieldSet):
    required_fields = (DerivingFunctionField, WeightsDependenciesField)

    function: DerivingFunctionField
    dependencies: WeightsDependenciesField


class InferDerivedDependencies(InferDependenciesRequest[DerivedModules]):
    infer_from = DerivedModules


@rule(desc="Infer dependencies of derived weights")
async def infer_derived(
    request: InferDerivedDependencies, options: OnnxExport
) -> InferredDependencies:
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
        UnionRule(InferDependenciesRequest, InferSyntheticDependencies),
        UnionRule(InferDependenciesRequest, InferDerivedDependencies),
        UnionRule(InferDependenciesRequest, InferPinnedDependencies),
    )
