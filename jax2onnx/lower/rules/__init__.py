"""Lowering rules by kind of primitive; importing this package fills the registry."""

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
    random,
    reductions,
    shaping,
    sorting,
    special,
    transcendental,
    windows,
)
