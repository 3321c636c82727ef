"""What LayerNormalization and RMSNormalization have in common.

Both divide by the square root of a mean square plus epsilon and may scale the result. Libraries
differ in the spelling: 1 / sqrt(v) as a factor or sqrt(v) as a divisor; the factor scaled before or
after it meets x; the variance as the mean of squares of what is centred, or as the mean of squares
less the square of the mean; clipped at 0; with its axes kept or put back at any point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import onnx_ir as ir

from jax2onnx.rewrite.editor import Editor
from jax2onnx.rewrite.pattern import is_number
from jax2onnx.rewrite.values import (
    axes,
    dims,
    made_by,
    only_user,
    rank,
    scalar,
    the_input,
    without_ones,
)


@dataclass
class Product:
    """What a reciprocal square root is multiplied with, up to some node.

    Attributes:
        root: the last of the multiplications.
        inverse: the root or its reciprocal, as the first multiplication reads it.
        factors: what they multiply with.

    """

    root: ir.Node
    inverse: ir.Value
    factors: list[ir.Value] = field(default_factory=list)


def products(sqrt: ir.Node) -> list[Product]:
    """The products that 1 / ``sqrt`` is in: alone with its next factor, then with one more."""
    value = sqrt.outputs[0]
    user = only_user(value)
    if user is None:
        return []
    inverse = user.op_type == "Div" and is_number(user.inputs[0], 1.0)
    if inverse or user.op_type == "Reciprocal":
        found = _next([], user, None)
    elif user.op_type == "Div" and user.inputs[1] is value:
        found = [Product(user, value, [the_input(user)])]
    else:
        return []
    return found + [p for first in found for p in _next(first.factors, first.root, first.inverse)]


def _next(factors: Sequence[ir.Value], node: ir.Node, inverse: ir.Value | None) -> list[Product]:
    """The multiplication that alone reads ``node``, its operand split once if that is a product."""
    value = node.outputs[0]
    user = only_user(value)
    while user is not None and user.op_type in ("Reshape", "Unsqueeze"):
        if without_ones(user.outputs[0]) is not without_ones(value):
            return []
        value = user.outputs[0]
        user = only_user(value)
    if user is None or user.op_type != "Mul":
        return []
    other = the_input(user, 1 if user.inputs[0] is value else 0)
    inverse = inverse or value
    found = [Product(user, inverse, [*factors, other])]
    inner = made_by(other, "Mul")
    if inner is not None:
        found.append(Product(user, inverse, [*factors, the_input(inner), the_input(inner, 1)]))
    return found


def mean(value: ir.Value | None) -> tuple[ir.Value, tuple[int, ...]] | None:
    """The x and the axes such that ``value`` is the mean of x along its last axes, kept or not."""
    if value is None:
        return None
    reduction = made_by(without_ones(value), "ReduceMean")
    if reduction is None:
        return None
    x, along = the_input(reduction), axes(reduction)
    if along is None or along != tuple(range(rank(x) - len(along), rank(x))):
        return None
    return x, along


def squared(value: ir.Value | None) -> ir.Value | None:
    """The x such that ``value`` is x * x or x ** 2."""
    node = made_by(value, "Mul", "Pow")
    if node is None:
        return None
    if node.op_type == "Mul":
        return node.inputs[0] if node.inputs[0] is node.inputs[1] else None
    return node.inputs[0] if is_number(node.inputs[1], 2.0) else None


def mean_square(value: ir.Value) -> tuple[ir.Value, tuple[int, ...]] | None:
    """The x and the axes such that ``value`` is the mean of x * x."""
    found = mean(value)
    x = None if found is None else squared(found[0])
    return None if found is None or x is None else (x, found[1])


def epsilon(sqrt: ir.Node) -> tuple[ir.Value, float] | None:
    """What stands under the root, and the constant that is added to it (0 if there is none)."""
    under = without_ones(the_input(sqrt))
    node = made_by(under, "Add")
    if node is None:
        return under, 0.0
    for value, other in (node.inputs, reversed(node.inputs)):
        number = scalar(other)
        if number is not None and value is not None:
            return without_ones(value), number
    return None


def affine(
    editor: Editor, place: ir.Node, value: ir.Value, x: ir.Value, along: Sequence[int]
) -> ir.Value | None:
    """``value`` in the shape of the normalised axes of x, if that is all it varies along."""
    wanted = dims(x)[along[0] :]
    source = without_ones(value)
    if (1,) * (rank(x) - rank(value)) + dims(value) != (1,) * along[0] + wanted:
        return None
    for candidate in (value, source):
        if dims(candidate) == wanted:
            return candidate
    if len(wanted) == rank(source) == 1 or dims(value)[-len(wanted) :] != wanted:
        return None
    leading = rank(value) - len(wanted)
    if any(d != 1 for d in dims(value)[:leading]):
        return None
    return editor.before(place).Squeeze(  # type: ignore[no-any-return]
        value, list(range(leading)), like=value, shape=wanted
    )
