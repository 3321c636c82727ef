"""``dot_general``: every contraction as one MatMul, with as few permutations as possible.

MatMul computes (..., M, K) x (..., K, N). Lazy transposes and reshapes bring the operands to that
form, and the result to JAX's order (batch, lhs free, rhs free). A permutation that the model undoes
next is thus never in the graph. A parameter is the right operand, which runtimes prepack.

Where nothing is contracted, the product is a Mul in the order of the operand with more axes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import onnx_ir as ir
from jax import Array, lax

from jax2onnx import jax_internals
from jax2onnx.lower.context import Context
from jax2onnx.lower.registry import in_jax, register_lowering
from jax2onnx.trace.dimensions import Dims, is_empty

Axes = Sequence[int]


@dataclass(frozen=True)
class _Operand:
    """One side of a contraction: its value and the role of each of its axes."""

    value: ir.Value
    batch: tuple[int, ...]
    contract: tuple[int, ...]
    dims: Dims

    @property
    def free(self) -> tuple[int, ...]:
        return tuple(
            a for a in range(len(self.dims)) if a not in self.batch and a not in self.contract
        )

    def sizes(self, axes: Axes) -> Dims:
        return tuple(self.dims[a] for a in axes)


@register_lowering(lax.dot_general_p)
def _dot_general(
    ctx: Context,
    lhs: ir.Value,
    rhs: ir.Value,
    *,
    dimension_numbers: lax.DotDimensionNumbers,
    **_: object,
) -> ir.Value:
    dtype = ctx.out_dtype
    if is_empty(ctx.dims(lhs)):  # a sum of nothing
        return ctx.broadcast(ctx.constant(0, dtype), ctx.out_dims)
    (lhs_contract, rhs_contract), (lhs_batch, rhs_batch) = dimension_numbers
    left = _operand(ctx, lhs, dtype, lhs_batch, lhs_contract)
    right = _operand(ctx, rhs, dtype, rhs_batch, rhs_contract)
    if not lhs_contract:
        return _outer(ctx, left, right)
    batch, weight = len(left.batch), _is_weight(ctx, lhs) and not _is_weight(ctx, rhs)
    # The contracted axes stay in the order of the operand that is no parameter.
    order = sorted(range(len(lhs_contract)), key=(right if weight else left).contract.__getitem__)
    left, right = (replace(o, contract=tuple(o.contract[i] for i in order)) for o in (left, right))
    swap = not batch and weight
    if swap:
        left, right = right, left
    result = _matmul(ctx, left, right)
    if not swap:
        return result
    first, second = len(left.free), len(right.free)
    return ctx.transpose(result, [*range(first, first + second), *range(first)])


def _is_weight(ctx: Context, value: ir.Value) -> bool:
    return value in ctx.parameters or ctx.builder.array(value) is not None


def _operand(
    ctx: Context, value: ir.Value, dtype: ir.DataType, batch: Axes, contract: Axes
) -> _Operand:
    dims = ctx.dims(value)
    return _Operand(ctx.cast(value, dtype), tuple(batch), tuple(contract), dims)


def _matmul(ctx: Context, left: _Operand, right: _Operand) -> ir.Value:
    """Return the contraction with the axes (batch, free axes of left, free axes of right)."""
    batch = left.sizes(left.batch)
    contracted = _product(left.sizes(left.contract))
    left_free, right_free = left.sizes(left.free), right.sizes(right.free)
    # Without batch axes MatMul broadcasts the right matrix over all leading axes of the left one.
    rows = left_free if not batch and left_free else (_product(left_free),)
    columns = _product(right_free)
    a = ctx.transpose(left.value, (*left.batch, *left.free, *left.contract))
    a = ctx.reshape(a, (*batch, *rows, contracted))
    b = ctx.transpose(right.value, (*right.batch, *right.contract, *right.free))
    b = ctx.reshape(b, (*batch, contracted, columns))
    product = ctx.op.MatMul(a, b, dtype=left.value.dtype, shape=(*batch, *rows, columns))
    return ctx.reshape(product, (*batch, *left_free, *right_free))


def _outer(ctx: Context, left: _Operand, right: _Operand) -> ir.Value:
    """Return the products of all pairs, with the axes (batch, free axes of left, of right)."""
    sides = (left, right)
    base, other = sides if len(left.dims) >= len(right.dims) else sides[::-1]
    # The result has the axes of the base in their order, and then the free axes of the other.
    rank, beside = len(base.dims), len(other.free)
    batch = sorted(range(len(base.batch)), key=lambda i: base.batch[i])
    ordered = ctx.transpose(other.value, (*(other.batch[i] for i in batch), *other.free))
    shape = tuple(d if a in base.batch else 1 for a, d in enumerate(base.dims))
    product = ctx.op.Mul(
        ctx.reshape(base.value, (*base.dims, *(1,) * beside)),
        ctx.reshape(ordered, (*shape, *other.sizes(other.free))),
    )
    free = [base.free, tuple(range(rank, rank + beside))]
    first, second = free if base is left else free[::-1]
    return ctx.transpose(product, (*base.batch, *first, *second))


def _product(dims: Sequence[Any]) -> Any:
    return math.prod(dims)


@register_lowering(jax_internals.ragged_dot_general_p)
@in_jax
def _ragged_dot_general(lhs: Array, rhs: Array, group_sizes: Array, **params: Any) -> Array:
    """Follow JAX's own decomposition: each group's rows times a matrix of its own, summed."""
    wanted = ("ragged_dot_dimension_numbers", "precision", "preferred_element_type", "group_offset")
    chosen = {name: params[name] for name in wanted if name in params}
    product: Array = jax_internals.ragged_dot_general(lhs, rhs, group_sizes, **chosen)
    return product


@register_lowering(jax_internals.scaled_dot_p)
@in_jax
def _scaled_dot(*operands: Array, **params: Any) -> Array:
    product: Array = jax_internals.scaled_dot(*operands, **params)
    return product
