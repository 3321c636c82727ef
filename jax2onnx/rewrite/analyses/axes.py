"""Operators that can work on permuted axes, and how to make them do so.

A layout of a value is the order in which its axes shall lie: axis ``layout[i]`` becomes axis ``i``,
as for ``numpy.transpose``.
"""

from collections.abc import Sequence
from itertools import pairwise

import onnx_ir as ir

from jax2onnx.graph.shapes import VIEWS, constant_target
from jax2onnx.graph.sizes import Dim, Dims, product
from jax2onnx.rewrite.analyses.nodes import BROADCASTING, UNARY, attribute, made_by, the_input
from jax2onnx.rewrite.analyses.values import aligned, axes, constant, dims, integers, rank
from jax2onnx.rewrite.engine.editor import Editor

Layout = tuple[int, ...]
Layouts = dict[ir.Value, Layout]

_REDUCTIONS = frozenset(
    f"Reduce{name}"
    for name in (
        "L1",
        "L2",
        "LogSum",
        "LogSumExp",
        "Max",
        "Mean",
        "Min",
        "Prod",
        "Sum",
        "SumSquare",
    )
)
_ALONG_AXIS = frozenset(("ArgMax", "ArgMin", "Concat", "Split"))
_ALIKE = UNARY | BROADCASTING | {"Clip", "PRelu"}
_BY_POSITION = frozenset(("Expand", "Pad", "Tile"))


def permuted(shape: Dims, layout: Sequence[int]) -> Dims:
    """Return ``shape`` in the order of ``layout``."""
    return tuple(shape[a] for a in layout)


def moves(shape: Dims, layout: Sequence[int]) -> bool:
    """Return whether a permutation changes the order of elements; axes of size 1 do not count."""
    real = [a for a in layout if shape[a] != 1]
    return real != sorted(real)


def operands(node: ir.Node) -> list[tuple[int, ir.Value]]:
    """Return the inputs whose axes correspond to those of the result, with their indices."""
    several = node.op_type in _ALIKE or node.op_type == "Concat"
    return [(i, v) for i, v in enumerate(node.inputs) if v is not None and (several or not i)]


def spread(node: ir.Node, value: ir.Value, layout: Layout) -> Layouts | None:
    """Return the layouts of a node's operands and results, given that of one of them.

    Args:
        node: The node.
        value: An operand or a result of it.
        layout: The layout of ``value``.

    Returns:
        None if the operator cannot compute in this order, or if the other layouts are not
        determined.
    """
    if node.domain != "" or not node.inputs:
        return None
    data, out = [v for _, v in operands(node)], node.outputs[0]
    if not data or value not in (*data, *node.outputs):
        return None
    if node.op_type in _ALIKE:
        full = rank(out) == len(layout)
        return _all_alike(data, node, layout) if full else None
    x = data[0]
    if node.op_type in VIEWS:
        return None if is_fixed(x) else _through_view(x, out, layout, up=value is out)
    along = _axes(node)
    if along is None:
        return None
    if rank(out) == rank(x):
        return _all_alike(data, node, layout)
    if value is not x:  # where the axes that it lost are to lie is open
        return None
    kept = [a for a in range(rank(x)) if a not in along]
    return {x: layout, out: tuple(kept.index(a) for a in layout if a in kept)}


def _all_alike(data: Sequence[ir.Value], node: ir.Node, layout: Layout) -> Layouts | None:
    for v in data:
        if rank(v) < len(layout) and moves(aligned(v, len(layout)), layout) and not is_fixed(v):
            return None
    return {v: layout for v in (*data, *node.outputs) if rank(v) == len(layout)}


def is_fixed(value: ir.Value) -> bool:
    """Return whether ``value`` is a constant or parameter, seen through Cast and views."""
    while (node := made_by(value, "Cast", *VIEWS)) is not None:
        value = the_input(node)
    return value.is_initializer() or constant(value) is not None


def _axes(node: ir.Node) -> Layout | None:
    """Return the axes along which the operator does not treat all elements alike, if known."""
    if node.op_type in _ALONG_AXIS:
        whole = node.outputs[0] if node.op_type == "Concat" else the_input(node)
        return (attribute(node, "axis", 0) % rank(whole),)
    if node.op_type in _REDUCTIONS:
        return axes(node)
    if node.op_type == "Slice" and len(node.inputs) > 3:
        return integers(node.inputs[3])
    if node.op_type in _BY_POSITION and len(node.inputs) < 4:
        count, size = len(integers(node.inputs[1]) or ()), rank(the_input(node))
        return () if count in (size, 2 * size) and rank(node.outputs[0]) == size else None
    return None


def _through_view(x: ir.Value, out: ir.Value, layout: Layout, *, up: bool) -> Layouts | None:
    found = regrouped(dims(out), dims(x), layout) if up else regrouped(dims(x), dims(out), layout)
    if found is None:
        return None
    layouts = {x: found, out: layout} if up else {x: layout, out: found}
    shapes = [permuted(dims(v), layouts[v]) for v in (x, out)]
    return None if constant_target(*shapes) is None else layouts


def regrouped(old: Dims, new: Dims, layout: Layout) -> Layout | None:
    """Return the layout of a reshape's result, given that of its operand.

    Axes that are merged, or that come from one axis, have to stay together. An axis of size 1 goes
    along with the one in front of it.

    Args:
        old: The shape of the operand.
        new: The shape of the result.
        layout: The layout of the operand.

    Returns:
        None if ``layout`` separates axes that have to stay together.
    """
    real, others = ([a for a, d in enumerate(shape) if d != 1] for shape in (old, new))
    ends, other_ends = _sizes(permuted(old, real)), _sizes(permuted(new, others))
    cuts = [(i, other_ends.index(end)) for i, end in enumerate(ends) if end in other_ends]
    if 0 in old or cuts[-1] != (len(real), len(others)):
        return None
    starts = [*others, len(new)]
    runs = [(real[i:k], range(starts[j], starts[m])) for (i, j), (k, m) in pairwise(cuts) if i < k]
    order = [a for a in layout if old[a] != 1]
    runs.sort(key=lambda run: order.index(run[0][0]))
    if [a for run, _ in runs for a in run] != order:
        return None
    return (*range(starts[0]), *(a for _, run in runs for a in run))


def _sizes(shape: Dims) -> list[Dim]:
    """Return the numbers of elements of the first 0, 1, 2, ... axes."""
    return [product(shape[:count]) for count in range(len(shape) + 1)]


def rearrange(editor: Editor, node: ir.Node, layouts: Layouts) -> None:
    """Make a node compute results in their layouts from operands in theirs.

    Args:
        editor: The editor of the graph.
        node: The node; its attributes and constant inputs are changed.
        layouts: The layouts of its operands and results, as `spread` returned them.
    """
    x, out = the_input(node), node.outputs[0]
    layout = layouts[x] if x in layouts else layouts[out]
    if node.op_type in VIEWS:
        target = constant_target(*(permuted(dims(v), layouts[v]) for v in (x, out)))
        node.op_type = "Reshape"
        node.replace_input_with(1, editor.constant(target))
    elif node.op_type in _ALONG_AXIS:
        axis = layout.index(attribute(node, "axis", 0) % len(layout))
        node.attributes["axis"] = ir.AttrInt64("axis", axis)
    elif node.op_type in _BY_POSITION:
        numbers = integers(node.inputs[1]) or ()
        rows = [numbers[i : i + len(layout)] for i in range(0, len(numbers), len(layout))]
        node.replace_input_with(1, editor.constant([row[a] for row in rows for a in layout]))
    elif node.op_type not in _ALIKE:
        index = 3 if node.op_type == "Slice" else 1
        along = integers(node.inputs[index]) or ()
        moved = [layout.index(a % len(layout)) for a in along]
        node.replace_input_with(index, editor.constant(moved))
