"""Finding the targets that own the modules which fields and options name.

A module may also come from a package in the lockfile of the target's resolve, as the drivers do in
a repository that uses the distribution ``onnx-exporters``. Then it has no owner.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import PythonSourceField
from pants.engine.addresses import Address
from pants.engine.target import Dependencies, DependenciesRequest, InferredDependencies
from pants.util.logging import LogLevel

from onnx_export import compat
from onnx_export.compat import Get, MultiGet, Rule, collect_rules, rule
from onnx_export.errors import OnnxExportError
from onnx_export.fields import FunctionField


@dataclass(frozen=True)
class ModuleRequest:
    """A module that a target depends on.

    Attributes:
        module: the name of a first-party module or of a module of a requirement.
        origin: who names the module, for messages.
        dependencies: the field that chooses if several targets own the module.
    """

    module: str
    origin: str
    dependencies: Dependencies


@dataclass(frozen=True)
class ModuleOwners:
    addresses: tuple[Address, ...]


def of_field(field: FunctionField, address: Address, dependencies: Dependencies) -> ModuleRequest:
    """Return the request for the module of a function that the field of a target names.

    Args:
        field: the field.
        address: the address of the field's target.
        dependencies: the dependencies of the target that needs the module.
    """
    origin = f"The {field.alias!r} field of {address}"
    return ModuleRequest(field.module, origin, dependencies)


def of_option(option: str, module: str, dependencies: Dependencies) -> ModuleRequest:
    """Return the request for a module that an option of the plugin names.

    Args:
        option: the name of the option.
        module: its value.
        dependencies: the dependencies of the target that needs the module.
    """
    return ModuleRequest(module, f"The option [onnx-export].{option}", dependencies)


async def owners(*requests: ModuleRequest) -> InferredDependencies:
    """Return the owners of several modules as inferred dependencies."""
    found = await MultiGet(Get(ModuleOwners, ModuleRequest, request) for request in requests)
    return InferredDependencies(address for owner in found for address in owner.addresses)


@rule(desc="Find the owner of a module", level=LogLevel.DEBUG)
async def find_module(request: ModuleRequest, python_setup: PythonSetup) -> ModuleOwners:
    explicit = await compat.explicit_dependencies(DependenciesRequest(request.dependencies))
    found = await compat.owners_of_module(request.module, python_setup.default_resolve)
    if not found.unambiguous and not found.ambiguous:
        found = await compat.owners_of_module(request.module, None)
    chosen = found.unambiguous
    if found.ambiguous:
        one = explicit.disambiguated(found.ambiguous)
        if one is None:
            raise OnnxExportError(
                f"{request.origin} names the module {request.module!r}, which more than one target "
                f"owns: {', '.join(sorted(map(str, found.ambiguous)))}. Name the right one in the "
                f"'dependencies' field of {request.dependencies.address}."
            )
        chosen = (one,)
    # If nobody owns `a.b`, Pants returns the owner of `a`.
    path = request.module.replace(".", "/")
    for target in await compat.targets_of(chosen):
        file = target[PythonSourceField].file_path if target.has_field(PythonSourceField) else None
        if file is None or f"/{file}".endswith((f"/{path}.py", f"/{path}/__init__.py")):
            return ModuleOwners(chosen)
    # Explicit dependencies may hold the module, and so may a package in the lockfile. If they do
    # not, the process fails.
    if explicit.includes or not chosen:
        return ModuleOwners(())
    raise OnnxExportError(
        f"{request.origin} names the module {request.module!r}, which no target owns, although "
        f"{', '.join(sorted(map(str, chosen)))} belongs to this repository. Correct the name, or "
        "let a `python_sources` target own its file."
    )


def rules() -> Iterable[Rule]:
    return collect_rules()
