"""Fourier transforms, on packed pairs.

ONNX Runtime's DFT is accurate only where the length is a power of two. Its other results in float32
are off by 2e-4 at 1000 elements, and those of the inverse in float64 by 1e-8 at any length. A
transform of another length is therefore a convolution with a chirp (Bluestein, 1970), which
consists of DFTs whose length is a power of two.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx_ir as ir
from jax import lax
from jax.extend import core

from jax2onnx.lower.builder import element_type
from jax2onnx.lower.context import Context
from jax2onnx.lower.plain_numbers.complex_numbers import as_pair, times
from jax2onnx.lower.plain_numbers.retrace import RULES, Operand, Pair, pack, unpack
from jax2onnx.lower.registry import register_lowering
from jax2onnx.trace.dimensions import Dim, is_static

dft_p = core.Primitive("dft")
"""ONNX's DFT along one axis of a packed array, whose length there is a power of two."""

convolve_p = core.Primitive("convolve")
"""Convolves n packed elements along an axis with 2n - 1 others: the n sums of n products."""

dft_p.def_abstract_eval(lambda x, **_: x)
convolve_p.def_abstract_eval(lambda x, _, **__: x)


def _in_stages(x: jax.Array, *, axis: int, inverse: bool, length: Dim) -> jax.Array:
    """Compute a DFT in one stage for each power of two (Stockham's algorithm, 1966).

    Each stage halves the sequences along ``axis``, and doubles their number, along the next axis.

    Args:
        x: a packed array.
        axis: the axis.
        inverse: whether to compute the inverse transform.
        length: the length to pad the axis to with zeros, a power of two.
    """
    margins = [(0, length - x.shape[axis] if a == axis else 0) for a in range(x.ndim - 1)]
    z = jnp.expand_dims(jnp.pad(lax.complex(x[..., 0], x[..., 1]), margins), axis + 1)
    while (half := z.shape[axis] // 2) > 0:
        turns = np.exp((1j if inverse else -1j) * np.pi * np.arange(half) / half).astype(z.dtype)
        first, second = jnp.split(z, 2, axis)
        turned = (first - second) * np.expand_dims(turns, tuple(range(1, z.ndim - axis)))
        z = lax.collapse(jnp.stack([first + second, turned], axis + 1), axis + 1, axis + 3)
    z = jnp.squeeze(z, axis) / (length if inverse else 1)
    return jnp.stack([z.real, z.imag], -1)


@register_lowering(dft_p)
def _dft(
    ctx: Context,
    x: ir.Value,
    *,
    axis: int,
    inverse: bool,
    length: ir.Value | None = None,
    size: Any = None,
) -> ir.Value:
    """Add a DFT along one axis of a packed array.

    ``length``, an int64 scalar, and ``size``, the same as a dimension, pad the axis with zeros.
    """
    dims = [size if a == axis and size is not None else d for a, d in enumerate(ctx.dims(x))]
    if ctx.opset < 17 and is_static(dims):
        stages = partial(_in_stages, axis=axis, inverse=inverse, length=dims[axis])
        return ctx.lower_function(stages, [x])[0]
    place = ctx.builder.constant(np.asarray(axis, np.int64))
    return ctx.op.DFT(x, length, place, inverse=int(inverse), onesided=0, shape=tuple(dims))


@register_lowering(convolve_p)
def _convolve(ctx: Context, x: ir.Value, kernel: ir.Value, *, axis: int) -> ir.Value:
    count = ctx.dims(x)[axis]
    if isinstance(count, int):
        size: int | str = 1 << (2 * count - 2).bit_length()
        length = ctx.builder.constant(np.asarray(size, np.int64))
    else:  # one more than the sum of all powers of two up to 2n - 2
        size = f"power of 2 from {2 * count - 1}"
        powers = ctx.builder.constant(2 ** np.arange(62))
        beyond = ctx.op.Greater(powers, ctx.dimensions.value(2 * count - 2))
        within = ctx.op.Where(beyond, ctx.constant(0, powers), powers)
        length = ctx.op.Add(ctx.op.ReduceSum(within, None, keepdims=0, shape=()), 1)
    parts = []
    for operand in (x, kernel):
        spectrum = _dft(ctx, operand, axis=axis, inverse=False, length=length, size=size)
        types = [(element_type(spectrum), (*ctx.dims(spectrum)[:-1], 1))] * 2
        parts.append(ctx.several("Split", spectrum, [1, 1], types=types, axis=-1))
    (a, b), (c, d) = parts
    op = ctx.op
    re, im = op.Sub(op.Mul(a, c), op.Mul(b, d)), op.Add(op.Mul(a, d), op.Mul(b, c))
    product = op.Concat(re, im, axis=-1, shape=(*ctx.dims(re)[:-1], 2))
    sums = _dft(ctx, product, axis=axis, inverse=True)
    first, end = (ctx.dimensions.value(dim) for dim in (count - 1, 2 * count - 1))
    return op.Slice(sums, first, end, [axis], shape=ctx.dims(x))


def _along(axis: int, z: Pair, inverse: bool) -> Pair:
    """Transform along one axis: by a DFT, or by a chirp, since 2jk = j^2 + k^2 - (k - j)^2."""
    length: Dim = z.re.shape[axis]
    if isinstance(length, int) and length & (length - 1) == 0:
        return unpack(dft_p.bind(pack(z), axis=axis, inverse=inverse)) if length > 1 else z

    with jax.enable_x64(True):  # for the squares of places
        place = jnp.arange(2 * length - 1) - (length - 1)
        turns = lax.rem(place * place, jnp.int64(2 * length)).astype(z.re.dtype)
    # exp(-pi i place^2 / length) and its conjugate, for places on both sides of zero
    angle = jnp.expand_dims(turns, range(1, z.re.ndim - axis)) * (np.pi / length)
    cosine, sine = jnp.cos(angle), jnp.sin(angle) * (-1 if inverse else 1)
    here = Pair(cosine[length - 1 :], -sine[length - 1 :])
    kernel = Pair(*(x[(None,) * axis] for x in (cosine, sine)))
    sums = unpack(convolve_p.bind(pack(times(z, here)), pack(kernel), axis=axis))
    result = times(sums, here)
    return Pair(result.re / length, result.im / length) if inverse else result


def _transform(z: Pair, axes: Sequence[int], *, inverse: bool) -> Pair:
    for axis in axes:
        z = _along(axis, z, inverse)
    return z


def _fft(x: Operand, *, fft_type: lax.FftType | int, fft_lengths: Sequence[Any]) -> Operand:
    kind = lax.FftType(fft_type)
    rank = (x.re if isinstance(x, Pair) else x).ndim
    axes = range(rank - len(fft_lengths), rank)
    if kind is lax.FftType.RFFT:
        whole = _along(axes[-1], as_pair(x), False)
        half = Pair(*(part[..., : fft_lengths[-1] // 2 + 1] for part in whole))
        return _transform(half, axes[:-1], inverse=False)
    if kind is not lax.FftType.IRFFT:
        return _transform(as_pair(x), axes, inverse=kind is lax.FftType.IFFT)
    z = _transform(as_pair(x), axes[:-1], inverse=True)
    return _along(axes[-1], _hermitian(z, fft_lengths[-1]), True).re


def _hermitian(z: Pair, length: Any) -> Pair:
    """Return the whole spectrum of a real signal from its first half, along the last axis."""
    first = Pair(*(x[..., : length // 2 + 1] for x in z))
    count = length - (length // 2 + 1)
    mirrored = [jnp.flip(x[..., 1 : 1 + count], -1) for x in first]
    # The imaginary parts of the first bin, and of the last one of an even length, are ignored.
    imaginary = first.im.at[..., 0].set(0)
    if length % 2 == 0:
        imaginary = imaginary.at[..., -1].set(0)
    return Pair(
        jnp.concatenate([first.re, mirrored[0]], -1), jnp.concatenate([imaginary, -mirrored[1]], -1)
    )


RULES[lax.fft_p] = _fft
