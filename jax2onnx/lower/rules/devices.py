"""Shardings, and what devices tell each other: a model runs on one, so there is nothing to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import onnx_ir as ir
from jax import lax
from jax._src import core, pjit
from jax._src.lax import parallel
from jax._src.shard_alike import shard_alike_p
from jax._src.shard_map import shard_map_p

from jax2onnx.errors import UnsupportedUseError
from jax2onnx.lower.context import Context
from jax2onnx.lower.registry import Decomposition, in_jax, register_lowering


@register_lowering(shard_map_p)
def _shard_map(
    ctx: Context, *operands: ir.Value, jaxpr: Any, mesh: Any, **_: Any
) -> Sequence[ir.Value]:
    if mesh.size != 1:
        raise UnsupportedUseError(
            f"{ctx.where}: over {mesh.size} devices, and a model runs on one: convert the function "
            "with a mesh of one device, or what it maps over the shards"
        )
    return ctx.lower_jaxpr(jaxpr, (), operands)


@register_lowering(
    pjit.sharding_constraint_p,
    pjit.layout_constraint_p,
    pjit.reshard_p,
    shard_alike_p,
    core.pvary_p,
    core.reduced_vary_cast_p,
    parallel.preduced_p,
    parallel.vary_unreduced_cast_p,
    parallel.all_to_all_p,
    parallel.pbroadcast_p,
)
def _the_same(ctx: Context, *operands: ir.Value, **_: Any) -> Sequence[ir.Value]:
    return operands


def _reduced(reduce: Callable[[Any, Sequence[int]], Any]) -> Decomposition:
    """Over the axes that ``vmap`` gave numbers; named ones are those of the one device."""

    def function(x: Any, *, axes: Sequence[Any], **_: Any) -> Any:
        return reduce(x, [a for a in axes if isinstance(a, int)])

    return in_jax(function)


for _primitive, _reduce in (
    (parallel.psum_p, lax.reduce_sum),
    (parallel.psum_invariant_p, lax.reduce_sum),
    (parallel.unreduced_psum_p, lax.reduce_sum),
    (parallel.pmax_p, lax.reduce_max),
    (parallel.pmin_p, lax.reduce_min),
):
    register_lowering(_primitive)(_reduced(_reduce))


@register_lowering(
    parallel.all_gather_p, parallel.all_gather_invariant_p, parallel.all_gather_reduced_p
)
@in_jax
def _all_gather(x: Any, *, all_gather_dimension: int, tiled: bool, **_: Any) -> Any:
    return x if tiled else jnp.expand_dims(x, all_gather_dimension)


@register_lowering(parallel.reduce_scatter_p, parallel.unreduced_reduce_scatter_p)
@in_jax
def _reduce_scatter(x: Any, *, scatter_dimension: int, tiled: bool, **_: Any) -> Any:
    return x if tiled else jnp.squeeze(x, scatter_dimension)


@register_lowering(parallel.ppermute_p)
@in_jax
def _ppermute(x: Any, *, perm: Sequence[Any], **_: Any) -> Any:
    """Nobody sends to the device: zeros."""
    return x if perm else jnp.zeros_like(x)


@register_lowering(parallel.axis_index_p)
def _axis_index(ctx: Context, **_: Any) -> ir.Value:
    return ctx.builder.constant(np.int32(0))
