"""Gather and scatter: windows of an operand at computed positions.

Both use a grid of indices (``grid``). The indexed axes of the operand are brought to the front; an
index tensor over (batch, window) gives the place of each element on them; the other axes are taken
whole. One indexed axis makes a Gather, or a GatherElements if all other axes are batch dimensions;
several make a GatherND; every scatter is a ScatterND.
"""

from __future__ import annotations

from jax2onnx.lower.rules.indexing import gather, scatter

__all__ = ["gather", "scatter"]
