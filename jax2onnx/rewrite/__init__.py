"""Rewrite: operators that a decomposed trace no longer names are put together again."""

from __future__ import annotations

import onnx_ir as ir

from jax2onnx.rewrite.cleanup import remove_dead_nodes

__all__ = ["rewrite"]


def rewrite(model: ir.Model) -> None:
    """Rewrites ``model`` in place, its function bodies and branches included."""
    remove_dead_nodes(model)
