"""Losses, projections and updates of Optax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from tests.coverage.example import f, i
from tests.zoo.model import Model, of

LOGITS, LABELS, TARGETS = f(4, 5), i(4, high=5), f(4, 5)


def _stepped(name: str, optimizer: Callable[[], Any], tolerance: float | None = None) -> Model:
    """Return three steps of an optimizer from given parameters, with given gradients."""

    def steps(params: Array, gradients: Array) -> Any:
        chosen = optimizer()
        state = chosen.init(params)
        for k in range(3):
            updates, state = chosen.update(gradients * (k + 1), state, params)
            params = optax.apply_updates(params, updates)
        return params

    return of(f"update, {name}", steps, f(4, 3), f(4, 3), tolerance=tolerance)


def _ctc(logits: Array) -> Any:
    labels = jnp.asarray(np.array([[1, 2, 0], [3, 3, 1]]))
    paddings = jnp.asarray(np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]))
    return optax.losses.ctc_loss(logits, jnp.zeros((2, 6)), labels, paddings)


def _trained(x: Array, y: Array) -> Any:
    """Fit a line with five steps of Adam, in a scan."""
    optimizer = optax.adam(0.1)
    start = jnp.zeros(3)

    def step(carry: Any, _: Any) -> Any:
        weights, state = carry
        loss, slope = jax.value_and_grad(lambda w: jnp.mean((x @ w - y) ** 2))(weights)
        updates, state = optimizer.update(slope, state)
        return (optax.apply_updates(weights, updates), state), loss

    return jax.lax.scan(step, (start, optimizer.init(start)), None, length=5)[1]


MODELS = [
    of(
        "softmax cross entropy",
        optax.losses.softmax_cross_entropy_with_integer_labels,
        LOGITS,
        LABELS,
        batch=True,
    ),
    of(
        "sigmoid focal loss",
        optax.losses.sigmoid_focal_loss,
        LOGITS,
        f(4, 5, low=0.0, high=1.0),
        batch=True,
    ),
    of("Huber loss", optax.losses.huber_loss, LOGITS, TARGETS, batch=True),
    of("cosine distance", optax.losses.cosine_distance, LOGITS, TARGETS, batch=True),
    of(
        "Kullback-Leibler",
        optax.losses.kl_divergence,
        LOGITS,
        f(4, 5, low=0.1, high=1.0),
        batch=True,
    ),
    of("hinge loss", optax.losses.multiclass_hinge_loss, LOGITS, LABELS, batch=True),
    of("connectionist temporal classification", _ctc, f(2, 6, 4)),
    of("projection on the simplex", optax.projections.projection_simplex, f(6)),
    of("projection on the l1 ball", optax.projections.projection_l1_ball, f(6)),
    _stepped("SGD with momentum", lambda: optax.sgd(0.1, 0.9, nesterov=True)),
    _stepped("Adam", lambda: optax.adam(1e-2)),
    _stepped(
        "AdamW, clipped", lambda: optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-2))
    ),
    _stepped("LAMB", lambda: optax.lamb(1e-2)),
    _stepped("Lion", lambda: optax.lion(1e-2)),
    _stepped("Adafactor", lambda: optax.adafactor(1e-2)),
    of("training in a scan", _trained, f(7, 3), f(7)),
    of(
        "cosine schedule",
        optax.warmup_cosine_decay_schedule(0.0, 1.0, 5, 50),
        i(3, high=60),
        batch=True,
    ),
]
