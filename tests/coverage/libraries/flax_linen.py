"""``flax.linen``."""

from __future__ import annotations

import jax
from flax import linen as nn
from flax.linen import spmd

from tests.coverage.example import Example, f, of
from tests.coverage.libraries import flax_functions, linen_layers, linen_transforms

_FUNCTIONS = [
    *flax_functions.of_library(nn),
    *of(
        "dot_product_attention_weights",
        nn.dot_product_attention_weights,
        f(2, 5, 4, 8),
        f(2, 5, 4, 8),
    ),
    *of(
        "with_logical_constraint",
        lambda x: spmd.with_logical_constraint(x, ("batch", None)),
        f(2, 4),
    ),
    *of("normalize", nn.normalize, f(3, 4)),
    *of("ones", lambda x: x + nn.ones(jax.random.PRNGKey(0), (4,), x.dtype), f(2, 4)),
    *of("zeros", lambda x: x + nn.zeros(jax.random.PRNGKey(0), (4,), x.dtype), f(2, 4)),
    *of("ones_init", lambda x: x + nn.ones_init()(jax.random.PRNGKey(0), (4,), x.dtype), f(2, 4)),
    *of("zeros_init", lambda x: x + nn.zeros_init()(jax.random.PRNGKey(0), (4,), x.dtype), f(2, 4)),
]
EXAMPLES: list[Example] = [*linen_layers.EXAMPLES, *linen_transforms.EXAMPLES, *_FUNCTIONS]
