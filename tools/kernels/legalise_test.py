"""A legalised operator runs, and a refused operator does not."""

from __future__ import annotations

import onnx
import onnx_ir as ir
import pytest

from jax2onnx.errors import UnsupportedTypeError
from jax2onnx.legalise import legalise
from jax2onnx.legalise.element_types import SHORT_NAMES
from jax2onnx.legalise.kernels import KernelTable, load_table, variables
from jax2onnx.write import finalise
from tools.kernels.generate import probe_model, runs
from tools.kernels.probes import PROBES

FLOAT = SHORT_NAMES["f32"]


@pytest.mark.parametrize(
    "op_type", [name for name in PROBES if load_table("cpu").signature("", name, 23) is not None]
)
def test_an_operator_runs_unless_it_is_refused(op_type: str) -> None:
    """Each operator runs in each type, with other type variables that its kernels accept."""
    for short in ("bool", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "bf16", "f16"):
        model, admitted = probe(load_table("cpu"), op_type, SHORT_NAMES[short])
        if not admitted:
            continue
        try:
            legalise(model)
        except UnsupportedTypeError:
            assert not runs(model), f"{short} is refused, but runs"
        else:
            finalise(model)
            assert runs(model), f"{short} is legalised, but does not run"


def probe(table: KernelTable, op_type: str, dtype: ir.DataType) -> tuple[ir.Model, bool]:
    """Return a probe with its first type variable bound to ``dtype``, and whether that is valid."""
    signature = table.signature("", op_type, 23)
    assert signature is not None
    names = variables(signature.inputs, signature.outputs)
    if not names:
        return ir.Model(ir.Graph([], [], nodes=[]), ir_version=11), False
    bound = dict.fromkeys(names, FLOAT)
    for kernel in signature.kernels[:1]:
        bound = {name: min(types, key=_preferred) for name, types in kernel.items()}
    # Other variables that have the type of the first take ``dtype`` too.
    for name in names[1:]:
        if bound[name] == bound[names[0]] and bound[name].is_floating_point():
            bound[name] = dtype
    bound[names[0]] = dtype
    model = probe_model(op_type, PROBES[op_type], 23, signature.inputs, bound)
    [node] = model.graph
    for position, output in enumerate(node.outputs):
        formal = signature.outputs[min(position, len(signature.outputs) - 1)]
        output.dtype = bound.get(formal) or SHORT_NAMES[formal]
    schema = onnx.defs.get_schema(node.op_type, 23)
    allowed = {c.type_param_str.capitalize(): c.allowed_type_strs for c in schema.type_constraints}
    type_string = f"tensor({str(dtype).lower()})"
    return model, type_string in allowed.get(names[0].capitalize(), ())


def _preferred(dtype: ir.DataType) -> tuple[bool, bool, int]:
    return dtype != FLOAT, dtype != ir.DataType.INT64, int(dtype)
