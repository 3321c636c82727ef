"""Changing a graph: new nodes beside the ones that they replace, with their names and types."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx_ir as ir

from jax2onnx.graph.constants import Constant, constant_node, new_constant
from jax2onnx.graph.sizes import Dims
from jax2onnx.options import Preference
from jax2onnx.rewrite.analyses.values import Array, constant, exists

_TAP = "/output"
"""Ends the names of module outputs, by which tools compare a model with another implementation."""


class Operators:
    """Adds nodes at one place of a graph: ``op.Gelu(x)`` adds a Gelu and returns its output.

    ``op("Gelu", x)`` does the same, for an operator that is computed.

    Operands are values, None for an optional input that is left out, or lists of integers and numpy
    arrays, which become constants. Keyword arguments are attributes of the operator; None leaves
    one out. These keywords state the type of the result, by default that of the first operand:

    - ``like``: a value of the same dtype and shape;
    - ``dtype``: the dtype;
    - ``shape``: the dimensions.

    Args:
        editor: The editor of the graph.
        insert: Adds a node at the place.
        prefix: Comes before the operator in the names of nodes: the module and a slash.
        metadata: Metadata of the nodes.
    """

    def __init__(
        self,
        editor: Editor,
        insert: Callable[[ir.Node], None],
        prefix: str = "",
        metadata: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._editor = editor
        self._insert = insert
        self._prefix = prefix
        self._metadata = metadata

    def __getattr__(self, op_type: str) -> Callable[..., ir.Value]:
        return functools.partial(self, op_type)

    def __call__(
        self,
        op_type: str,
        *operands: Any,
        like: ir.Value | None = None,
        dtype: ir.DataType | None = None,
        shape: Dims | None = None,
        **attributes: Any,
    ) -> ir.Value:
        """Add a node of this operator and return its output."""
        node = self._node(op_type, operands, attributes, 1)
        model = like or next(v for v in node.inputs if v is not None)
        (value,) = node.outputs
        value.type = model.type if dtype is None else ir.TensorType(dtype)
        value.shape = model.shape if shape is None else ir.Shape(shape)
        return value

    def several(
        self, op_type: str, *operands: Any, shapes: Sequence[Dims], **attributes: Any
    ) -> tuple[ir.Value, ...]:
        """Add a node with several outputs, which have the dtype of the first operand.

        Args:
            op_type: The operator.
            operands: As those of ``op``.
            shapes: The dimensions of each output.
            attributes: Attributes of the operator.
        """
        node = self._node(op_type, operands, attributes, len(shapes))
        for value, shape in zip(node.outputs, shapes, strict=True):
            value.type, value.shape = operands[0].type, ir.Shape(shape)
        return tuple(node.outputs)

    def _node(
        self, op_type: str, operands: Sequence[Any], attributes: Mapping[str, Any], outputs: int
    ) -> ir.Node:
        inputs = [
            v if v is None or isinstance(v, ir.Value) else self._editor.constant(v)
            for v in operands
        ]
        while inputs and inputs[-1] is None:
            inputs.pop()
        given = {k: v for k, v in attributes.items() if v is not None}
        attrs = ir.convenience.convert_attributes(given)
        node = ir.Node("", op_type, inputs, attrs, num_outputs=outputs)
        node.name = self._prefix + op_type
        node.metadata_props.update(self._metadata)
        for value in node.outputs:
            value.name = node.name
        self._insert(node)
        return node


class Editor:
    """One main graph or function, its branches included, while rules work on it.

    Args:
        body: The main graph, or the function's.
        opset: The version of the default operator set.
        function: Whether the body is a function's. Functions hold constants in nodes.
        prefer: Whether an operator may be slower than the expression that it replaces.

    Attributes:
        body, opset, prefer: As above.
        tried: Whatever rules have looked at in vain, so that they skip it. Emptied for each stage.
    """

    def __init__(
        self, body: ir.Graph, *, opset: int, function: bool, prefer: Preference = "speed"
    ) -> None:
        self.body = body
        self.opset = opset
        self.prefer = prefer
        self.tried: set[object] = set()
        self._answers: dict[Callable[[ir.Graph], bool], bool] = {}
        self._function = function
        self._constants: dict[object, ir.Value] | None = None
        self._shared: dict[object, ir.Value] = {}
        self._last_at_start: ir.Node | None = None
        self._early: set[ir.Value] = set()

    def start_stage(self) -> None:
        """Forget what rules have found out about the graph before this stage."""
        self.tried.clear()
        self._answers.clear()

    def once(self, question: Callable[[ir.Graph], bool]) -> bool:
        """Return ``question(body)``, as it was when it was first asked in this stage."""
        if question not in self._answers:
            self._answers[question] = question(self.body)
        return self._answers[question]

    def before(self, node: ir.Node) -> Operators:
        """Return the operators that add nodes in front of ``node``, named and marked like it."""
        graph = node.graph
        assert graph is not None
        module, slash, _ = (node.name or "").rpartition("/")
        insert = functools.partial(graph.insert_before, node)
        return Operators(self, insert, module + slash, node.metadata_props)

    def behind(self, node: ir.Node | None, graph: ir.Graph) -> Operators:
        """Return the operators that add nodes right behind ``node``.

        Where ``node`` is None or lies in another graph, they add nodes at the start of ``graph``.
        """
        if node is None or node.graph is not graph:
            return Operators(self, graph[0].prepend, "")
        module, slash, _ = (node.name or "").rpartition("/")
        return Operators(self, node.append, module + slash)

    @property
    def at_start(self) -> Operators:
        """The operators that add nodes at the start of the body.

        These nodes can read inputs, constants and the outputs of earlier ones at the start. All
        other nodes of the body can read theirs.
        """
        self._known_constants()
        return Operators(self, self._insert_at_start)

    def _insert_at_start(self, node: ir.Node) -> None:
        last = self._last_at_start
        if last is not None and last.graph is self.body:
            self.body.insert_after(last, node)
        else:
            self.body.insert_before(self.body[0], node)
        self._last_at_start = node
        self._early.update(node.outputs)

    def is_early(self, value: ir.Value) -> bool:
        """Return whether nodes at the start of the body can read ``value``."""
        return value in self._early or value.is_graph_input() or constant(value) is not None

    def constant(self, array: Any, dtype: ir.DataType | None = None) -> ir.Value:
        """Return a constant of the body, one value for equal contents.

        Args:
            array: A numpy array, a number, or a list; lists of integers are int64.
            dtype: The element type; by default that of the array.
        """
        array = np.asarray(array, None if dtype is None else dtype.numpy(), order="C")
        constants = self._known_constants()
        key = _key(array)
        value = constants.get(key)
        if value is None or not exists(value):
            value = constants[key] = self._new_constant(array)
        return value

    def _known_constants(self) -> dict[object, ir.Value]:
        """Return the constants of the body by content, having moved a function's to its start."""
        if self._constants is None:
            made = [n for n in self.body if n.op_type == "Constant" and n.domain == ""]
            for node in made:
                if node is not self.body[0]:
                    self._insert_at_start(node)
                self._last_at_start = node
            values = [*self.body.initializers.values(), *(n.outputs[0] for n in made)]
            arrays = [(constant(v), v) for v in values]
            self._constants = {_key(a): v for a, v in arrays if a is not None}
        return self._constants

    def _new_constant(self, array: Array) -> ir.Value:
        tensor = Constant(array)
        if not self._function:
            return new_constant(self.body, tensor)
        node = constant_node(tensor)
        self._insert_at_start(node)
        return node.outputs[0]

    def hold(self, value: ir.Value, array: Array) -> ir.Value:
        """Return an initializer that holds ``array`` instead of what ``value`` holds.

        Args:
            value: An initializer that is held in memory, and that no other node reads.
            array: The new data, of any shape and dtype.

        Returns:
            ``value`` itself, under its name in the model, if it is a parameter; else a constant.
        """
        tensor = value.const_value
        assert tensor is not None
        if isinstance(tensor, Constant):
            return self.constant(array)
        held = value.const_value = ir.Tensor(array, name=tensor.name)
        value.type, value.shape = ir.TensorType(held.dtype), held.shape
        return value

    def shared(self, key: object, make: Callable[[], ir.Value]) -> ir.Value:
        """Return what ``make`` returned for ``key``; it is called once for each key.

        Args:
            key: Anything that can be hashed.
            make: Adds nodes at the start of the body and returns their result.
        """
        value = self._shared.get(key)
        if value is None or not exists(value):
            value = self._shared[key] = make()
        return value

    def replace(self, old: ir.Value, new: ir.Value) -> None:
        """Let all nodes that read ``old`` read ``new``, and remove the nodes that are then unused.

        If ``old`` is an output of its graph, ``new`` or a copy of it becomes that output, under its
        name. The name of a module's output passes on as well.

        Args:
            old: The output of a node.
            new: A value of the same dtype and shape, which the readers of ``old`` can see.
        """
        if old.is_graph_output():
            new = self._as_output(old, new)
        if is_tap(old):
            self._rename(new, old)
        producer = old.producer()
        old.replace_all_uses_with(new, replace_graph_outputs=True)
        old.meta["replaced_by"] = new  # what stands for a primitive remembers its operands
        if producer is not None:
            self.erase(producer)

    def keep_tap(self, old: ir.Value, new: ir.Value) -> None:
        """Pass the name of a module's output on to ``new``, the same elements in another shape."""
        if is_tap(old) and not is_tap(new):
            self._rename(new, old)

    @staticmethod
    def _rename(value: ir.Value, other: ir.Value) -> None:
        if value.producer() is not None and not value.is_graph_output():
            value.name = other.name

    def _as_output(self, old: ir.Value, new: ir.Value) -> ir.Value:
        """Return ``new``, or a copy of it where it cannot be an output of the graph of ``old``."""
        maker, place = new.producer(), old.producer()
        assert place is not None
        if maker is None or maker.graph is not place.graph or new.is_graph_output():
            new = self.before(place).Identity(new, like=old)
        new.name = old.name
        return new

    def erase(self, node: ir.Node) -> None:
        """Remove ``node`` if its outputs are unused, then likewise the nodes that it read.

        Nodes that hold graphs (If, Loop, Scan) stay, as do outputs of the graph.
        """
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


def is_tap(value: ir.Value) -> bool:
    """Return whether ``value`` is named as the output of a module of the model."""
    return (value.name or "").endswith(_TAP)
