"""Marked calls (``@onnx_function``) as ONNX functions, one for each distinct jaxpr.

Weights are inputs of the function, so that blocks of one shape share it whatever their weights.
Constants above a few elements are passed in too: a function body can hold none by reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import onnx_ir as ir
from jax.extend import core

from jax2onnx.function import Mark
from jax2onnx.lower.builder import Builder
from jax2onnx.lower.dims import Dimensions
from jax2onnx.lower.dtypes import INT64, onnx_dtype
from jax2onnx.trace.modules import common, parent

if TYPE_CHECKING:
    from jax2onnx.lower.context import Context


class _Built(NamedTuple):
    """A function, and what it takes besides its operands: arrays of the model, dimensions."""

    function: ir.Function
    arrays: list[Any]
    dimensions: list[str]


class Functions:
    """The functions of a model, in the order of their first call.

    Attributes:
        paths: the paths of the arrays that the model holds, by identity.
        missing: the primitives without a lowering that the model has been found to use, with the
            user's lines, in order.
    """

    def __init__(self, paths: Mapping[object, str]) -> None:
        self.paths = paths
        self.missing: dict[tuple[str, str], None] = {}
        self._built: dict[tuple[core.Jaxpr, Mark], _Built] = {}
        self._names: dict[tuple[str, str], int] = {}

    @property
    def functions(self) -> list[ir.Function]:
        """All functions, callees before their callers."""
        return [built.function for built in self._built.values()]

    def call(
        self, ctx: Context, mark: Mark, closed: core.ClosedJaxpr, operands: Sequence[ir.Value]
    ) -> list[ir.Value]:
        """Adds a call of the function that ``closed`` is, which is built at its first call."""
        jaxpr = closed.jaxpr
        built = self._built.get((jaxpr, mark))
        if built is None:
            built = self._build(ctx, mark, closed, operands)
            self._built[jaxpr, mark] = built
        function = built.function
        inputs = [
            *operands,
            *map(ctx.held, built.arrays),
            *map(ctx.dimensions.variable, built.dimensions),
        ]
        avals = [v.aval for v in jaxpr.outvars]
        return list(
            ctx.builder.emit(
                function.name,
                inputs,
                {},
                dtypes=[onnx_dtype(a.dtype) for a in avals],
                dims=[tuple(a.shape) for a in avals],
                outputs=len(avals),
                domain=function.domain,
            )
        )

    def _build(
        self,
        ctx: Context,
        mark: Mark,
        closed: core.ClosedJaxpr,
        operands: Sequence[ir.Value],
    ) -> _Built:
        from jax2onnx.lower.context import Context as NewContext

        jaxpr = closed.jaxpr
        builder = Builder(ctx.opset, function=True)
        parameters = [ctx.parameters.get(v, "") for v in operands]
        owner = common([parent(p) for p in parameters if p]) if any(parameters) else ""
        relative = [p.removeprefix(owner).removeprefix(".") for p in parameters]
        inputs = [
            builder.new_value(name or f"x_{i}", onnx_dtype(v.aval.dtype), tuple(v.aval.shape))
            for i, (v, name) in enumerate(zip(jaxpr.invars, relative, strict=True))
        ]
        missing: list[tuple[str, ir.Value]] = []

        def ask(name: str) -> ir.Value:
            value = builder.new_value(f"dim_{name}", INT64, (1,))
            missing.append((name, value))
            return value

        body = NewContext(builder, Dimensions(builder, inputs, ask), self)
        body.parameters = {v: p for v, p in zip(inputs, relative, strict=True) if p}
        body.asked = []
        results = body.lower_closed(closed, inputs)
        outputs = body.as_outputs(results, [f"output_{i}" for i in range(len(results))])
        graph = ir.Graph(
            [*inputs, *(value for value, _ in body.asked), *(value for _, value in missing)],
            outputs,
            nodes=builder.nodes,
            opset_imports={"": ctx.opset},
            name=mark.name,
        )
        for domain in sorted({n.domain for n in builder.nodes if n.domain}):
            graph.opset_imports[domain] = 1
        function = ir.Function(mark.namespace, self._name(mark), graph=graph, attributes=())
        return _Built(function, [a for _, a in body.asked], [name for name, _ in missing])

    def _name(self, mark: Mark) -> str:
        key = (mark.namespace, mark.name)
        count = self._names.get(key, 0)
        self._names[key] = count + 1
        return mark.name if count == 0 else f"{mark.name}_{count}"
