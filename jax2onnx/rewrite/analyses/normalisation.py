"""Parts of normalisations: means, variances, and products with 1 / sqrt(variance + epsilon).

All normalisations divide by the square root of a mean square plus epsilon, and may scale the
result. Libraries write them in different ways, all of which are recognised:

- 1 / sqrt(v) is a factor, or sqrt(v) a divisor;
- the scale is multiplied with that factor, or with the product;
- the variance is the mean of (x - mean)^2, or the mean of x^2 less the square of the mean;
- the variance may be clipped at 0;
- reductions keep their axes, or these are put back at any point.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from jax2onnx.graph.sizes import known
from jax2onnx.rewrite.analyses.nodes import made_by, only_user, the_input
from jax2onnx.rewrite.analyses.shapes import view
from jax2onnx.rewrite.analyses.values import aligned, axes, dims, kept, rank, scalar, without_ones
from jax2onnx.rewrite.engine.editor import Editor, Operators
from jax2onnx.rewrite.engine.pattern import is_number


@dataclass
class Product:
    """A product with a reciprocal square root.

    Attributes:
        root: The last of the multiplications.
        inverse: The root or its reciprocal, as the first multiplication reads it.
        factors: The other factors.
    """

    root: ir.Node
    inverse: ir.Value
    factors: list[ir.Value] = field(default_factory=list)


def products(sqrt: ir.Node) -> list[Product]:
    """Return the products of 1 / ``sqrt`` with one and with two factors, the shorter first."""
    value, user = _reader(sqrt.outputs[0])
    if user is None:
        return []
    inverse = user.op_type == "Div" and is_number(user.inputs[0], 1.0)
    if inverse or user.op_type == "Reciprocal":
        found = _next([], user, None)
    elif user.op_type == "Div" and user.inputs[1] is value:
        found = [Product(user, value, [the_input(user)])]
    else:
        return []
    found += [p for first in found for p in _next(first.factors, first.root, first.inverse)]
    return [product for product in found if len(product.factors) <= 2]


def _reader(value: ir.Value) -> tuple[ir.Value, ir.Node | None]:
    """Return the one node that reads ``value``, and the value that it reads: a view with ones."""
    source, user = without_ones(value), only_user(value)
    while user is not None and user.op_type in ("Reshape", "Unsqueeze"):
        value = user.outputs[0]
        user = only_user(value) if without_ones(value) is source else None
    return value, user


def _next(factors: Sequence[ir.Value], node: ir.Node, inverse: ir.Value | None) -> list[Product]:
    """Return the product with the next factor, and with its two factors if it is a product."""
    value, user = _reader(node.outputs[0])
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
    """Return the x and the axes such that ``value`` is the mean of x along them, kept or not."""
    reduction = None if value is None else made_by(without_ones(value), "ReduceMean")
    along = None if reduction is None else axes(reduction)
    return None if reduction is None or along is None else (the_input(reduction), along)


def squared(value: ir.Value | None) -> ir.Value | None:
    """Return the x such that ``value`` is x * x or x ** 2."""
    node = made_by(value, "Mul", "Pow")
    if node is None:
        return None
    if node.op_type == "Mul":
        return node.inputs[0] if node.inputs[0] is node.inputs[1] else None
    return node.inputs[0] if is_number(node.inputs[1], 2.0) else None


def mean_square(value: ir.Value) -> tuple[ir.Value, tuple[int, ...]] | None:
    """Return the x and the axes such that ``value`` is the mean of x * x."""
    found = mean(value)
    x = None if found is None else squared(found[0])
    return None if found is None or x is None else (x, found[1])


def variance(value: ir.Value) -> tuple[ir.Value, tuple[int, ...]] | None:
    """Return the x and the axes such that ``value`` is the variance of x along them."""
    clipped = made_by(value, "Max")
    if clipped is not None:
        others = [v for v in clipped.inputs if scalar(v) != 0.0]
        if len(others) != 1 or others[0] is None:
            return None
        value = without_ones(others[0])
    squares = mean_square(value)
    if squares is not None:
        centred, along = squares
        x = uncentred(centred, along)
        return None if x is None else (x, along)
    difference = made_by(value, "Sub")
    if difference is None:
        return None
    squares, root = mean_square(the_input(difference)), squared(difference.inputs[1])
    return squares if root is not None and mean(root) == squares else None


def uncentred(value: ir.Value, along: Sequence[int]) -> ir.Value | None:
    """Return the x such that ``value`` is x less its mean along these axes."""
    difference = made_by(value, "Sub")
    if difference is None:
        return None
    x = the_input(difference)
    mean_of_x = the_input(difference, 1)
    return x if mean(mean_of_x) == (x, tuple(along)) and kept(mean_of_x, x, along) else None


def is_last(along: Sequence[int], x: ir.Value) -> bool:
    """Return whether these axes are the last ones of x."""
    return tuple(along) == tuple(range(rank(x) - len(along), rank(x)))


def epsilon(sqrt: ir.Node) -> tuple[ir.Value, float] | None:
    """Return the radicand without the constant that is added to it, and that constant or 0."""
    under = without_ones(the_input(sqrt))
    node = made_by(under, "Add")
    if node is None:
        return under, 0.0
    for value, other in (node.inputs, reversed(node.inputs)):
        number = scalar(other)
        if number is not None and value is not None:
            return without_ones(value), number
    return None


def channel(value: ir.Value, x: ir.Value) -> int | None:
    """Return the one axis of x, not the first, along which ``value`` varies; None if not one."""
    shape = aligned(value, rank(x))
    varying = [axis for axis, d in enumerate(shape) if d != 1]
    if len(shape) != rank(x) or len(varying) != 1 or 0 in varying:
        return None
    return varying[0] if dims(x)[varying[0]] == shape[varying[0]] else None


def per_channel(
    editor: Editor,
    product: Product,
    difference: ir.Node,
    axis: int,
    normalise: Callable[[Operators, ir.Node, ir.Value, ir.Value, ir.Value], ir.Value],
) -> bool:
    """Replace a normalisation of each channel, its scale and its bias included.

    Args:
        editor: The editor of the graph.
        product: The product of ``difference``, 1 / sqrt(variance) and perhaps a scale.
        difference: The node that computes x less its mean.
        axis: The axis of the channels.
        normalise: Is given the operators, their place, x with the channels on axis 1, and scale
            and bias of shape (channels,). Returns the normalised x.

    Returns:
        False, with the graph as it was, where the scale or the sizes do not fit.
    """
    x, root, bias = the_input(difference), product.root, None
    size, out = dims(x)[axis], root.outputs[0]
    scales: list[ir.Value | None] = [f for f in product.factors if f.producer() is not difference]
    user = only_user(out)
    if user is not None and user.op_type == "Add":
        bias = the_input(user, 1 if user.inputs[0] is out else 0)
        bias = bias if channel(bias, x) == axis else None
        root = root if bias is None else user
    out = root.outputs[0]
    if not isinstance(size, int) or x.dtype is None or dims(out) != dims(x):
        return False
    if any(v is not None and channel(v, x) != axis for v in scales):
        return False
    numbers = (np.full(size, n, x.dtype.numpy()) for n in (1, 0))
    vectors = [
        editor.constant(number) if v is None else view(editor, root, v, (size,))
        for v, number in zip((*(*scales, None)[:1], bias), numbers, strict=True)
    ]
    op, order = editor.before(root), [0, axis, *(a for a in range(1, rank(x)) if a != axis)]
    if axis != 1:
        x = op.Transpose(x, perm=order, shape=tuple(dims(x)[a] for a in order))
    result = normalise(op, root, x, vectors[0], vectors[1])
    if axis != 1:
        result = op.Transpose(result, perm=[order.index(a) for a in range(rank(x))], like=out)
    editor.replace(out, result)
    return True


def scale(
    editor: Editor, product: Product, value: ir.Value, x: ir.Value, along: Sequence[int]
) -> ir.Value | None:
    """Return what else ``product`` multiplies ``value`` with, in the shape of the normalised axes.

    Args:
        editor: The editor of the graph.
        product: A product of ``value`` and a reciprocal square root, and perhaps a scale.
        value: The factor that is normalised.
        x: The value whose mean square is under the root.
        along: The axes of that mean, which are the last ones of x.

    Returns:
        The scale, or ones where there is none; None where the product is another one.
    """
    factors = list(product.factors)
    if not kept(product.inverse, x, along) or dims(product.root.outputs[0]) != dims(x):
        return None
    factors.remove(value)
    if factors:
        return affine(editor, product.root, factors[0], x, along)
    shape = known(dims(x)[along[0] :])
    return None if shape is None else editor.constant(np.ones(shape), x.dtype)


def affine(
    editor: Editor, place: ir.Node, value: ir.Value, x: ir.Value, along: Sequence[int]
) -> ir.Value | None:
    """Return ``value`` in the shape of the normalised axes of x.

    Returns:
        None if ``value`` does not have that shape beside x.
    """
    wanted = dims(x)[along[0] :]
    source = without_ones(value)
    if aligned(value, rank(x)) != (1,) * along[0] + wanted:
        return None
    for candidate in (value, source):
        if dims(candidate) == wanted:
            return candidate
    if len(wanted) == rank(source) == 1 or dims(value)[-len(wanted) :] != wanted:
        return None
    leading = rank(value) - len(wanted)
    if any(d != 1 for d in dims(value)[:leading]):
        return None
    return editor.before(place).Squeeze(value, list(range(leading)), like=value, shape=wanted)
