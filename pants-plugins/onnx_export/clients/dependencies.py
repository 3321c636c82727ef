"""The inferred dependencies of an ``onnx_client_test``.

They are the modules of its reference, of the model's exporter and of the driver.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.engine.target import FieldSet, InferDependenciesRequest, InferredDependencies
from pants.engine.unions import UnionRule

from onnx_export.clients.target_types import ClientDependenciesField, ClientField
from onnx_export.compat import Rule, collect_rules, rule
from onnx_export.modules import of_field, of_option, owners
from onnx_export.parity.dependencies import of_exporter
from onnx_export.parity.target_types import ParityModelField, ReferenceField
from onnx_export.subsystem import OnnxExport


@dataclass(frozen=True)
class ClientModules(FieldSet):
    required_fields = (ClientField, ClientDependenciesField)

    reference: ReferenceField
    model: ParityModelField
    dependencies: ClientDependenciesField


class InferClientDependencies(InferDependenciesRequest[ClientModules]):
    infer_from = ClientModules


@rule(desc="Infer dependencies of a client test")
async def infer_client(
    request: InferClientDependencies, options: OnnxExport
) -> InferredDependencies:
    test = request.field_set
    return await owners(
        of_field(test.reference, test.address, test.dependencies),
        await of_exporter(test.model, test.address, test.dependencies),
        of_option("cases_driver", options.cases_driver, test.dependencies),
    )


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), UnionRule(InferDependenciesRequest, InferClientDependencies))
