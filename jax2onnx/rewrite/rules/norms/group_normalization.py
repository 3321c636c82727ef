"""Replace (x - mean) / sqrt(variance + epsilon) of groups of channels by InstanceNormalization(x).

Applies to the group and instance norms of Flax, with fast variance and without. x is reshaped so
that each group is one channel, and the result is scaled and shifted afterwards (64 x 56 x 56, eight
groups, channels last: 0.2 ms instead of 0.6). With ``prefer="readable"`` one GroupNormalization
replaces all of it (0.3 ms).

Does not apply

- to float64, which the operators do not compute in;
- to a symbolic number of channels, or more than one axis of a batch;
- to means along the last axes, as in Equinox's GroupNorm, which becomes a LayerNormalization.
"""

import math
from typing import Any

import numpy as np
import onnx_ir as ir

from jax2onnx.graph import sizes
from jax2onnx.rewrite.analyses.nodes import made_by, the_input
from jax2onnx.rewrite.analyses.normalisation import (
    Product,
    epsilon,
    is_last,
    mean,
    per_channel,
    products,
    variance,
)
from jax2onnx.rewrite.analyses.shapes import can_view, view
from jax2onnx.rewrite.analyses.values import dims, is_single, rank, without_ones
from jax2onnx.rewrite.engine.editor import Editor, Operators


def apply(editor: Editor, node: ir.Node) -> bool:
    """Replace the expression around a Sqrt."""
    under = epsilon(node)
    found = None if under is None else variance(_ungrouped(under[0]))
    if under is None or found is None or not is_single(found[0]) or is_last(found[1], found[0]):
        return False
    return any(_replace(editor, p, *found, under[1]) for p in reversed(products(node)))


def _ungrouped(value: ir.Value) -> ir.Value:
    """Return ``value`` as it was before each group's element was repeated for its channels."""
    value = without_ones(value)
    joined = made_by(value, "Reshape")
    repeated = None if joined is None else made_by(joined.inputs[0], "Expand")
    if repeated is None:
        return value
    narrow, wide = the_input(repeated), dims(repeated.outputs[0])
    group = [d for d in wide[-2:] if isinstance(d, int)]
    if len(group) != 2 or dims(narrow) != (*wide[:-1], 1):
        return value
    joint = [d for d in (*wide[:-2], math.prod(group)) if d != 1]
    return without_ones(narrow) if [d for d in dims(value) if d != 1] == joint else value


def _replace(
    editor: Editor, product: Product, grouped: ir.Value, along: tuple[int, ...], added: float
) -> bool:
    differences = [d for f in product.factors if (d := made_by(f, "Sub")) is not None]
    kept = [axis for axis in range(rank(grouped)) if axis not in along]
    if len(differences) != 1 or len(kept) != 2 or kept[0] != 0:
        return False
    x, middle = the_input(differences[0]), the_input(differences[0], 1)
    axis, shape = kept[1], dims(grouped)
    split, groups = made_by(grouped, "Reshape"), shape[axis]
    # Without an axis behind that of the groups, x is another image, and not made of groups.
    each = 1 if x is grouped else (*shape, None)[axis + 1]
    if not isinstance(groups, int) or not isinstance(each, int):
        return False
    if x is not grouped:
        joint = (*shape[:axis], groups * each, *shape[axis + 2 :])
        if split is None or split.inputs[0] is not x or dims(x) != joint or axis + 1 not in along:
            return False
    beside = tuple(d if a in (0, axis) else 1 for a, d in enumerate(dims(x)))
    statistics = (middle, product.inverse)
    if mean(_ungrouped(middle)) != (grouped, along) or any(dims(v) != beside for v in statistics):
        return False

    def normalise(
        op: Operators, place: ir.Node, x: ir.Value, scale: ir.Value, bias: ir.Value
    ) -> Any:
        if groups == dims(x)[1]:
            return op.InstanceNormalization(x, scale, bias, epsilon=added)
        if editor.prefer == "readable" and editor.opset >= 21:
            return op.GroupNormalization(x, scale, bias, num_groups=groups, epsilon=added)
        one, zero = (editor.constant(np.full(groups, n), x.dtype) for n in (1, 0))
        batch, _, *rest = dims(x)
        flat = view(editor, place, x, (batch, groups, sizes.product((each, *rest))))
        flat = op.InstanceNormalization(flat, one, zero, epsilon=added)
        last = (*dims(scale), *(1 for _ in rest))
        scale, bias = (view(editor, place, v, last) for v in (scale, bias))
        if can_view(flat, dims(x)):
            flat = view(editor, place, flat, dims(x))
        else:
            shape = op.Shape(x, dtype=ir.DataType.INT64, shape=(rank(x),))
            flat = op.Reshape(flat, shape, like=x)
        return op.Add(op.Mul(flat, scale), bias)

    return per_channel(editor, product, differences[0], axis, normalise)
