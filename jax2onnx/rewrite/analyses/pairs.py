"""Tables that hold each element twice, and the tables that hold it once.

The two elements of a pair lie half the last axis apart, as ``concatenate([f, f], -1)`` has them, or
they are neighbours, as ``repeat(f, 2, -1)`` has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx_ir as ir

from jax2onnx.graph.shapes import VIEWS
from jax2onnx.rewrite.analyses.nodes import (
    BROADCASTING,
    UNARY,
    attribute,
    made_by,
    maker,
    the_input,
)
from jax2onnx.rewrite.analyses.shapes import view
from jax2onnx.rewrite.analyses.values import Array, constant, dims, integers, is_held, rank
from jax2onnx.rewrite.engine.editor import Editor

_ELEMENTWISE = UNARY | BROADCASTING


@dataclass(frozen=True)
class Pairs:
    """A stretch of the last axis of a value, with an even number of elements.

    Attributes:
        value: The value.
        start, stop: The first index of the stretch, and the index behind the last one.
        neighbours: Whether the two elements of a pair are neighbours.
    """

    value: ir.Value
    start: int
    stop: int
    neighbours: bool = False

    @property
    def alike(self) -> bool:
        """Whether the two elements of each pair are known to be equal."""
        return self._alike({})

    def _alike(self, known: dict[Pairs, bool]) -> bool:
        """Return whether the pairs are alike; ``known`` holds the answers so far."""
        if self not in known:
            known[self] = self._compared(known)
        return known[self]

    def _compared(self, known: dict[Pairs, bool]) -> bool:
        node, array = self.value.producer(), _array(self.value)
        if array is not None:
            first, second = self._cut(array)
            return bool((first == second).all())
        if node is None or node.domain != "":
            return False
        moved, sources = self._moved(node), self._sources(node)
        if self._single(node) is not None:
            return True
        if moved is not None:
            return moved._alike(known)
        return any(sources) and all(each is None or each._alike(known) for each in sources)

    def once(self, editor: Editor, place: ir.Node) -> ir.Value:
        """Return one element of each pair that is alike; nodes are added in front of ``place``."""
        array = _array(self.value)
        if array is not None:
            return editor.constant(self._cut(array)[0])
        node = maker(self.value)
        moved = self._moved(node) if self._single(node) is None else None
        if moved is not None:
            return moved.once(editor, place)
        return editor.shared(
            ("once", self, place.graph), lambda: self._compute(editor, place, node)
        )

    def _compute(self, editor: Editor, place: ir.Node, node: ir.Node) -> ir.Value:
        shape = (*dims(self.value)[:-1], (self.stop - self.start) // 2)
        single = self._single(node)
        if single is not None:
            return view(editor, place, single, shape)
        operands = [
            v if source is None else source.once(editor, place)
            for v, source in zip(node.inputs, self._sources(node), strict=True)
        ]
        if node.op_type in VIEWS:
            (data,) = (v for v in operands[:1] if v is not None)
            return view(editor, place, data, shape, sizes=self.value)
        kept = {name: a.value for name, a in node.attributes.items()}
        op = editor.before(place)
        return op(node.op_type, *operands, dtype=self.value.dtype, shape=shape, **kept)

    def _cut(self, array: Array) -> tuple[Array, Array]:
        """Return the first and the second elements of the pairs of an array."""
        array = array[..., self.start : self.stop]
        if self.neighbours:
            return array[..., ::2], array[..., 1::2]
        half = array.shape[-1] // 2
        return array[..., :half], array[..., half:]

    def _single(self, node: ir.Node) -> ir.Value | None:
        """Return the value that ``node`` repeats, or joins with itself, to this stretch."""
        shape = dims(self.value)
        last, source = len(shape) - 1, the_input(node)
        if (self.start, self.stop) != (0, shape[last]):
            return None
        if self.neighbours:
            spread = made_by(source, "Expand") if node.op_type == "Reshape" else None
            before = None if spread is None else the_input(spread)
            twice = dims(source) == (*shape[:-1], self.stop // 2, 2)
            return before if before and twice and dims(before) == (*dims(source)[:-1], 1) else None
        if node.op_type == "Concat":
            twice = len(node.inputs) == 2 and node.inputs[1] is source
            return source if twice and attribute(node, "axis", 0) in (-1, last) else None
        twice = node.op_type == "Tile" and integers(node.inputs[1]) == (*(1,) * last, 2)
        return source if twice else None

    def _moved(self, node: ir.Node) -> Pairs | None:
        """Return the stretch of another value that ``node`` takes this one from."""
        last = rank(self.value) - 1
        along = attribute(node, "axis", 0) in (-1, last)
        if node.op_type == "Split" and along:
            return self._from(the_input(node), node.outputs[: node.outputs.index(self.value)], 1)
        if node.op_type == "Concat" and along:
            for i, part in enumerate(node.inputs):
                moved = self._from(part, node.inputs[:i], -1)
                size = None if moved is None else dims(moved.value)[-1]
                if moved and isinstance(size, int) and 0 <= moved.start < moved.stop <= size:
                    return moved
        if node.op_type == "Slice":
            first, _, axis, *step = ((integers(v) or ()) for v in (*node.inputs[1:], None)[:4])
            plain = axis in ((-1,), (last,)) and step in ([()], [(1,)]) and first and first[0] >= 0
            return self._from(the_input(node), (), 1, first[0]) if plain else None
        return None

    def _from(
        self, value: ir.Value | None, before: Sequence[ir.Value | None], sign: int, more: int = 0
    ) -> Pairs | None:
        """Return the stretch of ``value`` that lies behind values, or in front of them."""
        sizes = [dims(v)[-1] for v in before if v is not None]
        known = [s for s in sizes if isinstance(s, int)]
        if value is None or len(known) < len(before):
            return None
        offset = sign * sum(known) + more
        return replace(self, value=value, start=self.start + offset, stop=self.stop + offset)

    def _sources(self, node: ir.Node) -> Sequence[Pairs | None]:
        """Return this stretch of each operand of ``node``, None for those that vary otherwise.

        Returns:
            Nothing if ``node`` does not compute all elements of the last axis alike.
        """
        ends = [() if v is None else dims(v)[-1:] for v in node.inputs]
        whole = dims(self.value)[-1:]
        if node.op_type in _ELEMENTWISE:
            if any(end not in ((), (1,), whole) for end in ends):
                return ()
        else:
            kept = node.op_type in VIEWS
            if node.op_type == "Gather":
                kept = attribute(node, "axis", 0) not in (-1, rank(the_input(node)) - 1)
            if node.op_type == "Transpose":
                kept = attribute(node, "perm", [0])[-1] == rank(self.value) - 1
            if not kept or ends[:1] != [whole]:
                return ()
            ends[1:] = [()] * (len(ends) - 1)
        return [
            replace(self, value=v) if v is not None and end == whole else None
            for v, end in zip(node.inputs, ends, strict=True)
        ]


def _array(value: ir.Value) -> Array | None:
    """Return the elements of a constant, or of a parameter that is in memory."""
    tensor = value.const_value if is_held(value) else None
    return constant(value) if tensor is None else tensor.numpy()
