"""Fourier transforms: one DFT operator an axis, on packed pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import onnx_ir as ir
from jax import lax
from jax.extend import core

from jax2onnx.lower.context import Context
from jax2onnx.lower.physical import RULES, Pair, pack, unpack
from jax2onnx.lower.registry import register_lowering

dft_p = core.Primitive("dft")
"""ONNX's DFT along one axis of a packed array, or of a real one with a last axis of size 1."""


def _dft_shape(x: Any, *, axis: int, inverse: bool, onesided: bool) -> Any:
    shape = [*x.shape[:-1], 2]
    if onesided:
        shape[axis] = x.shape[axis] // 2 + 1
    del inverse
    return x.update(shape=tuple(shape))


dft_p.def_abstract_eval(_dft_shape)


@register_lowering(dft_p)
def _dft(ctx: Context, x: ir.Value, *, axis: int, inverse: bool, onesided: bool) -> ir.Value:
    return ctx.op.DFT(
        x,
        None,
        ctx.builder.constant(np.asarray(axis, np.int64)),
        inverse=int(inverse),
        onesided=int(onesided),
        shape=ctx.out_dims,
    )


def _transform(z: Pair, axes: Sequence[int], *, inverse: bool) -> Pair:
    packed = pack(z)
    for axis in axes:
        packed = dft_p.bind(packed, axis=axis, inverse=inverse, onesided=False)
    return unpack(packed)


def _fft(x: Any, *, fft_type: Any, fft_lengths: Sequence[Any]) -> Any:
    kind = lax.FftType(fft_type) if isinstance(fft_type, int) else fft_type
    rank = (x.re if isinstance(x, Pair) else x).ndim
    axes = range(rank - len(fft_lengths), rank)
    if kind is lax.FftType.RFFT:
        half = dft_p.bind(x[..., None], axis=axes[-1], inverse=False, onesided=True)
        return _transform(unpack(half), axes[:-1], inverse=False)
    if kind is not lax.FftType.IRFFT:
        return _transform(x, axes, inverse=kind is lax.FftType.IFFT)
    z = _transform(x, axes[:-1], inverse=True)
    return _transform(_hermitian(z, fft_lengths[-1]), axes[-1:], inverse=True).re


def _hermitian(z: Pair, length: Any) -> Pair:
    """The whole spectrum of a real signal from its first half, along the last axis."""
    first = Pair(*(x[..., : length // 2 + 1] for x in z))
    count = length - (length // 2 + 1)
    mirrored = [jnp.flip(x[..., 1 : 1 + count], -1) for x in first]
    # The first bin, and the last of an even length, count as real.
    imaginary = first.im.at[..., 0].set(0)
    if length % 2 == 0:
        imaginary = imaginary.at[..., -1].set(0)
    return Pair(
        jnp.concatenate([first.re, mirrored[0]], -1),
        jnp.concatenate([imaginary, -mirrored[1]], -1),
    )


RULES[lax.fft_p] = _fft
