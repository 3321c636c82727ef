"""What a lowering rule works with: the equation's types, the operators, and views of values.

Layout is lazy. ``transpose``, ``reshape`` and ``broadcast`` look at the node that made their
operand: a permutation that undoes another gives the value before both, and an elementwise operator
takes the operand as it was before it was broadcast. What nobody reads is dropped at the end.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
import onnx_ir as ir
from jax.extend import core

from jax2onnx.graph.shapes import reshaping
from jax2onnx.lower.builder import Builder, Dims, element_type
from jax2onnx.lower.dims import Dimensions
from jax2onnx.lower.dtypes import INT64, onnx_dtype
from jax2onnx.lower.fold import MAX_ELEMENTS
from jax2onnx.lower.functions import Functions
from jax2onnx.lower.jaxprs import source_line
from jax2onnx.lower.plain_numbers.retrace import physical_jaxpr
from jax2onnx.trace.dimensions import abstract, is_empty, is_static
from jax2onnx.trace.naming.reach import identity

_LARGE = 16
"""Elements above which a constant of a function is passed to it."""

_RESHAPES = frozenset(("Reshape", "Squeeze", "Unsqueeze"))


class Operators:
    """``ctx.op.Gather(x, indices, axis=0)`` adds a Gather node and returns its output.

    Keyword arguments are the operator's attributes, and ``dtype=`` and ``shape=`` state the type
    of the result where it is not that of an elementwise operator: the first operand's element type
    (booleans for a predicate) and the shape that the operands broadcast to. Operands may be Python
    numbers, lists and numpy arrays: a bare number takes the element type of the first tensor
    operand, a list of integers is int64.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    def __getattr__(self, op_type: str) -> Callable[..., ir.Value]:
        return functools.partial(self._emit, op_type)

    def _emit(
        self,
        op_type: str,
        *operands: Any,
        dtype: ir.DataType | None = None,
        shape: Dims | None = None,
        **attributes: Any,
    ) -> ir.Value:
        dtypes = None if dtype is None else (dtype,)
        dims = None if shape is None else (shape,)
        inputs = self._ctx.operands(operands)
        return self._ctx.builder.emit(op_type, inputs, attributes, dtypes=dtypes, dims=dims)[0]


class Context:
    """The lowering of one jaxpr into one graph.

    Attributes:
        builder: the graph under construction.
        op: the operators, as methods.
        avals_in, avals_out: abstract values of the equation that is being lowered.
        parameters: values that are parameters of the model, by their path.
        taps: the last value that each module computed with its parameters.
        asked: in a function, the arrays that it takes as further inputs: its body can hold no
            tensor by reference.
    """

    def __init__(self, builder: Builder, dimensions: Dimensions, functions: Functions) -> None:
        self.builder = builder
        self.dimensions = dimensions
        self.functions = functions
        self.op = Operators(self)
        self.avals_in: Sequence[Any] = ()
        self.avals_out: Sequence[Any] = ()
        self.parameters: dict[ir.Value, str] = {}
        self.taps: dict[str, ir.Value] = {}
        self.asked: list[tuple[ir.Value, Any]] | None = None
        self._eqns: tuple[Any, ...] = ()
        self._outer: int | None = None

    @property
    def opset(self) -> int:
        """Version of the default operator set."""
        return self.builder.opset

    def operands(self, operands: Sequence[Any]) -> list[ir.Value | None]:
        """Operands as values: numbers and arrays become constants (see `Operators`)."""
        like = next((v for v in operands if isinstance(v, ir.Value)), None)
        return [self._operand(v, like) for v in operands]

    def _operand(self, operand: Any, like: ir.Value | None) -> ir.Value | None:
        if operand is None or isinstance(operand, ir.Value):
            return operand
        if isinstance(operand, int | float) and like is not None:
            return self.constant(operand, like)
        return self.builder.constant(operand, np.int64 if isinstance(operand, list) else None)

    def several(
        self, op_type: str, *operands: Any, types: Sequence[tuple[Any, Dims]], **attributes: Any
    ) -> tuple[ir.Value, ...]:
        """Adds a node with several outputs, whose dtypes and shapes are ``types``."""
        return self.builder.emit(
            op_type,
            self.operands(operands),
            attributes,
            dtypes=[d if isinstance(d, ir.DataType) else onnx_dtype(d) for d, _ in types],
            dims=[dims for _, dims in types],
            outputs=len(types),
        )

    # -- types -----------------------------------------------------------------------------------

    def dims(self, value: ir.Value) -> Dims:
        """Dimensions of a value: ints or JAX dimension expressions."""
        return self.builder.dims(value)

    @property
    def out_types(self) -> list[tuple[Any, Dims]]:
        """Dtypes and dimensions of all of the equation's results."""
        return [(a.dtype, tuple(a.shape)) for a in self.avals_out]

    @property
    def out_dims(self) -> Dims:
        """Dimensions of the equation's first result."""
        return tuple(self.avals_out[0].shape)

    @property
    def out_dtype(self) -> ir.DataType:
        """Element type of the equation's first result."""
        return onnx_dtype(self.avals_out[0].dtype)

    @property
    def decomposes(self) -> bool:
        """Whether what is lowered is the decomposition of a primitive of the user's."""
        return self._outer is not None

    @property
    def where(self) -> str:
        """The primitive that is being lowered and the user's line that called it, for errors."""
        return f"{self.primitive} at {self.line}"

    @property
    def primitive(self) -> core.Primitive:
        """The primitive that is being lowered."""
        primitive: core.Primitive = self._eqns[-1].primitive
        return primitive

    @property
    def line(self) -> str:
        """The user's line that is being lowered; within a decomposition, that of the whole."""
        lines = map(source_line, self._eqns[self._outer :: -1])
        return next((line for line in lines if line not in ("", "unknown")), "an unknown line")

    # -- constants and dimensions ----------------------------------------------------------------

    def constant(self, value: Any, like: ir.Value | ir.DataType) -> ir.Value:
        """A constant of the element type of ``like``."""
        dtype = element_type(like) if isinstance(like, ir.Value) else like
        return self.builder.constant(value, dtype.numpy())

    def held(self, array: Any) -> ir.Value:
        """An array of the model: the parameter that it is, or a constant."""
        held, key = self.builder.root.held, identity(array)
        value, path = held.get(key), self.functions.paths.get(key)
        if value is None and self.asked is not None and np.size(array) > _LARGE:
            name = path or f"constant_{len(self.asked)}"
            value = held[key] = self.builder.new_value(
                name, onnx_dtype(array.dtype), tuple(np.shape(array))
            )
            self.asked.append((value, array))
        if value is None:
            return self.builder.constant(array)
        if path is not None:
            self.parameters[value] = path
        return value

    def nothing(self, dtype: Any, dims: Dims) -> ir.Value:
        """An array of a shape with a 0, which has no elements."""
        if is_static(dims):
            return self.builder.constant(np.zeros(dims, dtype))
        zero = np.zeros(1, dtype)
        return self.op.ConstantOfShape(
            self.shape_tensor(dims), value=zero, dtype=onnx_dtype(dtype), shape=dims
        )

    def shape_tensor(self, dims: Dims) -> ir.Value:
        """A shape as an int64 vector: a constant if every dimension is known."""
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

    def dim_scalar(self, dim: Any) -> ir.Value:
        """A dimension as an int64 scalar."""
        return self.reshape(self.dimensions.value(dim), ())

    # -- views -----------------------------------------------------------------------------------

    def cast(self, value: ir.Value, dtype: Any) -> ir.Value:
        """``value`` as another element type (an ONNX or numpy dtype)."""
        return self.builder.cast(
            value, dtype if isinstance(dtype, ir.DataType) else onnx_dtype(dtype)
        )

    def transpose(self, value: ir.Value, perm: Sequence[int]) -> ir.Value:
        """A permutation of axes; consecutive ones become one, and one that does nothing, none."""
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
        """The same elements in another shape, by the first way that fits.

        1. nothing, where the shape is the same; a chain of reshapes starts from its first value;
        2. Unsqueeze or Squeeze, where only axes of size 1 come or go;
        3. Reshape with a constant shape, where one ``-1`` and copied axes (``0``) can say it;
        4. Reshape with a shape computed from the symbolic dimensions.
        """
        node = value.producer()
        if node is not None and node.op_type in _RESHAPES and node.domain == "":
            source = node.inputs[0]
            assert source is not None
            return self.reshape(source, dims)
        old, dims = self.dims(value), tuple(dims)
        if old == dims:
            return value
        op_type, constant = reshaping(old, dims)
        operand = self.shape_tensor(dims) if constant is None else constant
        operator: Callable[..., ir.Value] = getattr(self.op, op_type)
        return operator(value, operand, shape=dims)

    def broadcast(self, value: ir.Value, dims: Dims) -> ir.Value:
        """``value`` expanded to ``dims`` by ONNX's broadcasting rule."""
        if self.dims(value) == tuple(dims):
            return value
        if is_empty(dims):
            return self.nothing(element_type(value).numpy(), tuple(dims))
        return self.op.Expand(value, self.shape_tensor(dims), shape=tuple(dims))

    def unbroadcast(self, values: Sequence[ir.Value], dims: Dims) -> list[ir.Value]:
        """Operands of an elementwise operator without the broadcasts that it does by itself."""
        result = list(values)
        for i in range(len(result)):
            while (source := self._before_broadcast(result[i])) is not None:
                tried = [*result[:i], source, *result[i + 1 :]]
                if Builder.broadcast(map(self.dims, tried)) != tuple(dims):
                    break
                result = tried
        return result

    def _before_broadcast(self, value: ir.Value) -> ir.Value | None:
        array = self.builder.array(value)
        if array is not None:
            return self.builder.constant(array[0]) if array.ndim and _repeats(array) else None
        node = value.producer()
        if node is None or node.domain != "":
            return None
        if node.op_type == "Expand":
            return node.inputs[0]
        if node.op_type in _RESHAPES:
            source = node.inputs[0]
            assert source is not None
            old, new = self.dims(source), self.dims(value)
            ones = len(new) - len(old)
            if ones > 0 and new[ones:] == old and all(d == 1 for d in new[:ones]):
                return source
        return None

    # -- nested lowering -------------------------------------------------------------------------

    @contextmanager
    def equation(self, eqn: core.JaxprEqn) -> Iterator[None]:
        """Makes ``eqn`` the equation that is being lowered."""
        saved = self.avals_in, self.avals_out, self._eqns
        self.avals_in = [v.aval for v in eqn.invars]
        self.avals_out = [v.aval for v in eqn.outvars]
        self._eqns = (*self._eqns, eqn)
        yield
        self.avals_in, self.avals_out, self._eqns = saved

    def lower_jaxpr(
        self, jaxpr: core.Jaxpr, consts: Sequence[Any], operands: Sequence[ir.Value]
    ) -> list[ir.Value]:
        """Lowers a jaxpr in place, on ``operands``."""
        from jax2onnx.lower.interpret import lower_jaxpr

        return lower_jaxpr(self, jaxpr, consts, operands)

    def as_outputs(self, values: Sequence[ir.Value], names: Sequence[str]) -> list[ir.Value]:
        """Outputs of this graph: each made by a node of its own, under its name."""
        outputs: list[ir.Value] = []
        for value, name in zip(values, names, strict=True):
            shared = not self.builder.made(value) or value in outputs
            outputs.append(self.builder.copy(value) if shared else value)
            outputs[-1].name = name
        return outputs

    def lower_closed(
        self, closed: core.ClosedJaxpr, operands: Sequence[ir.Value]
    ) -> list[ir.Value]:
        """Lowers a closed jaxpr in place, on ``operands``."""
        return self.lower_jaxpr(closed.jaxpr, closed.consts, operands)

    def lower_function(
        self, function: Callable[..., Any], operands: Sequence[ir.Value]
    ) -> list[ir.Value]:
        """Traces ``function`` on the types of ``operands`` and lowers the trace in place."""
        avals = [abstract(self.dims(v), element_type(v).numpy()) for v in operands]
        saved = self._outer
        self._outer = len(self._eqns) - 1 if saved is None else saved
        closed = physical_jaxpr(jax.make_jaxpr(function)(*avals))
        results = self.lower_closed(closed, operands)
        self._outer = saved
        return results

    def branch(self) -> Context:
        """A context for a branch (the body of a Loop, say) inside this graph."""
        branch = Context(Builder(self.opset, parent=self.builder), self.dimensions, self.functions)
        branch.parameters = self.parameters
        branch.asked = self.asked
        branch._eqns, branch._outer = self._eqns, self._outer
        return branch


def _repeats(array: np.ndarray[Any, Any]) -> bool:
    """Whether all that a small array holds along its first axis is the same, to the bit."""
    return 0 < array.size <= MAX_ELEMENTS and array[:1].tobytes() * len(array) == array.tobytes()
