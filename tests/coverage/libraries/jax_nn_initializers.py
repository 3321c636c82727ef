"""Examples of ``jax.nn.initializers``, which return functions of a random key."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.nn import initializers

from tests.coverage.example import Example, key, mapped, of

_PLAIN = (
    "glorot_normal glorot_uniform he_normal he_uniform kaiming_normal kaiming_uniform lecun_normal "
    "lecun_uniform normal uniform truncated_normal xavier_normal xavier_uniform orthogonal"
)

EXAMPLES: list[Example] = mapped(
    [
        *[
            e
            for name in _PLAIN.split()
            for e in of(
                name,
                lambda k, n=name: getattr(initializers, n)()(
                    jax.random.wrap_key_data(k), (6, 4), jnp.result_type(float)
                ),
                key(),
                skip=("symbolic",),
                tolerance=(1e-4, 1e-9),
            )
        ],
        *of(
            "constant",
            lambda k: initializers.constant(2.5)(jax.random.wrap_key_data(k), (6, 4)),
            key(),
            skip=("symbolic",),
        ),
        *of(
            "zeros",
            lambda k: initializers.zeros(jax.random.wrap_key_data(k), (6, 4)),
            key(),
            skip=("symbolic",),
        ),
        *of(
            "ones",
            lambda k: initializers.ones(jax.random.wrap_key_data(k), (6, 4)),
            key(),
            skip=("symbolic",),
        ),
        *of(
            "variance_scaling",
            lambda k: initializers.variance_scaling(2.0, "fan_avg", "uniform")(
                jax.random.wrap_key_data(k), (6, 4), jnp.result_type(float)
            ),
            key(),
            skip=("symbolic",),
        ),
        *of(
            "delta_orthogonal",
            lambda k: initializers.delta_orthogonal()(
                jax.random.wrap_key_data(k), (3, 3, 2, 4), jnp.result_type(float)
            ),
            key(),
            skip=("symbolic",),
            tolerance=(1e-4, 1e-9),
        ),
    ]
)
