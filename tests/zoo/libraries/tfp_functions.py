"""Distributions, bijectors and kernels of TensorFlow Probability, on JAX."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import tensorflow_probability.substrates.jax as tfp
from jax import Array

from tests.coverage.example import f
from tests.zoo.model import of

tfd, tfb = tfp.distributions, tfp.bijectors
NO_NAMES = "its TensorShape refuses a symbolic dimension while JAX traces the function"
"""The reason why some functions fail with a batch that has a name."""

X, POSITIVE = f(4, 3), f(4, 3, low=0.2, high=3.0)


def _process(points: Array, values: Array) -> Any:
    kernel = tfp.math.psd_kernels.ExponentiatedQuadratic(length_scale=0.7)
    return tfd.GaussianProcess(kernel, points, observation_noise_variance=0.1).log_prob(values)


def _regression(points: Array, values: Array, new: Array) -> Any:
    kernel = tfp.math.psd_kernels.MaternFiveHalves()
    process = tfd.GaussianProcessRegressionModel(kernel, new, points, values, 0.1)
    return process.mean(), process.variance()


def _kalman(x: Array) -> Any:
    model = tfd.LinearGaussianStateSpaceModel(
        num_timesteps=5,
        transition_matrix=jnp.array([[1.0, 0.1], [0.0, 1.0]]),
        transition_noise=tfd.MultivariateNormalDiag(scale_diag=jnp.full(2, 0.1)),
        observation_matrix=jnp.array([[1.0, 0.0]]),
        observation_noise=tfd.MultivariateNormalDiag(scale_diag=jnp.full(1, 0.3)),
        initial_state_prior=tfd.MultivariateNormalDiag(scale_diag=jnp.ones(2)),
    )
    return model.log_prob(x)


def _inverted(x: Array) -> Any:
    chain = tfb.Chain([tfb.Softplus(), tfb.Shift(1.0), tfb.Scale(2.0)])
    return chain.inverse(x), chain.inverse_log_det_jacobian(x, event_ndims=0)


MODELS = [
    of("Student t", lambda x: tfd.StudentT(3.0, 0.5, 2.0).log_prob(x), X, batch=True),
    of("gamma", lambda x: tfd.Gamma(2.0, 1.5).log_prob(x), POSITIVE, batch=True),
    of("gamma, cdf", lambda x: tfd.Gamma(2.0, 1.5).cdf(x), POSITIVE, batch=True),
    of("Poisson", lambda x: tfd.Poisson(2.5).log_prob(x), f(4, low=0.0, high=5.0), batch=True),
    of("negative binomial", lambda n: tfd.NegativeBinomial(3.0, probs=0.4).log_prob(n), POSITIVE),
    of(
        "Dirichlet",
        lambda x: tfd.Dirichlet([1.0, 2.0, 3.0]).log_prob(jax.nn.softmax(x)),
        X,
        batch=True,
    ),
    of(
        "Wishart",
        lambda a: tfd.WishartTriL(5.0, jnp.eye(3)).log_prob(a @ a.T + jnp.eye(3)),
        f(3, 3),
    ),
    of("von Mises", lambda x: tfd.VonMises(0.1, 1.3).log_prob(x), X, batch=True),
    of(
        "normal, quantile",
        lambda p: tfd.Normal(0.0, 1.0).quantile(p),
        f(4, low=0.05, high=0.95),
        batch=True,
    ),
    of(
        "logistic mixture",
        lambda x: tfd.MixtureSameFamily(
            tfd.Categorical(logits=[0.1, 0.2]), tfd.Logistic([-1.0, 1.0], [0.5, 0.7])
        ).log_prob(x),
        f(4),
        batch=True,
        failure=NO_NAMES,
    ),
    of("Gaussian process", _process, f(5, 2), f(5)),
    of("Gaussian process regression", _regression, f(5, 2), f(5), f(3, 2)),
    of("Kalman filter", _kalman, f(5, 1)),
    of("inverse of a chain", _inverted, f(4, low=0.5, high=3.0), batch=True, failure=NO_NAMES),
    of(
        "fill triangular",
        lambda x: tfb.FillScaleTriL().forward(x),
        f(2, 6),
        batch=True,
        failure=NO_NAMES,
    ),
    of("Bessel function", lambda x: tfp.math.bessel_ive(1.0, x), POSITIVE, batch=True),
    of(
        "interpolation",
        lambda x: tfp.math.interp_regular_1d_grid(x, 0.0, 1.0, jnp.arange(5.0) ** 2),
        f(4),
        batch=True,
        failure=NO_NAMES,
    ),
]
