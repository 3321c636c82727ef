"""The cases that fail because of limits of ONNX Runtime, each shown by a minimal model.

A case that fails and is not listed here is a fault of the converter. A case that is listed and
passes has to be removed. ``primitives_test.py`` checks both.
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
    """A limit of the runtime.

    Attributes:
        reason: a sentence that describes it.
        model: a minimal valid model that shows it.
        feeds: the inputs on which the model fails or gives a wrong result.
        expected: the right results.
        cases: the names of the cases that fail because of it.
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
            "JAX orders NaN by its sign: a negative NaN is below all numbers. TopK puts every NaN "
            "first, and before BitCast (opset 26) no operator reads the sign of a NaN."
        ),
        model=_top_k(),
        feeds={"x": np.array([-np.nan, 1], np.float32)},
        expected=[np.array([1, -np.nan], np.float32), np.array([1, 0])],
        cases=["top_k_sort_inf_nan_inshape_float32_5_k_5"],
    ),
)


def reason_of(name: str) -> str | None:
    """Return why a case is known to fail, or None."""
    return next((limit.reason for limit in LIMITS if name in limit.cases), None)
