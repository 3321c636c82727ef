"""What attention does to its scores between their product and their softmax."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from jax2onnx.rewrite.analyses.factors import Axis, Labelled, broadcast_to, extent, flattened
from jax2onnx.rewrite.analyses.shapes import vector
from jax2onnx.rewrite.analyses.values import (
    broadcast,
    constant,
    dims,
    filled,
    made_by,
    only_user,
    scalar,
    the_input,
    without_ones,
)
from jax2onnx.rewrite.engine.editor import Editor

_ABSORBS = -1e30
"""Below it, a float32 stays what it is when a score is added to it."""

_LEAST = float(np.nextafter(np.finfo(np.float32).min, np.float32(0)))
"""The lowest number that ONNX Runtime's operator takes for one: a row of lower ones gives 0."""

_HIDES = -1e9
"""Below it, a score has no share, if any other in its row is not."""


@dataclass(frozen=True)
class Scores:
    """A product of queries and keys, and what became of it.

    Attributes:
        product: the result of the MatMul.
        scale: what it was multiplied with first.
        softcap: the bound that tanh kept it in then; 0 for none.
        steps: what followed: a value that was added, or a condition and what takes the place of the
            scores where it does not hold.

    """

    product: Labelled
    scale: float = 1.0
    softcap: float = 0.0
    steps: tuple[tuple[Labelled, float | None], ...] = ()

    def causal(self, queries: Axis, keys: Axis) -> bool:
        """Whether each query sees the keys up to its own position and no others."""
        if len(self.steps) != 1 or self.steps[0][1] is None or self.steps[0][1] > _HIDES:
            return False
        mask = self.steps[0][0]
        if mask.axes[-2:] != (queries, keys):
            return False
        array = constant(mask.value)
        if array is not None:
            return bool((array == np.tril(np.ones(array.shape[-2:], bool))).all())
        node = made_by(mask.value, "GreaterOrEqual")
        if node is None:
            return False
        rows, columns = the_input(node), the_input(node, 1)
        return dims(rows)[-1] == 1 and all(_counts(without_ones(v)) for v in (rows, columns))

    @property
    def exact(self) -> bool:
        """Whether adding what was put in the place of scores gives the same shares.

        Where that hides every key of a query, all have the same score in JAX.
        """
        if self.steps and self.product.value.dtype != ir.DataType.FLOAT:
            return False
        masks = [(mask.value, number) for mask, number in self.steps if number is not None]
        if all(-math.inf < number <= _ABSORBS for _, number in masks):
            return True
        return len(masks) == 1 and masks[0][1] < _HIDES and _leaves_a_key(masks[0][0])

    def bias(
        self, editor: Editor, place: ir.Node, axes: Sequence[Axis], sizes: Sequence[ir.Value]
    ) -> ir.Value:
        """What is added to the scores, (1 or batch, 1 or heads, queries, keys).

        Args:
            editor: for the nodes.
            place: what they are put in front of.
            axes: those four.
            sizes: the numbers of queries and of keys.

        """
        op, dtype = editor.before(place), self.product.value.dtype
        zero = editor.constant(0, dtype)
        result = zero
        for step, number in self.steps:
            value = _beside(editor, place, step, axes)
            shape = broadcast(dims(value), dims(result))
            if number is not None:
                hidden = editor.constant(max(number, _LEAST), dtype)
                result = op.Where(value, result, hidden, dtype=dtype, shape=shape)
            else:
                added = op.Max(value, editor.constant(_LEAST, dtype))
                result = added if result is zero else op.Add(result, added, shape=shape)
        tokens = tuple(extent(a) or 0 for a in axes[-2:])
        if dims(result)[-2:] == tokens:
            return result
        one = editor.constant([1])
        shape = broadcast(dims(result), (1, 1, *tokens))
        target = vector(editor, place, [one, one, *sizes])
        return op.Expand(result, target, shape=shape)  # type: ignore[no-any-return]


def can_bias(step: Labelled, axes: Sequence[Axis]) -> bool:
    """Whether ``step`` varies along each of the axes or not at all, and not along others."""
    own = set(flattened(step.axes))
    return step.named and all(own.issuperset(a) or own.isdisjoint(a) for a in axes)


def _beside(editor: Editor, place: ir.Node, step: Labelled, axes: Sequence[Axis]) -> ir.Value:
    """``step`` such that it lies beside something with these axes."""
    own = set(flattened(step.axes))
    wanted = tuple(a if own.issuperset(a) else () for a in axes)
    size = len(step.axes)
    if size <= len(axes) and step.axes == wanted[-size:] and not any(wanted[:-size]):
        return step.value
    return step.arranged(editor, place, wanted, tuple(extent(a) or 0 for a in wanted))


def _leaves_a_key(mask: ir.Value) -> bool:
    """Whether ``mask`` is a constant that holds somewhere in each row."""
    array = constant(mask)
    return array is not None and bool(array.any(axis=-1).all())


def _counts(value: ir.Value) -> bool:
    """Whether ``value`` is 0, 1, 2..."""
    while (node := made_by(value, "Cast")) is not None:
        value = the_input(node)
    array, node = constant(value), made_by(value, "Range")
    if array is not None:
        return array.ndim == 1 and bool((array == np.arange(array.size)).all())
    return node is not None and scalar(node.inputs[0]) == 0 and scalar(node.inputs[2]) == 1


def scores(editor: Editor, out: Labelled) -> Iterator[Scores]:
    """The ways to read what a softmax is taken of."""
    node = made_by(out.value, "MatMul", "Where", "Add", "Mul", "Div")
    if only_user(out.value) is None:
        return
    if node is None:
        source = out.source()
        if source is not None:
            yield from scores(editor, source)
    elif node.op_type == "MatMul":
        yield Scores(out)
    elif node.op_type == "Where":
        number = filled(node.inputs[2])
        if number is not None:
            yield from _followed(editor, out, the_input(node, 1), the_input(node), number)
    elif node.op_type == "Add":
        yield from _followed(editor, out, the_input(node), the_input(node, 1), None)
        yield from _followed(editor, out, the_input(node, 1), the_input(node), None)
    else:
        yield from _scaled(editor, node, out)


def _followed(
    editor: Editor, out: Labelled, x: ir.Value, other: ir.Value, number: float | None
) -> Iterator[Scores]:
    """The ways to read x, with a step that makes ``out`` of it."""
    step = broadcast_to(other, out)
    if step is not None and dims(x) == dims(out.value):
        steps = tuple((s, number) for s in _steps(editor, step, number is not None))
        for found in scores(editor, Labelled(x, out.given)):
            yield replace(found, steps=(*found.steps, *steps))


def _steps(editor: Editor, step: Labelled, condition: bool) -> Iterator[Labelled]:
    """A step as it was before it was broadcast; the conditions that all have to hold."""
    while (source := step.source(spread=True)) is not None:
        step = source
    both = made_by(step.value, "And") if condition else None
    parts = [broadcast_to(the_input(both, i), step) for i in (0, 1)] if both is not None else []
    for part in parts:
        if part is not None:
            yield from _steps(editor, part, condition)
    if not parts:
        yield _smaller(editor, step)


def _smaller(editor: Editor, step: Labelled) -> Labelled:
    """A constant without the axes along which it does not vary."""
    array = constant(step.value)
    if array is None or not array.size:
        return step
    alike = [i for i in range(array.ndim) if (array == array.take([0], i)).all()]
    kept = tuple(axis for i, axis in enumerate(step.given) if i not in alike)
    index = tuple(0 if i in alike else slice(None) for i in range(array.ndim))
    return Labelled(editor.constant(array[index]), kept)


def _scaled(editor: Editor, node: ir.Node, out: Labelled) -> Iterator[Scores]:
    """The ways to read a product with a number, or a quotient."""
    x, number = the_input(node), scalar(node.inputs[1])
    if number is None and node.op_type == "Mul":
        x, number = the_input(node, 1), scalar(node.inputs[0])
    if not number:
        return
    factor = number if node.op_type == "Mul" else 1 / number
    tanh = made_by(x, "Tanh")
    for found in scores(editor, Labelled(x if tanh is None else the_input(tanh), out.given)):
        if found.steps or found.softcap:
            continue
        if tanh is None:
            yield replace(found, scale=found.scale * factor)
        elif factor > 0 and only_user(x) is not None:
            yield replace(found, scale=found.scale * factor, softcap=factor)
