"""Removal of what nobody reads: views that lowering looked through, folded operands."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass


def remove_dead_nodes(model: ir.Model) -> None:
    """Drops nodes and initializers without readers, here and in functions and branches."""
    RemoveUnusedNodesPass()(model)
