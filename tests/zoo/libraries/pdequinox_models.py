"""Emulators of PDEquinox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import pdequinox as pdeqx

from tests.coverage.example import f
from tests.zoo.model import Model, made


def _model(name: str, cls: Callable[..., Any], dimensions: int = 1, **options: Any) -> Model:
    def make() -> Callable[..., Any]:
        return jax.vmap(cls(dimensions, 2, 2, key=jax.random.key(0), **options))

    return made(name, make, f(3, 2, *(16,) * dimensions), batch=True)


MODELS = [
    _model("classic U-Net", pdeqx.arch.ClassicUNet, hidden_channels=4, num_levels=2),
    _model("modern U-Net", pdeqx.arch.ModernUNet, hidden_channels=4, num_levels=2),
    _model("classic ResNet", pdeqx.arch.ClassicResNet, 2, hidden_channels=4, num_blocks=2),
    _model("dilated ResNet", pdeqx.arch.DilatedResNet, hidden_channels=4, num_blocks=2),
    _model(
        "Fourier neural operator",
        pdeqx.arch.ClassicFNO,
        hidden_channels=4,
        num_modes=4,
        num_blocks=2,
    ),
]
