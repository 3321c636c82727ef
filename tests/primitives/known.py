"""The cases that fail, and why: limits of ONNX Runtime, each shown by the smallest model.

A case that fails and is not here is a fault of the converter. One that is here and passes is to be
taken out; `primitives_test.py` sees to both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from tests.primitives.cases import Array

FLOAT, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64


@dataclass(frozen=True)
class Limit:
    """Something that the runtime cannot do.

    Attributes:
        reason: what it is, in a sentence.
        model: the smallest valid model that needs it.
        feeds: the inputs on which the model fails, or gives something else.
        expected: what is wanted of it.
        cases: names of the cases that need it.
    """

    reason: str
    model: onnx.ModelProto
    feeds: Mapping[str, Array]
    expected: Sequence[Array]
    cases: Sequence[str]


def _top_k() -> onnx.ModelProto:
    node = helper.make_node("TopK", ["x", "k"], ["values", "indices"])
    x, values, indices = (
        helper.make_tensor_value_info(name, dtype, [2])
        for name, dtype in (("x", FLOAT), ("values", FLOAT), ("indices", INT64))
    )
    k = helper.make_tensor("k", INT64, [1], [2])
    graph = helper.make_graph([node], "top_k", [x], [values, indices], [k])
    opset = helper.make_opsetid("", 23)
    return helper.make_model(graph, opset_imports=[opset], ir_version=10)


LIMITS = (
    Limit(
        reason=(
            "JAX orders NaN by its sign, below all numbers if it is negative; TopK puts each NaN "
            "first, and before BitCast (version 26) no operator tells the sign of a NaN."
        ),
        model=_top_k(),
        feeds={"x": np.array([-np.nan, 1], np.float32)},
        expected=[np.array([1, -np.nan], np.float32), np.array([1, 0])],
        cases=["top_k_sort_inf_nan_inshape_float32_5_k_5"],
    ),
)


def reason_of(name: str) -> str | None:
    """Why a case is known to fail, if it is."""
    return next((limit.reason for limit in LIMITS if name in limit.cases), None)
