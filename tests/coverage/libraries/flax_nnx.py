"""``flax.nnx``."""

from __future__ import annotations

from flax import nnx

from tests.coverage.example import Example
from tests.coverage.libraries import flax_functions, nnx_layers, nnx_transforms

EXAMPLES: list[Example] = [
    *nnx_layers.EXAMPLES,
    *nnx_transforms.EXAMPLES,
    *flax_functions.of_library(nnx),
]
