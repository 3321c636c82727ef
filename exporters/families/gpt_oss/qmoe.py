"""The operator QMoE of ONNX Runtime, as a primitive of JAX.

QMoE routes tokens, and computes the experts with weights of 8 bits. In a graph the primitive
becomes that operator; in JAX it computes what the operator is defined to compute.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import jax
from jax import Array
from jax.extend.core import Primitive
from jax.interpreters import mlir

from exporters.families.gpt_oss import experts
from exporters.families.gpt_oss.config import GptOssConfig
from exporters.families.gpt_oss.mxfp4 import BLOCK
from jax2onnx import register_lowering

SESSION = {"session.disable_prepacking": "1"}
"""The setting with which ONNX Runtime computes QMoE in f32. It also leaves weights in their files.

With prepacked weights it rounds activations to 8 bits in blocks, which is five times as fast, takes
as much private memory as the experts, and changes results by 1 %.
"""


def mixture(
    tokens: Array,
    scores: Array,
    gate_up: tuple[Array, Array, Array],
    down: tuple[Array, Array, Array],
    config: GptOssConfig,
) -> Array:
    """Send each token to the few experts that score highest, and mix their results.

    Args:
        tokens: the inputs of the experts, f32 (N, H).
        scores: what the router makes of them, f32 (N, E).
        gate_up: codes, factors and biases of the first maps of all experts: uint8
            (E, 2 * intermediate, H), f32 (E, 2 * intermediate, H / 32), f32
            (E, 2 * intermediate).
        down: the same of the second maps.
        config: the sizes and constants.

    Returns:
        The mixture, f32 (N, H).
    """
    mixed = qmoe_p.bind(tokens, scores, *gate_up, *down, config=config)
    return cast(Array, mixed)


qmoe_p = Primitive("gpt_oss_qmoe")


def _abstract(tokens: Any, *_: Any, config: GptOssConfig) -> Any:
    return jax.core.ShapedArray(tokens.shape, tokens.dtype)


def _in_jax(tokens: Array, scores: Array, *weights: Array, config: GptOssConfig) -> Array:
    """Return what QMoE computes; see ``mixture``."""

    def linear(codes: Array, factors: Array, bias: Array) -> Callable[[Array, Array], Array]:
        return lambda expert, rows: experts.coded(rows, codes, factors, bias, expert)

    return experts.mixture(tokens, scores, linear(*weights[:3]), linear(*weights[3:]), config)


qmoe_p.def_abstract_eval(_abstract)
qmoe_p.def_impl(jax.jit(_in_jax, static_argnames="config"))
mlir.register_lowering(qmoe_p, mlir.lower_fun(_in_jax, multiple_results=False))


@register_lowering(qmoe_p)
def _lower(ctx: Any, *operands: Any, config: GptOssConfig) -> Any:
    (result,) = ctx.builder.emit(
        "QMoE",
        operands,
        {
            "k": config.experts_per_token,
            "activation_type": "swiglu",
            "activation_alpha": config.alpha,
            "activation_beta": 1.0,
            "swiglu_limit": config.limit,
            "swiglu_fusion": 1,
            "normalize_routing_weights": 1,
            "expert_weight_bits": 8,
            "block_size": BLOCK,
        },
        dtypes=[operands[0].dtype],
        dims=[ctx.dims(operands[0])],
        domain="com.microsoft",
    )
    return result
