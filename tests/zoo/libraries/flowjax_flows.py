"""Normalizing flows of FlowJAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import paramax
from flowjax import distributions, flows

from tests.coverage.example import f
from tests.zoo.model import Model, made


def _flow(name: str, make: Callable[..., Any], **options: Any) -> Model:
    def density() -> Callable[..., Any]:
        base = distributions.Normal(jnp.zeros(3))
        flow = make(jax.random.key(0), base_dist=base, **options)
        return paramax.unwrap(flow).log_prob

    return made(name, density, f(4, 3), tolerance=1e-3)


MODELS = [
    _flow("coupling", flows.coupling_flow, flow_layers=2, nn_width=8),
    _flow("masked autoregressive", flows.masked_autoregressive_flow, flow_layers=2, nn_width=8),
    _flow("planar", flows.planar_flow, flow_layers=2, invert=True, negative_slope=0.1),
    _flow("triangular spline", flows.triangular_spline_flow, flow_layers=2),
]
