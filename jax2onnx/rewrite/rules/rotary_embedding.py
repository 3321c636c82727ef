"""RotaryEmbedding (opset 23): pairs of elements (i, i + d/2) turned by an angle of their position.

Applies to concat(a cos - b sin, b cos + a sin), where a and b are the halves of the last axis of x,
and x is (batch, heads, tokens, d) or (batch, tokens, heads, d); cos and sin are (tokens, d/2), and
may differ from one item of the batch to the next. The operator is given x as (batch, tokens,
heads * d) wherever x is a view or a transpose of that: so it costs no transpose itself, and a
product with a weight can feed it directly.

Does not apply

- below opset 23, where the decomposition stays;
- to doubles, and to interleaved pairs (i, i + 1);
- where cos and sin also vary along the heads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from jax2onnx.rewrite.editor import Editor, Operators
from jax2onnx.rewrite.pattern import Match, Var, op
from jax2onnx.rewrite.shapes import size, vector, view
from jax2onnx.rewrite.values import (
    Dims,
    attribute,
    dims,
    is_single,
    made_by,
    permutation,
    rank,
    the_input,
    without_ones,
)

_a, _b, _cos, _sin = Var("a"), Var("b"), Var("cos"), Var("sin")
_FIRST = op.Sub(op.Mul(_a, _cos), op.Mul(_b, _sin))
_SECOND = op.Add(op.Mul(_b, _cos), op.Mul(_a, _sin))

HEADS_FIRST = (0, 2, 1, 3)
"""Between (batch, tokens, heads, d) and (batch, heads, tokens, d), either way."""


@dataclass(frozen=True)
class _Layout:
    """Where x has its tokens and its heads."""

    tokens: int
    heads: int


_LAYOUTS = (_Layout(tokens=2, heads=1), _Layout(tokens=1, heads=2))


def apply(editor: Editor, node: ir.Node) -> bool:
    """Makes a RotaryEmbedding of a Concat of the two turned halves."""
    out = node.outputs[0]
    if len(node.inputs) != 2 or rank(out) != 4 or attribute(node, "axis") not in (3, -1):
        return False
    found = next(_turned(node), None)
    if found is None:
        return False
    x = found["x"]
    if not is_single(x) or dims(x) != dims(out):
        return False
    for layout in _LAYOUTS:
        tables = [_table(editor, node, found[name], x, layout) for name in ("cos", "sin")]
        if tables[0] is not None and tables[1] is not None and rank(tables[0]) == rank(tables[1]):
            positions = _positions(editor, node, x, layout) if rank(tables[0]) == 2 else None
            editor.replace(out, _rotate(editor, node, x, layout, [tables[0], tables[1], positions]))
            return True
    return False


def _turned(node: ir.Node) -> Iterator[Match]:
    """The ways to read a Concat as a rotation; x is what ``a`` and ``b`` are the halves of."""
    for first in _FIRST.match(node.inputs[0], {}):
        for both in _SECOND.match(node.inputs[1], first):
            x = _whole(both["a"], both["b"])
            if x is not None:
                yield {**both, "x": x}


def _whole(a: ir.Value, b: ir.Value) -> ir.Value | None:
    """The x such that ``a`` and ``b`` are the halves of its last axis."""
    split = made_by(a, "Split")
    if split is None or split.outputs != (a, b) or dims(a) != dims(b):
        return None
    x = the_input(split)
    return x if attribute(split, "axis", 0) in (-1, rank(x) - 1) else None


def _table(
    editor: Editor, place: ir.Node, table: ir.Value, x: ir.Value, layout: _Layout
) -> ir.Value | None:
    """``table`` as (tokens, d/2), or (batch, tokens, d/2) where it varies along the batch."""
    whole = dims(x)
    half = whole[3] // 2 if isinstance(whole[3], int) else None
    if half is None or half * 2 != whole[3]:
        return None
    tokens = whole[layout.tokens]
    aligned = (1,) * (4 - rank(table)) + dims(table)
    for batch in (1, whole[0]):
        broadcast = [batch, 1, 1, half]
        broadcast[layout.tokens] = tokens
        if list(aligned) == broadcast:
            shape = (tokens, half) if batch == 1 else (batch, tokens, half)
            source = without_ones(table)
            return source if dims(source) == shape else view(editor, place, table, shape)
    return None


def _positions(editor: Editor, place: ir.Node, x: ir.Value, layout: _Layout) -> ir.Value:
    """0, 1, 2... for each item of the batch: (batch, tokens)."""
    batch, tokens = dims(x)[0], dims(x)[layout.tokens]
    if isinstance(batch, int) and isinstance(tokens, int):
        return editor.constant(np.broadcast_to(np.arange(tokens), (batch, tokens)))
    sizes = [size(editor, place, x, 0), size(editor, place, x, layout.tokens)]

    def make(op: Operators) -> ir.Value:
        return _grid(editor, op, place, sizes, (batch, tokens))

    if all(map(editor.is_early, sizes)):
        return editor.shared(("positions", *sizes), lambda: make(editor.at_start))
    return make(editor.before(place))


def _grid(
    editor: Editor, op: Operators, place: ir.Node, sizes: list[ir.Value], shape: Dims
) -> ir.Value:
    """0, 1, 2... in each row."""
    if isinstance(shape[1], int):
        row = editor.constant(np.arange(shape[1]))
    else:
        zero, one = editor.constant(np.int64(0)), editor.constant(np.int64(1))
        row = op.Range(zero, op.Squeeze(sizes[1], [0], shape=()), one, shape=shape[1:])
    return op.Expand(row, vector(editor, place, sizes), shape=shape)  # type: ignore[no-any-return]


def _rotate(
    editor: Editor, place: ir.Node, x: ir.Value, layout: _Layout, tables: list[ir.Value | None]
) -> ir.Value:
    op = editor.before(place)
    batch, tokens = dims(x)[0], dims(x)[layout.tokens]
    heads, width = dims(x)[layout.heads], dims(x)[3]
    by_token = x if layout.heads == 2 else None
    if permutation(x) == HEADS_FIRST and layout.heads == 1:
        by_token = made_by(x, "Transpose").inputs[0]  # type: ignore[union-attr]
    if by_token is None or not isinstance(heads, int) or not isinstance(width, int):
        if layout.heads == 2:
            x = op.Transpose(x, perm=HEADS_FIRST, shape=(batch, heads, tokens, width))
        turned = op.RotaryEmbedding(x, *tables)
        if layout.heads == 2:
            turned = op.Transpose(turned, perm=HEADS_FIRST, shape=(batch, tokens, heads, width))
        return turned  # type: ignore[no-any-return]
    flat = view(editor, place, by_token, (batch, tokens, heads * width))
    turned = op.RotaryEmbedding(flat, *tables, num_heads=heads)
    turned = view(editor, place, turned, dims(by_token), sizes=x)
    if layout.heads == 1:
        turned = op.Transpose(turned, perm=HEADS_FIRST, shape=dims(x))
    return turned  # type: ignore[no-any-return]
