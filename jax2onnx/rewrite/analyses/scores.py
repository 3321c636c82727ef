"""Attention scores: what is done to them between their product and their softmax."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from jax2onnx.rewrite.analyses.factors import Axis, Labelled, broadcast_to, extent, flattened
from jax2onnx.rewrite.analyses.nodes import attribute, made_by, only_user, the_input
from jax2onnx.rewrite.analyses.shapes import vector
from jax2onnx.rewrite.analyses.values import (
    broadcast,
    constant,
    dims,
    filled,
    multiple,
    rank,
    scalar,
    without_ones,
)
from jax2onnx.rewrite.engine.editor import Editor

_ABSORBS = -1e30
"""At or below it, a float32 does not change when a score is added to it."""

_LEAST = float(np.nextafter(np.finfo(np.float32).min, np.float32(0)))
"""The lowest bias that ONNX Runtime's Attention takes; a row of lower ones gives 0."""

_BELOW_ONE = float(np.nextafter(np.float32(1), np.float32(0)))
"""A factor that makes the lowest float32 ``_LEAST``, and leaves -inf as it is."""

_HIDES = -1e9
"""Below it, a score has a share of 0 if any other score of its row is an ordinary number."""


@dataclass(frozen=True)
class Scores:
    """A product of queries and keys, and the steps between it and the softmax.

    Attributes:
        product: The result of the MatMul.
        scale: The number that it is multiplied with first.
        softcap: The bound of the tanh that follows; 0 if there is none.
        steps: The steps after that. A step with None adds its value to the scores. A step with a
            number is a condition, and the number replaces the scores where it does not hold.
        empty: Whether the shares are 0 in the end where no condition holds.
    """

    product: Labelled
    scale: float = 1.0
    softcap: float = 0.0
    steps: tuple[tuple[Labelled, float | None], ...] = ()
    empty: bool = False

    def causal(self, queries: Axis, keys: Axis) -> bool:
        """Return whether each query sees the keys up to its own position and no others."""
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
        if _sums(rows, -2) and _sums(columns, -1):
            return True
        return dims(rows)[-1] == 1 and all(_counts(without_ones(v)) for v in (rows, columns))

    def exact(self, keys: Axis) -> bool:
        """Return whether adding the numbers that replace scores gives the same shares.

        It does not where a condition hides all keys of a query: then JAX gives all the same share,
        unless the shares are set to 0 afterwards, as the operator has them.
        """
        if self.empty and all(number is None or number <= _HIDES for _, number in self.steps):
            return self.all_conditions or self.product.value.dtype == ir.DataType.FLOAT
        if self.steps and self.product.value.dtype != ir.DataType.FLOAT:
            return False
        masks = [(mask, number) for mask, number in self.steps if number is not None]
        if all(-math.inf < number <= _ABSORBS for _, number in masks):
            return True
        return len(masks) == 1 and masks[0][1] < _HIDES and _leaves_a_key(masks[0][0], keys)

    def where(self, editor: Editor, condition: Labelled | None) -> Scores | None:
        """Return the scores of shares that are set to 0 where a condition, if any, does not hold.

        Returns:
            None where that is not the condition, or all conditions, of the scores themselves.
        """
        if condition is None:
            return self
        own = {(step.value, step.axes) for step, number in self.steps if number is not None}
        parts = {(step.value, step.axes) for step in _steps(editor, condition, True)}
        return replace(self, empty=True) if own == parts else None

    @property
    def all_conditions(self) -> bool:
        """Whether nothing is added to the scores."""
        return all(number is not None for _, number in self.steps)

    def bias(
        self, editor: Editor, place: ir.Node, axes: Sequence[Axis], sizes: Sequence[ir.Value]
    ) -> ir.Value:
        """Return the sum of the steps, to be added to the scores.

        Args:
            editor: The editor of the graph.
            place: The node in front of which nodes are added.
            axes: The axes (batch, heads, queries, keys).
            sizes: The numbers of queries and of keys, each an int64 vector of one element.

        Returns:
            A value of shape (1 or batch, 1 or heads, queries, keys), in the dtype of the scores; or
            a condition where nothing is added and rows that it leaves empty shall give 0.
        """
        op, dtype = editor.before(place), self.product.value.dtype
        zero = editor.constant(0, dtype)
        result = zero
        for step, number in self.steps:
            value = beside(editor, place, step, axes)
            shape = broadcast(dims(value), dims(result))
            if number is not None and self.empty and self.all_conditions:
                result = value if result is zero else op.And(value, result, shape=shape)
            elif number is not None:
                hidden = editor.constant(-math.inf if self.empty else max(number, _LEAST), dtype)
                result = op.Where(value, result, hidden, dtype=dtype, shape=shape)
            else:
                added = op.Mul(value, editor.constant(_BELOW_ONE, dtype))
                result = added if result is zero else op.Add(result, added, shape=shape)
        tokens = tuple(extent(a) or 0 for a in axes[-2:])
        if dims(result)[-2:] == tokens:
            return result
        one = editor.constant([1])
        shape = broadcast(dims(result), (1, 1, *tokens))
        target = vector(editor, place, [one, one, *sizes])
        return op.Expand(result, target, shape=shape)


def can_bias(step: Labelled, axes: Sequence[Axis]) -> bool:
    """Return whether ``step`` varies along whole axes of these, and along no other ones."""
    own = set(flattened(step.axes))
    return step.named and all(own.issuperset(a) or own.isdisjoint(a) for a in axes)


def beside(editor: Editor, place: ir.Node, step: Labelled, axes: Sequence[Axis]) -> ir.Value:
    """Return ``step`` such that it broadcasts to these axes."""
    own = set(flattened(step.axes))
    wanted = tuple(a if own.issuperset(a) else () for a in axes)
    size = len(step.axes)
    if size <= len(axes) and step.axes == wanted[-size:] and not any(wanted[:-size]):
        return step.value
    return step.arranged(editor, place, wanted, tuple(extent(a) or 0 for a in wanted))


def _leaves_a_key(mask: Labelled, keys: Axis) -> bool:
    """Return whether ``mask`` is a constant that is true for some key of each query."""
    array = constant(mask.value)
    if array is None:
        return False
    along = [i for i, axis in enumerate(mask.axes) if axis == keys]
    return bool((array.any(axis=along[0]) if along else array).all())


def _sums(value: ir.Value, axis: int) -> bool:
    """Return whether ``value`` counts 1, 2, 3, ... along an axis, as a sum of ones does."""
    while (node := made_by(value, "Cast")) is not None:
        value = the_input(node)
    node = made_by(value, "CumSum")
    if node is None or attribute(node, "exclusive", 0) or attribute(node, "reverse", 0):
        return False
    along = scalar(node.inputs[1])
    return along in (axis, axis + rank(value)) and filled(node.inputs[0]) == 1


def _counts(value: ir.Value) -> bool:
    """Return whether ``value`` is the vector 0, 1, 2, ..."""
    while (node := made_by(value, "Cast")) is not None:
        value = the_input(node)
    array, node = constant(value), made_by(value, "Range")
    if array is not None:
        return array.ndim == 1 and bool((array == np.arange(array.size)).all())
    return node is not None and scalar(node.inputs[0]) == 0 and scalar(node.inputs[2]) == 1


def scores(editor: Editor, out: Labelled) -> Iterator[Scores]:
    """Yield the ways to read the operand of a softmax as scores; the editor makes constants."""
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
    """Yield the ways to read ``x``, with the step added that computes ``out`` from it."""
    step = broadcast_to(other, out)
    if step is not None and dims(x) == dims(out.value):
        steps = tuple((s, number) for s in _steps(editor, step, number is not None))
        for found in scores(editor, Labelled(x, out.given)):
            yield replace(found, steps=(*found.steps, *steps))


def _steps(editor: Editor, step: Labelled, condition: bool) -> Iterator[Labelled]:
    """Yield a step as it was before it was broadcast; of an And, each of the conditions."""
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
    """Return a constant without the axes along which it does not vary, any other value as is."""
    array = constant(step.value)
    if array is None or not array.size:
        return step
    alike = [i for i in range(array.ndim) if (array == array.take([0], i)).all()]
    kept = tuple(axis for i, axis in enumerate(step.given) if i not in alike)
    index = tuple(0 if i in alike else slice(None) for i in range(array.ndim))
    return Labelled(editor.constant(array[index]), kept)


def _scaled(editor: Editor, node: ir.Node, out: Labelled) -> Iterator[Scores]:
    """Yield the ways to read a product with a number, or a quotient."""
    multiplied = multiple(node)
    if multiplied is None:
        return
    x, factor = multiplied
    tanh = made_by(x, "Tanh")
    for found in scores(editor, Labelled(x if tanh is None else the_input(tanh), out.given)):
        if found.steps or found.softcap:
            continue
        if tanh is None:
            yield replace(found, scale=found.scale * factor)
        elif factor > 0 and only_user(x) is not None:
            yield replace(found, scale=found.scale * factor, softcap=factor)
