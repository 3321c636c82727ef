"""Replace Concat(a cos - b sin, b cos + a sin) by RotaryEmbedding (opset 23).

The expression rotates pairs of elements by angles that depend on their position.

The pairs (a, b) are the halves (i, i + d/2) of the last axis of x, or neighbours (2i, 2i + 1).
Applies to the expression above with tables of d/2 elements, and to x cos + (-b, a) sin with tables
of d elements that are known to be equal for both elements of a pair: by how they are computed, or
by their values if they are constants or parameters in memory. Then each pair is computed once.

x is (batch, heads, tokens, d) or (batch, tokens, heads, d), and its tables may vary along the
batch. The operator is given x as (batch, tokens, heads * d) if x is a view or a transpose of such a
value: it needs no transpose then, and a product with a weight can feed it directly.

Does not apply

- below opset 23, which has no RotaryEmbedding;
- to float64;
- where cos and sin vary along the heads too, or are not known to be equal within a pair.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from jax2onnx.rewrite.analyses.factors import Labelled, flattened, fresh
from jax2onnx.rewrite.analyses.nodes import (
    attribute,
    made_by,
    maker,
    only_user,
    the_input,
    users,
)
from jax2onnx.rewrite.analyses.pairs import Pairs
from jax2onnx.rewrite.analyses.shapes import size, vector, view
from jax2onnx.rewrite.analyses.values import (
    aligned,
    dims,
    integers,
    is_single,
    permutation,
    rank,
    without_ones,
)
from jax2onnx.rewrite.engine.editor import Editor, Operators
from jax2onnx.rewrite.engine.pattern import Var, op

_a, _b, _cos, _sin = Var("a"), Var("b"), Var("cos"), Var("sin")
_FIRST = op.Sub(op.Mul(_a, _cos), op.Mul(_b, _sin))
_SECOND = op.Add(op.Mul(_b, _cos), op.Mul(_a, _sin))

HEADS_FIRST = (0, 2, 1, 3)
"""Between (batch, tokens, heads, d) and (batch, heads, tokens, d), either way."""


@dataclass(frozen=True)
class _Turned:
    """A rotation: its result, its operand, its tables of d/2 elements, and how pairs lie."""

    out: ir.Value
    x: ir.Value
    tables: tuple[ir.Value, ir.Value]
    interleaved: bool


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace the rotation around the Concat of the rotated elements."""
    for found in _turned(editor, node):
        x, out = found.x, found.out
        if rank(x) != 4 or not is_single(x) or dims(x) != dims(out) or out.producer() is None:
            continue
        place = maker(out)
        for axis in (2, 1):  # that of the tokens; the other one is that of the heads
            tables = [_table(editor, place, t, x, axis) for t in found.tables]
            if None not in tables and len({rank(t) for t in tables if t is not None}) == 1:
                flat = rank(tables[0] or x) == 2
                tables.append(_positions(editor, place, x, axis) if flat else None)
                new = _rotate(editor, place, x, axis, tables, int(found.interleaved) or None)
                editor.replace(out, new)
                return True
    return False


def _turned(editor: Editor, node: ir.Node) -> Iterator[_Turned]:
    """Yield the ways to read a Concat as the end of a rotation, or as the (-b, a) of one."""
    joined = _joined(node)
    if joined is None:
        return
    out, first, second, interleaved = joined
    for partial in _FIRST.match(first, {}):
        for found in _SECOND.match(second, partial):
            x = _whole(found["a"], found["b"], interleaved)
            if x is not None:
                yield _Turned(out, x, (found["cos"], found["sin"]), interleaved)
    x = _negated(first, second, interleaved)
    user = only_user(out)
    total = None if user is None else only_user(user.outputs[0])
    if x is None or total is None:
        return
    for found in op.Add(op.Mul(Var("x"), _cos), op.Mul(Var("turned"), _sin)).match(
        total.outputs[0], {"x": x, "turned": out}
    ):
        tables = _of_pairs(editor, total, (found["cos"], found["sin"]), interleaved)
        if tables is not None:
            yield _Turned(total.outputs[0], x, tables, interleaved)


def _negated(first: ir.Value, second: ir.Value, interleaved: bool) -> ir.Value | None:
    """Return the x such that ``first`` is -b and ``second`` is a, permuted alike or not at all."""
    perm = permutation(first)
    if perm is not None and perm == permutation(second) and perm[-1] == len(perm) - 1:
        first, second = (the_input(maker(v)) for v in (first, second))
    else:
        perm = None
    negative = made_by(first, "Neg")
    x = None if negative is None else _whole(second, the_input(negative), interleaved)
    if x is None or perm is None:
        return x
    return next((v for u in users(x) if permutation(v := u.outputs[0]) == perm), None)


def _joined(node: ir.Node) -> tuple[ir.Value, ir.Value, ir.Value, bool] | None:
    """Return what joins the elements of all pairs, and whether they alternate; None if nothing."""
    out = node.outputs[0]
    if len(node.inputs) != 2 or attribute(node, "axis") not in (-1, rank(out) - 1):
        return None
    first, second = the_input(node), the_input(node, 1)
    if rank(out) == 4:
        return out, first, second, False
    user = only_user(out)
    if rank(out) != 5 or user is None or user.op_type != "Reshape" or dims(out)[-1] != 2:
        return None
    if dims(user.outputs[0])[:-1] != dims(out)[:3]:
        return None
    return user.outputs[0], without_ones(first), without_ones(second), True


def _whole(a: ir.Value, b: ir.Value, interleaved: bool) -> ir.Value | None:
    """Return the x whose pairs ``a`` and ``b`` are the elements of, and whether these alternate."""
    if dims(a) != dims(b):
        return None
    split = made_by(a, "Split")
    if split is not None and split.outputs == (a, b) and not interleaved:
        x = the_input(split)
        return x if attribute(split, "axis", 0) in (-1, rank(x) - 1) else None
    first, second = _every_other(a), _every_other(b)
    if not interleaved or first is None or second is None or first[0] is not second[0]:
        return None
    return first[0] if (first[1], second[1]) == (0, 1) else None


def _every_other(value: ir.Value) -> tuple[ir.Value, int] | None:
    """Return the x and the start such that ``value`` is every second element of its last axis."""
    node = made_by(value, "Gather", "Slice")
    if node is None:
        return None
    x = the_input(node)
    last, width = rank(x) - 1, dims(x)[-1]
    if not isinstance(width, int):
        return None
    if node.op_type == "Gather":
        indices = integers(node.inputs[1])
        along = attribute(node, "axis", 0) % rank(x) == last
    else:
        starts, ends, over, steps = ((integers(v) or ()) for v in (*node.inputs[1:], None)[:4])
        along = len(starts) == len(steps) == 1 and over in ((-1,), (last,))
        indices = tuple(range(width)[slice(*starts, *ends, *steps)]) if along else None
    start = indices[0] if indices else None
    if not along or start is None or indices != tuple(range(start, width, 2)):
        return None
    return x, start


def _of_pairs(
    editor: Editor, place: ir.Node, tables: Sequence[ir.Value], interleaved: bool
) -> tuple[ir.Value, ir.Value] | None:
    """Return tables that hold each pair once, if both elements of all pairs have the same."""
    width = dims(tables[0])[-1:]
    if width != dims(tables[1])[-1:] or not width or not isinstance(width[0], int) or width[0] % 2:
        return None
    cos, sin = (Pairs(table, 0, width[0], interleaved) for table in tables)
    if not cos.alike or not sin.alike:
        return None
    return cos.once(editor, place), sin.once(editor, place)


def _table(
    editor: Editor, place: ir.Node, table: ir.Value, x: ir.Value, axis: int
) -> ir.Value | None:
    """Return a table as (tokens, d/2), or as (batch, tokens, d/2) if it varies along the batch."""
    whole = dims(x)
    half = whole[3] // 2 if isinstance(whole[3], int) else None
    if half is None or half * 2 != whole[3]:
        return None
    tokens = whole[axis]
    for batch in (1, whole[0]):
        broadcast = [batch, 1, 1, half]
        broadcast[axis] = tokens
        if aligned(table, 4) == tuple(broadcast):
            shape = (tokens, half) if batch == 1 else (batch, tokens, half)
            source = without_ones(table)
            return source if dims(source) == shape else view(editor, place, table, shape)
    return None


def _positions(editor: Editor, place: ir.Node, x: ir.Value, axis: int) -> ir.Value:
    """Return 0, 1, 2, ... for each item of the batch, of shape (batch, tokens)."""
    shape = batch, tokens = dims(x)[0], dims(x)[axis]
    if isinstance(batch, int) and isinstance(tokens, int):
        return editor.constant(np.broadcast_to(np.arange(tokens), (batch, tokens)))
    sizes = [size(editor, place, x, 0), size(editor, place, x, axis)]

    def make(op: Operators) -> ir.Value:
        if isinstance(tokens, int):
            row = editor.constant(np.arange(tokens))
        else:
            zero, one = editor.constant(np.int64(0)), editor.constant(np.int64(1))
            row = op.Range(zero, op.Squeeze(sizes[1], [0], shape=()), one, shape=shape[1:])
        return op.Expand(row, vector(editor, place, sizes), shape=shape)

    if all(map(editor.is_early, sizes)):
        return editor.shared(("positions", *sizes), lambda: make(editor.at_start))
    return make(editor.before(place))


def _rotate(
    editor: Editor,
    place: ir.Node,
    x: ir.Value,
    axis: int,
    tables: list[ir.Value | None],
    interleaved: int | None,
) -> ir.Value:
    op = editor.before(place)
    batch, tokens, heads, width = (dims(x)[a] for a in (0, axis, 3 - axis, 3))
    by_token = x if axis == 1 else _by_token(x)
    if by_token is None or not isinstance(heads, int) or not isinstance(width, int):
        if axis == 1:
            x = op.Transpose(x, perm=HEADS_FIRST, shape=(batch, heads, tokens, width))
        turned = op.RotaryEmbedding(x, *tables, interleaved=interleaved)
        if axis == 1:
            turned = op.Transpose(turned, perm=HEADS_FIRST, shape=(batch, tokens, heads, width))
        return turned
    flat = view(editor, place, by_token, (batch, tokens, heads * width))
    turned = op.RotaryEmbedding(flat, *tables, num_heads=heads, interleaved=interleaved)
    turned = view(editor, place, turned, (batch, tokens, heads, width), sizes=x)
    if axis == 2:
        turned = op.Transpose(turned, perm=HEADS_FIRST, shape=dims(x))
    return turned


def _by_token(x: ir.Value) -> ir.Value | None:
    """Return the value of (batch, tokens, heads, d), or a view of it, that x is a Transpose of."""
    batch, heads, tokens, width = given = tuple(map(fresh, dims(x)))
    found = Labelled(x, given).source()
    while found is not None:
        if found.named and flattened(found.axes) == flattened((batch, tokens, heads, width)):
            return found.value
        found = found.source()
    return None
