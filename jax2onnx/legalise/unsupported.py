"""Nodes that a runtime has no kernel for: their types, and what to do about them."""

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from jax2onnx.graph.walk import operator_name
from jax2onnx.legalise.element_types import SHORT_NAMES
from jax2onnx.legalise.kernels import KernelTable, Signature, variables

_NAMES = {dtype: short for short, dtype in SHORT_NAMES.items()}
_SHOWN = 10


@dataclass(frozen=True)
class UnsupportedNode:
    """A node that the runtime has no kernel for.

    Attributes:
        node: the node.
        signature: its operator in the kernel table; None if the runtime has no such operator.
    """

    node: ir.Node
    signature: Signature | None


@dataclass(frozen=True)
class MissingKernel:
    """An operator that the runtime has no kernel for in some element types.

    Attributes:
        call: the operator and its types, such as ``Erf(f64) -> f64``.
        node: the name of the first such node.
        count: the number of such nodes.
        remedy: what the author of the model can do about it.
    """

    call: str
    node: str
    count: int
    remedy: str

    def __str__(self) -> str:
        others = f" and {self.count - 1} more" if self.count > 1 else ""
        return f"{self.call} at node {self.node!r}{others}: {self.remedy}"


def grouped(
    unsupported: Sequence[UnsupportedNode], table: KernelTable, opset: int
) -> list[MissingKernel]:
    """Return each operator with its types once, in the order of their first nodes."""
    by_call: dict[str, list[UnsupportedNode]] = {}
    for each in unsupported:
        by_call.setdefault(_call(each.node), []).append(each)
    return [
        MissingKernel(call, str(found[0].node.name), len(found), _remedy(found[0], table, opset))
        for call, found in by_call.items()
    ]


def describe(found: Sequence[MissingKernel], runtime: str) -> str:
    """Return the message of an ``UnsupportedTypeError``."""
    lines = [f"  {missing}" for missing in found[:_SHOWN]]
    if len(found) > _SHOWN:
        lines.append(f"  and {len(found) - _SHOWN} more")
    return f"{runtime} cannot run {len(found)} kind(s) of node of this model:\n" + "\n".join(lines)


def _call(node: ir.Node) -> str:
    inputs = ", ".join("-" if v is None else _type(v.dtype) for v in node.inputs)
    return f"{operator_name(node)}({inputs}) -> {', '.join(_type(v.dtype) for v in node.outputs)}"


def _type(dtype: ir.DataType | None) -> str:
    return "?" if dtype is None else _NAMES.get(dtype, dtype.name.lower())


def _remedy(unsupported: UnsupportedNode, table: KernelTable, opset: int) -> str:
    """Return what the author of the model can do, by the first case that applies.

    1. Another operator set has a kernel for the operator: convert for that one.
    2. The runtime has no such operator: write the computation with others.
    3. The runtime has kernels for other types: compute in one of these.
    """
    node, signature = unsupported.node, unsupported.signature
    if signature is None or not signature.kernels:
        for other in sorted(table.opsets, key=lambda other: abs(other - opset)):
            known = table.signature(node.domain, table.variant(node), other)
            if other != opset and known is not None and known.kernels:
                return f"it runs in operator set {other}; pass opset={other}"
        return "it has no such operator; write the computation with others, or as a function"
    first = variables(signature.inputs, signature.outputs)[0]
    taken = {dtype for kernel in signature.kernels for dtype in kernel[first]}
    listed = ", ".join(short for short, dtype in SHORT_NAMES.items() if dtype in taken)
    advice = f"it runs in {listed}; cast around it in the model"
    if ir.DataType.DOUBLE in {value.dtype for value in node.outputs}:
        advice += " or convert without enable_double_precision (f64 is never narrowed silently)"
    return advice
