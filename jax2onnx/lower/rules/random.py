"""Random bits: JAX's generators in integer operators, so that a key gives the same numbers."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx_ir as ir
from jax import Array, lax
from jax.extend import core
from jax.extend.core import primitives

from jax2onnx import jax_internals
from jax2onnx.lower.builder import element_type
from jax2onnx.lower.context import Context
from jax2onnx.lower.dtypes import BOOL
from jax2onnx.lower.registry import Decomposition, in_jax, register_lowering
from jax2onnx.marks import Mark
from jax2onnx.trace.frameworks.inference import dropout_p


def _hash(primitive: core.Primitive, function: Callable[..., Any]) -> Decomposition:
    """Return a rule for a generator: an ONNX function, since it is hundreds of operators."""

    def named(*words: Array) -> list[Array]:
        return list(function(*words))

    named.__name__ = named.__qualname__ = str(Mark("jax.random", primitive.name))
    return in_jax(jax.jit(named))


def _threefry(*words: Array) -> list[Array]:
    return list(jax_internals.threefry2x32(*words, use_rolled_loops=False))


for _primitive, _function in (
    (primitives.threefry2x32_p, _threefry),
    (jax_internals.threefry4x32_p, jax_internals.threefry4x32),
    (jax_internals.philox2x32_p, jax_internals.philox2x32),
    (jax_internals.philox4x32_p, jax_internals.philox4x32),
):
    register_lowering(_primitive)(_hash(_primitive, _function))


@register_lowering(dropout_p)
def _dropout(ctx: Context, x: ir.Value, *, rate: float) -> ir.Value:
    """Return the mask of a Dropout, as ONNX Runtime may remove one whose mask is not read."""
    ratio, training = ctx.constant(rate, ir.DataType.FLOAT), ctx.constant(True, BOOL)
    types = [(element_type(x), ctx.dims(x)), (BOOL, ctx.dims(x))]
    return ctx.several("Dropout", x, ratio, training, types=types)[1]


@register_lowering(lax.rng_uniform_p)
@in_jax
def _rng_uniform(a: Array, b: Array, *, shape: Sequence[int]) -> Array:
    """Return numbers from ``a`` up to ``b`` that differ from run to run, as ONNX Runtime draws.

    ONNX Runtime has no kernel for RandomUniform of operator sets from 22 on. Each bit is an element
    that Dropout keeps.
    """
    integers = jnp.issubdtype(a.dtype, jnp.integer)
    wide = a.dtype.itemsize == 8
    dtype: Any = (
        (np.uint64 if wide else np.uint32) if integers else (np.float64 if wide else np.float32)
    )
    count = 8 * np.dtype(dtype).itemsize
    if not integers:
        count = int(jnp.finfo(a.dtype).nmant) + 1  # type: ignore[no-untyped-call]
    weights = [2**i if integers else 0.5 ** (i + 1) for i in range(count)]
    kept = dropout_p.bind(jnp.zeros((count, *shape), np.float32), rate=0.5)
    columns = np.array(weights, dtype).reshape(-1, *(1 for _ in shape))
    drawn = jnp.sum(jnp.where(kept, columns, np.zeros_like(columns)), axis=0, dtype=dtype)
    low, high = a.astype(dtype), b.astype(dtype)
    if integers:  # differences and sums wrap around, as they should
        return (low + drawn % jnp.maximum(high - low, 1)).astype(a.dtype)
    result = (low + drawn * (high - low)).astype(a.dtype)
    return jnp.where(result < b, result, a)  # rounding may reach b


@register_lowering(jax_internals.iota_2x32_shape_p)
@in_jax
def _iota_2x32_shape(*, shape: Sequence[int]) -> tuple[Array, Array]:
    """Return the row-major number of each element, as its high and its low 32 bits."""
    low = lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)
    return jnp.zeros_like(low), low


@register_lowering(primitives.random_gamma_p)
@in_jax
def _gamma(key: Array, a: Array, *, log_space: bool) -> Array:
    drawn: Array = jax_internals.random_gamma(key, a, log_space=log_space)
    return drawn


# -- XLA's generator -----------------------------------------------------------------------------


@register_lowering(lax.rng_bit_generator_p)
@in_jax
def _rng_bit_generator(
    key: Array, *, shape: Sequence[int], dtype: np.dtype[Any], algorithm: object, **_: object
) -> tuple[Array, Array]:
    """Return a new state and XLA's bits on the CPU, whose default algorithm is Philox.

    A state is a key and a counter of blocks, of two words each.
    """
    narrow = key.dtype == np.uint32
    words = list(key if narrow else lax.bitcast_convert_type(key, np.uint32).reshape(4))
    threefry = algorithm == lax.RandomAlgorithm.RNG_THREE_FRY
    draw = _threefry_bits if threefry else _philox_bits
    steps, bits = draw(words, shape, np.dtype(dtype))
    state = jnp.stack([*words[:2], *_advanced(words[2:], steps)])
    if not narrow:
        state = lax.bitcast_convert_type(state.reshape(2, 2), key.dtype)
    return state, bits.astype(dtype)


def _advanced(words: Sequence[Array], steps: Array | int) -> list[Array]:
    """Return a number of several words, the lowest first, plus an integer."""
    result, carry = [], jnp.asarray(steps).astype(np.uint32)
    for word in words:
        total = word + carry
        carry = (total < word).astype(np.uint32)
        result.append(total)
    return result


def _wide(low: Array, high: Array) -> Array:
    return low.astype(np.uint64) | (high.astype(np.uint64) << np.uint64(32))


def _philox_bits(
    state: Sequence[Array], shape: Sequence[int], dtype: np.dtype[Any]
) -> tuple[int, Array]:
    """Draw blocks of four words, which follow each other; return also how many.

    The key is the upper half of the counter too.
    """
    size, words = math.prod(shape), 2 if dtype.itemsize == 8 else 4
    blocks = (size + words - 1) // words
    counter = _advanced([*state[2:], *state[:2]], lax.iota(np.uint32, blocks))
    drawn = jax_internals.philox4x32_p.bind(*state[:2], *counter)
    if words == 2:
        drawn = [_wide(*drawn[:2]), _wide(*drawn[2:])]
    return blocks, jnp.stack(drawn, axis=1).reshape(-1)[:size].reshape(shape)


def _threefry_bits(
    state: Sequence[Array], shape: Sequence[int], dtype: np.dtype[Any]
) -> tuple[int, Array]:
    """Draw pairs of words; return also how many.

    Words of 32 bits lie side by side on the first even axis, or else on the longest one.
    """
    half, axis = list(shape) or [1], 0
    if dtype.itemsize < 8:
        even = [a for a, d in enumerate(half) if d % 2 == 0]
        axis = even[0] if even else int(np.argmax(half))
        half[axis] = (half[axis] + 1) // 2
    pairs = math.prod(half)
    counter = _advanced(state[2:], lax.iota(np.uint32, pairs))
    drawn = [x.reshape(half) for x in primitives.threefry2x32_p.bind(*state[:2], *counter)]
    if dtype.itemsize == 8:
        return pairs, _wide(*drawn).reshape(shape)
    half[axis] *= 2
    both = jnp.stack(drawn, axis=axis + 1).reshape(half)
    return pairs, lax.slice_in_dim(both, 0, shape[axis] if shape else 1, axis=axis).reshape(shape)
