"""Attention (opset 23): softmax(q k^T * scale) v for all heads at once.

Queries, keys and values are given as (batch, tokens, heads * d) where they are transposed views of
that, which spares the transposes (ONNX Runtime's operator is faster so than what it stands for),
else as (batch, heads, tokens, d), which is as fast. Scores may be hidden, or have something added
to them. A mask that hides the keys after each query's own position is an attribute; any other is
added to the scores: a number so low that they are lost in its rounding is JAX's result for a row
without any key, the mean of the values, where the operator's boolean masks give 0.

Does not apply

- below opset 23;
- to doubles;
- where rows without a key would change: hidden by -inf, or by a number that scores can be told
  from, unless the mask is a constant and leaves each query a key (what is added may still hold a
  row of -inf: the operator gives the mean there, and JAX NaN);
- to masks in half precision;
- to scores that are bounded by tanh and then masked: runtimes differ in the order of the two;
- to a scale that is not positive, which ONNX Runtime refuses;
- where the scores or the shares are read by others, or heads are broadcast.

ONNX Runtime's operator takes no empty batch, which the decomposition does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import onnx_ir as ir

from jax2onnx.rewrite.editor import Editor
from jax2onnx.rewrite.rules.rotary_embedding import HEADS_FIRST
from jax2onnx.rewrite.scores import Scores, scores
from jax2onnx.rewrite.shapes import size, view
from jax2onnx.rewrite.values import (
    Dims,
    attribute,
    dims,
    is_single,
    made_by,
    only_user,
    permutation,
    rank,
    scalar,
    the_input,
)

_KEYS_LAST = (0, 1, 3, 2)
_FROM_TOKENS_KEYS_LAST = (0, 2, 3, 1)


@dataclass(frozen=True)
class _Heads:
    """Queries, keys or values, as (batch, tokens, heads, d) or as (batch, heads, tokens, d)."""

    value: ir.Value
    by_token: bool

    @property
    def dims(self) -> Dims:
        """The sizes, in the order (batch, heads, tokens, d)."""
        sizes = dims(self.value)
        return tuple(sizes[a] for a in HEADS_FIRST) if self.by_token else sizes

    def matrix(self, editor: Editor, place: ir.Node) -> ir.Value | None:
        """As (batch, tokens, heads * d), if that is a mere view."""
        batch, tokens, heads, size = dims(self.value)
        if not self.by_token or not isinstance(heads, int) or not isinstance(size, int):
            return None
        return view(editor, place, self.value, (batch, tokens, heads * size))

    def by_head(self, editor: Editor, place: ir.Node) -> ir.Value:
        """As (batch, heads, tokens, d)."""
        if not self.by_token:
            return self.value
        batch, tokens, heads, size = dims(self.value)
        return editor.before(place).Transpose(  # type: ignore[no-any-return]
            self.value, perm=HEADS_FIRST, shape=(batch, heads, tokens, size)
        )


def apply(editor: Editor, node: ir.Node) -> bool:
    """Makes an Attention of the two products around a Softmax."""
    shares, last = node.outputs[0], rank(node.outputs[0]) - 1
    root = only_user(shares)
    if last != 3 or attribute(node, "axis", -1) not in (-1, last) or not is_single(shares):
        return False
    if root is None or made_by(root.outputs[0], "MatMul") is None or root.inputs[0] is not shares:
        return False
    for found in scores(the_input(node)):
        queries, factor = _queries(the_input(found.product))
        keys = _keys(the_input(found.product, 1))
        values = _heads(the_input(root, 1))
        scale = found.scale * factor
        if (
            keys is not None
            and _fit(queries, keys, values, root.outputs[0])
            and 0 < scale < math.inf
            and (found.causal or found.exact)
            and not (found.softcap and found.steps)
        ):
            _replace(editor, root, (queries, keys, values), scale, found)
            return True
    return False


def _scaled(value: ir.Value) -> tuple[ir.Value, float]:
    """What ``value`` was before it was multiplied with constants, and their product."""
    scale = 1.0
    while (node := made_by(value, "Mul", "Div")) is not None and only_user(value) is not None:
        numbers = [scalar(v) for v in node.inputs]
        if numbers[1]:
            scale *= numbers[1] if node.op_type == "Mul" else 1 / numbers[1]
            value = the_input(node)
        elif numbers[0] and node.op_type == "Mul":
            scale *= numbers[0]
            value = the_input(node, 1)
        else:
            break
    return value, scale


def _queries(value: ir.Value) -> tuple[_Heads, float]:
    """The queries before they were scaled, before their transpose or after, and by how much."""
    value, scale = _scaled(value)
    queries = _heads(value)
    if queries.by_token and only_user(value) is not None:
        inner, factor = _scaled(queries.value)
        return _Heads(inner, by_token=True), scale * factor
    return queries, scale


def _heads(value: ir.Value) -> _Heads:
    if permutation(value) == HEADS_FIRST:
        return _Heads(the_input(value.producer()), by_token=True)  # type: ignore[arg-type]
    return _Heads(value, by_token=False)


def _keys(transposed: ir.Value) -> _Heads | None:
    """The keys such that ``transposed`` is (batch, heads, d, tokens)."""
    perm, node = permutation(transposed), transposed.producer()
    if perm == _KEYS_LAST and node is not None:
        return _heads(the_input(node))
    if perm == _FROM_TOKENS_KEYS_LAST and node is not None:
        return _Heads(the_input(node), by_token=True)
    return None


def _fit(queries: _Heads, keys: _Heads, values: _Heads, result: ir.Value) -> bool:
    """Whether batch, heads and sizes agree without broadcasting."""
    if any(rank(h.value) != 4 for h in (queries, keys, values)):
        return False
    batch, heads, tokens, size = queries.dims
    return (
        keys.dims == (batch, heads, keys.dims[2], size)
        and values.dims[:3] == keys.dims[:3]
        and dims(result) == (batch, heads, tokens, values.dims[3])
    )


def _replace(
    editor: Editor,
    root: ir.Node,
    operands: tuple[_Heads, _Heads, _Heads],
    scale: float,
    found: Scores,
) -> None:
    out, op = root.outputs[0], editor.before(root)
    batch, heads, tokens, width = dims(out)
    matrices = (
        [h.matrix(editor, root) for h in operands] if all(h.by_token for h in operands) else []
    )
    flat = heads * width if isinstance(heads, int) and isinstance(width, int) else 0
    by_token = bool(matrices and flat)
    given = matrices if by_token else [h.by_head(editor, root) for h in operands]
    bias = None
    if found.steps and not found.causal:
        sizes = [size(editor, root, h.value, 1 if h.by_token else 2) for h in operands[:2]]
        key = ("bias", found.steps, dims(found.product.outputs[0])[-2:], root.graph)
        bias = editor.shared(key, lambda: found.bias(editor, root, sizes))
    mixed = op.Attention(
        *given,
        bias,
        scale=scale,
        softcap=found.softcap or None,
        is_causal=int(found.causal) or None,
        q_num_heads=heads if by_token else None,
        kv_num_heads=heads if by_token else None,
        shape=(batch, tokens, flat) if by_token else dims(out),
    )
    if not by_token:
        editor.replace(out, mixed)
        return
    mixed = view(editor, root, mixed, (batch, tokens, heads, width), sizes=operands[0].value)
    editor.replace(out, op.Transpose(mixed, perm=HEADS_FIRST, like=out))
