"""Symbolic dimensions as values of the graph.

Every dimension variable is read from the shape of an input. An expression of variables becomes
integer operators on one-element tensors, which are built once, in the main graph or the function
and never in a branch.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import onnx_ir as ir

from jax2onnx.errors import SymbolicDimensionError
from jax2onnx.jax_internals import DimExpr, DimFactor
from jax2onnx.lower.builder import Builder
from jax2onnx.lower.dtypes import INT64
from jax2onnx.trace.dimensions import Dim


class _Source(NamedTuple):
    """An axis of an input whose size depends on a dimension variable."""

    value: ir.Value
    axis: int
    dim: DimExpr


class Dimensions:
    """The dimension variables of a main graph or a function, and the inputs to read them from.

    Args:
        builder: the builder of that graph.
        inputs: its inputs, whose shapes were stated with JAX dimension expressions.
        add_input: adds an input for a variable that no shape contains, and returns it, an int64
            tensor of shape [1]. Only a function has such inputs.
    """

    def __init__(
        self,
        builder: Builder,
        inputs: Sequence[ir.Value],
        add_input: Callable[[str], ir.Value] | None = None,
    ) -> None:
        self._add_input = add_input
        self._builder = builder
        self._sources: dict[str, _Source] = {}
        self._values: dict[Dim, ir.Value] = {}
        self._known: dict[ir.Value, Dim] = {}
        self._variables: dict[str, ir.Value] = {}
        self._shared: list[_Source] = []
        for value in inputs:
            for axis, dim in enumerate(builder.dims(value)):
                if not isinstance(dim, int):
                    self._add_source(value, axis, dim)

    def _add_source(self, value: ir.Value, axis: int, dim: DimExpr) -> None:
        variables = sorted(dim._get_vars())
        if len(variables) != 1:
            self._shared.append(_Source(value, axis, dim))
            return
        name = variables[0]
        known = self._sources.get(name)
        # A shape that is the bare variable is a better source than 2*B + 1.
        better = known is None or (known.dim._to_var() is None and dim._to_var() is not None)
        if better and _linear(dim, name) is not None:
            self._sources[name] = _Source(value, axis, dim)

    def value(self, dim: Dim) -> ir.Value:
        """Return an int64 tensor of shape [1] that holds ``dim``."""
        if isinstance(dim, int):
            return self._builder.constant([dim], "int64")
        known = self._values.get(dim)
        if known is None:
            known = self._values[dim] = self._expression(dim)
            self._known[known] = dim
        return known

    def dim_of(self, value: ir.Value) -> Dim | None:
        """Return the dimension that ``value`` holds as `value` returned it; None if it is none."""
        return self._known.get(value)

    def _emit(self, op_type: str, *inputs: ir.Value, **attributes: int) -> ir.Value:
        return self._builder.emit(op_type, inputs, attributes, dtypes=(INT64,), dims=((1,),))[0]

    def _expression(self, dim: DimExpr) -> ir.Value:
        terms = []
        for term, coefficient in dim._sorted_terms:
            factors = [self._factor(f) for f, power in term._factors for _ in range(power)]
            if coefficient != 1 or not factors:
                factors.append(self.value(int(coefficient)))
            terms.append(functools.reduce(functools.partial(self._emit, "Mul"), factors))
        return functools.reduce(functools.partial(self._emit, "Add"), terms)

    def _factor(self, factor: DimFactor) -> ir.Value:
        if factor.var is not None:
            return self.variable(factor.var)
        left, right = (self.value(_plain(operand)) for operand in factor.operands)
        match factor.operation:
            case DimFactor.MAX:
                return self._emit("Max", left, right)
            case DimFactor.MIN:
                return self._emit("Min", left, right)
        # ONNX's integer Mod has the sign of the divisor, as Python's has.
        remainder = self._emit("Mod", left, right)
        if factor.operation == DimFactor.MOD:
            return remainder
        return self._emit("Div", self._emit("Sub", left, remainder), right)

    def variable(self, name: str) -> ir.Value:
        """Return the dimension variable ``name`` as an int64 tensor of shape [1].

        Raises:
            SymbolicDimensionError: no input's shape tells it.
        """
        known = self._variables.get(name)
        if known is None:
            known = self._variables[name] = self._read(name)
        return known

    def _read(self, name: str) -> ir.Value:
        source = self._sources.get(name) or self._solvable(name)
        if source is None:
            if self._add_input is not None:
                return self._add_input(name)
            raise SymbolicDimensionError(
                f"dimension {name!r} is not the size of any input's axis, so the graph cannot read "
                "it at run time: give one input an axis of that size"
            )
        value, axis, dim = source
        size = self._emit("Shape", value, start=axis, end=axis + 1)
        linear = _linear(dim, name)
        assert linear is not None
        scale, rest = linear
        if not (isinstance(rest, int) and rest == 0):
            size = self._emit("Sub", size, self.value(rest))
        if scale != 1:
            size = self._emit("Div", size, self.value(scale))
        return size

    def _solvable(self, name: str) -> _Source | None:
        """Return a source such as ``B + T`` that gives T if another input's axis gives B."""
        for source in self._shared:
            others = source.dim._get_vars() - {name}
            if _linear(source.dim, name) is not None and others <= self._sources.keys():
                return source
        return None


def _plain(dim: Dim) -> Dim:
    """Return a constant expression as an int, and any other dimension as it is."""
    constant = DimExpr._to_constant(dim)
    return dim if constant is None else int(constant)


def _linear(dim: DimExpr, name: str) -> tuple[int, Dim] | None:
    """Return ``(scale, rest)`` of a dimension that is ``scale * name + rest``, or None."""
    for term, coefficient in dim._sorted_terms:
        if term.to_var() == name and coefficient > 0:
            scale = int(coefficient)
            rest = _plain(dim - scale * DimExpr._from_var(name, dim.scope))
            if isinstance(rest, int) or name not in rest._get_vars():
                return scale, rest
    return None
