"""Ways to read an expression around a square root as a normalisation.

A normalisation is (x - mean) / sqrt(variance) * scale + bias. Libraries write it in different ways,
all of which are read:

- 1 / sqrt(v) is a factor, or sqrt(v) a divisor;
- the scale is multiplied with that factor, with x, or with the product;
- x * a + (bias - mean * a) stands for (x - mean) * a + bias, as in Keras;
- views that add axes of size 1 stand anywhere between.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import onnx_ir as ir

from jax2onnx.rewrite.analyses.nodes import made_by, only_user, the_input, users
from jax2onnx.rewrite.analyses.values import dims, without_ones
from jax2onnx.rewrite.engine.pattern import is_number

_DEPTH = 3
"""The number of sums that a distributed normalisation may consist of."""


@dataclass(frozen=True)
class Reading:
    """An expression, read as (x - mean) / sqrt(variance) * scale + bias.

    Attributes:
        root: The last node of the expression.
        inverse: The root or its reciprocal, as the first multiplication reads it.
        x: What is normalised.
        mean: What is subtracted from x; None if nothing is.
        scale: The other factor, if there is one.
        bias: The summand, if there is one.
    """

    root: ir.Node
    inverse: ir.Value
    x: ir.Value
    mean: ir.Value | None = None
    scale: ir.Value | None = None
    bias: ir.Value | None = None


@dataclass
class _Product:
    """A product of the root or its reciprocal and of one or two factors."""

    root: ir.Node
    inverse: ir.Value
    factors: list[ir.Value] = field(default_factory=list)


def readings(sqrt: ir.Node) -> list[Reading]:
    """Return the ways to read the expression around ``sqrt``, those of larger ones first."""
    found = list(_distributed(sqrt))
    for product in reversed(_products(sqrt)):
        plain = list(_factored(product))
        summed = plus(product.root)
        if summed is not None:
            root, bias = summed
            found += [replace(reading, root=root, bias=bias) for reading in plain]
        found += plain
    return found


def plus(node: ir.Node) -> tuple[ir.Node, ir.Value] | None:
    """Return the Add that alone reads the result of ``node``, and its other operand."""
    return _next(node, "Add")


def times(node: ir.Node) -> tuple[ir.Node, ir.Value] | None:
    """Return the Mul that alone reads the result of ``node``, and its other operand."""
    return _next(node, "Mul")


def _next(node: ir.Node, op_type: str) -> tuple[ir.Node, ir.Value] | None:
    out = node.outputs[0]
    user = only_user(out)
    if user is None or user.op_type != op_type or dims(user.outputs[0]) != dims(out):
        return None
    return user, _other(user, out)


def _other(node: ir.Node, value: ir.Value) -> ir.Value:
    """Return the operand of a binary operator beside ``value``."""
    return the_input(node, 1 if node.inputs[0] is value else 0)


def _factored(product: _Product) -> Iterator[Reading]:
    for i, factor in enumerate(product.factors):
        scale = (*product.factors[:i], *product.factors[i + 1 :], None)[0]
        yield Reading(product.root, product.inverse, factor, scale=scale)
        difference = made_by(factor, "Sub")
        if difference is not None:
            x, mean = the_input(difference), the_input(difference, 1)
            yield Reading(product.root, product.inverse, x, mean, scale)


def _products(sqrt: ir.Node) -> list[_Product]:
    """Return the products of 1 / ``sqrt`` with one and with two factors, the shorter first."""
    value, user = _reader(sqrt.outputs[0])
    if user is None:
        return []
    if _is_reciprocal(user):
        found = _with_next([], user, None)
    elif user.op_type == "Div" and user.inputs[1] is value:
        dividend = the_input(user)
        found = [_Product(user, value, each) for each in ([dividend], _factors(dividend)) if each]
    else:
        return []
    found += [p for first in found for p in _with_next(first.factors, first.root, first.inverse)]
    return [product for product in found if len(product.factors) <= 2]


def _is_reciprocal(node: ir.Node) -> bool:
    inverse = node.op_type == "Div" and is_number(node.inputs[0], 1.0)
    return inverse or node.op_type == "Reciprocal"


def _factors(value: ir.Value) -> list[ir.Value]:
    """Return the operands of the Mul that computes ``value``; none if it is no product."""
    node = made_by(value, "Mul")
    return [] if node is None else [the_input(node), the_input(node, 1)]


def _readers(value: ir.Value) -> list[tuple[ir.Value, ir.Node]]:
    """Return the nodes that read ``value``, each with what it reads: a view with ones perhaps."""
    found = []
    for user in users(value):
        out = user.outputs[0]
        if user.op_type in ("Reshape", "Unsqueeze") and without_ones(out) is without_ones(value):
            found += _readers(out)
        else:
            found.append((value, user))
    return found


def _reader(value: ir.Value) -> tuple[ir.Value, ir.Node | None]:
    """Return the one node that reads ``value``, and the value that it reads."""
    found = _readers(value)
    if len(found) != 1 or value.is_graph_output() or found[0][0].is_graph_output():
        return value, None
    return found[0]


def _with_next(
    factors: Sequence[ir.Value], node: ir.Node, inverse: ir.Value | None
) -> list[_Product]:
    """Return the product with the next factor, and with its two factors if it is a product."""
    value, user = _reader(node.outputs[0])
    if user is None or user.op_type != "Mul":
        return []
    other = _other(user, value)
    inverse = inverse or value
    return [
        _Product(user, inverse, [*factors, *each]) for each in ([other], _factors(other)) if each
    ]


def _distributed(sqrt: ir.Node) -> Iterator[Reading]:
    """Yield the readings of x * a + (bias - mean * a), where a is scale / ``sqrt``."""
    _, inverse = _reader(sqrt.outputs[0])
    if inverse is None or not _is_reciprocal(inverse):
        return
    yield from _differences(inverse.outputs[0])
    seen, product = _reader(inverse.outputs[0])
    if product is not None and product.op_type == "Mul":
        scale = _other(product, seen)
        for reading in _differences(product.outputs[0]):
            yield replace(reading, inverse=seen, scale=scale)


def _differences(factor: ir.Value) -> Iterator[Reading]:
    """Yield the readings of x * ``factor`` + (bias - mean * ``factor``)."""
    readers = _readers(factor)
    if len(readers) != 2 or readers[0][1] is readers[1][1]:
        return
    if any(node.op_type != "Mul" for _, node in readers):
        return
    for (seen, first), (beside, second) in (readers, readers[::-1]):
        x, mean = _other(first, seen), _other(second, beside)
        negated = made_by(mean, "Neg")
        for root in _sums(first):
            terms = list(_terms(root.outputs[0]))
            left = [t for t in terms if t[1] not in (first.outputs[0], second.outputs[0])]
            if (1, first.outputs[0]) not in terms or len(terms) != len(left) + 2 or left[1:]:
                continue
            if (1, second.outputs[0]) in terms and negated is not None:
                centre = the_input(negated)
            elif (-1, second.outputs[0]) in terms:
                centre = mean
            else:
                continue
            if all(sign == 1 for sign, _ in left):
                bias = left[0][1] if left else None
                yield Reading(root, seen, x, centre, bias=bias)


def _sums(node: ir.Node) -> list[ir.Node]:
    """Return the sums and differences that ``node`` is a term of, the largest first."""
    found: list[ir.Node] = []
    user = only_user(node.outputs[0])
    while user is not None and user.op_type in ("Add", "Sub") and len(found) < _DEPTH:
        found.insert(0, user)
        user = only_user(user.outputs[0])
    return found


def _terms(value: ir.Value, sign: int = 1, depth: int = _DEPTH) -> Iterator[tuple[int, ir.Value]]:
    """Yield the terms of a sum with their signs; sums that other nodes read stay whole."""
    node = made_by(value, "Add", "Sub", "Neg")
    if node is None or not depth or (depth < _DEPTH and only_user(value) is None):
        yield sign, value
        return
    for index, operand in enumerate(node.inputs):
        assert operand is not None
        turned = node.op_type == "Neg" or (node.op_type == "Sub" and index == 1)
        yield from _terms(operand, -sign if turned else sign, depth - 1)
