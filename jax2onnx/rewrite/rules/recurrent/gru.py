"""Replace a Scan of h' = (1 - z) n + z h with n = tanh(w x + b + r (u h + d)) by GRU.

The gates r and z are logistic functions, linear in the input and in h.

Does not apply to float64, for which ONNX Runtime has no kernel, or where other results than h are
stacked.
"""

import onnx_ir as ir

from jax2onnx.rewrite.analyses.recurrence import Cell, Linear
from jax2onnx.rewrite.engine.editor import Editor
from jax2onnx.rewrite.engine.pattern import Var, match, op

_h, _z = Var("h"), op.Sigmoid(Var("z"))
_n = op.Tanh(op.Add(Var("input"), op.Mul(op.Sigmoid(Var("r")), Var("hidden"))))
_SPELLINGS = (
    op.Add(op.Mul(op.Sub(1.0, _z), _n), op.Mul(_z, _h)),
    op.Add(_n, op.Mul(_z, op.Sub(_h, _n))),
)


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace a Scan."""
    cell = Cell.of(node, 1)
    if cell is None:
        return False
    found = next((m for s in _SPELLINGS if (m := match(s, cell.results[0]))), None)
    if found is None or found["h"] is not cell.carried[0]:
        return False
    z, r, outer, inner = (cell.linear(found[v]) for v in ("z", "r", "input", "hidden"))
    if not (z and r and outer and inner) or outer.r or inner.w or len(outer.b) > 1:
        return False
    without = Linear(b=(None,) if inner.b and not outer.b else ())
    return cell.become(editor, "GRU", [z, r, outer + without + inner], linear_before_reset=1)
