"""The test of a lowering: the checker accepts the model, and ONNX Runtime agrees with JAX.

The model is lowered and not rewritten, so that a test of a lowering shows what the lowering emits,
and does not depend on any rewrite rule.
"""

from collections.abc import Callable, Sequence
from typing import Any, Unpack

import jax
import numpy as np
import onnx
import onnx_ir as ir

from jax2onnx.checks.allclose import allclose
from jax2onnx.graph.prune import prune
from jax2onnx.legalise import legalise
from jax2onnx.lower import lower
from jax2onnx.options import Options
from jax2onnx.trace import trace
from jax2onnx.write import finalise, to_proto


def lowered(
    fn: Callable[..., Any] | tuple[Any, Any],
    specs: Sequence[Any],
    opset: int = 23,
    rewrite: Callable[[ir.Model], None] = prune,
    **options: Unpack[Options],
) -> onnx.ModelProto:
    """Return the ONNX model that lowering makes of a callable, legalised and finalised.

    Args:
        fn: what to convert, as ```to_onnx``` takes it.
        specs: one input specification for each positional argument.
        opset: version of the default operator set.
        rewrite: called between lowering and legalisation. By default it only removes dead nodes.
        options: of ```to_onnx```.
    """
    with jax.enable_x64(options.get("enable_double_precision", False)):
        model = lower(trace(fn, specs, **options), opset, "model", **options)
    rewrite(model)
    legalise(model)
    finalise(model)
    return to_proto(model)


def assert_agrees(
    fn: Callable[..., Any] | tuple[Any, Any],
    *arrays: Any,
    specs: Sequence[Any] | None = None,
    rtol: float = 1e-5,
    atol: float = 1e-5,
    double: bool = False,
    training: bool = False,
    convert: Callable[..., onnx.ModelProto] = lowered,
    **options: Any,
) -> onnx.ModelProto:
    """Convert ``fn``, check the model strictly, compare ONNX Runtime's results with JAX's.

    Args:
        fn: what to convert, as ``to_onnx`` takes it.
        arrays: example inputs.
        specs: input specifications; by default the shapes and dtypes of ``arrays``.
        rtol: tolerance relative to JAX's result.
        atol: absolute tolerance.
        double: convert and run with 64-bit types.
        training: convert and run modules as they are, and not as in inference.
        convert: makes the model, as ``lowered`` does.
        options: passed to ``convert``.

    Returns:
        The model, so that a test can look at its nodes.
    """
    if specs is None:
        specs = jax.tree_util.tree_map(np.asarray, list(arrays))
    modes: dict[str, Any] = {"enable_double_precision": double, "training": training}
    model = convert(fn, specs, **modes, **options)
    onnx.checker.check_model(model, full_check=True)
    values = [*model.graph.input, *model.graph.value_info, *model.graph.output]
    dims = [dim.dim_param for v in values for dim in v.type.tensor_type.shape.dim]
    assert not any(map(str.isdigit, dims)), "the name of an axis is a number"
    result = allclose(fn, model, arrays, rtol=rtol, atol=atol, **modes)
    assert result, str(result)
    return model


def operators(model: onnx.ModelProto) -> list[str]:
    """Return the operator types of the main graph, in order."""
    return [node.op_type for node in model.graph.node]
