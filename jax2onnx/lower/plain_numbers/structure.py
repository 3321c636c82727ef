"""Primitives that act on each part of a pair, or on each integer of a key, in the same way."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
from jax import lax
from jax.extend import core
from jax.extend.core import primitives

from jax2onnx.lower.plain_numbers.retrace import Keys, Operand, Pair, rule


def _alike(primitive: core.Primitive) -> Callable[..., Any]:
    """Return a rule for a linear or structural primitive, which applies it to each part."""

    def apply(*operands: Operand, **params: Any) -> Operand | list[Operand]:
        if any(isinstance(x, Keys) for x in operands):
            return _on_keys(primitive, operands, params)
        parts = []
        for i in range(2):
            values = [x[i] if isinstance(x, Pair) else x for x in operands]
            parts.append(primitive.bind(*values, **params))
        if primitive.multiple_results:
            return [Pair(re, im) for re, im in zip(*parts, strict=True)]
        return Pair(*parts)

    return apply


def _on_keys(
    primitive: core.Primitive, operands: Sequence[Operand], params: Mapping[str, Any]
) -> Operand | list[Operand]:
    """Apply a primitive along the integers of keys."""
    in_axes = [-1 if isinstance(x, Keys) else None for x in operands]
    values = [x.data if isinstance(x, Keys) else x for x in operands]
    along: Any = jax.vmap(lambda *xs: primitive.bind(*xs, **params), in_axes, -1)
    results = along(*values)
    impl = next(x.impl for x in operands if isinstance(x, Keys))
    return [Keys(x, impl) for x in results] if primitive.multiple_results else Keys(results, impl)


for _primitive in (
    lax.add_p,
    primitives.add_jaxvals_p,
    lax.sub_p,
    lax.neg_p,
    lax.stop_gradient_p,
    lax.device_put_p,
    lax.optimization_barrier_p,
    lax.copy_p,
    lax.broadcast_in_dim_p,
    lax.concatenate_p,
    lax.cumsum_p,
    lax.dynamic_slice_p,
    lax.dynamic_update_slice_p,
    lax.gather_p,
    lax.pad_p,
    lax.reduce_sum_p,
    lax.reduce_window_sum_p,
    lax.reshape_p,
    lax.rev_p,
    lax.scatter_add_p,
    lax.scatter_sub_p,
    lax.scatter_p,
    lax.select_n_p,
    lax.slice_p,
    lax.split_p,
    lax.squeeze_p,
    lax.stack_p,
    lax.unstack_p,
    lax.tile_p,
    lax.transpose_p,
):
    rule(_primitive)(_alike(_primitive))
