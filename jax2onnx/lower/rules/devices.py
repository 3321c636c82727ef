"""Shardings and collectives, which do nothing in a model, since it runs on one device."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import onnx_ir as ir
from jax import Array, lax
from jax.extend import core

from jax2onnx import jax_internals
from jax2onnx.errors import UnsupportedUseError
from jax2onnx.lower.context import Context
from jax2onnx.lower.registry import Decomposition, in_jax, register_lowering
from jax2onnx.trace.jaxprs import close


@register_lowering(jax_internals.shard_map_p)
def _shard_map(
    ctx: Context, *operands: ir.Value, jaxpr: core.Jaxpr, mesh: jax.sharding.Mesh, **_: object
) -> Sequence[ir.Value]:
    if mesh.size != 1:
        raise UnsupportedUseError(
            f"{ctx.where}: over {mesh.size} devices, and a model runs on one: convert the function "
            "with a mesh of one device, or what it maps over the shards"
        )
    return ctx.lower_jaxpr(close(jaxpr), operands)


@register_lowering(
    lax.sharding_constraint_p,
    jax_internals.layout_constraint_p,
    jax_internals.reshard_p,
    jax_internals.relayout_p,
    jax_internals.shard_alike_p,
    jax_internals.pvary_p,
    jax_internals.reduced_vary_cast_p,
    jax_internals.preduced_p,
    jax_internals.vary_unreduced_cast_p,
    lax.all_to_all_p,
    jax_internals.pbroadcast_p,
)
def _the_same(ctx: Context, *operands: ir.Value, **_: object) -> Sequence[ir.Value]:
    return operands


def _reduced(reduce: Callable[[Array, Sequence[int]], Array]) -> Decomposition:
    """Return a rule for a reduction over devices.

    Axes that are numbers come from ``vmap`` and are reduced. Named ones are those of a mesh, which
    has one device.
    """

    def function(x: Array, *, axes: Sequence[int | str], **_: object) -> Array:
        return reduce(x, [a for a in axes if isinstance(a, int)])

    return in_jax(function)


for _primitive, _reduce in (
    (lax.psum_p, lax.reduce_sum),
    (jax_internals.psum_invariant_p, lax.reduce_sum),
    (jax_internals.unreduced_psum_p, lax.reduce_sum),
    (lax.pmax_p, lax.reduce_max),
    (lax.pmin_p, lax.reduce_min),
    (jax_internals.unreduced_pmax_p, lax.reduce_max),
    (jax_internals.unreduced_pmin_p, lax.reduce_min),
):
    register_lowering(_primitive)(_reduced(_reduce))


@register_lowering(
    lax.all_gather_p, jax_internals.all_gather_invariant_p, jax_internals.all_gather_reduced_p
)
@in_jax
def _all_gather(x: Array, *, all_gather_dimension: int, tiled: bool, **_: object) -> Array:
    return x if tiled else jnp.expand_dims(x, all_gather_dimension)


@register_lowering(jax_internals.reduce_scatter_p, jax_internals.unreduced_reduce_scatter_p)
@in_jax
def _reduce_scatter(x: Array, *, scatter_dimension: int, tiled: bool, **_: object) -> Array:
    return x if tiled else jnp.squeeze(x, scatter_dimension)


@register_lowering(lax.ppermute_p)
@in_jax
def _ppermute(x: Array, *, perm: Sequence[tuple[int, int]], **_: object) -> Array:
    """Return zeros unless the device sends to itself."""
    return x if perm else jnp.zeros_like(x)


@register_lowering(jax_internals.pbroadcast_dynamic_p)
def _broadcast_from(ctx: Context, x: ir.Value, source: ir.Value, **_: object) -> ir.Value:
    return x


@register_lowering(lax.axis_index_p)
def _axis_index(ctx: Context, **_: object) -> ir.Value:
    return ctx.builder.constant(np.int32(0))
