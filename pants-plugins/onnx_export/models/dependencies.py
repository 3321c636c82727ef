"""The inferred dependencies of an ``onnx_model``: the modules of its exporter and of the driver."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.engine.target import FieldSet, InferDependenciesRequest, InferredDependencies
from pants.engine.unions import UnionRule

from onnx_export.compat import Rule, collect_rules, rule
from onnx_export.models.target_types import ExporterField, ModelDependenciesField
from onnx_export.modules import of_field, of_option, owners
from onnx_export.subsystem import OnnxExport


@dataclass(frozen=True)
class ModelModules(FieldSet):
    required_fields = (ExporterField, ModelDependenciesField)

    exporter: ExporterField
    dependencies: ModelDependenciesField


class InferModelDependencies(InferDependenciesRequest[ModelModules]):
    infer_from = ModelModules


@rule(desc="Infer dependencies of a model")
async def infer_model(request: InferModelDependencies, options: OnnxExport) -> InferredDependencies:
    model = request.field_set
    return await owners(
        of_field(model.exporter, model.address, model.dependencies),
        of_option("driver", options.driver, model.dependencies),
    )


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), UnionRule(InferDependenciesRequest, InferModelDependencies))
