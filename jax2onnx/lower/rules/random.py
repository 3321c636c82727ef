"""Random bits: JAX's generators in integer operators, so that a key gives the numbers of JAX."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax._src.random import core, prng, threefry2x32

from jax2onnx.function import Mark
from jax2onnx.lower.registry import in_jax, register_lowering


def _threefry(key1: Any, key2: Any, x1: Any, x2: Any) -> Any:
    return threefry2x32._threefry2x32_lowering(key1, key2, x1, x2, use_rolled_loops=False)


_threefry.__name__ = _threefry.__qualname__ = str(Mark("jax.random", "threefry2x32"))
register_lowering(threefry2x32.threefry2x32_p)(in_jax(jax.jit(_threefry)))


@register_lowering(prng.iota_2x32_shape_p)
@in_jax
def _iota_2x32_shape(*, shape: Any) -> Any:
    """The row-major number of each element, as its high and its low 32 bits."""
    low = lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)
    return jnp.zeros_like(low), low


@register_lowering(core.random_gamma_p)
@in_jax
def _gamma(key: Any, a: Any, *, log_space: bool) -> Any:
    return core._gamma_impl(key, a, log_space=log_space)
