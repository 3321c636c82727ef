"""A key gives the numbers of JAX, bit for bit where they are bits."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

from jax2onnx.testing import assert_agrees

SEED = np.int32(7)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32"])
def test_bits(dtype: Any) -> None:
    assert_agrees(lambda s: jax.random.bits(jax.random.key(s), (3, 5), dtype), SEED)


@pytest.mark.parametrize(
    "draw",
    [
        lambda k: jax.random.uniform(k, (4, 3)),
        lambda k: jax.random.normal(k, (4, 3)),
        lambda k: jax.random.randint(k, (6,), -3, 9),
        lambda k: jax.random.bernoulli(k, 0.3, (6,)),
        lambda k: jax.random.categorical(k, np.log([0.2, 0.5, 0.3]).astype("f4"), shape=(6,)),
        lambda k: jax.random.permutation(k, 6),
        lambda k: jax.random.truncated_normal(k, -1, 1, (5,)),
    ],
)
def test_draws(draw: Any) -> None:
    assert_agrees(lambda s: draw(jax.random.key(s)), SEED, rtol=1e-5)


def test_keys_are_split_folded_and_carried() -> None:
    def fn(seed: jax.Array) -> Any:
        keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), 3), 3)

        def step(carry: Any, key: Any) -> Any:
            return jax.random.fold_in(carry, 1), jax.random.bits(key, (2,))

        last, drawn = jax.lax.scan(step, keys[0], keys)
        return jax.random.key_data(last), drawn, jax.random.key_data(keys[1:])

    assert_agrees(fn, SEED)
