"""Operators and views on the values of one graph.

Layout is lazy. ``transpose``, ``reshape`` and ``unbroadcast`` look at the node that made their
operand: a permutation that undoes another gives the value before both, and an elementwise operator
takes the operand as it was before it was broadcast. Nodes that end up unused are pruned later.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import onnx_ir as ir
from jax.typing import DTypeLike

from jax2onnx.graph.shapes import VIEWS, reshaping
from jax2onnx.lower.builder import Attribute, Builder, element_type
from jax2onnx.lower.dims import Dimensions
from jax2onnx.lower.dtypes import INT64, onnx_dtype
from jax2onnx.lower.fold import MAX_ELEMENTS, Array
from jax2onnx.trace.dimensions import Dim, Dims, is_empty, is_static

Operand: TypeAlias = ir.Value | bool | float | Sequence[int] | Array | np.generic | None
"""A value, or a constant: see ``Operators``. None leaves an optional input out."""


class Operators:
    """``ctx.op.Gather(x, indices, axis=0)`` adds a Gather node and returns its output.

    ``ctx.op("Gather", x, indices, axis=0)`` does the same, for an operator that is computed.

    Keyword arguments are the operator's attributes; None leaves one out. ``dtype=`` and ``shape=``
    state the type of the result where it is not that of an elementwise operator: the first
    operand's element type (booleans for a predicate) and the shape that the operands broadcast to.
    Operands may be Python numbers, lists and numpy arrays: a bare number takes the element type of
    the first operand that is a value, a list of integers is int64.
    """

    def __init__(self, views: Views) -> None:
        self._views = views

    def __getattr__(self, op_type: str) -> Callable[..., ir.Value]:
        return functools.partial(self, op_type)

    def __call__(
        self,
        op_type: str,
        *operands: Operand,
        dtype: ir.DataType | None = None,
        shape: Dims | None = None,
        **attributes: Attribute,
    ) -> ir.Value:
        """Add a node of this operator and return its output."""
        dtypes = None if dtype is None else (dtype,)
        dims = None if shape is None else (shape,)
        inputs = self._views.operands(operands)
        return self._views.builder.emit(op_type, inputs, attributes, dtypes=dtypes, dims=dims)[0]


class Views:
    """Adds operators to a graph, and knows the dimensions of its values.

    Attributes:
        builder: the graph under construction.
        dimensions: the symbolic dimensions of the main graph or function.
        op: the operators, as methods (see ``Operators``).
    """

    def __init__(self, builder: Builder, dimensions: Dimensions) -> None:
        self.builder = builder
        self.dimensions = dimensions
        self.op = Operators(self)

    @property
    def opset(self) -> int:
        """The version of the default operator set."""
        return self.builder.opset

    def operands(self, operands: Sequence[Operand]) -> list[ir.Value | None]:
        """Return operands as values: numbers and arrays become constants (see ``Operators``)."""
        like = next((v for v in operands if isinstance(v, ir.Value)), None)
        return [self._operand(v, like) for v in operands]

    def _operand(self, operand: Operand, like: ir.Value | None) -> ir.Value | None:
        if operand is None or isinstance(operand, ir.Value):
            return operand
        if isinstance(operand, int | float) and like is not None:
            return self.constant(operand, like)
        return self.builder.constant(operand, np.int64 if isinstance(operand, list) else None)

    def several(
        self,
        op_type: str,
        *operands: Operand,
        types: Sequence[tuple[DTypeLike | ir.DataType, Dims]],
        **attributes: Attribute,
    ) -> tuple[ir.Value, ...]:
        """Add a node with several outputs.

        Args:
            op_type: the operator.
            operands: as those of ``op``.
            types: the dtype and the dimensions of each output.
            attributes: the operator's attributes.

        Returns:
            A value for each output.
        """
        return self.builder.emit(
            op_type,
            self.operands(operands),
            attributes,
            dtypes=[d if isinstance(d, ir.DataType) else onnx_dtype(d) for d, _ in types],
            dims=[dims for _, dims in types],
            outputs=len(types),
        )

    # -- constants and dimensions ----------------------------------------------------------------

    def dims(self, value: ir.Value) -> Dims:
        """Return the dimensions of a value: ints or JAX dimension expressions."""
        return self.builder.dims(value)

    def constant(
        self, value: bool | float | Sequence[int] | Array | np.generic, like: ir.Value | ir.DataType
    ) -> ir.Value:
        """Return a constant.

        Args:
            value: a number, a list of integers or an array.
            like: the element type, or a value of that type.
        """
        dtype = element_type(like) if isinstance(like, ir.Value) else like
        return self.builder.constant(value, dtype.numpy())

    def empty(self, dtype: DTypeLike, dims: Dims) -> ir.Value:
        """Return an array without elements: one of ``dims`` is 0."""
        if is_static(dims):
            return self.builder.constant(np.zeros(dims, dtype))
        zero = np.zeros(1, dtype)
        return self.op.ConstantOfShape(
            self.shape_tensor(dims), value=zero, dtype=onnx_dtype(dtype), shape=dims
        )

    def shape_tensor(self, dims: Dims) -> ir.Value:
        """Return ``dims`` as an int64 vector; a constant if every dimension is known."""
        if is_static(dims):
            return self.builder.constant(np.asarray(dims, np.int64))
        parts: list[ir.Value] = []
        known: list[int] = []
        for dim in (*dims, None):
            if isinstance(dim, int | np.integer):
                known.append(int(dim))
                continue
            if known:
                parts.append(self.builder.constant(np.asarray(known, np.int64)))
                known = []
            if dim is not None:
                parts.append(self.dimensions.value(dim))
        if len(parts) == 1:
            return parts[0]
        root = self.builder.root
        return root.emit("Concat", parts, {"axis": 0}, dtypes=(INT64,), dims=((len(dims),),))[0]

    def dim_scalar(self, dim: Dim) -> ir.Value:
        """Return a dimension as an int64 scalar."""
        return self.reshape(self.dimensions.value(dim), ())

    # -- views -----------------------------------------------------------------------------------

    def cast(self, value: ir.Value, dtype: DTypeLike | ir.DataType | None) -> ir.Value:
        """Return ``value`` with another element type.

        Args:
            value: the value.
            dtype: an ONNX or numpy dtype, such as the ``dtype`` of another value.
        """
        if dtype is None:
            raise AssertionError("the value whose dtype is wanted has none")
        return self.builder.cast(
            value, dtype if isinstance(dtype, ir.DataType) else onnx_dtype(dtype)
        )

    def transpose(self, value: ir.Value, perm: Sequence[int]) -> ir.Value:
        """Return ``value`` with its axes permuted; axis i of the result is axis ``perm[i]``.

        Consecutive permutations become one, and one that changes nothing becomes none.
        """
        perm = [int(p) for p in perm]
        node = value.producer()
        if node is not None and node.op_type == "Transpose" and node.domain == "":
            inner = node.attributes["perm"].as_ints()
            source = node.inputs[0]
            assert source is not None
            return self.transpose(source, [inner[p] for p in perm])
        if perm == list(range(len(perm))):
            return value
        dims = self.dims(value)
        return self.op.Transpose(value, perm=perm, shape=tuple(dims[p] for p in perm))

    def reshape(self, value: ir.Value, dims: Dims) -> ir.Value:
        """Return the same elements in another shape, by the first of these that fits.

        1. Return ``value`` if it has that shape; a chain of reshapes starts from its first value.
        2. Add an Unsqueeze, a Squeeze or a Reshape with a constant operand (``graph.shapes``).
        3. Add a Reshape to a shape that is computed from the symbolic dimensions.
        """
        node = value.producer()
        if node is not None and node.op_type in VIEWS and node.domain == "":
            source = node.inputs[0]
            assert source is not None
            return self.reshape(source, dims)
        old, dims = self.dims(value), tuple(dims)
        if old == dims:
            return value
        op_type, constant = reshaping(old, dims)
        operand = self.shape_tensor(dims) if constant is None else constant
        return self.op(op_type, value, operand, shape=dims)

    def broadcast(self, value: ir.Value, dims: Dims) -> ir.Value:
        """Return ``value`` expanded to ``dims`` by ONNX's (numpy's) broadcasting rule."""
        if self.dims(value) == tuple(dims):
            return value
        if is_empty(dims):
            return self.empty(element_type(value).numpy(), tuple(dims))
        return self.op.Expand(value, self.shape_tensor(dims), shape=tuple(dims))

    def unbroadcast(self, values: Sequence[ir.Value], dims: Dims) -> list[ir.Value]:
        """Return operands of an elementwise operator as they were before they were broadcast.

        Args:
            values: the operands.
            dims: the shape of the operator's result, which they must still broadcast to.
        """
        result = list(values)
        for i in range(len(result)):
            while (source := self._before_broadcast(result[i])) is not None:
                tried = [*result[:i], source, *result[i + 1 :]]
                if Builder.broadcast(map(self.dims, tried)) != tuple(dims):
                    break
                result = tried
        return result

    def _before_broadcast(self, value: ir.Value) -> ir.Value | None:
        """Return a value that broadcasts to ``value``, or None if there is no smaller one."""
        array = self.builder.array(value)
        if array is not None:
            return self.builder.constant(array[0]) if array.ndim and _repeats(array) else None
        node = value.producer()
        if node is None or node.domain != "":
            return None
        if node.op_type == "Expand":
            return node.inputs[0]
        if node.op_type in VIEWS:
            source = node.inputs[0]
            assert source is not None
            old, new = self.dims(source), self.dims(value)
            ones = len(new) - len(old)
            if ones > 0 and new[ones:] == old and all(d == 1 for d in new[:ones]):
                return source
        return None


def _repeats(array: Array) -> bool:
    """Return whether all entries of a small array along its first axis are equal, to the bit."""
    return 0 < array.size <= MAX_ELEMENTS and array[:1].tobytes() * len(array) == array.tobytes()
