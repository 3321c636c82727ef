"""Distributions and bijectors of Distrax."""

from __future__ import annotations

from typing import Any

import distrax
import jax
import jax.numpy as jnp
from jax import Array

from tests.coverage.example import f
from tests.zoo.model import of

X, LOGITS = f(4, 3), f(4, 5)


def _flow(x: Array) -> Any:
    """Return the log-probability under a masked coupling flow with a fixed conditioner."""
    layers = [
        distrax.MaskedCoupling(
            mask=jnp.arange(4) % 2 == parity,
            conditioner=lambda y: jnp.stack([jnp.tanh(y), 0.1 * y], -1),
            bijector=lambda p: distrax.ScalarAffine(shift=p[..., 0], log_scale=p[..., 1]),
        )
        for parity in range(2)
    ]
    base = distrax.MultivariateNormalDiag(jnp.zeros(4), jnp.ones(4))
    return distrax.Transformed(base, distrax.Inverse(distrax.Chain(layers))).log_prob(x)


def _spline(x: Array, params: Array) -> Any:
    return distrax.RationalQuadraticSpline(params, -1.0, 1.0).forward_and_log_det(x)


def _markov(x: Array) -> Any:
    """Return the smoothed states of a hidden Markov model."""
    model = distrax.HMM(
        distrax.Categorical(probs=jnp.array([0.4, 0.6])),
        distrax.Categorical(probs=jnp.array([[0.9, 0.1], [0.2, 0.8]])),
        distrax.Normal(jnp.array([-1.0, 1.0]), jnp.array([0.5, 0.8])),
    )
    return model.forward_backward(x)


def _mixture(x: Array) -> Any:
    parts = distrax.Normal(jnp.array([-1.0, 0.0, 2.0]), jnp.array([0.5, 1.0, 0.3]))
    return distrax.MixtureSameFamily(distrax.Categorical(logits=jnp.ones(3)), parts).log_prob(x)


def _divergence(a: Array, b: Array) -> Any:
    return distrax.Categorical(logits=a).kl_divergence(distrax.Categorical(logits=b))


def _gaussian(x: Array) -> Any:
    scale = jnp.array([[1.0, 0.0], [0.5, 2.0]])
    return distrax.MultivariateNormalTri(jnp.ones(2), scale).log_prob(x)


MODELS = [
    of("normal, log_prob", lambda x: distrax.Normal(0.5, 2.0).log_prob(x), X, batch=True),
    of("gamma, log_prob", lambda x: distrax.Gamma(2.0, 1.5).log_prob(x), f(4, low=0.1), batch=True),
    of("beta, entropy", lambda a: distrax.Beta(a, 2.0).entropy(), f(4, low=0.5), batch=True),
    of("mixture, log_prob", _mixture, f(4), batch=True),
    of("triangular Gaussian, log_prob", _gaussian, f(4, 2), batch=True),
    of("categorical, divergence", _divergence, LOGITS, LOGITS, batch=True),
    of("categorical, mode", lambda a: distrax.Categorical(logits=a).mode(), LOGITS, batch=True),
    of("von Mises, log_prob", lambda x: distrax.VonMises(0.3, 2.0).log_prob(x), f(4), batch=True),
    of("tanh of a normal", lambda x: distrax.Tanh().forward_and_log_det(x), X, batch=True),
    of("coupling flow, log_prob", _flow, f(5, 4), batch=True),
    of("rational quadratic spline", _spline, f(5, low=-0.9, high=0.9), f(5, 13)),
    of("hidden Markov model", _markov, f(6)),
    of(
        "sample of a fixed key",
        lambda mean: distrax.Normal(mean, 1.0).sample(seed=jax.random.key(0), sample_shape=(3,)),
        f(2),
    ),
]
