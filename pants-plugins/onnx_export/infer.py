"""Inferred dependencies: the modules that a target's functions and its driver live in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Union

from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import PythonSourceField
from pants.engine.addresses import Address
from pants.engine.target import (
    Dependencies,
    DependenciesRequest,
    FieldSet,
    InferDependenciesRequest,
    InferredDependencies,
)
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from onnx_export import compat
from onnx_export.compat import Get, MultiGet, Rule, collect_rules, rule
from onnx_export.fields import FunctionField
from onnx_export.runtime import OnnxExportError
from onnx_export.subsystem import OnnxExport
from onnx_export.target_types import (
    ExporterField,
    ModelDependenciesField,
    ParityDependenciesField,
    ParityModelField,
    ReferenceField,
)
from onnx_export.weights_target_types import GeneratorField, PinsField, WeightsDependenciesField


@dataclass(frozen=True)
class ModuleRequest:
    """The first-party module, or the requirement, called `module`. `origin` says who wants it."""

    module: str
    origin: str
    dependencies: Dependencies


@dataclass(frozen=True)
class ModuleOwners:
    addresses: tuple[Address, ...]


@rule(desc="Find the owner of a module", level=LogLevel.DEBUG)
async def find_module(request: ModuleRequest, python_setup: PythonSetup) -> ModuleOwners:
    explicit = await compat.explicit_dependencies(DependenciesRequest(request.dependencies))
    owners = await compat.owners_of_module(request.module, python_setup.default_resolve)
    chosen = owners.unambiguous
    if owners.ambiguous:
        one = explicit.disambiguated(owners.ambiguous)
        if one is None:
            raise OnnxExportError(
                f"{request.origin} names the module {request.module!r}, which more than one target "
                f"owns: {', '.join(sorted(map(str, owners.ambiguous)))}. Name the right one in the "
                f"'dependencies' field of {request.dependencies.address}."
            )
        chosen = (one,)
    # The owner of `a` answers for an `a.b` that nobody owns.
    path = request.module.replace(".", "/")
    for target in await compat.targets_of(chosen):
        file = target[PythonSourceField].file_path if target.has_field(PythonSourceField) else None
        if file is None or f"/{file}".endswith((f"/{path}.py", f"/{path}/__init__.py")):
            return ModuleOwners(chosen)
    if explicit.includes:
        return ModuleOwners(())  # Trust whoever wrote them; the process will tell.
    raise OnnxExportError(
        f"{request.origin} names the module {request.module!r}, which no target owns in the "
        f"resolve {python_setup.default_resolve!r}. Is it spelt right, and does a `python_sources` "
        "target cover its file?"
    )


async def _owners(*requests: ModuleRequest) -> InferredDependencies:
    owners = await MultiGet(Get(ModuleOwners, ModuleRequest, request) for request in requests)
    return InferredDependencies(address for owner in owners for address in owner.addresses)


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
    return await _owners(
        _of_field(model, model.exporter),
        _of_option(model, "driver", options.driver),
    )


@dataclass(frozen=True)
class ParityModules(FieldSet):
    required_fields = (ReferenceField, ParityDependenciesField)

    reference: ReferenceField
    model: ParityModelField
    dependencies: ParityDependenciesField


class InferParityDependencies(InferDependenciesRequest[ParityModules]):
    infer_from = ParityModules


@rule(desc="Infer dependencies of a parity test")
async def infer_parity(
    request: InferParityDependencies, options: OnnxExport
) -> InferredDependencies:
    test = request.field_set
    (model,) = await compat.targets_at(test.model.inputs)
    if not model.has_field(ExporterField):
        raise OnnxExportError(
            f"The {test.model.alias!r} field of {test.address} names {model.address}, which is a "
            f"`{model.alias}` target. It must name an `onnx_model`."
        )
    exporter = ModuleRequest(
        model[ExporterField].module,
        f"The {ExporterField.alias!r} field of {model.address}",
        test.dependencies,
    )
    return await _owners(
        _of_field(test, test.reference),
        exporter,
        _of_option(test, "parity_driver", options.parity_driver),
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
    return await _owners(
        _of_field(weights, weights.generator),
        _of_option(weights, "weights_driver", options.weights_driver),
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
    return await _owners(_of_option(request.field_set, "weights_driver", options.weights_driver))


_Modules = Union[ModelModules, ParityModules, SyntheticModules, PinnedModules]


def _of_field(field_set: _Modules, field: FunctionField) -> ModuleRequest:
    return ModuleRequest(
        field.module, f"The {field.alias!r} field of {field_set.address}", field_set.dependencies
    )


def _of_option(field_set: _Modules, option: str, module: str) -> ModuleRequest:
    return ModuleRequest(module, f"The option [onnx-export].{option}", field_set.dependencies)


def rules() -> Iterable[Rule | UnionRule]:
    return (
        *collect_rules(),
        *(
            UnionRule(InferDependenciesRequest, member)
            for member in (
                InferModelDependencies,
                InferParityDependencies,
                InferSyntheticDependencies,
                InferPinnedDependencies,
            )
        ),
    )
