"""Lowering rules by kind of primitive.

Importing this package registers the rules, but for those of ``families``.
"""

from jax2onnx.lower.rules import (  # noqa: F401
    bits,
    calls,
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
    transcendental,
    windows,
)
