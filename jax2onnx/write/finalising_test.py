"""``finalise`` settles order, names, functions and constants, tested on small models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest

from jax2onnx import __version__
from jax2onnx.graph.constants import Constant
from jax2onnx.write import finalise, to_proto
from jax2onnx.write.versions import ir_version

FLOAT = ir.DataType.FLOAT


def value(name: str, dims: Sequence[int | str] = (2,)) -> ir.Value:
    return ir.val(name, FLOAT, dims)


def constant(name: str, data: Sequence[float]) -> ir.Value:
    tensor = ir.tensor(np.array(data, np.float32), name=name)
    return ir.val(name, FLOAT, tensor.shape.numpy(), const_value=tensor)


def op(op_type: str, *inputs: ir.Value, domain: str = "", name: str | None = None) -> ir.Node:
    node = ir.Node(domain, op_type, inputs, name=name)
    node.outputs[0].dtype = FLOAT
    node.outputs[0].shape = ir.Shape((2,))
    return node


def model(
    inputs: Sequence[ir.Value],
    outputs: Sequence[ir.Value],
    nodes: Sequence[ir.Node] = (),
    initializers: Sequence[ir.Value] = (),
    functions: Sequence[ir.Function] = (),
    opset_imports: dict[str, int] | None = None,
) -> ir.Model:
    graph = ir.Graph(
        inputs,
        outputs,
        nodes=nodes,
        initializers=initializers,
        opset_imports=opset_imports or {"": 23},
    )
    return ir.Model(graph, ir_version=1, functions=functions)


def finished(of: ir.Model) -> onnx.ModelProto:
    finalise(of)
    proto = to_proto(of)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def run(proto: onnx.ModelProto, **feeds: np.ndarray) -> list[np.ndarray]:
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return [np.asarray(result) for result in session.run(None, feeds)]


def operators(nodes: Sequence[onnx.NodeProto]) -> list[str]:
    return [node.op_type for node in nodes]


def test_nodes_come_after_their_operands() -> None:
    x = value("x")
    first = op("Exp", x)
    second = op("Neg", first.outputs[0])
    third = op("Abs", second.outputs[0])
    proto = finished(model([x], third.outputs, [third, second, first]))
    assert operators(proto.graph.node) == ["Exp", "Neg", "Abs"]


def test_independent_nodes_keep_their_order() -> None:
    x = value("x")
    nodes = [op(name, x) for name in ("Exp", "Neg", "Abs", "Ceil")]
    proto = finished(model([x], [node.outputs[0] for node in nodes], nodes))
    assert operators(proto.graph.node) == ["Exp", "Neg", "Abs", "Ceil"]


def test_a_cycle_is_an_error() -> None:
    x = value("x")
    first = op("Add", x, x)
    second = op("Neg", first.outputs[0])
    first.replace_input_with(1, second.outputs[0])
    with pytest.raises(ValueError, match="cycle"):
        finalise(model([x], second.outputs, [first, second]))


def branch(name: str, captured: ir.Value, op_type: str) -> ir.Graph:
    inner = op(op_type, captured)
    dead = op("Exp", captured)
    return ir.Graph([], inner.outputs, nodes=[inner, dead], name=name)


def test_dead_nodes_initializers_and_functions_are_removed_but_the_signature_stays() -> None:
    x, unused = value("x"), value("unused")
    weight, dead_weight = constant("weight", [1, 2]), constant("dead", [3, 4])
    body_input = value("a")
    body = op("Neg", body_input)
    dead_function = ir.Function(
        "local", "dead", graph=ir.Graph([body_input], body.outputs, nodes=[body]), attributes=()
    )
    live = op("Add", x, weight)
    nodes = [live, op("Mul", x, dead_weight), op("dead", x, domain="local")]
    proto = finished(
        model([x, unused], live.outputs, nodes, [weight, dead_weight], [dead_function])
    )
    assert operators(proto.graph.node) == ["Add"]
    assert [tensor.name for tensor in proto.graph.initializer] == ["weight"]
    assert not proto.functions
    assert [info.name for info in proto.graph.input] == ["x", "unused"]


@pytest.mark.parametrize("live", [True, False])
def test_subgraphs_are_pruned_with_the_outer_values_they_read(live: bool) -> None:
    condition = ir.val("condition", ir.DataType.BOOL, [])
    x = value("x")
    captured = op("Abs", x, name="captured")
    choice = op("If", condition)
    choice.attributes.add(ir.AttrGraph("then_branch", branch("yes", captured.outputs[0], "Neg")))
    choice.attributes.add(ir.AttrGraph("else_branch", branch("no", captured.outputs[0], "Ceil")))
    out = op("Add", x, choice.outputs[0] if live else x)
    proto = finished(model([condition, x], out.outputs, [captured, choice, out]))
    assert operators(proto.graph.node) == (["Abs", "If", "Add"] if live else ["Add"])
    if live:
        graphs = [attribute.g for attribute in proto.graph.node[1].attribute]
        assert [operators(graph.node) for graph in graphs] == [["Neg"], ["Ceil"]]
        feeds = {"condition": np.array(True), "x": np.array([1, -2], np.float32)}
        np.testing.assert_array_equal(run(proto, **feeds)[0], [0, -4])


def test_each_output_has_its_own_producer() -> None:
    x, weight = value("x"), constant("weight", [1, 2])
    twice = op("Neg", x)
    proto = finished(model([x], [x, weight, twice.outputs[0], twice.outputs[0]], [twice], [weight]))
    names = [info.name for info in proto.graph.output]
    assert len(set(names)) == 4
    assert not {"x", "weight"} & set(names)
    results = run(proto, x=np.array([5, 6], np.float32))
    np.testing.assert_array_equal(results, [[5, 6], [1, 2], [-5, -6], [-5, -6]])


def test_names_from_lowering_stay_and_others_are_made_from_the_operator() -> None:
    x, weight = value("x"), constant("layers.0.weight", [1, 2])
    first = op("Add", x, weight, name="layers.0/add")
    second = op("Neg", first.outputs[0])
    third = op("Neg", second.outputs[0])
    third.outputs[0].name = "y"
    proto = finished(model([x], third.outputs, [first, second, third], [weight]))
    assert [node.name for node in proto.graph.node] == ["layers.0/add", "Neg", "Neg_1"]
    assert [node.output[0] for node in proto.graph.node] == ["layers.0/add", "Neg", "y"]


def test_names_are_made_unique_and_printable() -> None:
    x, weight = value("x"), constant("bad\nname", [1, 2])
    first, second = op("Add", x, weight, name="n"), op("Mul", x, weight, name="n")
    first.outputs[0].name = "x"
    second.outputs[0].name = "x_1"
    out = op("Sub", first.outputs[0], second.outputs[0])
    out.outputs[0].name = "y"
    proto = finished(model([x], out.outputs, [first, second, out], [weight]))
    assert [node.name for node in proto.graph.node] == ["n", "n_1", "Sub"]
    assert [node.output[0] for node in proto.graph.node] == ["x_2", "x_1", "y"]
    assert proto.graph.initializer[0].name == "bad_name"


def test_names_are_unique_across_subgraphs() -> None:
    condition, x = ir.val("condition", ir.DataType.BOOL, []), value("x")
    choice = op("If", condition)
    for name in ("then_branch", "else_branch"):
        inner = op("Neg", x, name="same")
        inner.outputs[0].name = "x"
        choice.attributes.add(ir.AttrGraph(name, ir.Graph([], inner.outputs, nodes=[inner])))
    choice.outputs[0].name = "y"
    proto = finished(model([condition, x], choice.outputs, [choice]))
    graphs = [attribute.g for attribute in proto.graph.node[0].attribute]
    assert len({graph.name for graph in graphs} - {""}) == 2
    names = [graph.node[0].output[0] for graph in graphs]
    assert len({"x", "y", *names}) == 4
    feeds = {"condition": np.array(False), "x": np.array([1, -2], np.float32)}
    np.testing.assert_array_equal(run(proto, **feeds)[0], [-1, 2])


def test_an_omitted_optional_output_stays_nameless() -> None:
    x = value("x")
    weight = constant("scale", [1, 1])
    norm = ir.Node("", "LayerNormalization", [x, weight], num_outputs=3)
    for output in norm.outputs:
        output.dtype = FLOAT
        output.shape = ir.Shape((2,))
    norm.outputs[1].name = ""
    norm.outputs[2].name = ""
    finalise(of := model([x], norm.outputs[:1], [norm], [weight]))
    assert list(to_proto(of).graph.node[0].output) == ["output"]


def function(name: str, callee: str | None = None, domain: str = "local") -> ir.Function:
    a = value("a", ("N",))
    node = op(callee, a, domain=domain) if callee else op("Gelu", a, domain="com.microsoft")
    node.outputs[0].shape = ir.Shape(("N",))
    graph = ir.Graph([a], node.outputs, nodes=[node], opset_imports={"": 23, "com.microsoft": 1})
    return ir.Function(domain, name, graph=graph, attributes=())


def test_functions_are_ordered_callee_first_with_dimensions_and_imports() -> None:
    x = value("x")
    call = op("outer", x, domain="local")
    functions = [function("outer", "inner"), function("inner")]
    of = model([x], call.outputs, [call], functions=functions, opset_imports={"z": 9, "": 23})
    proto = finished(of)
    assert [f.name for f in proto.functions] == ["inner", "outer"]
    imports = [[(o.domain, o.version) for o in f.opset_import] for f in proto.functions]
    assert imports == [[("", 23), ("com.microsoft", 1)], [("", 23), ("local", 1)]]
    everything = [("", 23), ("com.microsoft", 1), ("local", 1)]
    assert [(o.domain, o.version) for o in proto.opset_import] == everything
    for f in proto.functions:
        infos = {i.name: i.type.tensor_type.shape.dim[0].dim_param for i in f.value_info}
        assert infos == {f.input[0]: "N", f.output[0]: "N"}
    assert run(proto, x=np.zeros(2, np.float32))[0].shape == (2,)


def test_every_value_has_type_and_shape_in_the_file() -> None:
    x, weight = value("x"), constant("weight", [1, 2])
    first = op("Add", x, weight)
    second = op("Neg", first.outputs[0])
    proto = finished(model([x], second.outputs, [first, second], [weight]))
    assert {info.name for info in proto.graph.value_info} == {"weight", "Add"}


def test_foreign_metadata_is_removed_and_ours_stays() -> None:
    x = value("x")
    node = op("Neg", x)
    node.doc_string = "/srv/someone/model.py:3"
    node.metadata_props["jax2onnx.source"] = "model.py:3"
    of = model([x], node.outputs, [node])
    of.metadata_props.update({"b": "2", "a": "1"})
    of.doc_string = "A model."
    proto = finished(of)
    assert not proto.graph.node[0].doc_string
    assert [p.key for p in proto.graph.node[0].metadata_props] == ["jax2onnx.source"]
    assert [p.key for p in proto.metadata_props] == ["a", "b"]
    assert (proto.doc_string, proto.producer_name) == ("A model.", "jax2onnx")
    assert proto.producer_version == __version__


def test_ir_versions_are_those_of_onnx() -> None:
    for _release, version, opset, *_ in onnx.helper.VERSION_TABLE:
        assert ir_version(opset) == version


def test_finalising_twice_changes_nothing() -> None:
    x, weight = value("x"), constant("weight", [1, 2])
    first = op("Add", x, weight)
    of = model([x], [first.outputs[0], x], [first, op("Neg", x)], [weight])
    once = finished(of).SerializeToString(deterministic=True)
    assert finished(of).SerializeToString(deterministic=True) == once


def test_equal_constants_are_merged_and_equal_parameters_are_not() -> None:
    x = value("x")
    initializers = [constant(name, [1, 2]) for name in ("a.bias", "constant_1", "c", "d")]
    for made in initializers[2:]:
        made.const_value = Constant(np.array([1, 2], np.float32))
    total = x
    nodes = []
    for initializer in initializers:
        nodes.append(op("Add", total, initializer))
        total = nodes[-1].outputs[0]
    proto = finished(model([x], [total], nodes, initializers))
    assert [tensor.name for tensor in proto.graph.initializer] == ["a.bias", "constant_1", "c"]
    np.testing.assert_array_equal(run(proto, x=np.zeros(2, np.float32))[0], [4, 8])


def test_equal_constants_in_a_function_are_merged() -> None:
    x, a = value("x"), value("a")
    constants = [
        ir.node("Constant", [], {"value": ir.tensor(np.array([1, 2], np.float32))})
        for _ in range(2)
    ]
    for node in constants:
        node.outputs[0].dtype, node.outputs[0].shape = FLOAT, ir.Shape((2,))
    first = op("Add", a, constants[0].outputs[0])
    second = op("Add", first.outputs[0], constants[1].outputs[0])
    graph = ir.Graph([a], second.outputs, nodes=[*constants, first, second], opset_imports={"": 23})
    call = op("f", x, domain="local")
    f = ir.Function("local", "f", graph=graph, attributes=())
    proto = finished(model([x], call.outputs, [call], functions=[f]))
    assert operators(proto.functions[0].node) == ["Constant", "Add", "Add"]
    np.testing.assert_array_equal(run(proto, x=np.zeros(2, np.float32))[0], [2, 4])
