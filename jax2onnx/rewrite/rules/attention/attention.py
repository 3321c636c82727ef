"""Replace MatMul(Softmax(MatMul(q, k^T) * scale + bias), v) by Attention (opset 23).

Queries, keys and values are given as (batch, tokens, heads * d) if they are views of such a value,
which spares the transposes and is faster than the decomposition; otherwise as
(batch, heads, tokens, d), which is as fast. Keys and values may have fewer heads than queries; then
each serves some consecutive heads of the queries, repeated or not (12 heads for 4, 128 tokens:
0.6 ms instead of 7.6, 4.3 if causal). The order of axes in between does not matter.

Scores may be masked, or have something added to them. The causal mask is an attribute. Any other
mask is added to the scores, as a number so low that the scores are lost in its rounding: for a row
without any key that gives JAX's result, the mean of the values. The operator's boolean masks give 0
there; they are used where the shares are set to 0 by the same mask, as Keras does. Shares may be
multiplied with a factor of each head or query, with which the result is multiplied instead.

Does not apply

- below opset 23;
- to float64;
- where rows without a key would change: masked by -inf, or by a number that scores can be told
  from, unless the mask is a constant, the only one, and leaves each query a key (a bias may still
  hold a row of -inf: the operator gives 0 there, and JAX NaN);
- to masks that are added in half precision;
- where shares are set to 0 by another mask than that of the scores, or have a factor of each key;
- to scores that are bounded by tanh and then masked: runtimes differ in the order of the two;
- to a scale that is not positive, which ONNX Runtime refuses;
- to scores beside which stand sinks, as in GPT-OSS: keys and values would be copied to have one
  token more (one query, 4,096 keys, 64 heads for 8: 13.2 ms instead of 7.2);
- where other nodes read the scores or the shares, or keys have other heads than values.

ONNX Runtime's operator does not take an empty batch, which the decomposition does.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from jax2onnx.rewrite.analyses.factors import (
    Axis,
    Labelled,
    broadcast_to,
    extent,
    flattened,
    fresh,
)
from jax2onnx.rewrite.analyses.heads import Operands, Roles, by_token, readings
from jax2onnx.rewrite.analyses.nodes import attribute, made_by, maker, only_user, the_input
from jax2onnx.rewrite.analyses.scores import Scores, beside, can_bias, scores
from jax2onnx.rewrite.analyses.shapes import view
from jax2onnx.rewrite.analyses.values import dims, filled, is_single, multiple, rank
from jax2onnx.rewrite.engine.editor import Editor, is_tap


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace the two products around a Softmax."""
    out = node.outputs[0]
    if attribute(node, "axis", -1) not in (-1, rank(out) - 1) or not is_single(out):
        return False
    shares = Labelled(out, tuple(map(fresh, dims(out))))
    weighted = None if 0 in dims(out) else _weighted(shares)
    if weighted is None:
        return False
    for found in scores(editor, Labelled(the_input(node), shares.given)):
        factors = _factors(found.product, shares)
        masked = found.where(editor, weighted.condition)
        if factors is None or masked is None:
            continue
        queries, keys, own = (list(_ways(f)) for f in (*factors, weighted.values))
        ways = queries, keys, [way for way in own if way[1] == 1]
        for roles, operands in readings(ways, shares.axes[-1]):
            end = _end(weighted.result, by_token(roles.result))
            if _holds(masked, roles, operands, end):
                _replace(editor, end, roles, operands, masked, weighted.factors)
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


@dataclass(frozen=True)
class _Weighted:
    """The values, weighted with shares.

    Attributes:
        result: The product of shares and values.
        values: The values.
        factors: What the shares are multiplied with before; it is the same for all keys.
        condition: Where it does not hold, the shares are set to 0 before; None if there is none.
    """

    result: Labelled
    values: Labelled
    factors: tuple[Labelled, ...]
    condition: Labelled | None


def _weighted(shares: Labelled) -> _Weighted | None:
    """Return the product of shares and values; None if there is none."""
    keys, following = shares.given[-1], shares
    factors: list[Labelled] = []
    conditions: list[Labelled] = []
    while (user := only_user(following.value)) is not None and user.op_type != "MatMul":
        after = following.through(user, user.outputs[0])
        if after is None:
            step = _step(following, user)
            if step is None:
                return None
            (conditions if user.op_type == "Where" else factors).append(step)
            after = Labelled(user.outputs[0], following.given)
        following = after
    x = following.value
    if user is None or user.domain or dims(user.outputs[0])[:-2] != dims(x)[:-2] or rank(x) < 2:
        return None
    *lead, rows, columns = following.given
    left = user.inputs[0] is x
    if following.axes[-1 if left else -2] != keys or len(conditions) > 1:
        return None
    if any(set(flattened([keys])).intersection(flattened(f.axes)) for f in factors):
        return None
    other = the_input(user, int(left))
    new = fresh(dims(other)[-1 if left else -2])
    result = Labelled(user.outputs[0], (*lead, *((rows, new) if left else (new, columns))))
    values = _operand(other, result, *((keys, new) if left else (new, keys)))
    if values is None:
        return None
    return _Weighted(result, values, tuple(factors), conditions[0] if conditions else None)


def _step(shares: Labelled, node: ir.Node) -> Labelled | None:
    """Return the factor that a Mul multiplies shares with, or the condition of a Where."""
    if node.domain != "" or dims(node.outputs[0]) != dims(shares.value):
        return None
    if node.op_type == "Mul":
        return broadcast_to(the_input(node, int(node.inputs[0] is shares.value)), shares)
    if node.op_type == "Where" and node.inputs[1] is shares.value and filled(node.inputs[2]) == 0:
        return broadcast_to(the_input(node), shares)
    return None


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


def _holds(found: Scores, roles: Roles, operands: Operands, end: Labelled) -> bool:
    """Return whether the operator computes the same, with shapes that can be stated."""
    queries, keys, _ = operands
    return (
        0 < found.scale * queries.scale * keys.scale < math.inf
        and (found.causal(roles.queries, roles.keys) or found.exact(roles.keys))
        and not (found.softcap and found.steps)
        and all(can_bias(step, roles.scores) for step, _ in found.steps)
        and all(extent(axis) is not None for axis in (*roles.scores, roles.width, roles.values))
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
    editor: Editor,
    end: Labelled,
    roles: Roles,
    operands: Operands,
    found: Scores,
    factors: Sequence[Labelled],
) -> None:
    queries, keys, _ = operands
    root, axes = maker(end.value), roles.result
    batch, heads, tokens, width = shape = tuple(extent(a) or 0 for a in axes)
    flat = all(h.by_token() and isinstance(h.flat, int) for h in operands)
    mixed = editor.before(root).Attention(
        *(h.given(editor, root, flat=flat) for h in operands),
        _bias(editor, root, roles, operands, found),
        scale=found.scale * queries.scale * keys.scale,
        softcap=found.softcap or None,
        is_causal=int(found.causal(roles.queries, roles.keys)) or None,
        q_num_heads=heads if flat else None,
        kv_num_heads=extent(roles.heads) if flat else None,
        shape=(batch, tokens, extent(axes[1] + axes[3]) or 0) if flat else shape,
    )
    if flat:
        axes = by_token(axes)
        mixed = view(editor, root, mixed, (batch, tokens, heads, width))
    for factor in factors:
        mixed = editor.before(root).Mul(mixed, beside(editor, root, factor, axes))
    mixed = Labelled(mixed, axes).arranged(editor, root, end.axes, dims(end.value))
    editor.replace(end.value, mixed)


def _bias(
    editor: Editor, place: ir.Node, roles: Roles, operands: Operands, found: Scores
) -> ir.Value | None:
    """Return the bias of the scores, made once for all nodes that need the same one."""
    axes = roles.scores
    if not found.steps or found.causal(*axes[2:]):
        return None
    order = flattened(axes)
    steps = tuple(
        (step.value, number, tuple(tuple(map(order.index, a)) for a in step.axes))
        for step, number in found.steps
    )
    sizes = [h.tokens(editor, place) for h in operands[:2]]
    key = ("bias", steps, found.empty, *map(extent, axes), place.graph)
    return editor.shared(key, lambda: found.bias(editor, place, axes, sizes))
