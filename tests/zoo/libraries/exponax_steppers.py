"""Steps of spectral solvers of Exponax for partial differential equations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import exponax as ex

from tests.coverage.example import f
from tests.zoo.model import Model, made

POINTS = 16


def _stepper(name: str, cls: Callable[..., Any], dimensions: int = 1, **options: Any) -> Model:
    shape = (dimensions if options.pop("vector", False) else 1, *(POINTS,) * dimensions)
    return made(name, lambda: cls(dimensions, 1.0, POINTS, 0.01, **options), f(*shape))


MODELS = [
    _stepper("advection", ex.stepper.Advection),
    _stepper("diffusion in two dimensions", ex.stepper.Diffusion, 2),
    _stepper("Burgers", ex.stepper.Burgers),
    _stepper("Kuramoto-Sivashinsky", ex.stepper.KuramotoSivashinsky),
    _stepper("Korteweg-de Vries", ex.stepper.KortewegDeVries),
    made("derivative", lambda: lambda x: ex.derivative(x, 1.0), f(1, POINTS)),
]
