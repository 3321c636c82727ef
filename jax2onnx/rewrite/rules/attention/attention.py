"""Replace MatMul(Softmax(MatMul(q, k^T) * scale + bias), v) by Attention (opset 23).

Queries, keys and values are given as (batch, tokens, heads * d) if they are views of such a value,
which spares the transposes and is faster than the decomposition; otherwise as
(batch, heads, tokens, d), which is as fast. Keys and values may have fewer heads than queries; then
each serves some consecutive heads of the queries, repeated or not (12 heads for 4, 128 tokens:
0.6 ms instead of 7.6, 4.3 if causal). The order of axes in between does not matter.

Scores may be masked, or have something added to them. The causal mask is an attribute. Any other
mask is added to the scores, as a number so low that the scores are lost in its rounding: for a row
without any key that gives JAX's result, the mean of the values. The operator's boolean masks would
give 0.

Does not apply

- below opset 23;
- to float64;
- where rows without a key would change: masked by -inf, or by a number that scores can be told
  from, unless the mask is a constant, the only one, and leaves each query a key (a bias may still
  hold a row of -inf: the operator gives 0 there, and JAX NaN);
- to masks in half precision;
- to scores that are bounded by tanh and then masked: runtimes differ in the order of the two;
- to a scale that is not positive, which ONNX Runtime refuses;
- where other nodes read the scores or the shares, or keys have other heads than values.

ONNX Runtime's operator does not take an empty batch, which the decomposition does.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import onnx_ir as ir

from jax2onnx.graph.sizes import Dim
from jax2onnx.rewrite.analyses.factors import Axis, Labelled, extent, flattened, fresh
from jax2onnx.rewrite.analyses.nodes import attribute, made_by, maker, only_user, the_input
from jax2onnx.rewrite.analyses.scores import Scores, can_bias, scores
from jax2onnx.rewrite.analyses.shapes import size, view
from jax2onnx.rewrite.analyses.values import dims, is_single, multiple, rank
from jax2onnx.rewrite.engine.editor import Editor, is_tap
from jax2onnx.rewrite.rules.attention.rotary_embedding import HEADS_FIRST


@dataclass(frozen=True)
class _Heads:
    """Queries, keys or values, as (batch, tokens, heads, d) or as (batch, heads, tokens, d).

    The ``axes`` are in the order (batch, heads, tokens, d), whichever it is; the heads of queries
    may be two axes of the value. It is multiplied with ``scale`` afterwards.
    """

    found: Labelled
    axes: tuple[Axis, ...]
    by_token: bool
    scale: float = 1.0

    @property
    def flat(self) -> Dim | None:
        """The size of heads * d."""
        return extent(self.axes[1] + self.axes[3])

    def tokens(self, editor: Editor, place: ir.Node) -> ir.Value:
        """Return the number of tokens, an int64 vector of one element."""
        number, tokens = extent(self.axes[2]), self.axes[2]
        if isinstance(number, int):
            return editor.constant([number])
        return size(editor, place, self.found.value, self.found.axes.index(tokens))

    def given(self, editor: Editor, place: ir.Node, *, by_token: bool) -> ir.Value:
        """Return the value as (batch, tokens, heads * d), or as (batch, heads, tokens, d)."""
        batch, heads, tokens, width = (extent(a) or 0 for a in self.axes)
        if by_token:
            return view(editor, place, self.found.value, (batch, tokens, self.flat or 0))
        return self.found.arranged(editor, place, self.axes, (batch, heads, tokens, width))


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace the two products around a Softmax."""
    out = node.outputs[0]
    if attribute(node, "axis", -1) not in (-1, rank(out) - 1) or not is_single(out):
        return False
    shares = Labelled(out, tuple(map(fresh, dims(out))))
    weighted = None if 0 in dims(out) or dims(out)[-1] == 1 else _weighted(shares)
    if weighted is None:
        return False
    result, values = weighted
    for found in scores(editor, Labelled(the_input(node), shares.given)):
        factors = _factors(found.product, shares)
        ways = [list(_ways(f)) for f in (*factors, values)] if factors else []
        for operands in _operands(ways, shares.axes[-1]):
            batch, heads, tokens, _ = operands[0].axes
            end = _end(result, (batch, tokens, heads, operands[2].axes[3]))
            if _holds(found, operands, end):
                _replace(editor, end, operands, found)
                return True
    return False


def _operand(value: ir.Value, product: Labelled, *matrix: Axis) -> Labelled | None:
    """Return the labels of an operand of a MatMul, whose leading axes are those of the product."""
    lead = rank(value) - 2
    axes = list(zip(product.given[:-2], dims(product.value)[:-2], strict=True))
    axes = axes[len(axes) - lead :]
    if lead < 0 or any(d not in (1, full) for d, (_, full) in zip(dims(value), axes, strict=False)):
        return None
    own = (() if d == 1 else axis for d, (axis, _) in zip(dims(value), axes, strict=False))
    return Labelled(value, (*own, *matrix))


def _weighted(shares: Labelled) -> tuple[Labelled, Labelled] | None:
    """Return the product of shares and values, and the values; None if there is none."""
    keys, following = shares.given[-1], shares
    while (user := only_user(following.value)) is not None and user.op_type != "MatMul":
        after = following.through(user, user.outputs[0])
        if after is None:
            return None
        following = after
    x = following.value
    if user is None or user.domain or dims(user.outputs[0])[:-2] != dims(x)[:-2] or rank(x) < 2:
        return None
    *lead, rows, columns = following.given
    left = user.inputs[0] is x
    if following.axes[-1 if left else -2] != keys:
        return None
    other = the_input(user, int(left))
    new = fresh(dims(other)[-1 if left else -2])
    result = Labelled(user.outputs[0], (*lead, *((rows, new) if left else (new, columns))))
    values = _operand(other, result, *((keys, new) if left else (new, keys)))
    return None if values is None else (result, values)


def _factors(product: Labelled, shares: Labelled) -> tuple[Labelled, Labelled] | None:
    """Return the queries and the keys of a MatMul, in this order; None if they do not fit."""
    node = maker(product.value)
    left, right = the_input(node), the_input(node, 1)
    rows, columns = product.given[-2:]
    inner = fresh(dims(left)[-1])
    first = _operand(left, product, rows, inner)
    second = _operand(right, product, inner, columns)
    if first is None or second is None:
        return None
    if product.axes[-1] == shares.axes[-1]:
        return first, second
    return (second, first) if product.axes[-2] == shares.axes[-1] else None


def _ways(found: Labelled | None, scale: float = 1.0) -> Iterator[tuple[Labelled, float]]:
    """Yield an operand of a product, and its sources before scaling, transposes and repetition."""
    while found is not None:
        yield found, scale
        node = made_by(found.value, "Mul", "Div")
        if node is None:
            found = found.source(spread=True)
        elif only_user(found.value) is None or (multiplied := multiple(node)) is None:
            return
        else:
            found, scale = Labelled(multiplied[0], found.given), scale * multiplied[1]


def _operands(
    ways: Sequence[Sequence[tuple[Labelled, float]]], keys: Axis
) -> Iterator[tuple[_Heads, _Heads, _Heads]]:
    """Yield queries, keys and values that fit, those first that need no Transpose."""
    if not ways:
        return
    sources = [list(_with_tokens(found, keys)) for found in ways[1:]]
    for k, v in product(*(sorted(s, key=lambda h: not h.by_token) for s in sources)):
        if k.axes[:3] != v.axes[:3] or v.scale != 1:
            continue
        queries = [q for way in ways[0][::-1] for q in _queries(*way, k)]
        for q in sorted(queries, key=lambda h: not h.by_token):
            yield q, k, v


def _with_tokens(ways: Sequence[tuple[Labelled, float]], tokens: Axis) -> Iterator[_Heads]:
    """Return the ways to read keys or values, the farthest source first."""
    operand = ways[0][0].axes if ways else ()
    for found, scale in reversed(ways):
        axes = found.axes
        # The other axis of the product is what a head has, not all heads side by side.
        if len(axes) == 4 and found.named and tokens in axes[1:3] and axes[3] in operand[-2:]:
            by_token = axes[1] == tokens
            batch, heads, width = axes[0], axes[2 if by_token else 1], axes[3]
            yield _Heads(found, (batch, heads, tokens, width), by_token, scale)


def _queries(found: Labelled, scale: float, keys: _Heads) -> Iterator[_Heads]:
    """Yield queries that have one head, or some consecutive ones, for each head of the keys."""
    batch, heads, _, width = keys.axes
    axes = found.axes
    if len(axes) == 5 and heads in axes[1:3]:
        i = axes.index(heads, 1)
        axes = (*axes[:i], axes[i] + axes[i + 1], *axes[i + 2 :])
    if len(axes) != 4 or not found.named or (axes[0], axes[3]) != (batch, width):
        return
    for by_token in (True, False) if heads else (keys.by_token,):
        tokens, own = axes[1:3] if by_token else axes[2:0:-1]
        if own[: len(heads)] == heads and not set(tokens) & set(heads):
            yield _Heads(found, (batch, own, tokens, width), by_token, scale)


def _holds(found: Scores, operands: tuple[_Heads, _Heads, _Heads], end: Labelled) -> bool:
    """Return whether the operator computes the same, with shapes that can be stated."""
    queries, keys, _ = operands
    axes = (*queries.axes[:3], keys.axes[2])
    return (
        0 < found.scale * queries.scale * keys.scale < math.inf
        and (found.causal(*axes[2:]) or found.exact(axes[3]))
        and not (found.softcap and found.steps)
        and all(can_bias(step, axes) for step, _ in found.steps)
        and all(extent(axis) is not None for axis in axes)
        and end.named
    )


def _end(result: Labelled, axes: Sequence[Axis]) -> Labelled:
    """Return the next view of the result that has these axes, split or merged; else the result."""
    following: Labelled | None = result
    while following is not None and flattened(following.axes) != flattened(axes):
        user = only_user(following.value)
        if user is None or is_tap(following.value):
            return result
        following = following.through(user, user.outputs[0])
    return following or result


def _replace(
    editor: Editor, end: Labelled, operands: tuple[_Heads, _Heads, _Heads], found: Scores
) -> None:
    queries, keys, values = operands
    root = maker(end.value)
    op, axes = editor.before(root), (*queries.axes[:3], values.axes[3])
    batch, heads, tokens, width = shape = tuple(extent(a) or 0 for a in axes)
    by_token = all(h.by_token and isinstance(h.flat, int) for h in operands)
    mixed = op.Attention(
        *(h.given(editor, root, by_token=by_token) for h in operands),
        _bias(editor, root, queries, keys, found),
        scale=found.scale * queries.scale * keys.scale,
        softcap=found.softcap or None,
        is_causal=int(found.causal(axes[2], keys.axes[2])) or None,
        q_num_heads=heads if by_token else None,
        kv_num_heads=extent(keys.axes[1]) if by_token else None,
        shape=(batch, tokens, extent(axes[1] + axes[3]) or 0) if by_token else shape,
    )
    if by_token:
        axes = tuple(axes[a] for a in HEADS_FIRST)
        mixed = view(editor, root, mixed, (batch, tokens, heads, width))
    mixed = Labelled(mixed, axes).arranged(editor, root, end.axes, dims(end.value))
    editor.replace(end.value, mixed)


def _bias(
    editor: Editor, place: ir.Node, queries: _Heads, keys: _Heads, found: Scores
) -> ir.Value | None:
    """Return the bias of the scores, made once for all nodes that need the same one."""
    axes = (*queries.axes[:3], keys.axes[2])
    if not found.steps or found.causal(*axes[2:]):
        return None
    order = flattened(axes)
    steps = tuple(
        (step.value, number, tuple(tuple(map(order.index, a)) for a in step.axes))
        for step, number in found.steps
    )
    sizes = [h.tokens(editor, place) for h in (queries, keys)]
    key = ("bias", steps, *map(extent, axes), place.graph)
    return editor.shared(key, lambda: found.bias(editor, place, axes, sizes))
