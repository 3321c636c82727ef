"""Move a view behind the elementwise operators that follow it, to where another view follows.

The two then become one or none: between the products of an MLP on a tensor of several axes no
Reshape is left. Softmax and the like along the last axis count as elementwise if the view keeps
that axis.

Does not apply

- where another operator follows, as nothing would be gained; a Transpose counts if the view only
  adds or removes axes of size 1;
- where other nodes read the view;
- to the view of a parameter, which is made beside a value that has been moved, and would move it
  back;
- where an operator has other operands of many elements, unless the view adds axes of size 1, which
  the others can do without as well, or they are parameters that can be viewed as the axes in front
  of the view are, such as the bias of each head.
"""

import onnx_ir as ir

from jax2onnx.graph.shapes import VIEWS, ones_between
from jax2onnx.graph.sizes import Dims, product
from jax2onnx.rewrite.analyses.axes import is_fixed
from jax2onnx.rewrite.analyses.nodes import BROADCASTING, UNARY, attribute, only_user, the_input
from jax2onnx.rewrite.analyses.shapes import view
from jax2onnx.rewrite.analyses.values import dims, rank
from jax2onnx.rewrite.engine.editor import Editor

_LAST_AXIS = frozenset(("LogSoftmax", "Softmax"))


def apply(editor: Editor, node: ir.Node) -> bool:
    """Move a view behind the elementwise operators that follow it."""
    x, seen = the_input(node), node.outputs[0]
    if is_fixed(x):
        return False
    chain: list[ir.Node] = []
    value = seen
    while True:
        user = only_user(value)
        if user is None or user.graph is not node.graph or not _passes(user, value, x, seen):
            break
        chain.append(user)
        value = user.outputs[0]
    if not chain or user is None:
        return False
    same = [d for d in dims(x) if d != 1] == [d for d in dims(seen) if d != 1]
    if user.op_type not in VIEWS and not (user.op_type == "Transpose" and same):
        return False
    before, moved = seen, x
    editor.keep_tap(seen, x)
    for step in chain:
        before, moved = step.outputs[0], _repeated(editor, step, before, moved, seen)
        editor.keep_tap(step.outputs[0], moved)
    editor.replace(value, view(editor, chain[-1], moved, dims(value), sizes=seen))
    return True


def _passes(user: ir.Node, value: ir.Value, x: ir.Value, seen: ir.Value) -> bool:
    """Return whether ``user`` computes the same elements whatever the shape of ``value``."""
    if user.domain != "" or dims(user.outputs[0]) != dims(value):
        return False
    if user.op_type in UNARY:
        return True
    if user.op_type in _LAST_AXIS:
        last = attribute(user, "axis", -1) in (-1, rank(value) - 1)
        return last and bool(dims(x)) and dims(x)[-1] == dims(seen)[-1]
    others = [v for v in user.inputs if v is not None and v is not value]
    return user.op_type in BROADCASTING and None not in [_beside(v, x, seen) for v in others]


def _beside(other: ir.Value, x: ir.Value, seen: ir.Value) -> Dims | None:
    """Return the shape that an operand beside ``seen`` needs beside ``x``; None if it has none."""
    if all(d == 1 for d in dims(other)) and rank(other) <= rank(x):
        return dims(other)
    if is_fixed(other) and dims(other) == dims(seen)[rank(seen) - rank(other) :]:
        ends = (dims(x)[i:] for i in range(rank(x)))
        same = next((end for end in ends if product(end) == product(dims(other))), None)
        if same is not None:
            return same
    missing = rank(seen) - rank(other)
    put_in = ones_between(dims(x), dims(seen))
    if put_in is None or missing < 0:
        return None
    shape = [d for a, d in enumerate((1,) * missing + dims(other)) if a not in put_in]
    return tuple(shape[sum(a < missing for a in range(rank(seen)) if a not in put_in) :])


def _repeated(
    editor: Editor, step: ir.Node, before: ir.Value, x: ir.Value, seen: ir.Value
) -> ir.Value:
    """Return the result of ``step`` on ``x``, which it reads instead of ``before``."""
    attributes = {name: attribute(step, name) for name in step.attributes}
    if step.op_type in _LAST_AXIS:
        attributes["axis"] = -1
    operands = [x if v is before else _viewed_beside(editor, step, v, x, seen) for v in step.inputs]
    op = editor.before(step)
    return op(step.op_type, *operands, dtype=step.outputs[0].dtype, shape=dims(x), **attributes)


def _viewed_beside(
    editor: Editor, step: ir.Node, other: ir.Value | None, x: ir.Value, seen: ir.Value
) -> ir.Value | None:
    shape = None if other is None else _beside(other, x, seen)
    return other if other is None or shape is None else view(editor, step, other, shape)
