"""What attention does to its scores between their product and their softmax."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from jax2onnx.rewrite.editor import Editor
from jax2onnx.rewrite.shapes import vector
from jax2onnx.rewrite.values import (
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
        product: the MatMul.
        scale: what it was multiplied with first.
        softcap: the bound that tanh kept it in then; 0 for none.
        steps: what followed: a value that was added, or a condition and what takes the place of the
            scores where it does not hold.

    """

    product: ir.Node
    scale: float = 1.0
    softcap: float = 0.0
    steps: tuple[tuple[ir.Value, float | None], ...] = ()

    @property
    def causal(self) -> bool:
        """Whether each query sees the keys up to its own position and no others."""
        if len(self.steps) != 1 or self.steps[0][1] is None or self.steps[0][1] > _HIDES:
            return False
        mask = self.steps[0][0]
        queries, keys = dims(self.product.outputs[0])[-2:]
        array = constant(mask)
        if array is not None:
            fits = array.shape[-2:] == (queries, keys)
            return fits and bool((array == np.tril(np.ones_like(array))).all())
        node = made_by(mask, "GreaterOrEqual")
        if node is None or dims(mask)[-2:] != (queries, keys):
            return False
        rows, columns = the_input(node), the_input(node, 1)
        return dims(rows)[-1] == 1 and all(_counts(without_ones(v)) for v in (rows, columns))

    @property
    def exact(self) -> bool:
        """Whether adding what was put in the place of scores gives the same shares.

        Where that hides every key of a query, all have the same score in JAX.
        """
        if self.steps and self.product.outputs[0].dtype != ir.DataType.FLOAT:
            return False
        return all(
            number is None
            or -math.inf < number <= _ABSORBS
            or (number < _HIDES and _leaves_a_key(value))
            for value, number in self.steps
        )

    def bias(self, editor: Editor, place: ir.Node, sizes: Sequence[ir.Value]) -> ir.Value:
        """What is added to the scores, (1 or batch, 1 or heads, queries, keys).

        Args:
            editor: for the nodes.
            place: what they are put in front of.
            sizes: the numbers of queries and of keys.

        """
        op, scores = editor.before(place), self.product.outputs[0]
        zero = editor.constant(0, scores.dtype)
        result = zero
        for value, number in self.steps:
            shape = broadcast(dims(value), dims(result))
            if number is not None:
                hidden = editor.constant(max(number, _LEAST), scores.dtype)
                result = op.Where(value, result, hidden, dtype=scores.dtype, shape=shape)
            else:
                added = op.Max(value, editor.constant(_LEAST, scores.dtype))
                result = added if result is zero else op.Add(result, added, shape=shape)
        tokens = dims(scores)[-2:]
        if dims(result)[-2:] == tokens:
            return result
        one = editor.constant([1])
        shape = broadcast(dims(result), (1, 1, *tokens))
        target = vector(editor, place, [one, one, *sizes])
        return op.Expand(result, target, shape=shape)  # type: ignore[no-any-return]


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


def scores(value: ir.Value) -> Iterator[Scores]:
    """The ways to read what a softmax is taken of."""
    if only_user(value) is None:
        return
    node = made_by(value, "MatMul", "Where", "Add", "Mul", "Div")
    if node is None:
        return
    if node.op_type == "MatMul":
        yield Scores(node)
    elif node.op_type == "Where":
        number = filled(node.inputs[2])
        for found in scores(the_input(node, 1)) if number is not None else ():
            yield replace(found, steps=(*found.steps, (the_input(node), number)))
    elif node.op_type == "Add":
        for x, bias in ((0, 1), (1, 0)):
            for found in scores(the_input(node, x)):
                yield replace(found, steps=(*found.steps, (the_input(node, bias), None)))
    else:
        yield from _scaled(node)


def _scaled(node: ir.Node) -> Iterator[Scores]:
    """The ways to read a product with a number, or a quotient."""
    x, number = the_input(node), scalar(node.inputs[1])
    if number is None and node.op_type == "Mul":
        x, number = the_input(node, 1), scalar(node.inputs[0])
    if not number:
        return
    factor = number if node.op_type == "Mul" else 1 / number
    tanh = made_by(x, "Tanh")
    for found in scores(x if tanh is None else the_input(tanh)):
        if found.steps or found.softcap:
            continue
        if tanh is None:
            yield replace(found, scale=found.scale * factor)
        elif factor > 0 and only_user(x) is not None:
            yield replace(found, scale=found.scale * factor, softcap=factor)
