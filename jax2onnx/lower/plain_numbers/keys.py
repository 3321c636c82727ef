"""Random keys: JAX's own generators, applied to the integers that a key consists of."""

from typing import Any

from jax import Array
from jax.extend.core import primitives

from jax2onnx import jax_internals
from jax2onnx.lower.plain_numbers.retrace import Keys, rule
from jax2onnx.trace.dimensions import Dims

rule(jax_internals.random_wrap_p)(lambda data, *, impl: Keys(data, impl))
rule(jax_internals.random_unwrap_p)(lambda keys: keys.data)
rule(jax_internals.random_clone_p)(lambda keys: keys)


@rule(primitives.random_seed_p)
def _seed(seeds: Array, *, impl: object) -> Keys:
    return Keys(jax_internals.random_seed(seeds, impl=impl), impl)


@rule(primitives.random_split_p)
def _split(keys: Keys, *, shape: Dims) -> Keys:
    return Keys(jax_internals.random_split(keys.impl, keys.data, keys.ndim, shape=shape), keys.impl)


@rule(primitives.random_fold_in_p)
def _fold_in(keys: Keys, numbers: Array) -> Keys:
    shape = keys.data.shape[: keys.ndim]
    return Keys(jax_internals.random_fold_in(keys.impl, keys.data, numbers, shape), keys.impl)


@rule(primitives.random_bits_p)
def _bits(keys: Keys, *, bit_width: int, shape: Dims) -> Any:
    return jax_internals.random_bits(
        keys.impl, keys.data, keys.ndim, bit_width=bit_width, shape=shape
    )
