"""Changing a graph: new nodes beside the one that they replace, with its name and its type."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from jax2onnx.rewrite.values import Array, Dims, constant, dims, made_by

_TAP = "/output"
"""Ends the name of what a module of the model computes; tools look for it."""


class Operators:
    """``op.Gelu(x)`` adds a Gelu node at a place of the graph and returns its output.

    Operands are values, or lists of integers and numpy arrays, which become constants. Keyword
    arguments are the operator's attributes; None leaves one out. The result has the type and shape
    of its first operand, unless ``like=`` (a value that has them), ``dtype=`` or ``shape=`` say
    otherwise; ``shapes=`` makes as many outputs.
    """

    def __init__(self, editor: Editor, place: ir.Node) -> None:
        self._editor = editor
        self._place = place

    def __getattr__(self, op_type: str) -> Callable[..., Any]:
        return functools.partial(self._emit, op_type)

    def _emit(
        self,
        op_type: str,
        *operands: Any,
        like: ir.Value | None = None,
        dtype: ir.DataType | None = None,
        shape: Dims | None = None,
        shapes: Sequence[Dims] | None = None,
        **attributes: Any,
    ) -> Any:
        inputs = [
            v if v is None or isinstance(v, ir.Value) else self._editor.constant(v)
            for v in operands
        ]
        while inputs and inputs[-1] is None:
            inputs.pop()
        given = {k: v for k, v in attributes.items() if v is not None}
        node = ir.Node(
            "",
            op_type,
            inputs,
            ir.convenience.convert_attributes(given),
            num_outputs=1 if shapes is None else len(shapes),
        )
        where, _, _ = (self._place.name or "").rpartition("/")
        node.name = f"{where}/{op_type}" if where else op_type
        model = like or next(v for v in inputs if v is not None)
        for i, value in enumerate(node.outputs):
            value.name = node.name
            value.type = model.type if dtype is None else ir.TensorType(dtype)
            stated = shape if shapes is None else shapes[i]
            value.shape = model.shape if stated is None else ir.Shape(stated)
        graph = self._place.graph
        assert graph is not None
        graph.insert_before(self._place, node)
        return node.outputs[0] if shapes is None else tuple(node.outputs)


class Editor:
    """One main graph or function while rules work on it, its branches included.

    Attributes:
        body: that graph.
        opset: version of the default operator set.

    """

    def __init__(self, body: ir.Graph, *, opset: int, function: bool) -> None:
        self.body = body
        self.opset = opset
        self._function = function
        self._constants: dict[object, ir.Value] | None = None
        self._shared: dict[object, ir.Value] = {}

    def before(self, node: ir.Node) -> Operators:
        """The operators, as methods that add nodes in front of ``node``."""
        return Operators(self, node)

    def constant(self, array: Any, dtype: ir.DataType | None = None) -> ir.Value:
        """A constant tensor, one value for equal contents; lists of integers are int64."""
        array = np.asarray(array, None if dtype is None else dtype.numpy(), order="C")
        if self._constants is None:
            self._constants = dict(self._present())
        key = _key(array)
        value = self._constants.get(key)
        if value is None:
            value = self._constants[key] = self._new_constant(array)
        return value

    def _present(self) -> list[tuple[object, ir.Value]]:
        made = [n.outputs[0] for n in self.body if n.op_type == "Constant" and n.domain == ""]
        found = [(constant(v), v) for v in (*self.body.initializers.values(), *made)]
        return [(_key(a), v) for a, v in found if a is not None]

    def _new_constant(self, array: Array) -> ir.Value:
        tensor = ir.Tensor(array)
        if self._function:
            node = ir.Node("", "Constant", (), [ir.AttrTensor("value", tensor)])
            self.body.insert_before(self.body[0], node)
            value = node.outputs[0]
        else:
            names = self.body.initializers
            number = len(names)
            while f"constant_{number}" in names:
                number += 1
            value = ir.Value(name=f"constant_{number}", const_value=tensor)
        value.type = ir.TensorType(tensor.dtype)
        value.shape = ir.Shape(array.shape)
        if not self._function:
            self.body.register_initializer(value)
        return value

    def shared(self, key: object, place: ir.Node, make: Callable[[], ir.Value]) -> ir.Value:
        """What ``make`` computed in this very graph for ``key``, computed once."""
        scoped = (place.graph, key)
        value = self._shared.get(scoped)
        if value is None or value.producer() is None or value.producer().graph is None:  # type: ignore[union-attr]
            value = self._shared[scoped] = make()
        return value

    def size(self, place: ir.Node, value: ir.Value, axis: int) -> ir.Value:
        """The size of an axis as an int64 vector of one element."""
        dim = dims(value)[axis]
        if isinstance(dim, int):
            return self.constant([dim])
        # An input's axis of that size can be read by all that need it.
        source, axis = next(
            ((v, dims(v).index(dim)) for v in self.body.inputs if dim in dims(v)), (value, axis)
        )
        return self.shared(
            ("size", source, axis),
            place,
            lambda: self.before(place).Shape(
                source, start=axis, end=axis + 1, dtype=ir.DataType.INT64, shape=(1,)
            ),
        )

    def vector(self, place: ir.Node, parts: Sequence[ir.Value]) -> ir.Value:
        """Vectors of one int64 each as one vector."""
        numbers = [constant(part) for part in parts]
        if all(n is not None for n in numbers):
            return self.constant(np.concatenate(numbers))  # type: ignore[arg-type]
        return self.shared(
            ("vector", *parts),
            place,
            lambda: self.before(place).Concat(
                *parts, axis=0, dtype=ir.DataType.INT64, shape=(len(parts),)
            ),
        )

    @staticmethod
    def can_view(value: ir.Value, shape: Dims) -> bool:
        """Whether ``value`` can be reshaped to ``shape`` without computing the shape."""
        return dims(value) == shape or _constant_target(dims(value), shape) is not None

    def view(
        self, place: ir.Node, value: ir.Value, shape: Dims, *, sizes: ir.Value | None = None
    ) -> ir.Value:
        """``value`` in another shape, by the first way that can say it.

        1. ``value`` itself, or something that was reshaped to it, of this shape;
        2. Reshape, of the first thing that was reshaped to ``value``, to a constant: symbolic
           leading axes are copied (0), and one other may be told from the rest (-1);
        3. Reshape to a computed shape, its symbolic sizes read off ``sizes`` (or ``value``).
        """
        chosen, target = value, None
        source: ir.Value | None = value
        while source is not None:
            if dims(source) == shape:
                return source
            numbers = _constant_target(dims(source), shape)
            if numbers is not None:
                chosen, target = source, numbers
            node = made_by(source, "Reshape", "Squeeze", "Unsqueeze")
            source = None if node is None else node.inputs[0]
        if target is None:
            computed = self._computed_target(place, shape, value if sizes is None else sizes)
        else:
            computed = self.constant(target)
        return self.before(place).Reshape(chosen, computed, shape=shape)  # type: ignore[no-any-return]

    def _computed_target(self, place: ir.Node, shape: Dims, sizes: ir.Value) -> ir.Value:
        known = dims(sizes)
        return self.vector(
            place,
            [
                self.constant([d])
                if isinstance(d, int)
                else self.size(place, sizes, known.index(d))
                for d in shape
            ],
        )

    def replace(self, old: ir.Value, new: ir.Value) -> None:
        """Lets ``new`` stand for ``old``, and removes the nodes that nobody reads any more.

        ``new`` takes the name of ``old``, unless it already bears one that somebody may look for.
        """
        if old.is_graph_output():
            new = self._as_output(old, new)
        tap = (new.name or "").endswith(_TAP) and not (old.name or "").endswith(_TAP)
        if new.producer() is not None and not new.is_graph_output() and not tap:
            new.name = old.name
        producer = old.producer()
        old.replace_all_uses_with(new, replace_graph_outputs=True)
        if producer is not None:
            self.erase(producer)

    def _as_output(self, old: ir.Value, new: ir.Value) -> ir.Value:
        """``new``, or a copy of it where it cannot be an output of the graph of ``old``."""
        maker, place = new.producer(), old.producer()
        assert place is not None
        if maker is None or maker.graph is not place.graph or new.is_graph_output():
            new = self.before(place).Identity(new, like=old)
        new.name = old.name
        return new

    def erase(self, node: ir.Node) -> None:
        """Removes ``node`` if nobody reads it, then the nodes that it alone had read."""
        pending = [node]
        while pending:
            node = pending.pop()
            graph = node.graph
            if graph is None or any(v.uses() or v.is_graph_output() for v in node.outputs):
                continue
            if any(a.type == ir.AttributeType.GRAPH for a in node.attributes.values()):
                continue
            pending += [p for v in node.inputs if v is not None and (p := v.producer())]
            graph.remove(node, safe=True)


def _key(array: Array) -> object:
    return array.dtype, array.shape, array.tobytes()


def _constant_target(old: Dims, shape: Dims) -> list[int] | None:
    """``shape`` as the constant operand of a Reshape of something of shape ``old``."""
    numbers: list[int] = []
    for axis, d in enumerate(shape):
        if isinstance(d, int):
            numbers.append(d)
        else:
            same = axis < len(old) and old[axis] == d
            numbers.append(0 if same else -1)
    symbolic = len(shape) - sum(isinstance(d, int) for d in shape)
    if symbolic == 0:
        return numbers
    if 0 in shape:
        return None
    if symbolic == 1:
        return [d if isinstance(d, int) else -1 for d in shape]
    return numbers if numbers.count(-1) <= 1 else None
