"""Replace Transpose(MatMul(b^T, a^T)) by MatMul(a, b).

``jax.nn.dot_product_attention`` and Flax's attention multiply the values with the shares in that
order.

Does not apply where the next operator is not a Transpose, or where the right operand would then
need one.
"""

from collections.abc import Iterable
from typing import TypeVar

import onnx_ir as ir

from jax2onnx.rewrite.analyses.nodes import maker, only_user, the_input
from jax2onnx.rewrite.analyses.values import dims, permutation
from jax2onnx.rewrite.engine.editor import Editor

T = TypeVar("T")


def apply(editor: Editor, node: ir.Node) -> bool:
    """Exchange the operands of a MatMul."""
    left, right, out = the_input(node), the_input(node, 1), node.outputs[0]
    user = only_user(out)
    perm_left, perm_right = permutation(left), permutation(right)
    if user is None or user.op_type != "Transpose" or perm_left is None or perm_right is None:
        return False
    if len(perm_left) < 3 or perm_right != _swapped(range(len(perm_right))):
        return False
    if len(perm_left) != len(perm_right) or perm_left == tuple(range(len(perm_left))):
        return False
    first = the_input(maker(right))
    source = the_input(maker(left))
    perm = _swapped(perm_left)
    op = editor.before(node)
    second = (
        source
        if perm == tuple(range(len(perm)))
        else op.Transpose(source, perm=perm, shape=tuple(dims(source)[p] for p in perm))
    )
    product = op.MatMul(first, second, like=out, shape=_swapped(dims(out)))
    editor.replace(out, op.Transpose(product, perm=_swapped(range(len(perm))), like=out))
    return True


def _swapped(sequence: Iterable[T]) -> tuple[T, ...]:
    """Return a sequence with its last two items exchanged."""
    *head, a, b = sequence
    return (*head, b, a)
