"""Builds one ONNX graph: nodes with types and shapes, shared constants, no node twice.

A builder stands for the main graph, the body of a function, or a branch of ``If``, ``Loop`` or
``Scan``. A branch sees the values of the builders around it (ONNX's outer scope), so its constants
and repeated nodes are looked up there first; a function sees nothing but its inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from jax2onnx.graph.constants import Constant
from jax2onnx.graph.sizes import shape_of
from jax2onnx.lower.dtypes import BOOL, INT64, onnx_dtype, tensor_type
from jax2onnx.lower.fold import fold, fold_cast

Array = np.ndarray[Any, Any]
Dims = tuple[Any, ...]

_PREDICATES = frozenset(
    ("And", "Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "Not")
)
CALL_SITE = "pkg.jax2onnx.call_site"
"""Names the metadata of a node that tell where in the model's source it comes from."""

_IMPURE = frozenset(("If", "Loop", "Scan"))


class Builder:
    """Appends nodes to one graph.

    Attributes:
        opset: version of the default operator set.
        parent: the builder of the graph around this branch; None for a main graph or a function.
        nodes: what has been built, in topological order.
        initializers: constants of a main graph, which are named when the graph is made.
        location: prefix of the names of the nodes that come next.
        site: the line of the model that they come from, where that is to be told.
        held: the values that arrays of the model are, by the arrays' identity.
    """

    def __init__(
        self, opset: int, *, parent: Builder | None = None, function: bool = False
    ) -> None:
        self.opset = opset
        self.parent = parent
        self.nodes: list[ir.Node] = []
        self.initializers: list[ir.Value] = []
        self.location: str = parent.location if parent is not None else ""
        self.site: str = parent.site if parent is not None else ""
        self.held: dict[object, ir.Value] = {}
        self._function = function
        self._root: Builder = parent._root if parent is not None else self
        self._made: set[ir.Value] = set()
        self._known: dict[object, tuple[ir.Value, ...]] = {}
        self._constants: dict[object, ir.Value] = {}
        self._arrays: dict[ir.Value, Array] = {}
        self._dims: dict[ir.Value, Dims] = {}
        self._shapes: dict[Dims, ir.Shape] = {}

    @property
    def root(self) -> Builder:
        """The main graph or function that this builder lies in."""
        return self._root

    # -- values ----------------------------------------------------------------------------------

    def new_value(self, name: str | None, dtype: ir.DataType, dims: Dims) -> ir.Value:
        """A value without a producer: an input of this graph."""
        value = ir.Value(name=name)
        self.set_type(value, dtype, dims)
        return value

    def set_type(self, value: ir.Value, dtype: ir.DataType, dims: Dims) -> None:
        """States the type of ``value``; dimensions are ints or JAX dimension expressions."""
        value.type = tensor_type(dtype)
        shape = self._root._shapes.get(dims)
        if shape is None:
            shape = self._root._shapes[dims] = shape_of(dims)
            shape.freeze()
        value.shape = shape
        self._root._dims[value] = dims

    def dims(self, value: ir.Value) -> Dims:
        """The dimensions of ``value``, as they were stated."""
        return self._root._dims[value]

    def array(self, value: ir.Value | None) -> Array | None:
        """The constant that ``value`` is, if it is one."""
        return None if value is None else self._root._arrays.get(value)

    def constant(self, array: Any, dtype: Any = None) -> ir.Value:
        """A constant tensor, one value for equal contents."""
        array = np.asarray(array, dtype, order="C")
        key = (array.dtype, array.shape, array.tobytes())
        root = self._root
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
        attributes: Mapping[str, Any],
        *,
        dtypes: Sequence[ir.DataType] | None = None,
        dims: Sequence[Dims] | None = None,
        outputs: int = 1,
        domain: str = "",
    ) -> tuple[ir.Value, ...]:
        """Adds a node and returns its outputs.

        Without ``dtypes`` and ``dims`` the operator is taken for an elementwise one: its first
        input's type (booleans for predicates), and the shape that its inputs broadcast to.
        """
        folded = self._fold(op_type, inputs, attributes) if domain == "" else None
        if folded is not None:
            return (folded,)
        attrs = [_attribute(k, v) for k, v in attributes.items() if v is not None]
        key = (domain, op_type, tuple(inputs), tuple(attribute_key(a) for a in attrs), outputs)
        known = None if op_type in _IMPURE else self._lookup(key)
        if known is not None:
            return known
        node = ir.Node(domain, op_type, inputs, attrs, num_outputs=outputs)
        node.name = f"{self.location}/{op_type}" if self.location else op_type
        if self.site:
            node.metadata_props[CALL_SITE] = self.site
        self.nodes.append(node)
        for i, value in enumerate(node.outputs):
            value.name = node.name
            self.set_type(
                value,
                dtypes[i] if dtypes else self._elementwise_dtype(op_type, inputs),
                dims[i]
                if dims
                else self.broadcast([self.dims(v) for v in inputs if v is not None]),
            )
        made = self._known[key] = tuple(node.outputs)
        self._made.update(made)
        return made

    def made(self, value: ir.Value) -> bool:
        """Whether a node of this very graph computes ``value``."""
        return value in self._made

    def copy(self, value: ir.Value) -> ir.Value:
        """A value of its own that equals ``value``, as graph outputs must be."""
        node = ir.Node("", "Identity", (value,))
        node.name = f"{self.location}/Identity" if self.location else "Identity"
        self.nodes.append(node)
        self.set_type(node.outputs[0], element_type(value), self.dims(value))
        return node.outputs[0]

    def cast(self, value: ir.Value, dtype: ir.DataType) -> ir.Value:
        """``value`` with another element type."""
        if value.dtype == dtype:
            return value
        array = self.array(value)
        folded = None if array is None else fold_cast(array, dtype.numpy())
        if folded is not None:
            return self.constant(folded)
        # What a float of 8 bits cannot hold is infinite or NaN in JAX, not its greatest number.
        saturate = 0 if dtype.is_floating_point() and dtype.bitwidth <= 8 else None
        return self.emit("Cast", (value,), {"to": dtype, "saturate": saturate}, dtypes=(dtype,))[0]

    @staticmethod
    def broadcast(shapes: Iterable[Dims]) -> Dims:
        """The shape that shapes broadcast to, by ONNX's (numpy's) rule."""
        result: list[Any] = []
        for dims in shapes:
            if len(dims) > len(result):
                result = [1] * (len(dims) - len(result)) + result
            for i, d in enumerate(reversed(dims), 1):
                if not (isinstance(d, int) and d == 1):
                    result[-i] = d
        return tuple(result)

    def _elementwise_dtype(self, op_type: str, inputs: Sequence[ir.Value | None]) -> ir.DataType:
        if op_type in _PREDICATES:
            return BOOL
        if op_type == "Shape":
            return INT64
        source = inputs[1] if op_type == "Where" else inputs[0]
        return element_type(source)

    def _lookup(self, key: object) -> tuple[ir.Value, ...] | None:
        builder: Builder | None = self
        while builder is not None:
            known = builder._known.get(key)
            if known is not None:
                return known
            builder = builder.parent
        return None

    def _fold(
        self, op_type: str, inputs: Sequence[ir.Value | None], attributes: Mapping[str, Any]
    ) -> ir.Value | None:
        arrays = []
        for value in inputs:
            array = self.array(value)
            if array is None:
                return None
            arrays.append(array)
        if not arrays:
            return None
        result = fold(op_type, arrays, attributes)
        return None if result is None else self.constant(result)


def element_type(value: ir.Value | None) -> ir.DataType:
    """The element type of a value, which lowering always states."""
    if value is None or value.dtype is None:
        raise AssertionError(f"{value} has no element type")
    return value.dtype


def _attribute(name: str, value: Any) -> ir.Attr:
    # Classes of onnx_ir last: they are protocols, and slow to find that a value is none of theirs.
    match value:
        case [str(), *_]:
            return ir.AttrStrings(name, list(value))
        case [float(), *_]:
            return ir.AttrFloat32s(name, list(value))
        case list() | tuple():
            return ir.AttrInt64s(name, [int(v) for v in value])
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
    """Equal for two attributes of one name and value; graphs are equal to themselves only."""
    value = attribute.value
    if attribute.type == ir.AttributeType.TENSOR:
        array = value.numpy()
        return attribute.name, array.dtype, array.shape, array.tobytes()
    return attribute.name, tuple(value) if isinstance(value, list | tuple) else value
