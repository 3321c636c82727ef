"""One file a family of primitives; importing them fills the registry."""

from __future__ import annotations

from jax2onnx.lower.rules import (
    calls,
    complex_numbers,
    contractions,
    control_flow,
    convolution,
    dynamic_slices,
    elementwise,
    fourier,
    indexing,
    reductions,
    shaping,
    sorting,
    special,
    windows,
)

__all__ = [
    "calls",
    "complex_numbers",
    "contractions",
    "control_flow",
    "convolution",
    "dynamic_slices",
    "elementwise",
    "fourier",
    "indexing",
    "reductions",
    "shaping",
    "sorting",
    "special",
    "windows",
]
