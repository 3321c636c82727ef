"""Changing a graph: new nodes beside the one that they replace, with its name and its type."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx_ir as ir

from jax2onnx.graph.constants import Constant, new_constant
from jax2onnx.graph.sizes import Dims
from jax2onnx.options import Preference
from jax2onnx.rewrite.analyses.values import Array, constant, exists

_TAP = "/output"
"""Ends the name of what a module of the model computes; tools look for it."""


class Operators:
    """``op.Gelu(x)`` adds a Gelu node at a place of the graph and returns its output.

    Operands are values, or lists of integers and numpy arrays, which become constants. Keyword
    arguments are the operator's attributes; None leaves one out. The result has the type and shape
    of its first operand, unless ``like=`` (a value that has them), ``dtype=`` or ``shape=`` say
    otherwise; ``shapes=`` makes as many outputs.
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
        node.name = self._prefix + op_type
        node.metadata_props.update(self._metadata)
        model = like or next(v for v in inputs if v is not None)
        for i, value in enumerate(node.outputs):
            value.name = node.name
            value.type = model.type if dtype is None else ir.TensorType(dtype)
            stated = shape if shapes is None else shapes[i]
            value.shape = model.shape if stated is None else ir.Shape(stated)
        self._insert(node)
        return node.outputs[0] if shapes is None else tuple(node.outputs)


class Editor:
    """One main graph or function while rules work on it, its branches included.

    Attributes:
        body: that graph.
        opset: version of the default operator set.
        prefer: whether an operator may be slower than what it stands for.
        tried: what rules have looked at in vain in this sweep.

    """

    def __init__(
        self, body: ir.Graph, *, opset: int, function: bool, prefer: Preference = "speed"
    ) -> None:
        self.body = body
        self.opset = opset
        self.prefer = prefer
        self.tried: set[object] = set()
        self._function = function
        self._constants: dict[object, ir.Value] | None = None
        self._shared: dict[object, ir.Value] = {}
        self._last_at_start: ir.Node | None = None
        self._early: set[ir.Value] = set()

    def before(self, node: ir.Node) -> Operators:
        """The operators, as methods that add nodes in front of ``node``."""
        graph = node.graph
        assert graph is not None
        module, slash, _ = (node.name or "").rpartition("/")
        insert = functools.partial(graph.insert_before, node)
        return Operators(self, insert, module + slash, node.metadata_props)

    def behind(self, node: ir.Node | None, graph: ir.Graph) -> Operators:
        """The same behind ``node``, or at the start of ``graph`` if that is not where it lies."""
        if node is None or node.graph is not graph:
            return Operators(self, graph[0].prepend, "")
        module, slash, _ = (node.name or "").rpartition("/")
        return Operators(self, node.append, module + slash)

    @property
    def at_start(self) -> Operators:
        """The operators, as methods that add nodes at the start of the body.

        They can read inputs, constants and what was added there before; all others can read them.
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
        """Whether nodes at the start of the body can read ``value``."""
        return value in self._early or value.is_graph_input() or constant(value) is not None

    def constant(self, array: Any, dtype: ir.DataType | None = None) -> ir.Value:
        """A constant tensor, one value for equal contents; lists of integers are int64."""
        array = np.asarray(array, None if dtype is None else dtype.numpy(), order="C")
        constants = self._known_constants()
        key = _key(array)
        value = constants.get(key)
        if value is None or not exists(value):
            value = constants[key] = self._new_constant(array)
        return value

    def _known_constants(self) -> dict[object, ir.Value]:
        """The constants of the body by content, those of a function moved to its start."""
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
        node = ir.Node("", "Constant", (), [ir.AttrTensor("value", tensor)])
        self._insert_at_start(node)
        value = node.outputs[0]
        value.type = ir.TensorType(tensor.dtype)
        value.shape = ir.Shape(array.shape)
        return value

    def hold(self, value: ir.Value, array: Array) -> ir.Value:
        """Return an initializer that holds ``array`` instead of what ``value`` holds.

        Args:
            value: An initializer that is held in memory, and that nobody else reads.
            array: The new data, of any shape and type.

        Returns:
            ``value`` itself, under its name in the model, or a constant where it is one.
        """
        tensor = value.const_value
        assert tensor is not None
        if isinstance(tensor, Constant):
            return self.constant(array)
        held = value.const_value = ir.Tensor(array, name=tensor.name)
        value.type, value.shape = ir.TensorType(held.dtype), held.shape
        return value

    def shared(self, key: object, make: Callable[[], ir.Value]) -> ir.Value:
        """What ``make`` computed for ``key``, computed once."""
        value = self._shared.get(key)
        if value is None or not exists(value):
            value = self._shared[key] = make()
        return value

    def replace(self, old: ir.Value, new: ir.Value) -> None:
        """Lets ``new`` stand for ``old``, and removes the nodes that nobody reads any more.

        The names of outputs, and those under which tools look for what a module computes, pass on.
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
        """Gives ``new``, the same elements in another shape, the name under which tools look."""
        if is_tap(old) and not is_tap(new):
            self._rename(new, old)

    @staticmethod
    def _rename(value: ir.Value, other: ir.Value) -> None:
        if value.producer() is not None and not value.is_graph_output():
            value.name = other.name

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


def is_tap(value: ir.Value) -> bool:
    """Whether ``value`` has the name under which tools look for what a module computes."""
    return (value.name or "").endswith(_TAP)
