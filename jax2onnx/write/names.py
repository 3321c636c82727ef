"""Names: unique, printable, and the same on every run."""

import re
from collections.abc import Iterable, Mapping

import onnx_ir as ir

from jax2onnx.graph.walk import bodies, nested_graphs, subgraphs

# The names that onnx_ir gives to unnamed values and nodes. Their numbers have gaps after pruning.
_AUTOMATIC_VALUE = re.compile(r"val_\d+")
_AUTOMATIC_NODE = re.compile(r"node_\w+_\d+")


def name(model: ir.Model) -> None:
    """Name every value, node and subgraph, in place.

    The main graph and all its subgraphs are one scope. Each function and its subgraphs are another.
    Within a scope:

    1. Inputs, then outputs, then initializers take precedence over all others.
    2. A value or node with a printable name keeps it. Of two with the same name, the second one
       gets a number (``x_1``).
    3. A node without a name is named after its operator, and a value after its node.
    """
    if not model.graph.name:
        model.graph.name = "main"
    for body in bodies(model):
        _Scope(body).assign()


def name_sizes(model: ir.Model, names: Mapping[str, str]) -> None:
    """Write a name in all shapes, in place, where an expression of dimensions has one.

    Args:
        model: the model.
        names: the names, by the expression's text.
    """
    if not names:
        return
    for body in bodies(model):
        for value in _Scope(body).values():
            if value.shape is not None:
                value.shape = ir.Shape(
                    ir.SymbolicDim(names[text]) if (text := str(dim)) in names else dim
                    for dim in value.shape
                )


class _Scope:
    """The names of one scope. Values, nodes and subgraphs have separate name spaces."""

    def __init__(self, body: ir.Graph) -> None:
        self._body = body
        self._graphs = list(nested_graphs(body))
        self._named: set[ir.Value] = set()
        self._values = _Names(value.name for value in self.values())
        self._nodes = _Names(node.name for graph in self._graphs for node in graph)
        self._bodies = _Names(graph.name for graph in self._graphs)

    def values(self) -> Iterable[ir.Value]:
        """Yield the values of the body and of its nested graphs."""
        for graph in self._graphs:
            yield from graph.inputs
            yield from graph.initializers.values()
            for node in graph:
                yield from node.outputs

    def assign(self) -> None:
        for value in self._body.inputs:
            self._name_value(value, "input")
        for value in self._body.outputs:
            self._name_value(value, "output", automatic=_AUTOMATIC_VALUE)
        for graph in self._graphs:
            for value in tuple(graph.initializers.values()):
                self._name_value(value, "constant")
        self._name_graph(self._body)

    def _name_graph(self, graph: ir.Graph) -> None:
        for value in graph.inputs:
            self._name_value(value, "input")
        for node in graph:
            own = None if _AUTOMATIC_NODE.fullmatch(node.name or "") else node.name
            node.name = self._nodes.claim(own, node.op_type)
            for value in node.outputs:
                if value.name != "":  # The node does not have that optional output.
                    self._name_value(value, node.name, automatic=_AUTOMATIC_VALUE)
            for inner in subgraphs(node):
                inner.name = self._bodies.claim(inner.name, f"{node.name}_body")
                self._name_graph(inner)

    def _name_value(
        self, value: ir.Value, otherwise: str, automatic: re.Pattern[str] | None = None
    ) -> None:
        if value in self._named:
            return
        self._named.add(value)
        own = value.name
        if automatic and own and automatic.fullmatch(own):
            own = None
        value.name = self._values.claim(own, otherwise)


class _Names:
    """Gives out unique names, and none that is the own name of an item that follows."""

    def __init__(self, present: Iterable[str | None]) -> None:
        self._present = {name for name in present if name}
        self._claimed: set[str] = set()
        self._next: dict[str, int] = {}

    def claim(self, own: str | None, otherwise: str) -> str:
        """Return ``own`` if it is printable and free, else a variant of it or of ``otherwise``."""
        if own and own not in self._claimed and own.isprintable():
            self._claimed.add(own)
            return own
        base = own or otherwise
        if not base.isprintable():
            base = "".join(c if c.isprintable() else "_" for c in base)
        number = self._next.get(base, 0)
        fresh = f"{base}_{number}" if number else base
        while fresh in self._present or fresh in self._claimed:
            number += 1
            fresh = f"{base}_{number}"
        self._next[base] = number + 1
        self._claimed.add(fresh)
        return fresh
