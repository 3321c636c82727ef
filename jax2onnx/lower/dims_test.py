from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest

from jax2onnx.errors import SymbolicDimensionError
from jax2onnx.lower.builder import Builder
from jax2onnx.lower.dims import Dimensions
from jax2onnx.lower.dtypes import INT64
from jax2onnx.trace.dimensions import Dim, dimension_parser

SIZES = {"B": 6, "T": 5, "h": 4}


def evaluate(dim: Any) -> int:
    """Return a dimension for ``SIZES``, as JAX computes it."""
    return int(dim._evaluate(SIZES))


def evaluated(shape: Sequence[int | str], wanted: str) -> int:
    """Return the dimension that the graph computes from an input of the shape."""
    parse = dimension_parser([])
    dims = parse(shape)
    (dim,) = parse((wanted,))
    builder = Builder(23)
    x = builder.new_value("x", ir.DataType.FLOAT, dims)
    result = builder.copy(Dimensions(builder, [x]).value(dim))
    result.name = "out"
    made = [*builder.initializers, *(v for node in builder.nodes[:-1] for v in node.outputs)]
    for i, value in enumerate(made):  # The step of writing names them otherwise.
        value.name = f"v{i}"
    for i, node in enumerate(builder.nodes):
        node.name = f"n{i}"
    graph = ir.Graph(
        [x],
        [result],
        nodes=builder.nodes,
        initializers=builder.initializers,
        opset_imports={"": 23},
        name="g",
    )
    sizes = [d if isinstance(d, int) else evaluate(d) for d in dims]
    proto = ir.to_proto(ir.Model(graph, ir_version=10))
    onnx.checker.check_model(proto)
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    (found,) = session.run(None, {"x": np.zeros(sizes, np.float32)})
    return int(found[0])


@pytest.mark.parametrize(
    ("shape", "wanted", "expected"),
    [
        (("B",), "B", 6),
        (("2*B + 1",), "B", 6),
        (("2*B + 1", "B"), "B*B", 36),
        (("B + T", "B"), "T", 5),
        (("B", "T"), "2*B*T - 3", 57),
        (("B", "T"), "floordiv(B, T)", 1),
        (("B", "T"), "floordiv(T - B, 2)", -1),
        (("B",), "mod(B, 4)", 2),
        (("B", "T"), "max(B, T + 3)", 8),
        (("B", "T"), "min(B, T)", 5),
        (("h",), "h*h - h + 1", 13),
    ],
)
def test_expressions_are_computed_from_the_shapes_of_inputs(
    shape: Sequence[int | str], wanted: str, expected: int
) -> None:
    assert evaluated(shape, wanted) == expected


def of(builder: Builder, *shape: int | str) -> tuple[Dimensions, tuple[Dim, ...]]:
    dims = dimension_parser([])(shape)
    return Dimensions(builder, [builder.new_value("x", ir.DataType.FLOAT, dims)]), dims


def test_a_dimension_is_computed_once() -> None:
    builder = Builder(23)
    dimensions, (dim, _) = of(builder, "B + 1", "B")
    assert dimensions.value(dim) is dimensions.value(dim)
    assert dimensions.variable("B") is dimensions.variable("B")
    assert builder.array(dimensions.value(7)) == [7]


def test_the_simplest_source_is_read() -> None:
    builder = Builder(23)
    dimensions, _ = of(builder, "2*B", "B")
    node = dimensions.variable("B").producer()
    assert node is not None
    assert node.op_type == "Shape"
    assert node.attributes["start"].as_int() == 1
    assert node.attributes["end"].as_int() == 2


def test_a_variable_that_is_no_axis_size_is_an_error_or_an_input() -> None:
    builder = Builder(23)
    dimensions, _ = of(builder, "B*T")
    with pytest.raises(SymbolicDimensionError, match="'T' is not the size of any input's axis"):
        dimensions.variable("T")
    asked: list[str] = []

    def add_input(name: str) -> ir.Value:
        asked.append(name)
        return builder.new_value(name, INT64, (1,))

    function = Dimensions(builder, [], add_input)
    assert function.variable("T") is function.variable("T")
    assert asked == ["T"]
