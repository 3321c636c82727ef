"""The table of the kernels of one execution provider, and lookups in it."""

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

import onnx_ir as ir

from jax2onnx.errors import InputError
from jax2onnx.legalise.element_types import SHORT_NAMES

_TABLES = {"cpu": "ort_cpu.json"}

# The attributes on whose values it depends which kernels there are.
_VARIANTS = {
    "Gelu": "approximate",
    "Resize": "mode",
    "ScatterElements": "reduction",
    "ScatterND": "reduction",
}

# A kernel: for each type variable of the operator, the types that may be bound to it.
Kernel = Mapping[str, frozenset[ir.DataType]]
# The types of a node: pairs of a type variable and a type that it has in the node.
Bindings = tuple[tuple[str, ir.DataType], ...]


@dataclass(frozen=True)
class Signature:
    """One version of an operator.

    Attributes:
        inputs: the formal type of each input: a type variable (``T``), or a concrete type in lower
            case (``i64``). The last one stands for all further inputs.
        outputs: the same for the outputs.
        kernels: the kernels that run the operator; empty if the runtime knows it but has none.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    kernels: tuple[Kernel, ...]

    def formal(self, formals: Sequence[str], position: int) -> str | None:
        """Return the type variable of an input or output, or None if its type is fixed."""
        if not formals:
            return None
        name = formals[min(position, len(formals) - 1)]
        return name if name[0].isupper() else None

    def bind(
        self, inputs: Sequence[ir.DataType | None], outputs: Sequence[ir.DataType | None]
    ) -> Bindings:
        """Return the pairs of a type variable and its type in a node, each once, in order.

        A type is None where the input or output is absent or its type unknown.
        """
        bound: dict[tuple[str, ir.DataType], None] = {}
        for formals, dtypes in ((self.inputs, inputs), (self.outputs, outputs)):
            for position, dtype in enumerate(dtypes):
                variable = self.formal(formals, position)
                if variable is not None and dtype is not None:
                    bound[variable, dtype] = None
        return tuple(bound)

    def runs(self, bindings: Bindings) -> bool:
        """Return whether one of the kernels takes all of these types."""
        return any(
            all(dtype in kernel.get(variable, ()) for variable, dtype in bindings)
            for kernel in self.kernels
        )


class KernelTable:
    """The kernels of one execution provider.

    Args:
        text: the JSON that ``tools/kernels`` generates. It holds, by domain, operator and first
            operator set, ``[inputs, outputs, [types of each type variable of a kernel], ...]``. An
            operator whose kernels depend on an attribute has entries ``Operator[value]`` too.

    Attributes:
        runtime: the name and version of the runtime.
        opsets: the operator sets that the table describes.
    """

    def __init__(self, text: str) -> None:
        document = json.loads(text)
        self.runtime: str = document["runtime"]
        self._operators: dict[str, dict[str, dict[str, list[str | list[str]]]]] = document[
            "operators"
        ]
        first, last = document["opsets"]
        self.opsets = range(first, last + 1)
        self._signatures: dict[tuple[str, str, int], Signature | None] = {}

    def signature(self, domain: str, op_type: str, opset: int) -> Signature | None:
        """Return an operator as an operator set has it; None if the runtime knows no such operator.

        Args:
            domain: the domain of the operator, ``""`` for the standard one.
            op_type: the operator, as ``variant`` names it.
            opset: the version of the operator set.
        """
        key = (domain, op_type, opset)
        if key not in self._signatures:
            versions = self._operators.get(domain, {}).get(op_type, {})
            since = max((int(v) for v in versions if int(v) <= opset), default=None)
            self._signatures[key] = None if since is None else _parse(versions[str(since)])
        return self._signatures[key]

    def knows(self, op_type: str) -> bool:
        """Return whether the table has any version of an operator of the standard domain."""
        return op_type in self._operators[""]

    def variant(self, node: ir.Node) -> str:
        """Return the name in the table of a node's operator."""
        attribute = _VARIANTS.get(node.op_type)
        if attribute is None:
            return node.op_type
        name = f"{node.op_type}[{node.attributes.get_string(attribute)}]"
        return name if name in self._operators[""] else node.op_type


def variables(inputs: Sequence[str], outputs: Sequence[str]) -> list[str]:
    """Return the type variables of a signature, in order of appearance."""
    return list(dict.fromkeys(name for name in (*inputs, *outputs) if name[0].isupper()))


def _parse(entry: list[str | list[str]]) -> Signature:
    inputs, outputs, *rows = entry
    assert isinstance(inputs, str)
    assert isinstance(outputs, str)
    formals = tuple(inputs.split()), tuple(outputs.split())
    names = variables(*formals)
    kernels = tuple(
        {
            name: frozenset(SHORT_NAMES[short] for short in types.split())
            for name, types in zip(names, row, strict=True)
        }
        for row in rows
    )
    return Signature(*formals, kernels)


@functools.cache
def load_table(target: str) -> KernelTable:
    """Return the table of a target: ``cpu`` is ONNX Runtime's CPU execution provider.

    Raises:
        InputError: there is no table of that name.
    """
    if target not in _TABLES:
        raise InputError(f"target={target!r}: choose one of {', '.join(sorted(_TABLES))}")
    name = _TABLES[target]
    return KernelTable(resources.files(__package__).joinpath(name).read_text("utf-8"))
