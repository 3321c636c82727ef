"""Move nodes of a loop that read nothing of the loop in front of it.

Flax's OptimizedLSTMCell concatenates its weights in every step.

Does not apply

- to operators whose results are larger than their operands, as the results would be kept in memory;
- to integer division, which may fail where the loop would not have run at all;
- to outputs of the body, and to nodes that hold graphs themselves.
"""

import onnx_ir as ir

from jax2onnx.rewrite.analyses.nodes import attribute
from jax2onnx.rewrite.analyses.values import is_float
from jax2onnx.rewrite.engine.editor import Editor

_STAYS = frozenset(("Constant", "ConstantOfShape", "Expand", "EyeLike", "Range", "Tile"))


def apply(editor: Editor, node: ir.Node) -> bool:
    """Move nodes out of the body of a Loop or Scan; they keep their order."""
    del editor
    body, around = attribute(node, "body"), node.graph
    assert around is not None
    changed = False
    for inner in body:
        if _is_invariant(inner, body):
            body.remove(inner)
            around.insert_before(node, inner)
            changed = True
    return changed


def _is_invariant(node: ir.Node, body: ir.Graph) -> bool:
    if node.op_type in _STAYS or any(v.is_graph_output() for v in node.outputs):
        return False
    if node.op_type in ("Div", "Mod") and not is_float(node.outputs[0]):
        return False
    if any(a.type == ir.AttributeType.GRAPH for a in node.attributes.values()):
        return False
    return all(v is None or v.graph is not body for v in node.inputs)
