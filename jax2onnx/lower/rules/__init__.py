"""One file a family of primitives; importing them fills the registry."""

from __future__ import annotations

from jax2onnx.lower.rules import (  # noqa: F401
    bits,
    calls,
    contractions,
    control_flow,
    convolution,
    devices,
    dynamic_slices,
    elementwise,
    fourier,
    indexing,
    linalg,
    physical,
    random,
    reductions,
    shaping,
    sorting,
    special,
    transcendental,
    windows,
)
