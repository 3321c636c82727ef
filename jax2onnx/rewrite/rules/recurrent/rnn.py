"""Replace a Scan of h' = tanh(w x + u h + b) by RNN.

Does not apply to float64, or where other results than h are stacked.
"""

import onnx_ir as ir

from jax2onnx.rewrite.analyses.recurrence import Cell
from jax2onnx.rewrite.engine.editor import Editor
from jax2onnx.rewrite.engine.pattern import Var, match, op

_HIDDEN = op.Tanh(Var("sum"))


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace a Scan."""
    cell = Cell.of(node, 1)
    found = cell and match(_HIDDEN, cell.results[0])
    gate = cell.linear(found["sum"]) if cell and found else None
    return gate is not None and cell is not None and cell.become(editor, "RNN", [gate])
