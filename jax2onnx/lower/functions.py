"""Lower marked calls (``@onnx_function``) to ONNX functions; equal calls share one function.

Weights are inputs of the function, so that blocks of the same shape share it whatever their
weights. Captured arrays of more than a few elements are inputs too, since the body of a function
cannot refer to a tensor outside. Two functions are equal if their lowered bodies are: a lambda, a
closure, an unused number or a weak type makes JAX trace anew, and still the function is shared.
"""

import itertools
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import onnx_ir as ir
from jax.extend import core

from jax2onnx.lower.builder import Builder, attribute_key
from jax2onnx.lower.context import Context
from jax2onnx.lower.dims import Dimensions
from jax2onnx.lower.dtypes import INT64, onnx_dtype
from jax2onnx.marks import Mark
from jax2onnx.trace.jaxprs import aval_of, without_dead_equations
from jax2onnx.trace.naming.modules import common, parent


class _Built(NamedTuple):
    """A function and its inputs, in this order.

    Attributes:
        function: the ONNX function.
        operands: the positions of the call's operands that it takes.
        arrays: the captured arrays that it takes.
        dimensions: the names of the dimension variables that it takes.
    """

    function: ir.Function
    operands: list[int]
    arrays: list[Any]
    dimensions: list[str]


class Functions:
    """The functions of a model, in the order of their first call."""

    def __init__(self) -> None:
        self._built: dict[tuple[core.Jaxpr, Mark], _Built] = {}
        self._by_content: dict[object, ir.Function] = {}
        self._names: dict[tuple[str, str], list[str]] = {}
        self._first: dict[tuple[str, str], Mark] = {}

    def all(self) -> list[ir.Function]:
        """Return all functions, callees before their callers."""
        return list({id(b.function): b.function for b in self._built.values()}.values())

    def call(
        self, ctx: Context, mark: Mark, closed: core.ClosedJaxpr, operands: Sequence[ir.Value]
    ) -> list[ir.Value]:
        """Add a call of a function, which is built at its first call.

        Args:
            ctx: the graph that calls it.
            mark: the mark of the jit.
            closed: what the function computes.
            operands: a value for each input of ``closed``.

        Returns:
            A value for each output of ``closed``. An output that is an input of ``closed`` is that
            operand; if all are, there is no call.
        """
        jaxpr = closed.jaxpr
        passed = dict(zip(jaxpr.invars, operands, strict=True))
        computed = [
            aval_of(v) for v in jaxpr.outvars if isinstance(v, core.Literal) or v not in passed
        ]
        if not computed:
            return [passed[v] for v in jaxpr.outvars if isinstance(v, core.Var)]
        built = self._built.get((jaxpr, mark))
        if built is None:
            built = self._build(ctx, mark, closed, operands)
            self._built[jaxpr, mark] = built
        inputs = [
            *(operands[i] for i in built.operands),
            *map(ctx.captured_array, built.arrays),
            *map(ctx.dimensions.variable, built.dimensions),
        ]
        outputs = iter(
            ctx.builder.emit(
                built.function.name,
                inputs,
                {},
                dtypes=[onnx_dtype(a.dtype) for a in computed],
                dims=[tuple(a.shape) for a in computed],
                outputs=len(computed),
                domain=built.function.domain,
            )
        )
        return [
            passed[v] if isinstance(v, core.Var) and v in passed else next(outputs)
            for v in jaxpr.outvars
        ]

    def _build(
        self, ctx: Context, mark: Mark, closed: core.ClosedJaxpr, operands: Sequence[ir.Value]
    ) -> _Built:
        """Lower the body of a function, and find the inputs that it needs."""
        jaxpr = closed.jaxpr
        builder = Builder(ctx.opset, function=True)
        paths = [ctx.parameters.get(v, "") for v in operands]
        inputs = [
            builder.new_value(name, onnx_dtype(aval_of(v).dtype), tuple(aval_of(v).shape))
            for v, name in zip(jaxpr.invars, _input_names(jaxpr, mark, paths), strict=True)
        ]
        dimensions: list[tuple[str, ir.Value]] = []

        def add_dimension(name: str) -> ir.Value:
            value = builder.new_value(f"dim_{name}", INT64, (1,))
            dimensions.append((name, value))
            return value

        body = Context(builder, Dimensions(builder, inputs, add_dimension), ctx.lowerer)
        body.parameters = {v: v.name or "" for v, p in zip(inputs, paths, strict=True) if p}
        body.function_inputs = []
        live = core.ClosedJaxpr(without_dead_equations(jaxpr), closed.consts)
        results = [r for r in body.lower_jaxpr(live, inputs) if r not in inputs]
        numbered = [f"output_{i}" for i in range(len(results))]
        outputs = body.as_outputs(results, numbered if len(results) > 1 else ["output"])
        used = [i for i, v in enumerate(inputs) if v.uses()]
        graph = ir.Graph(
            [
                *(inputs[i] for i in used),
                *(value for value, _ in body.function_inputs),
                *(value for _, value in dimensions),
            ],
            outputs,
            nodes=builder.nodes,
            opset_imports={"": ctx.opset},
            name=mark.name,
        )
        for domain in sorted({n.domain for n in builder.nodes if n.domain}):
            graph.opset_imports[domain] = 1
        return _Built(
            self._shared(mark, graph),
            used,
            [array for _, array in body.function_inputs],
            [name for name, _ in dimensions],
        )

    def _shared(self, mark: Mark, graph: ir.Graph) -> ir.Function:
        """Return the function with this body: an earlier one, if one computes the same."""
        unique = mark.variant.unique
        key = (mark.namespace, mark.name, _fingerprint(graph, {})) if unique else mark
        if key not in self._by_content:
            function = ir.Function(mark.namespace, self._name(mark), graph=graph, attributes=())
            self._by_content[key] = function
        return self._by_content[key]

    def _name(self, mark: Mark) -> str:
        """Return a name for a further function: ``Block``, ``Block_rate_0_5`` or ``Block_1``.

        The name is the mark's. If it is taken, one or two static arguments that differ from those
        of the first function are added, or else a number.
        """
        key = mark.namespace, mark.name
        first = self._first.setdefault(key, mark).variant.static
        differ = [(p, v) for p, v in mark.variant.static.items() if first.get(p, mark) != v]
        spelled = [
            re.sub(r"[\W_]+", "_", f"{p.rpartition('.')[2]}_{v}").strip("_") for p, v in differ
        ]
        base = "_".join([mark.name, *spelled]) if len(spelled) <= 2 else mark.name
        taken = self._names.setdefault(key, [])
        numbered = (f"{base}_{i}" for i in itertools.count(1))
        taken.append(next(n for n in itertools.chain([base], numbered) if n not in taken))
        return taken[-1]


def _input_names(jaxpr: core.Jaxpr, mark: Mark, paths: Sequence[str]) -> list[str]:
    """Return names for the inputs of a function: those of its arguments, which the mark knows.

    An input that the function closes over is no argument: the path of the parameter names it.
    """
    owner = common([parent(p) for p in paths if p]) if any(paths) else ""
    names, arguments = [], jaxpr.debug_info.arg_names or [""] * len(paths)
    for i, (argument, path) in enumerate(zip(arguments, paths, strict=True)):
        found = re.search(r"arrays\[(\d+)\]$", argument or "")
        closed_over = path.removeprefix(owner).removeprefix(".") or f"x_{i}"
        known = mark.variant.names[int(found[1]) :][:1] if found else ()
        names.append(known[0] if known else closed_over)
    return names


def _fingerprint(graph: ir.Graph, numbers: dict[ir.Value | None, int]) -> object:
    """Return a key that is equal for two graphs of the same nodes; ``numbers`` stand for values."""

    def number(value: ir.Value | None) -> int:
        return numbers.setdefault(value, len(numbers))

    def typed(values: Sequence[ir.Value]) -> tuple[object, ...]:
        return tuple((number(v), v.dtype, str(v.shape)) for v in values)

    def attribute(each: ir.Attr) -> object:
        if each.type == ir.AttributeType.GRAPH:
            return each.name, _fingerprint(each.as_graph(), numbers)
        return attribute_key(each)

    inputs = typed(graph.inputs)
    nodes = tuple(
        (
            (node.domain, node.op_type),
            tuple(map(number, node.inputs)),
            tuple(map(attribute, node.attributes.values())),
            typed(node.outputs),
        )
        for node in graph
    )
    return inputs, nodes, tuple(map(number, graph.outputs))
