"""Differential equations of Diffrax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from tests.coverage.example import f
from tests.zoo.model import Model, made, of

PID = diffrax.PIDController(rtol=1e-4, atol=1e-6)
START = f(2, low=0.5, high=1.5)


def _decay(t: Any, y: Array, args: Any) -> Array:
    return -y


def _predators(t: Any, y: Array, args: Any) -> Array:
    """Return the derivatives of the Lotka-Volterra equations."""
    prey, hunters = y
    return jnp.stack([1.1 * prey - 0.4 * prey * hunters, 0.1 * prey * hunters - 0.4 * hunters])


def _solve(
    name: str,
    field: Callable[..., Any],
    solver: Any,
    steps: Any = None,
    times: Any = None,
    **more: Any,
) -> Model:
    def solve(y0: Array) -> Any:
        save = diffrax.SaveAt(t1=True) if times is None else diffrax.SaveAt(ts=jnp.asarray(times))
        controller = diffrax.ConstantStepSize() if steps is None else steps
        term = diffrax.ODETerm(field)
        options = {"stepsize_controller": controller, "saveat": save, **more}
        return diffrax.diffeqsolve(term, solver, 0.0, 1.0, 0.1, y0, **options).ys

    return of(name, solve, START)


def _noise(y0: Array) -> Any:
    motion = diffrax.VirtualBrownianTree(0.0, 1.0, 1e-2, (2,), jax.random.key(1))
    drift = diffrax.ODETerm(_decay)
    noise = diffrax.ControlTerm(lambda t, y, args: 0.1 * jnp.eye(2), motion)
    terms = diffrax.MultiTerm(drift, noise)
    return diffrax.diffeqsolve(terms, diffrax.Euler(), 0.0, 1.0, 0.1, y0).ys


def _neural() -> Callable[..., Any]:
    network = eqx.nn.MLP(2, 2, 16, 2, activation=jax.nn.softplus, key=jax.random.key(0))

    def solve(y0: Array) -> Any:
        term = diffrax.ODETerm(lambda t, y, args: network(y))
        return diffrax.diffeqsolve(term, diffrax.Heun(), 0.0, 1.0, 0.1, y0).ys

    return solve


def _controlled() -> Callable[..., Any]:
    network = eqx.nn.MLP(2, 4, 8, 1, key=jax.random.key(0))

    def solve(values: Array) -> Any:
        times = jnp.linspace(0.0, 1.0, 5)
        control = diffrax.LinearInterpolation(times, values)
        term = diffrax.ControlTerm(lambda t, y, args: network(y).reshape(2, 2), control).to_ode()
        return diffrax.diffeqsolve(term, diffrax.Heun(), 0.0, 1.0, 0.1, jnp.ones(2)).ys

    return solve


def _cubic(values: Array) -> Any:
    times = jnp.linspace(0.0, 1.0, 5)
    path = diffrax.CubicInterpolation(times, diffrax.backward_hermite_coefficients(times, values))
    return jax.vmap(path.evaluate)(jnp.linspace(0.0, 0.95, 7))


MODELS = [
    _solve("Tsit5, constant steps", _decay, diffrax.Tsit5()),
    _solve("Tsit5, without throw", _decay, diffrax.Tsit5(), throw=False),
    _solve("Tsit5, adaptive steps", _predators, diffrax.Tsit5(), PID),
    _solve("Dopri5, saved at times", _predators, diffrax.Dopri5(), PID, (0.0, 0.3, 1.0)),
    _solve("Heun", _decay, diffrax.Heun()),
    _solve("Kvaerno3, implicit", _decay, diffrax.Kvaerno3(), PID),
    of("Euler with noise", _noise, START),
    made("neural ODE", _neural, START),
    made("controlled by data", _controlled, f(5, 2)),
    of("cubic interpolation", _cubic, f(5, 2)),
]
