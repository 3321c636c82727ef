from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from jax2onnx.lower.builder import CALL_SITE, Attribute, Builder, attribute_key
from jax2onnx.lower.dtypes import BOOL, INT64

FLOAT = ir.DataType.FLOAT


def value(builder: Builder, name: str, *dims: int) -> ir.Value:
    return builder.new_value(name, FLOAT, dims)


def test_equal_nodes_are_merged() -> None:
    builder = Builder(23)
    x = value(builder, "x", 3)
    first = builder.emit("Exp", (x,), {})
    assert builder.emit("Exp", (x,), {}) == first
    assert builder.emit("Log", (x,), {}) != first
    assert [n.op_type for n in builder.nodes] == ["Exp", "Log"]


@pytest.mark.parametrize("attribute", [1, 2.0, "a", [1, 2], np.zeros(2)])
def test_nodes_with_different_attributes_are_not_merged(attribute: Attribute) -> None:
    builder = Builder(23)
    x = value(builder, "x", 3)
    plain = builder.emit("Op", (x,), {"a": None})
    other = builder.emit("Op", (x,), {"a": attribute})
    assert other != plain
    assert builder.emit("Op", (x,), {"a": attribute}) == other
    assert len(builder.nodes) == 2


def test_nodes_with_graphs_are_never_merged() -> None:
    builder = Builder(23)
    graph = ir.Graph((), (), nodes=())
    condition = builder.new_value("c", BOOL, ())
    for _ in range(2):
        builder.emit("If", (condition,), {"then_branch": graph}, dtypes=(FLOAT,), dims=((),))
    assert len(builder.nodes) == 2


def test_a_branch_uses_outer_nodes_and_constants_but_not_vice_versa() -> None:
    root = Builder(23)
    branch = Builder(23, parent=root)
    x = value(root, "x", 3)
    outer = root.emit("Exp", (x,), {})
    assert branch.emit("Exp", (x,), {}) == outer
    inner = branch.emit("Log", (x,), {})
    assert root.emit("Log", (x,), {}) != inner
    assert branch.constant(1.5) is root.constant(1.5)
    assert root.computes(outer[0])
    assert not branch.computes(outer[0])
    assert branch.root is root


def test_only_equal_constants_are_merged() -> None:
    builder = Builder(23)
    one = builder.constant(np.float32(1))
    assert builder.constant(np.float32(1)) is one
    assert builder.constant(np.float64(1)) is not one
    assert builder.constant(np.ones(1, np.float32)) is not one
    assert builder.constant(np.float32(-0.0)) is not builder.constant(np.float32(0.0))
    assert len(builder.initializers) == 5
    array = builder.array(one)
    assert array is not None
    assert array == 1
    assert builder.array(value(builder, "x")) is None


def test_constants_of_a_function_are_nodes() -> None:
    builder = Builder(23, function=True)
    constant = builder.constant([1, 2], np.int64)
    assert not builder.initializers
    (node,) = builder.nodes
    assert node.op_type == "Constant"
    assert node.outputs[0] is constant
    assert builder.dims(constant) == (2,)


def test_types_of_elementwise_operators_are_inferred() -> None:
    builder = Builder(23)
    x, y = value(builder, "x", 4, 1), value(builder, "y", 3)
    (total,) = builder.emit("Add", (x, y), {})
    assert (total.dtype, builder.dims(total)) == (FLOAT, (4, 3))
    (less,) = builder.emit("Less", (x, y), {})
    assert (less.dtype, builder.dims(less)) == (BOOL, (4, 3))
    (chosen,) = builder.emit("Where", (less, x, y), {})
    assert chosen.dtype == FLOAT
    (shape,) = builder.emit("Shape", (x,), {}, dims=((2,),))
    assert shape.dtype == INT64


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([(2, 1), (3,)], (2, 3)),
        ([(), (3,)], (3,)),
        ([(1,), (1, 1)], (1, 1)),
        ([(5, 1, 4), (2, 1)], (5, 2, 4)),
        ([(0,), (1,)], (0,)),
    ],
)
def test_shapes_broadcast_as_in_numpy(
    shapes: list[tuple[int, ...]], expected: tuple[int, ...]
) -> None:
    assert Builder.broadcast(shapes) == expected == np.broadcast_shapes(*shapes)


def test_only_operators_of_the_default_domain_are_folded() -> None:
    builder = Builder(23)
    two = builder.constant(np.int64(2))
    (four,) = builder.emit("Add", (two, two), {})
    assert builder.array(four) == 4
    (call,) = builder.emit("Add", (two, two), {}, domain="custom")
    assert builder.array(call) is None


def test_casts() -> None:
    builder = Builder(23)
    x = value(builder, "x", 3)
    assert builder.cast(x, FLOAT) is x
    assert builder.array(builder.cast(builder.constant(np.int32(3)), FLOAT)) == 3
    narrow = builder.cast(x, ir.DataType.FLOAT8E4M3FN).producer()
    wide = builder.cast(x, ir.DataType.FLOAT16).producer()
    assert narrow is not None
    assert narrow.attributes["saturate"].as_int() == 0
    assert wide is not None
    assert "saturate" not in wide.attributes


def test_nodes_have_the_location_and_the_call_site() -> None:
    builder = Builder(23)
    x = value(builder, "x", 3)
    builder.emit("Exp", (x,), {})
    builder.location, builder.call_site = "blocks.0", "model.py:3"
    builder.emit("Log", (x,), {})
    copied = builder.copy(x).producer()
    assert copied is not None
    assert [n.name for n in builder.nodes] == ["Exp", "blocks.0/Log", "blocks.0/Identity"]
    assert [n.metadata_props.get(CALL_SITE) for n in builder.nodes[:2]] == [None, "model.py:3"]
    assert Builder(23, parent=builder).location == "blocks.0"


def test_attribute_keys_compare_values() -> None:
    def key(array: np.ndarray) -> object:
        return attribute_key(ir.AttrTensor("value", ir.Tensor(array)))

    assert key(np.zeros(2)) == key(np.zeros(2))
    assert key(np.zeros(2)) != key(np.ones(2))
    assert key(np.zeros((1, 2))) != key(np.zeros((2, 1)))
    assert attribute_key(ir.AttrInt64s("a", [1])) != attribute_key(ir.AttrInt64s("b", [1]))


def test_an_invalid_attribute_is_refused() -> None:
    builder = Builder(23)
    with pytest.raises(AssertionError, match="is no attribute"):
        builder.emit("Op", (value(builder, "x"),), {"a": object()})  # type: ignore[dict-item]
