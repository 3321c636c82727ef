"""Shapes as tensors, and values seen in other shapes."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from jax2onnx.graph.shapes import VIEWS, constant_target, ones_between, reshaping
from jax2onnx.graph.sizes import Dims, known
from jax2onnx.rewrite.analyses.nodes import made_by
from jax2onnx.rewrite.analyses.values import constant, dims
from jax2onnx.rewrite.engine.editor import Editor


def size(editor: Editor, place: ir.Node, value: ir.Value, axis: int) -> ir.Value:
    """Return the size of an axis as an int64 vector of one element.

    Args:
        editor: The editor of the graph.
        place: The node in front of which nodes are added. A size that is that of an input's axis is
            read at the start of the body instead, once for all who need it.
        value: The value.
        axis: Its axis, not negative.
    """
    dim = dims(value)[axis]
    if isinstance(dim, int):
        return editor.constant([dim])
    stated = {"dtype": ir.DataType.INT64, "shape": (1,)}
    source = next((v for v in editor.body.inputs if dim in dims(v)), None)
    if source is None:
        return editor.before(place).Shape(value, start=axis, end=axis + 1, **stated)
    start = dims(source).index(dim)
    return editor.shared(
        ("size", source, start),
        lambda: editor.at_start.Shape(source, start=start, end=start + 1, **stated),
    )


def vector(editor: Editor, place: ir.Node, parts: Sequence[ir.Value]) -> ir.Value:
    """Return int64 vectors of one element each as one vector, a constant if all of them are."""
    numbers = [constant(part) for part in parts]
    constants = [n for n in numbers if n is not None]
    if len(constants) == len(parts):
        return editor.constant(np.concatenate(constants))
    stated = {"dtype": ir.DataType.INT64, "shape": (len(parts),)}
    if all(map(editor.is_early, parts)):
        return editor.shared(
            ("vector", *parts), lambda: editor.at_start.Concat(*parts, axis=0, **stated)
        )
    return editor.before(place).Concat(*parts, axis=0, **stated)


def can_view(value: ir.Value, shape: Dims) -> bool:
    """Return whether ``value`` can be reshaped to ``shape`` without computing the shape."""
    same = dims(value) == shape or _differ_by_ones(dims(value), shape)
    return same or constant_target(dims(value), shape) is not None


def view(
    editor: Editor, place: ir.Node, value: ir.Value, shape: Dims, *, sizes: ir.Value | None = None
) -> ir.Value:
    """Return ``value`` in another shape, by the first way that can state it.

    1. A constant of this shape, if ``value`` is a constant.
    2. ``value`` itself or a value that was reshaped to it, if that has this shape.
    3. Unsqueeze, Squeeze or Reshape with a constant, of the first value that was reshaped to
       ``value`` and allows it.
    4. Reshape to a computed shape.

    Args:
        editor: The editor of the graph.
        place: The node in front of which nodes are added.
        value: The value.
        shape: The dimensions that it shall have.
        sizes: A value among whose dimensions are the symbolic ones of ``shape``; by default
            ``value``. Only the fourth way reads it.
    """
    array, numbers = constant(value), known(shape)
    if array is not None and numbers is not None:
        return editor.constant(array.reshape(numbers))
    chosen, found = value, False
    source: ir.Value | None = value
    while source is not None:
        if dims(source) == shape:
            return source
        if constant_target(dims(source), shape) is not None:
            chosen, found = source, True
        elif not found and _differ_by_ones(dims(source), shape):
            chosen = source
        node = made_by(source, *VIEWS)
        source = None if node is None else node.inputs[0]
    op_type, operand = reshaping(dims(chosen), shape)
    if operand is None:
        return computed_view(editor, place, value, shape, value if sizes is None else sizes)
    return editor.before(place)(op_type, chosen, operand, shape=shape)


def computed_view(
    editor: Editor, place: ir.Node, value: ir.Value, shape: Dims, sizes: ir.Value
) -> ir.Value:
    """Return ``value`` reshaped to a shape whose symbolic sizes are read off axes of ``sizes``."""
    given = dims(sizes)
    parts = [
        editor.constant([d]) if isinstance(d, int) else size(editor, place, sizes, given.index(d))
        for d in shape
    ]
    target = vector(editor, place, parts)
    return editor.before(place).Reshape(value, target, shape=shape)


def _differ_by_ones(old: Dims, shape: Dims) -> bool:
    """Return whether one shape is the other with axes of size 1 added."""
    fewer, more = sorted((old, shape), key=len)
    return len(fewer) < len(more) and ones_between(fewer, more) is not None
