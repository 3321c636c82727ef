"""Tree searches of Mctx."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import mctx
from jax import Array

from tests.coverage.example import f
from tests.zoo.model import of


def _search(logits: Array, policy: Any = mctx.muzero_policy, **options: Any) -> Any:
    """Search from states whose values and rewards follow from a small fixed model."""

    def step(params: Any, key: Any, action: Array, embedding: Array) -> Any:
        new = jnp.tanh(embedding + action[:, None] * 0.1)
        output = mctx.RecurrentFnOutput(
            reward=new[:, 0], discount=jnp.full(2, 0.9), prior_logits=new, value=new.sum(-1)
        )
        return output, new

    root = mctx.RootFnOutput(prior_logits=logits, value=logits.mean(-1), embedding=logits)
    found = policy((), jax.random.key(0), root, step, num_simulations=4, **options)
    return found.action_weights


MODELS = [
    of("MuZero", lambda x: _search(x, dirichlet_fraction=0.0), f(2, 3)),
    of("Gumbel MuZero", lambda x: _search(x, mctx.gumbel_muzero_policy, gumbel_scale=0.0), f(2, 3)),
]
