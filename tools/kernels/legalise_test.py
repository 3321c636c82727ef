"""A legalised operator runs, and a refused one does not."""

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
def test_whatever_is_not_refused_runs(op_type: str) -> None:
    """Each operator in each type, the other type variables being what its kernels take."""
    for short in ("bool", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "bf16", "f16"):
        of, admitted = probe(load_table("cpu"), op_type, SHORT_NAMES[short])
        if not admitted:
            continue
        try:
            legalise(of)
        except UnsupportedTypeError:
            assert not runs(of), f"{short} is refused, and runs"
        else:
            finalise(of)
            assert runs(of), f"{short} is legalised, and does not run"


def probe(table: KernelTable, op_type: str, dtype: ir.DataType) -> tuple[ir.Model, bool]:
    """The probe with the first type variable bound to `dtype`, if ONNX's schema admits that."""
    signature = table.signature("", op_type, 23)
    assert signature is not None
    names = variables(signature.inputs, signature.outputs)
    if not names:
        return ir.Model(ir.Graph([], [], nodes=[]), ir_version=11), False
    bound = dict.fromkeys(names, FLOAT)
    for kernel in signature.kernels[:1]:
        bound = {name: min(types, key=_preferred) for name, types in kernel.items()}
    # Variables beyond the first that go along with it.
    for name in names[1:]:
        if bound[name] == bound[names[0]] and bound[name].is_floating_point():
            bound[name] = dtype
    bound[names[0]] = dtype
    of = probe_model(op_type, PROBES[op_type], 23, signature.inputs, bound)
    [node] = of.graph
    for position, output in enumerate(node.outputs):
        formal = signature.outputs[min(position, len(signature.outputs) - 1)]
        output.dtype = bound.get(formal) or SHORT_NAMES[formal]
    schema = onnx.defs.get_schema(node.op_type, 23)
    allowed = {c.type_param_str.capitalize(): c.allowed_type_strs for c in schema.type_constraints}
    type_string = f"tensor({str(dtype).lower()})"
    return of, type_string in allowed.get(names[0].capitalize(), ())


def _preferred(dtype: ir.DataType) -> tuple[bool, bool, int]:
    return dtype != FLOAT, dtype != ir.DataType.INT64, int(dtype)
