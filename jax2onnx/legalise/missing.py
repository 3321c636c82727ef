"""Looking up the kernels of a model as it is, whatever program made it."""

from typing import NamedTuple

import onnx_ir as ir

from jax2onnx.graph.walk import bodies, nested_nodes
from jax2onnx.legalise.element_types import SHORT_NAMES
from jax2onnx.legalise.kernels import load_table
from jax2onnx.legalise.unsupported import MissingKernel, UnsupportedNode, grouped

_KNOWN = frozenset(SHORT_NAMES.values())


class Support(NamedTuple):
    """The findings of the kernel table on a model.

    Attributes:
        runtime: the name and version of the runtime.
        missing: the operators that the runtime has no kernel for, each with its types once.
        unknown: the operators, and versions of operator sets, that are not in the table.
    """

    runtime: str
    missing: tuple[MissingKernel, ...]
    unknown: tuple[str, ...]


def missing_kernels(model: ir.Model, target: str) -> Support:
    """Return which nodes of a model a runtime has no kernel for.

    A value without a type, or of a type that no table has (strings, sequences), fits every kernel.
    A model of an operator set older than those of the table is looked up in the oldest of these,
    and its operator set is listed as unknown.

    Args:
        model: a model of any origin. It is not changed.
        target: the runtime; ``cpu`` is ONNX Runtime's CPU execution provider.

    Raises:
        InputError: there is no table for ``target``.
    """
    table = load_table(target)
    unsupported: list[UnsupportedNode] = []
    unknown: dict[str, None] = {}
    stated = model.opset_imports.get("", table.opsets.start)
    opset = max(stated, table.opsets.start)
    if stated < opset:
        unknown[f"operator set {stated} (judged as {opset})"] = None
    for body in bodies(model):
        for node in nested_nodes(body):
            if node.op_identifier() in model.functions or node.op_type == "Constant":
                continue
            version = opset if node.domain == "" else model.opset_imports.get(node.domain, 1)
            signature = table.signature(node.domain, table.variant(node), version)
            if signature is None and node.domain == "" and not table.knows(node.op_type):
                unknown[node.op_type] = None
            elif signature is None or not signature.runs(
                signature.bind([_dtype(v) for v in node.inputs], [_dtype(v) for v in node.outputs])
            ):
                unsupported.append(UnsupportedNode(node, signature))
    return Support(table.runtime, tuple(grouped(unsupported, table, opset)), tuple(unknown))


def _dtype(value: ir.Value | None) -> ir.DataType | None:
    if value is None or not isinstance(value.type, ir.TensorType):
        return None
    return value.dtype if value.dtype in _KNOWN else None
