"""The context of a lowering rule: the equation, the graph, and the lowering of nested jaxprs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import jax
import numpy as np
import onnx_ir as ir
from jax.extend import core

from jax2onnx.lower.builder import Builder, element_type
from jax2onnx.lower.dims import Dimensions
from jax2onnx.lower.dtypes import onnx_dtype
from jax2onnx.lower.views import Views
from jax2onnx.marks import Mark
from jax2onnx.trace.dimensions import Dims, abstract
from jax2onnx.trace.jaxprs import aval_of, source_line
from jax2onnx.trace.naming.reach import identity

_LARGE = 16
"""Captured arrays of a function with more elements than this become inputs of the function."""


class Lowerer(Protocol):
    """The part of lowering that uses the rules, which a context calls.

    ``interpret.Interpreter`` implements it. The protocol stands here so that this module imports
    neither the interpreter nor the rules.
    """

    @property
    def array_paths(self) -> Mapping[object, str]:
        """The paths of the model's captured arrays, by identity."""

    def note_check(self, message: str, failed: ir.Value | None) -> None:
        """Note a check of the model's values.

        Args:
            message: its message.
            failed: a boolean of the main graph, whether the check fails; None if there is none.
        """

    def trace(
        self,
        function: Callable[..., Any],
        avals: Sequence[jax.ShapeDtypeStruct],
        params: Mapping[str, Any],
    ) -> core.ClosedJaxpr:
        """Return the jaxpr of ``function(*avals, **params)``, in types that ONNX has."""

    def lower_jaxpr(
        self, ctx: Context, closed: core.ClosedJaxpr, operands: Sequence[ir.Value]
    ) -> list[ir.Value]:
        """Add the nodes of a jaxpr to the graph of ``ctx``; return the values of its outputs."""

    def call_function(
        self, ctx: Context, mark: Mark, closed: core.ClosedJaxpr, operands: Sequence[ir.Value]
    ) -> list[ir.Value]:
        """Add a call of an ONNX function to the graph of ``ctx``; return its outputs."""


class Context(Views):
    """The lowering of one jaxpr into one graph, as a rule sees it.

    Attributes:
        builder: the graph under construction.
        op: the operators, as methods: ``ctx.op.Add(x, 1)`` (see ``Operators``).
        avals_in: JAX's abstract values (``shape``, ``dtype``) of the equation's operands.
        avals_out: those of its results.
        parameters: the values that are parameters of the model, and their paths.
        module_outputs: the last value that each module computed with its parameters.
        function_inputs: in a function, the captured arrays that became inputs of it, since the body
            of a function cannot refer to a tensor outside; None in a main graph.
    """

    def __init__(self, builder: Builder, dimensions: Dimensions, lowerer: Lowerer) -> None:
        super().__init__(builder, dimensions)
        self.lowerer = lowerer
        self.avals_in: Sequence[jax.core.ShapedArray] = ()
        self.avals_out: Sequence[jax.core.ShapedArray] = ()
        self.parameters: dict[ir.Value, str] = {}
        self.module_outputs: dict[str, ir.Value] = {}
        self.function_inputs: list[tuple[ir.Value, Any]] | None = None
        self._eqns: tuple[core.JaxprEqn, ...] = ()
        self._outer: int | None = None

    # -- the equation ----------------------------------------------------------------------------

    @contextmanager
    def equation(self, eqn: core.JaxprEqn) -> Iterator[None]:
        """Make ``eqn`` the equation that is being lowered."""
        saved = self.avals_in, self.avals_out, self._eqns
        self.avals_in = list(map(aval_of, eqn.invars))
        self.avals_out = list(map(aval_of, eqn.outvars))
        self._eqns = (*self._eqns, eqn)
        yield
        self.avals_in, self.avals_out, self._eqns = saved

    @property
    def out_types(self) -> list[tuple[np.dtype[Any], Dims]]:
        """The dtype and dimensions of each result of the equation."""
        return [(a.dtype, tuple(a.shape)) for a in self.avals_out]

    @property
    def out_dims(self) -> Dims:
        """The dimensions of the equation's first result."""
        return tuple(self.avals_out[0].shape)

    @property
    def out_dtype(self) -> ir.DataType:
        """The element type of the equation's first result."""
        return onnx_dtype(self.avals_out[0].dtype)

    @property
    def in_decomposition(self) -> bool:
        """Whether the equation is part of the decomposition of a primitive of the model."""
        return self._outer is not None

    @property
    def primitive(self) -> core.Primitive:
        """The primitive that is being lowered."""
        return self._eqns[-1].primitive

    @property
    def where(self) -> str:
        """The primitive that is being lowered and the user's line that called it, for errors."""
        return f"{self.primitive} at {self.line}"

    @property
    def line(self) -> str:
        """The user's line that is being lowered; within a decomposition, that of the primitive."""
        lines = map(source_line, self._eqns[self._outer :: -1])
        return next((line for line in lines if line not in ("", "unknown")), "an unknown line")

    # -- arrays of the model ---------------------------------------------------------------------

    def captured_array(self, array: Any) -> ir.Value:
        """Return the value of an array that the model captured: a parameter, or a constant.

        In a function, a parameter and any large array become inputs of the function.

        Args:
            array: a constant of the jaxpr that is being lowered.
        """
        captured, key = self.builder.root.captured, identity(array)
        value, path = captured.get(key), self.lowerer.array_paths.get(key)
        if value is None and self.function_inputs is not None and np.size(array) > _LARGE:
            name = path or f"constant_{len(self.function_inputs)}"
            value = captured[key] = self.builder.new_value(
                name, onnx_dtype(array.dtype), tuple(np.shape(array))
            )
            self.function_inputs.append((value, array))
        if value is None:
            return self.builder.constant(array)
        if path is not None:
            self.parameters[value] = path
        return value

    # -- nested lowering -------------------------------------------------------------------------

    def lower_jaxpr(self, closed: core.ClosedJaxpr, operands: Sequence[ir.Value]) -> list[ir.Value]:
        """Add the nodes of a jaxpr to this graph.

        Args:
            closed: the jaxpr.
            operands: a value for each of its inputs.

        Returns:
            A value for each of its outputs.
        """
        return self.lowerer.lower_jaxpr(self, closed, operands)

    def lower_function(
        self, function: Callable[..., Any], operands: Sequence[ir.Value], **params: Any
    ) -> list[ir.Value]:
        """Trace a function of JAX on the types of ``operands``, and add its nodes to this graph.

        A function of a module is traced once for all operands of the same types, if its params are
        the same. A function that is made for one equation, such as a lambda, is traced each time.

        Args:
            function: takes as many arrays; returns an array or a pytree of arrays.
            operands: its arguments.
            **params: its keyword arguments, which are not traced.

        Returns:
            A value for each array that it returns.
        """
        avals = [abstract(self.dims(v), element_type(v).numpy()) for v in operands]
        saved = self._outer
        self._outer = len(self._eqns) - 1 if saved is None else saved
        results = self.lower_jaxpr(self.lowerer.trace(function, avals, params), operands)
        self._outer = saved
        return results

    def as_outputs(self, values: Sequence[ir.Value], names: Sequence[str]) -> list[ir.Value]:
        """Return ``values`` as outputs of this graph, each computed by a node of its own.

        Args:
            values: the results of the graph.
            names: the name of each output.
        """
        outputs: list[ir.Value] = []
        for value, name in zip(values, names, strict=True):
            shared = not self.builder.computes(value) or value in outputs
            outputs.append(self.builder.copy(value) if shared else value)
            outputs[-1].name = name
        return outputs

    def branch(self) -> Context:
        """Return a context for a graph inside this one, such as the body of a Loop."""
        branch = Context(Builder(self.opset, parent=self.builder), self.dimensions, self.lowerer)
        branch.parameters = self.parameters
        branch.function_inputs = self.function_inputs
        branch._eqns, branch._outer = self._eqns, self._outer
        return branch
