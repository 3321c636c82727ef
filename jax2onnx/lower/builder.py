"""Build one ONNX graph: nodes with types and shapes, shared constants, and no node twice.

A builder builds the main graph, the body of a function, or a graph inside one of these (a branch of
``If``, the body of ``Loop`` or ``Scan``). An inner graph sees the values of the graphs around it
(ONNX's outer scope), so constants and repeated nodes are looked up there first. A function sees
nothing but its inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import onnx_ir as ir
from numpy.typing import ArrayLike, DTypeLike

from jax2onnx.graph.constants import Constant
from jax2onnx.graph.sizes import shape_of
from jax2onnx.lower.dtypes import BOOL, INT64, onnx_dtype, tensor_type
from jax2onnx.lower.fold import Array, fold, fold_cast
from jax2onnx.trace.dimensions import Dim, Dims

Attribute: TypeAlias = (
    int
    | float
    | str
    | Sequence[int]
    | Sequence[float]
    | Sequence[str]
    | Array
    | ir.DataType
    | ir.Graph
    | ir.Attr
    | None
)
"""The value of an operator's attribute; None leaves it out."""

_PREDICATES = frozenset(
    ("And", "Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "Not")
)
CALL_SITE = "pkg.jax2onnx.call_site"
"""The key of a node's metadata that holds the line of the model that it comes from."""

_NEVER_EQUAL = frozenset(("Dropout", "If", "Loop", "Scan"))
"""Operators whose nodes are never equal: each has graphs or random numbers of its own."""


class Builder:
    """Appends nodes to one graph.

    Args:
        opset: the version of the default operator set.
        parent: the builder of the graph around this one; None for a main graph or a function.
        function: whether the graph is the body of a function.

    Attributes:
        opset: as above.
        parent: as above.
        root: the builder of the main graph or function that this graph is in.
        nodes: the nodes so far, in topological order.
        initializers: the constants of a main graph, which are named when the graph is made.
        location: the prefix of the names of the nodes that come next.
        call_site: the line of the model that they come from, or "".
        captured: the values of the arrays that the model captured, by the arrays' identity.
    """

    def __init__(
        self, opset: int, *, parent: Builder | None = None, function: bool = False
    ) -> None:
        self.opset = opset
        self.parent = parent
        self.nodes: list[ir.Node] = []
        self.initializers: list[ir.Value] = []
        self.location: str = parent.location if parent is not None else ""
        self.call_site: str = parent.call_site if parent is not None else ""
        self.captured: dict[object, ir.Value] = {}
        self._function = function
        self.root: Builder = parent.root if parent is not None else self
        self._computed: set[ir.Value] = set()
        self._known: dict[object, tuple[ir.Value, ...]] = {}
        self._constants: dict[object, ir.Value] = {}
        self._arrays: dict[ir.Value, Array] = {}
        self._dims: dict[ir.Value, Dims] = {}
        self._shapes: dict[Dims, ir.Shape] = {}

    # -- values ----------------------------------------------------------------------------------

    def new_value(self, name: str | None, dtype: ir.DataType, dims: Dims) -> ir.Value:
        """Return a new value without a producer: an input of this graph.

        Args:
            name: its name.
            dtype: its element type.
            dims: its dimensions: ints or JAX dimension expressions.
        """
        value = ir.Value(name=name)
        self.set_type(value, dtype, dims)
        return value

    def set_type(self, value: ir.Value, dtype: ir.DataType, dims: Dims) -> None:
        """State the type of ``value``.

        Args:
            value: the value.
            dtype: its element type.
            dims: its dimensions: ints or JAX dimension expressions.
        """
        value.type = tensor_type(dtype)
        shape = self.root._shapes.get(dims)
        if shape is None:
            shape = self.root._shapes[dims] = shape_of(dims)
            shape.freeze()
        value.shape = shape
        self.root._dims[value] = dims

    def dims(self, value: ir.Value) -> Dims:
        """Return the dimensions of ``value``, as they were stated."""
        return self.root._dims[value]

    def array(self, value: ir.Value | None) -> Array | None:
        """Return the array of a constant; None if ``value`` is no constant."""
        return None if value is None else self.root._arrays.get(value)

    def constant(self, data: ArrayLike, dtype: DTypeLike | None = None) -> ir.Value:
        """Return a constant tensor; equal ones are the same value.

        Args:
            data: a number, a list or an array.
            dtype: the dtype to convert it to.
        """
        array = np.asarray(data, dtype, order="C")
        key = (array.dtype, array.shape, array.tobytes())
        root = self.root
        value = root._constants.get(key)
        if value is None:
            tensor = Constant(array, dtype=onnx_dtype(array.dtype))
            if root._function:
                node = ir.Node("", "Constant", (), [ir.AttrTensor("value", tensor)])
                root.nodes.append(node)
                value = node.outputs[0]
            else:
                value = ir.Value(const_value=tensor)
                root.initializers.append(value)
            self.set_type(value, tensor.dtype, array.shape)
            root._constants[key] = value
            root._arrays[value] = array
        return value

    # -- nodes -----------------------------------------------------------------------------------

    def emit(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        attributes: Mapping[str, Attribute],
        *,
        dtypes: Sequence[ir.DataType] | None = None,
        dims: Sequence[Dims] | None = None,
        outputs: int = 1,
        domain: str = "",
    ) -> tuple[ir.Value, ...]:
        """Add a node and return its outputs, unless an equal node exists or the result is constant.

        Args:
            op_type: the operator.
            inputs: its inputs; None leaves an optional one out.
            attributes: its attributes; None leaves one out.
            dtypes: the element type of each output. By default the operator is elementwise: the
                type of the first input, or booleans for a predicate.
            dims: the dimensions of each output; by default the shape that the inputs broadcast to.
            outputs: the number of outputs.
            domain: the domain of the operator.
        """
        folded = self._fold(op_type, inputs, attributes) if domain == "" else None
        if folded is not None:
            return folded
        attrs = [_attribute(k, v) for k, v in attributes.items() if v is not None]
        key = (domain, op_type, tuple(inputs), tuple(attribute_key(a) for a in attrs), outputs)
        known = None if op_type in _NEVER_EQUAL else self._lookup(key)
        if known is not None:
            return known
        node = ir.Node(domain, op_type, inputs, attrs, num_outputs=outputs)
        node.name = f"{self.location}/{op_type}" if self.location else op_type
        if self.call_site:
            node.metadata_props[CALL_SITE] = self.call_site
        self.nodes.append(node)
        for i, value in enumerate(node.outputs):
            value.name = node.name
            self.set_type(
                value,
                dtypes[i] if dtypes else _elementwise_dtype(op_type, inputs),
                dims[i] if dims else self.broadcast(self.dims(v) for v in inputs if v is not None),
            )
        made = self._known[key] = tuple(node.outputs)
        self._computed.update(made)
        return made

    def computes(self, value: ir.Value) -> bool:
        """Return whether a node of this graph, and of no graph around it, computes ``value``."""
        return value in self._computed

    def copy(self, value: ir.Value) -> ir.Value:
        """Return a new value that equals ``value``: an output of a graph must be its own."""
        node = ir.Node("", "Identity", (value,))
        node.name = f"{self.location}/Identity" if self.location else "Identity"
        self.nodes.append(node)
        self.set_type(node.outputs[0], element_type(value), self.dims(value))
        return node.outputs[0]

    def cast(self, value: ir.Value, dtype: ir.DataType) -> ir.Value:
        """Return ``value`` with another element type."""
        if value.dtype == dtype:
            return value
        array = self.array(value)
        folded = None if array is None else fold_cast(array, dtype.numpy())
        if folded is not None:
            return self.constant(folded)
        # A number out of the range of an 8-bit float becomes infinite or NaN in JAX, as without
        # saturation, and not the greatest number of that type.
        saturate = 0 if dtype.is_floating_point() and dtype.bitwidth <= 8 else None
        return self.emit("Cast", (value,), {"to": dtype, "saturate": saturate}, dtypes=(dtype,))[0]

    @staticmethod
    def broadcast(shapes: Iterable[Dims]) -> Dims:
        """Return the shape that ``shapes`` broadcast to, by ONNX's (numpy's) rule."""
        result: list[Dim] = []
        for dims in shapes:
            if len(dims) > len(result):
                result[:0] = [1] * (len(dims) - len(result))
            for i, d in enumerate(reversed(dims), 1):
                if not (isinstance(d, int) and d == 1):
                    result[-i] = d
        return tuple(result)

    def _lookup(self, key: object) -> tuple[ir.Value, ...] | None:
        known = self._known.get(key)
        return known if known is not None or self.parent is None else self.parent._lookup(key)

    def _fold(
        self, op_type: str, inputs: Sequence[ir.Value | None], attributes: Mapping[str, Attribute]
    ) -> tuple[ir.Value, ...] | None:
        arrays = [array for v in inputs if (array := self.array(v)) is not None]
        if not arrays or len(arrays) < len(inputs):
            return None
        results = fold(op_type, arrays, attributes)
        return None if results is None else tuple(map(self.constant, results))


def _elementwise_dtype(op_type: str, inputs: Sequence[ir.Value | None]) -> ir.DataType:
    if op_type in _PREDICATES:
        return BOOL
    if op_type == "Shape":
        return INT64
    return element_type(inputs[1] if op_type == "Where" else inputs[0])


def element_type(value: ir.Value | None) -> ir.DataType:
    """Return the element type of a value, which lowering always states."""
    if value is None or value.dtype is None:
        raise AssertionError(f"{value} has no element type")
    return value.dtype


def _attribute(name: str, value: Attribute) -> ir.Attr:
    # Classes of onnx_ir come last: they are protocols, whose instance checks are slow.
    if isinstance(value, list | tuple):
        if value and isinstance(value[0], str):
            return ir.AttrStrings(name, [str(v) for v in value])
        if value and isinstance(value[0], float):
            return ir.AttrFloat32s(name, [float(v) for v in value])
        return ir.AttrInt64s(name, [int(v) for v in value])
    match value:
        case int() | np.integer():  # ir.DataType too
            return ir.AttrInt64(name, int(value))
        case float() | np.floating():
            return ir.AttrFloat32(name, float(value))
        case str():
            return ir.AttrString(name, value)
        case np.ndarray():
            return ir.AttrTensor(name, ir.Tensor(value, dtype=onnx_dtype(value.dtype)))
        case ir.Graph():
            return ir.AttrGraph(name, value)
        case ir.Attr():
            return value
    raise AssertionError(f"{name}={value!r} is no attribute")


def attribute_key(attribute: ir.Attr) -> object:
    """Return a key that is equal for attributes of one name and value; no two graphs are equal."""
    value = attribute.value
    if attribute.type == ir.AttributeType.TENSOR:
        array = value.numpy()
        return attribute.name, array.dtype, array.shape, array.tobytes()
    return attribute.name, tuple(value) if isinstance(value, list | tuple) else value
