"""Random keys: JAX's own generators, on the integers that a key consists of."""

from __future__ import annotations

from typing import Any

from jax._src.random import core, prng

from jax2onnx.lower.plain_numbers.retrace import Keys, rule

rule(prng.random_wrap_p)(lambda data, *, impl: Keys(data, impl))
rule(prng.random_unwrap_p)(lambda keys: keys.data)
rule(core.random_clone_p)(lambda keys: keys)


@rule(prng.random_seed_p)
def _seed(seeds: Any, *, impl: Any) -> Keys:
    return Keys(prng.random_seed_impl_base(seeds, impl=impl), impl)


@rule(prng.random_split_p)
def _split(keys: Keys, *, shape: Any) -> Keys:
    return Keys(
        prng.random_split_impl_base(keys.impl, keys.data, keys.ndim, shape=shape), keys.impl
    )


@rule(prng.random_fold_in_p)
def _fold_in(keys: Keys, numbers: Any) -> Keys:
    shape = keys.data.shape[: keys.ndim]
    return Keys(prng.random_fold_in_impl_base(keys.impl, keys.data, numbers, shape), keys.impl)


@rule(prng.random_bits_p)
def _bits(keys: Keys, *, bit_width: int, shape: Any) -> Any:
    return prng.random_bits_impl_base(
        keys.impl, keys.data, keys.ndim, bit_width=bit_width, shape=shape
    )
