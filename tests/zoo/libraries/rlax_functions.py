"""Returns, losses and transformations of RLax."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import rlax
from jax import Array

from tests.coverage.example import f
from tests.zoo.model import of

Q, STEPS = f(5, low=-1.0, high=1.0), f(6)
SHARE = f(6, low=0.0, high=1.0)
ATOMS = jnp.linspace(-1.0, 1.0, 7)


def _advantages(rewards: Array, discounts: Array, values: Array) -> Any:
    return rlax.truncated_generalized_advantage_estimation(rewards, discounts, 0.9, values)


def _categorical(q: Array, logits: Array) -> Any:
    next_q = jnp.stack([logits, logits[::-1]])
    return rlax.categorical_q_learning(ATOMS, jnp.stack([q, -q]), 1, 0.3, 0.9, ATOMS, next_q)


MODELS = [
    of("Q-learning", lambda q, r, p: rlax.q_learning(q, 2, r, 0.9, p), Q, f(), Q),
    of("double Q-learning", lambda q, p, s: rlax.double_q_learning(q, 1, 0.5, 0.9, p, s), Q, Q, Q),
    of("categorical Q-learning", _categorical, f(7), f(7)),
    of("lambda returns", rlax.lambda_returns, STEPS, SHARE, STEPS),
    of("V-trace", rlax.vtrace, *(STEPS,) * 3, SHARE, SHARE),
    of("advantage estimation", _advantages, STEPS, SHARE, f(7)),
    of(
        "clipped surrogate loss",
        lambda r, a: rlax.clipped_surrogate_pg_loss(r, a, 0.2),
        f(6, low=0.5, high=1.5),
        STEPS,
    ),
    of("signed hyperbolic", rlax.signed_hyperbolic, f(2, 6), batch=True),
    of(
        "two-hot and back",
        lambda x: rlax.transform_from_2hot(rlax.transform_to_2hot(x, -2.0, 2.0, 9), -2.0, 2.0, 9),
        f(6),
        batch=True,
    ),
    of(
        "epsilon-greedy probabilities",
        lambda q: rlax.epsilon_greedy(0.1).probs(q),
        f(2, 5),
        batch=True,
    ),
]
