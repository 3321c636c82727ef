"""Recurrent cells: how to read one in the body of a Scan, and replace the loop by an operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from jax2onnx.graph.prune import release
from jax2onnx.graph.sizes import Dim
from jax2onnx.rewrite.analyses.nodes import attribute, made_by, maker, the_input
from jax2onnx.rewrite.analyses.values import dims, filled, permutation, rank, without_ones
from jax2onnx.rewrite.engine.editor import Editor, Operators


@dataclass(frozen=True)
class Part:
    """A weight, or a piece of its last axis.

    Attributes:
        value: The weight, (inputs, width) or (width,).
        split: The Split of the last axis that the piece is an output of; None for the whole.
        piece: The index of that output.
    """

    value: ir.Value
    split: ir.Node | None = None
    piece: int = 0

    @property
    def width(self) -> Dim:
        """The size of the last axis."""
        return dims(self.value if self.split is None else self.split.outputs[0])[-1]


@dataclass(frozen=True)
class Linear:
    """The function ``x @ w + h @ r + b`` of a step's input x and its hidden state h.

    Attributes:
        w: The weights of x.
        r: The weights of h.
        b: The biases. Of two, the second is added to ``h @ r`` first; None is zero.
    """

    w: tuple[Part, ...] = ()
    r: tuple[Part, ...] = ()
    b: tuple[Part | None, ...] = ()

    def __add__(self, other: Linear) -> Linear:
        return Linear(self.w + other.w, self.r + other.r, self.b + other.b)

    def fits(self, size: int) -> bool:
        """Return whether an operator of this hidden size takes the weights: one of x, one of h."""
        counts = len(self.w) == len(self.r) == 1 and len(self.b) <= 2
        parts = [p for p in (*self.w, *self.r, *self.b) if p is not None]
        return counts and all(p.width == size for p in parts)


class Cell:
    """A Scan over one sequence, as a recurrent operator would run it.

    Args:
        scan: The Scan.
        body: Its body.
        hidden: The index of the hidden state among the states.

    Attributes:
        carried: The body's inputs that are states of the step before, the hidden state first.
        results: The states that the body computes, in the same order.
        x: The body's input that is an element of the sequence.
    """

    def __init__(self, scan: ir.Node, body: ir.Graph, hidden: int) -> None:
        self.scan = scan
        self._body = body
        count = len(body.inputs) - 1
        self._order = [hidden, *(i for i in range(count) if i != hidden)]
        self.carried = [body.inputs[i] for i in self._order]
        self.results = [_itself(body.outputs[i]) for i in self._order]
        self.x = body.inputs[count]
        self._reverse = 1 in attribute(scan, "scan_input_directions", (0,))

    @staticmethod
    def of(scan: ir.Node, states: int, hidden: int = 0) -> Cell | None:
        """Return a Scan as a cell; None where no operator can replace it.

        All values are float32, the states have one shape, with a batch or without one, and the
        stacked results are hidden states.

        Args:
            scan: The Scan.
            states: The number of states.
            hidden: The index of the hidden state among them.
        """
        body = attribute(scan, "body")
        if attribute(scan, "num_scan_inputs") != 1 or len(body.inputs) != states + 1:
            return None
        cell = Cell(scan, body, hidden)
        if any(_itself(v) is not cell.results[0] for v in body.outputs[states:]):
            return None
        reverse = attribute(scan, "scan_input_directions", (0,))
        if body.outputs[states:] and set(reverse) != {
            *attribute(scan, "scan_output_directions", (0,))
        }:
            return None
        fits = (
            len({dims(v) for v in cell.carried}) == 1
            and rank(cell.carried[0]) == rank(cell.x) in (1, 2)
            and all(v.dtype == ir.DataType.FLOAT for v in body.inputs)
            and 0 not in (*dims(the_input(scan, states)), *dims(cell.carried[0]))
        )
        return cell if fits else None

    def linear(self, value: ir.Value) -> Linear | None:
        """Return ``value`` as a linear function of the step's input and hidden state, if it is."""
        last, value = dims(value)[-1:], without_ones(value)
        if value.graph is not self._body:
            return Linear(b=(Part(value),)) if rank(value) == 1 and dims(value) == last else None
        node = made_by(value, "Add", "MatMul", "Split")
        if node is None:
            return None
        if node.op_type == "Add":
            left, right = self.linear(the_input(node)), self.linear(the_input(node, 1))
            return None if left is None or right is None else left + right
        if node.op_type == "MatMul":
            return self._product(without_ones(the_input(node)), the_input(node, 1))
        return self._piece(node, value)

    def _product(self, operand: ir.Value, weight: ir.Value) -> Linear | None:
        if weight.graph is self._body or rank(weight) != 2:
            return None
        part = (Part(weight),)
        if operand is self.x:
            return Linear(w=part)
        return Linear(r=part) if operand is self.carried[0] else None

    def _piece(self, node: ir.Node, value: ir.Value) -> Linear | None:
        whole = the_input(node)
        equal = len({dims(v) for v in node.outputs}) == 1 and len(node.inputs) == 2
        if not equal or attribute(node, "axis", 0) % rank(whole) != rank(whole) - 1:
            return None
        found = self.linear(whole)
        if found is None:
            return None
        given = [p for p in (*found.w, *found.r, *found.b) if p]
        if any(p.split or p.width != dims(whole)[-1] for p in given):
            return None
        at = node.outputs.index(value)
        w, r = (
            tuple(replace(p, split=node, piece=at) for p in parts) for parts in (found.w, found.r)
        )
        return Linear(w, r, tuple(p and replace(p, split=node, piece=at) for p in found.b))

    def become(
        self, editor: Editor, operator: str, gates: Sequence[Linear | None], **attributes: int
    ) -> bool:
        """Replace the loop by a recurrent operator.

        Args:
            editor: The editor of the graph.
            operator: ``LSTM``, ``GRU`` or ``RNN``.
            gates: What each gate is computed from, in the operator's order.
            attributes: Attributes of the operator, beside its hidden size and its direction.

        Returns:
            False, with the graph as it was, where a gate is not linear, weights do not fit, or the
            hidden size is not a number.
        """
        linear = [gate for gate in gates if gate is not None]
        size = dims(self.carried[0])[-1]
        if len(linear) < len(gates) or not isinstance(size, int):
            return False
        if not all(gate.fits(size) for gate in linear):
            return False
        op, scan = editor.before(self.scan), self.scan
        inner = [0] if rank(self.carried[0]) == 2 else [0, 1]  # without a batch: a batch of 1
        x = the_input(scan, len(self.carried))
        batch = dims(x)[1] if len(inner) == 1 else 1
        if len(inner) == 2:
            x = op.Unsqueeze(x, [1], shape=(dims(x)[0], 1, dims(x)[1]))
        state = (1, batch, size)
        starts = [
            None if filled(v) == 0 else op.Unsqueeze(v, inner, shape=state)
            for v in (the_input(scan, i) for i in self._order)
        ]
        sequence, *finals = op.several(
            operator,
            x,
            *_weights(editor, op, size, linear),
            None,
            *starts,
            hidden_size=size,
            direction="reverse" if self._reverse else None,
            shapes=((dims(x)[0], 1, batch, size), *(state for _ in starts)),
            **attributes,
        )
        self._replace(editor, inner, sequence, finals)
        for part in (p for gate in linear for p in (*gate.w, *gate.r)):
            if (made := part.value.producer()) is not None:
                editor.erase(made)
        return True

    def _replace(
        self, editor: Editor, inner: list[int], sequence: ir.Value, finals: Sequence[ir.Value]
    ) -> None:
        """Let the operator's results stand for those of the loop, and remove the loop."""
        op, scan = editor.before(self.scan), self.scan
        for i, final in zip(self._order, finals, strict=True):
            old = scan.outputs[i]
            editor.replace(old, op.Squeeze(final, inner, like=old))
        for old in scan.outputs[len(finals) :]:
            editor.replace(old, op.Squeeze(sequence, [i + 1 for i in inner], like=old))
        release(scan)
        assert scan.graph is not None
        scan.graph.remove(scan)


def _weights(
    editor: Editor, op: Operators, size: int, gates: Sequence[Linear]
) -> tuple[ir.Value, ir.Value, ir.Value | None]:
    """Return the inputs W, R and B of the operator: weights of x and of h, and biases if any."""
    weights = _Weights(op, size)
    zero = Part(editor.constant(np.zeros(size, np.float32)))
    biases = [[part or zero for part in (*gate.b, None, None)[:2]] for gate in gates]
    return (
        weights.together([gate.w[0] for gate in gates]),
        weights.together([gate.r[0] for gate in gates]),
        weights.together([b[side] for side in (0, 1) for b in biases])
        if any(gate.b for gate in gates)
        else None,
    )


class _Weights:
    """The weights of all gates in one tensor, (1, gates * size, ...), as operators take them."""

    def __init__(self, op: Operators, size: int) -> None:
        self._op = op
        self._size = size
        self._pieces: dict[tuple[ir.Value, ir.Node], Sequence[ir.Value]] = {}

    def together(self, parts: Sequence[Part]) -> ir.Value:
        rows = [self._rows(part) for part in parts]
        rest = dims(rows[0])[1:]
        count = len(rows) * self._size
        whole = self._op.Concat(*rows, axis=0, shape=(count, *rest))
        return self._op.Unsqueeze(whole, [0], shape=(1, count, *rest))

    def _rows(self, part: Part) -> ir.Value:
        """Return a gate's weight, (size, inputs) or (size,)."""
        if part.split is None:
            return self._transposed(part.value)
        key = part.value, part.split
        if key not in self._pieces:
            whole = self._transposed(part.value)
            shape = (self._size, *dims(whole)[1:])
            shapes = [shape for _ in part.split.outputs]
            sizes = part.split.inputs[1]
            self._pieces[key] = self._op.several("Split", whole, sizes, axis=0, shapes=shapes)
        return self._pieces[key][part.piece]

    def _transposed(self, value: ir.Value) -> ir.Value:
        if rank(value) == 1:
            return value
        if permutation(value) == (1, 0):
            return the_input(maker(value))
        return self._op.Transpose(value, perm=(1, 0), shape=dims(value)[::-1])


def _itself(value: ir.Value) -> ir.Value:
    """Return ``value``, or the operand of the Identity that computes it."""
    node = made_by(value, "Identity")
    return value if node is None else the_input(node)
