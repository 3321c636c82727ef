"""The inferred dependencies of an ``onnx_parity_test``.

They are the modules of its reference, of the model's exporter and of the driver.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.engine.addresses import Address
from pants.engine.target import (
    Dependencies,
    FieldSet,
    InferDependenciesRequest,
    InferredDependencies,
)
from pants.engine.unions import UnionRule

from onnx_export import compat
from onnx_export.compat import Rule, collect_rules, rule
from onnx_export.errors import OnnxExportError
from onnx_export.models.target_types import ExporterField
from onnx_export.modules import ModuleRequest, of_field, of_option, owners
from onnx_export.parity.target_types import (
    ParityDependenciesField,
    ParityModelField,
    ReferenceField,
)
from onnx_export.subsystem import OnnxExport


@dataclass(frozen=True)
class ParityModules(FieldSet):
    required_fields = (ReferenceField, ParityDependenciesField)

    reference: ReferenceField
    model: ParityModelField
    dependencies: ParityDependenciesField


class InferParityDependencies(InferDependenciesRequest[ParityModules]):
    infer_from = ParityModules


async def of_exporter(
    field: ParityModelField, test: Address, dependencies: Dependencies
) -> ModuleRequest:
    """Return a request for the module of the exporter of the model that a test names."""
    (model,) = await compat.targets_at(field.inputs)
    if not model.has_field(ExporterField):
        raise OnnxExportError(
            f"The {field.alias!r} field of {test} names {model.address}, which is a "
            f"`{model.alias}` target. It must name an `onnx_model`."
        )
    return of_field(model[ExporterField], model.address, dependencies)


@rule(desc="Infer dependencies of a parity test")
async def infer_parity(
    request: InferParityDependencies, options: OnnxExport
) -> InferredDependencies:
    test = request.field_set
    return await owners(
        of_field(test.reference, test.address, test.dependencies),
        await of_exporter(test.model, test.address, test.dependencies),
        of_option("parity_driver", options.parity_driver, test.dependencies),
    )


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), UnionRule(InferDependenciesRequest, InferParityDependencies))
