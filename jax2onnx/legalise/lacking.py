"""Asking the kernel table about a model as it is, of whatever origin."""

from __future__ import annotations

import onnx_ir as ir

from jax2onnx.graph.walk import bodies, nested_nodes
from jax2onnx.legalise.element_types import SHORT_NAMES
from jax2onnx.legalise.kernels import load_table
from jax2onnx.legalise.refusals import Lack, Refusal, lacks

_KNOWN = frozenset(SHORT_NAMES.values())


def lacking(model: ir.Model, target: str) -> tuple[str, list[Lack], list[str]]:
    """The runtime, what it cannot run of a model, and what the table does not know.

    What has no type, or one that no table knows (strings, sequences), fits every kernel. A model of
    an operator set before those of the table is judged as if it were of the first of these, and the
    operator set named among what is not known.
    """
    table = load_table(target)
    refusals: list[Refusal] = []
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
                refusals.append(Refusal(node, signature))
    return table.runtime, lacks(refusals, table, opset), list(unknown)


def _dtype(value: ir.Value | None) -> ir.DataType | None:
    if value is None or not isinstance(value.type, ir.TensorType):
        return None
    return value.dtype if value.dtype in _KNOWN else None
