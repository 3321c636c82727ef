"""What the package's own tests hold every lowering to: the checker, ONNX Runtime, and JAX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import onnx

from jax2onnx.api import to_onnx
from jax2onnx.checks.allclose import allclose


def assert_agrees(
    fn: Callable[..., Any] | tuple[Any, Any],
    *arrays: Any,
    specs: Sequence[Any] | None = None,
    rtol: float = 1e-5,
    atol: float = 1e-5,
    double: bool = False,
    **options: Any,
) -> onnx.ModelProto:
    """Converts ``fn``, checks the model strictly, and compares ONNX Runtime's results with JAX's.

    Args:
        fn: what to convert.
        arrays: example inputs.
        specs: input specifications; by default the shapes and dtypes of ``arrays``.
        rtol: tolerance relative to JAX's result.
        atol: absolute tolerance.
        double: convert and run with 64-bit types.
        options: passed to `to_onnx`.
    """
    if specs is None:
        specs = jax.tree_util.tree_map(np.asarray, list(arrays))
    model: onnx.ModelProto = to_onnx(fn, specs, enable_double_precision=double, **options)
    onnx.checker.check_model(model, full_check=True)
    result = allclose(fn, model, arrays, rtol=rtol, atol=atol, enable_double_precision=double)
    assert result, str(result)
    return model


def operators(model: onnx.ModelProto) -> list[str]:
    """The operator types of the main graph, in order."""
    return [node.op_type for node in model.graph.node]
