"""Marked calls (``@onnx_function``) as ONNX functions, one for all calls that compute the same.

Weights are inputs of the function, so that blocks of one shape share it whatever their weights.
Constants above a few elements are passed in too: a function body can hold none by reference.
What two calls compute is compared as it is lowered, so that a lambda, a closure, an unused number
or a weak type, which JAX traces anew each time, keeps no function from being shared.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import onnx_ir as ir
from jax.extend import core

from jax2onnx.lower.builder import Builder, attribute_key
from jax2onnx.lower.dims import Dimensions
from jax2onnx.lower.dtypes import INT64, onnx_dtype
from jax2onnx.marks import Mark
from jax2onnx.trace import live
from jax2onnx.trace.naming.modules import common, parent

if TYPE_CHECKING:
    from jax2onnx.lower.context import Context


class _Built(NamedTuple):
    """A function, and what it takes: some of the operands, arrays of the model, dimensions."""

    function: ir.Function
    operands: list[int]
    arrays: list[Any]
    dimensions: list[str]


class Functions:
    """The functions of a model, in the order of their first call.

    Attributes:
        paths: the paths of the arrays that the model holds, by identity.
        missing: the primitives without a lowering that the model has been found to use, with the
            user's lines, in order.
    """

    def __init__(self, paths: Mapping[object, str], call_sites: bool) -> None:
        self.paths = paths
        self.call_sites = call_sites
        self.missing: dict[tuple[str, str], None] = {}
        self._built: dict[tuple[core.Jaxpr, Mark], _Built] = {}
        self._same: dict[object, ir.Function] = {}
        self._named: dict[tuple[str, str], list[str]] = {}
        self._first: dict[tuple[str, str], Mark] = {}

    @property
    def functions(self) -> list[ir.Function]:
        """All functions, callees before their callers."""
        return list({id(b.function): b.function for b in self._built.values()}.values())

    def call(
        self, ctx: Context, mark: Mark, closed: core.ClosedJaxpr, operands: Sequence[ir.Value]
    ) -> list[ir.Value]:
        """Adds a call of the function that ``closed`` is, which is built at its first call."""
        jaxpr = closed.jaxpr
        passed = dict(zip(jaxpr.invars, operands, strict=True))
        made = [v.aval for v in jaxpr.outvars if isinstance(v, core.Literal) or v not in passed]
        if not made:
            return [passed[v] for v in jaxpr.outvars if isinstance(v, core.Var)]
        built = self._built.get((jaxpr, mark))
        if built is None:
            built = self._build(ctx, mark, closed, operands)
            self._built[jaxpr, mark] = built
        inputs = [
            *(operands[i] for i in built.operands),
            *map(ctx.held, built.arrays),
            *map(ctx.dimensions.variable, built.dimensions),
        ]
        outputs = iter(
            ctx.builder.emit(
                built.function.name,
                inputs,
                {},
                dtypes=[onnx_dtype(a.dtype) for a in made],
                dims=[tuple(a.shape) for a in made],
                outputs=len(made),
                domain=built.function.domain,
            )
        )
        return [
            passed[v] if isinstance(v, core.Var) and v in passed else next(outputs)
            for v in jaxpr.outvars
        ]

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
        paths = [ctx.parameters.get(v, "") for v in operands]
        inputs = [
            builder.new_value(name, onnx_dtype(v.aval.dtype), tuple(v.aval.shape))
            for v, name in zip(jaxpr.invars, _input_names(jaxpr, mark, paths), strict=True)
        ]
        missing: list[tuple[str, ir.Value]] = []

        def ask(name: str) -> ir.Value:
            value = builder.new_value(f"dim_{name}", INT64, (1,))
            missing.append((name, value))
            return value

        body = NewContext(builder, Dimensions(builder, inputs, ask), self)
        body.parameters = {v: v.name or "" for v, p in zip(inputs, paths, strict=True) if p}
        body.asked = []
        # What is handed through needs no output, nor then an input.
        results = [
            r for r in body.lower_jaxpr(live(jaxpr), closed.consts, inputs) if r not in inputs
        ]
        numbered = [f"output_{i}" for i in range(len(results))]
        outputs = body.as_outputs(results, numbered if len(results) > 1 else ["output"])
        used = [i for i, v in enumerate(inputs) if v.uses()]
        graph = ir.Graph(
            [
                *(inputs[i] for i in used),
                *(value for value, _ in body.asked),
                *(value for _, value in missing),
            ],
            outputs,
            nodes=builder.nodes,
            opset_imports={"": ctx.opset},
            name=mark.name,
        )
        for domain in sorted({n.domain for n in builder.nodes if n.domain}):
            graph.opset_imports[domain] = 1
        same = (mark.namespace, mark.name, _fingerprint(graph, {})) if mark.variant.unique else mark
        if same not in self._same:
            name = self._name(mark)
            self._same[same] = ir.Function(mark.namespace, name, graph=graph, attributes=())
        arrays, dimensions = [a for _, a in body.asked], [name for name, _ in missing]
        return _Built(self._same[same], used, arrays, dimensions)

    def _name(self, mark: Mark) -> str:
        """The mark's name; of a further function, with what it was called with and the first not.

        ``Block``, ``Block_rate_0_5``, or a number where that tells nothing.
        """
        key = mark.namespace, mark.name
        first = self._first.setdefault(key, mark).variant.static
        differ = [(p, v) for p, v in mark.variant.static.items() if first.get(p, mark) != v]
        told = [re.sub(r"[\W_]+", "_", f"{p.rpartition('.')[2]}_{v}").strip("_") for p, v in differ]
        base = "_".join([mark.name, *told]) if len(told) <= 2 else mark.name
        taken = self._named.setdefault(key, [])
        numbered = (f"{base}_{i}" for i in itertools.count(1))
        taken.append(next(n for n in itertools.chain([base], numbered) if n not in taken))
        return taken[-1]


def _input_names(jaxpr: core.Jaxpr, mark: Mark, paths: Sequence[str]) -> list[str]:
    """The arguments' names, or the parameters' where a function closes over them."""
    owner = common([parent(p) for p in paths if p]) if any(paths) else ""
    names, arguments = [], jaxpr.debug_info.arg_names or [""] * len(paths)
    for i, (argument, path) in enumerate(zip(arguments, paths, strict=True)):
        found = re.search(r"arrays\[(\d+)\]$", argument or "")
        closed_over = path.removeprefix(owner).removeprefix(".") or f"x_{i}"
        known = mark.variant.names[int(found[1]) :][:1] if found else ()
        names.append(known[0] if known else closed_over)
    return names


def _fingerprint(graph: ir.Graph, numbers: dict[ir.Value | None, int]) -> object:
    """Equal for two graphs that compute the same in the same way, whatever their names."""

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
