"""The pass that inserts casts where the runtime has no kernel for a type."""

import itertools

import onnx_ir as ir

from jax2onnx.errors import UnsupportedTypeError
from jax2onnx.graph.constants import Constant, constant_node, new_constant, small_constant
from jax2onnx.graph.order import order
from jax2onnx.graph.walk import bodies, subgraphs
from jax2onnx.legalise.kernels import Bindings, KernelTable, Signature, load_table
from jax2onnx.legalise.nan import keep_nan
from jax2onnx.legalise.older_forms import older_forms
from jax2onnx.legalise.semantics import TYPE_ATTRIBUTES, casts_back_exactly, substitute_types
from jax2onnx.legalise.unsupported import UnsupportedNode, describe, grouped

# For each type variable of an operator, the type to compute in; empty if nothing is to change.
Plan = dict[str, ir.DataType]

DTypes = tuple[ir.DataType | None, ...]


def legalise(model: ir.Model, target: str = "cpu") -> None:
    """Change the model, in place, so that the target has a kernel for every node.

    A node whose element types no kernel takes is computed in the narrowest types that give the same
    result (see ``semantics.substitute_types``): its inputs are cast to them and its outputs are
    cast back. No value is ever narrowed. In detail:

    1. A value is cast to a type once, in the graph that it belongs to, before its first reader
       there. All readers share the cast, those in subgraphs too. A small constant is cast now, and
       not at run time.
    2. Where an input is a result that was cast back without loss, the node reads the result from
       before that cast: an ``Expand`` after a ``Where`` in bfloat16 needs no casts between them.
    3. Calls of the model's functions stay as they are. The functions' bodies are legalised.

    Args:
        model: a model in which every tensor has its element type.
        target: the runtime; ``cpu`` is ONNX Runtime's CPU execution provider.

    Raises:
        UnsupportedTypeError: no type will do for some nodes. It lists all of them.
    """
    table = load_table(target)
    unsupported: list[UnsupportedNode] = []
    opset = model.opset_imports.get("", table.opsets.stop - 1)
    keep_nan(model)
    older_forms(model, opset)
    order(model)
    planner = _Planner(table, opset, model)
    for body in bodies(model):
        _Legaliser(planner, unsupported).graph(body)
    if unsupported:
        raise UnsupportedTypeError(describe(grouped(unsupported, table, opset), table.runtime))


class _Planner:
    """Decides in which types to compute a node, once for each operator and element types."""

    def __init__(self, table: KernelTable, opset: int, model: ir.Model) -> None:
        self._table = table
        self._opset = opset
        self._model = model
        self._plans: dict[object, Plan | None] = {}

    def plan(self, node: ir.Node) -> Plan | None:
        """Return the plan for a node; None if no kernel can run it in any types."""
        inputs: DTypes = tuple(None if v is None else v.dtype for v in node.inputs)
        outputs: DTypes = tuple(v.dtype for v in node.outputs)
        key = (node.domain, self._table.variant(node), inputs, outputs)
        if key not in self._plans:
            self._plans[key] = self._decide(node, inputs, outputs)
        return self._plans[key]

    def signature(self, node: ir.Node) -> Signature | None:
        """Return the entry of the node's operator in the table."""
        return self._table.signature(node.domain, self._table.variant(node), self._opset)

    def _decide(self, node: ir.Node, inputs: DTypes, outputs: DTypes) -> Plan | None:
        if node.op_type == "Constant" or node.op_identifier() in self._model.functions:
            return {}
        signature = self.signature(node)
        if signature is None:
            return None
        bound = signature.bind(inputs, outputs)
        if signature.runs(bound):
            return {}
        return _narrowest(node, signature, bound)


def _narrowest(node: ir.Node, signature: Signature, bound: Bindings) -> Plan | None:
    """Return the plan that changes the fewest variables, to the narrowest types."""
    if len({variable for variable, _ in bound}) < len(bound):
        return None  # A Loop or Scan over several types, which computes nothing itself.
    plans = []
    choices = [
        [(v, dtype), *((v, wide) for wide in substitute_types(node, dtype))] for v, dtype in bound
    ]
    for choice in itertools.product(*choices):
        if signature.runs(choice):
            ranks = [options.index(chosen) for options, chosen in zip(choices, choice, strict=True)]
            changed = {v: wide for (v, wide), rank in zip(choice, ranks, strict=True) if rank}
            if _settable(node, signature, changed):
                plans.append((len(changed), sum(ranks), changed))
    return min(plans, key=lambda plan: plan[:2])[2] if plans else None


def _settable(node: ir.Node, signature: Signature, changed: Plan) -> bool:
    """Return whether the outputs follow the inputs' types, or an attribute that can be changed."""
    read = {signature.formal(signature.inputs, i) for i in range(len(node.inputs))}
    stated = any(name in node.attributes for name in TYPE_ATTRIBUTES)
    return stated or all(variable in read for variable in changed)


class _Legaliser:
    """Walks one body, with its subgraphs, and inserts casts around the nodes that need them."""

    def __init__(self, planner: _Planner, unsupported: list[UnsupportedNode]) -> None:
        self._planner = planner
        self._unsupported = unsupported
        self._casts: dict[tuple[ir.Value, ir.DataType], ir.Value] = {}
        # Results that were cast back without loss, with the values from before the cast.
        self._origins: dict[ir.Value, ir.Value] = {}
        # The node at which the walk is, in each graph that contains it.
        self._current: dict[ir.Graph, ir.Node] = {}

    def graph(self, graph: ir.Graph) -> None:
        """Legalise a graph whose nodes are in topological order."""
        for node in tuple(graph):
            self._current[graph] = node
            plan = self._planner.plan(node)
            if plan is None:
                self._unsupported.append(UnsupportedNode(node, self._planner.signature(node)))
            elif plan:
                self._rewrite(node, plan)
            elif node.op_type == "Cast":
                self._remember(node)
            for inner in subgraphs(node):
                self.graph(inner)
        self._current.pop(graph, None)

    def _rewrite(self, node: ir.Node, plan: Plan) -> None:
        signature = self._planner.signature(node)
        assert signature is not None
        for index, value in enumerate(node.inputs):
            variable = signature.formal(signature.inputs, index)
            if value is not None and variable in plan:
                node.replace_input_with(index, self._widened(value, plan[variable]))
        for index, value in enumerate(node.outputs):
            variable = signature.formal(signature.outputs, index)
            if variable in plan and value.name != "":
                self._cast_back(node, value, plan[variable])

    def _widened(self, value: ir.Value, dtype: ir.DataType) -> ir.Value:
        """Return ``value`` in a wider type: from before it was cast back, or by a new cast."""
        origin = self._origins.get(value)
        if origin is not None and origin.dtype == dtype:
            return origin
        if (value, dtype) not in self._casts:
            self._casts[value, dtype] = self._cast_once(value, dtype)
        return self._casts[value, dtype]

    def _cast_once(self, value: ir.Value, dtype: ir.DataType) -> ir.Value:
        """Return a wider constant for a small constant, else the output of a new Cast."""
        graph = _home(value)
        tensor = small_constant(value)
        if tensor is None:
            node = _cast(value, dtype, self._current[graph])
        else:
            wide = Constant(tensor.numpy().astype(dtype.numpy()), dtype=dtype)
            if value.is_initializer():
                return new_constant(graph, wide)
            node = constant_node(wide)
        graph.insert_before(self._current[graph], node)
        return node.outputs[0]

    def _cast_back(self, node: ir.Node, value: ir.Value, dtype: ir.DataType) -> None:
        """Let ``node`` compute ``value`` in ``dtype``, and let its readers read it cast back."""
        narrow = value.dtype
        assert narrow is not None
        _state_type(node, narrow, dtype)
        value.type = ir.TensorType(dtype)
        cast = _cast(value, narrow, node)
        back = cast.outputs[0]
        value.replace_all_uses_with(back, replace_graph_outputs=True)
        cast.replace_input_with(0, value)  # The line above replaced this input too.
        back.name, value.name = value.name, _suffixed(value.name, dtype)
        _home(value).insert_after(node, cast)
        if casts_back_exactly(node, narrow):
            self._origins[back] = value

    def _remember(self, node: ir.Node) -> None:
        """Share a cast that lowering made, if all readers of its input can read its output."""
        value, cast = node.inputs[0], node.outputs[0]
        if value is not None and cast.dtype is not None and _home(value) is node.graph:
            self._casts.setdefault((value, cast.dtype), cast)


def _home(value: ir.Value) -> ir.Graph:
    """Return the graph that a value belongs to."""
    graph = value.graph
    assert graph is not None
    return graph


def _cast(value: ir.Value, dtype: ir.DataType, neighbour: ir.Node) -> ir.Node:
    attributes = [ir.AttrInt64("to", int(dtype))]
    if dtype.is_floating_point() and dtype.bitwidth <= 8:  # JAX does not saturate.
        attributes.append(ir.AttrInt64("saturate", 0))
    node = ir.Node("", "Cast", [value], attributes)
    node.metadata_props.update(neighbour.metadata_props)
    output = node.outputs[0]
    output.type, output.shape = ir.TensorType(dtype), value.shape
    output.name = _suffixed(value.name, dtype)
    return node


def _suffixed(name: str | None, dtype: ir.DataType) -> str | None:
    return None if name is None else f"{name}.{dtype.name.lower()}"


def _state_type(node: ir.Node, narrow: ir.DataType, wide: ir.DataType) -> None:
    """Change the attribute that states the type of an output, if there is one."""
    for name in TYPE_ATTRIBUTES:
        if node.attributes.get_int(name, -1) == int(narrow):
            node.attributes.add(ir.AttrInt64(name, int(wide)))
