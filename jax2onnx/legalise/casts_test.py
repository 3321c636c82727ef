"""Nodes without a kernel in their types give the results that they would have in these types."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest

from jax2onnx.errors import InputError, UnsupportedTypeError
from jax2onnx.graph.constants import Constant
from jax2onnx.legalise import legalise
from jax2onnx.legalise.element_types import SHORT_NAMES
from jax2onnx.write import finalise, to_proto

Array = np.ndarray[Any, Any]

FLOAT, BF16, BOOL, I8 = (SHORT_NAMES[name] for name in ("f32", "bf16", "bool", "i8"))
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
INTEGERS = [np.dtype(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)]


def constant(name: str, array: Array) -> ir.Value:
    return ir.val(name, const_value=ir.tensor(array, name=name))


def op(
    op_type: str,
    *inputs: ir.Value | None,
    dtype: ir.DataType | None = None,
    outputs: int = 1,
    **attributes: Any,
) -> ir.Node:
    node = ir.node(op_type, inputs, attributes, num_outputs=outputs)
    first = inputs[0] if inputs else None
    for output in node.outputs:
        output.dtype = dtype or (first.dtype if first is not None else FLOAT) or FLOAT
        output.shape = first.shape if first is not None else None
    return node


def model(
    nodes: Sequence[ir.Node],
    outputs: Sequence[ir.Value],
    initializers: Sequence[ir.Value] = (),
    inputs: Sequence[ir.Value] = (),
    functions: Sequence[ir.Function] = (),
) -> ir.Model:
    graph = ir.Graph(
        inputs, outputs, nodes=nodes, initializers=initializers, opset_imports={"": 23}
    )
    return ir.Model(graph, ir_version=11, functions=functions)


def legalised(of: ir.Model) -> onnx.ModelProto:
    legalise(of)
    finalise(of)
    return to_proto(of)


def run(proto: onnx.ModelProto, feeds: dict[str, Array] | None = None) -> list[Array]:
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return [np.asarray(result) for result in session.run(None, feeds or {})]


def computed(op_type: str, *arrays: Array, dtype: Any = None, **attributes: Any) -> Array:
    """Return the result of a legalised node, as float64 or as integers."""
    inputs = [constant(f"constant.{i}", array) for i, array in enumerate(arrays)]
    made = ir.DataType.from_numpy(np.dtype(dtype or arrays[0].dtype))
    node = op(op_type, *inputs, dtype=made, **attributes)
    wide = op("Cast", node.outputs[0], dtype=ir.DataType.DOUBLE, to=int(ir.DataType.DOUBLE))
    last = wide if made == BF16 else node
    [result] = run(legalised(model([node, wide], last.outputs, inputs)))
    return result


def extremes(dtype: np.dtype[Any]) -> Array:
    info = np.iinfo(dtype)
    values = {info.min, info.min + 1, info.max, info.max - 1, info.max // 3, 0, 1, 2, 3, 5, 100}
    return np.array(sorted(values | {-v for v in (1, 2, 7) if info.min < 0}), dtype)


def pairs(dtype: np.dtype[Any]) -> tuple[Array, Array]:
    values = extremes(dtype)
    left, right = zip(*itertools.product(values, values), strict=True)
    return np.array(left, dtype), np.array(right, dtype)


ARITHMETIC: dict[str, Callable[[Array, Array], Array]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Max": np.maximum,
    "Min": np.minimum,
    "BitwiseAnd": np.bitwise_and,
    "BitwiseXor": np.bitwise_xor,
}


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize("op_type", ARITHMETIC)
def test_integers_are_exact_and_wrap(op_type: str, dtype: np.dtype[Any]) -> None:
    left, right = pairs(dtype)
    np.testing.assert_array_equal(
        computed(op_type, left, right), ARITHMETIC[op_type](left, right), strict=True
    )


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize("op_type", ["Equal", "Less", "GreaterOrEqual"])
def test_comparisons_are_exact(op_type: str, dtype: np.dtype[Any]) -> None:
    left, right = pairs(dtype)
    expected = {"Equal": np.equal, "Less": np.less, "GreaterOrEqual": np.greater_equal}[op_type]
    np.testing.assert_array_equal(
        computed(op_type, left, right, dtype=np.bool_), expected(left, right), strict=True
    )


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize(
    ("op_type", "expected"),
    [
        ("Neg", np.negative),
        ("Abs", np.abs),
        ("BitwiseNot", np.invert),
        ("Sign", np.sign),
        ("Identity", np.positive),
    ],
)
def test_unary_integers(
    op_type: str, expected: Callable[[Array], Array], dtype: np.dtype[Any]
) -> None:
    values = extremes(dtype)
    np.testing.assert_array_equal(computed(op_type, values), expected(values), strict=True)


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize(
    ("op_type", "expected"),
    [
        ("ReduceSum", np.add.reduce),
        ("ReduceProd", np.multiply.reduce),
        ("ReduceMax", np.maximum.reduce),
        ("ReduceMin", np.minimum.reduce),
    ],
)
def test_reductions_of_integers(
    op_type: str, expected: Callable[..., Array], dtype: np.dtype[Any]
) -> None:
    values = extremes(dtype)[1:].reshape(1, -1)
    if op_type == "ReduceProd" or (op_type == "ReduceSum" and dtype.itemsize == 8):
        # The runtime is exact only below 2^53.
        values = np.array([[min(2**49, np.iinfo(dtype).max), 3, 5]], dtype)
    axes = np.array([1], np.int64)
    if dtype == np.uint64 and op_type in ("ReduceMax", "ReduceMin"):
        with pytest.raises(UnsupportedTypeError):
            computed(op_type, values, axes)
        return
    result = computed(op_type, values, axes, keepdims=0)
    np.testing.assert_array_equal(result, expected(values, axis=1, dtype=dtype), strict=True)


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_products_of_integer_matrices_wrap(dtype: np.dtype[Any]) -> None:
    values = np.resize(extremes(dtype), (3, 3))
    np.testing.assert_array_equal(computed("MatMul", values, values), values @ values, strict=True)


@pytest.mark.parametrize("dtype", [*INTEGERS, np.dtype(bool), np.dtype("f2"), BFLOAT16], ids=str)
@pytest.mark.parametrize(
    ("op_type", "shape", "expected"),
    [
        ("Expand", np.array([3, 2, 4]), lambda x: np.broadcast_to(x, (3, 2, 4))),
        ("Tile", np.array([2, 1]), lambda x: np.tile(x, (2, 1))),
        ("Gather", np.array([1, 0, 1]), lambda x: x[[1, 0, 1]]),
        ("GatherElements", np.array([[1, 0, 1, 0]]), lambda x: x[[1, 0, 1, 0], range(4)][None]),
        ("Pad", np.array([0, 1, 0, 1]), lambda x: np.pad(x, ((0, 0), (1, 1)))),
        ("Trilu", np.array(0), np.triu),
    ],
)
def test_moving_elements(
    op_type: str, shape: Array, expected: Callable[[Array], Array], dtype: np.dtype[Any]
) -> None:
    source = extremes(np.dtype(np.int8) if dtype.kind not in "iu" else dtype)
    values = np.resize(source, (2, 4)).astype(dtype)
    result = computed(op_type, values, shape.astype(np.int64))
    wanted = expected(values)
    np.testing.assert_array_equal(result, wanted.astype(result.dtype))
    if dtype != BFLOAT16:
        assert result.dtype == dtype


@pytest.mark.parametrize(
    ("op_type", "expected"),
    [("Exp", np.exp), ("Sqrt", np.sqrt), ("Neg", np.negative), ("Sin", np.sin), ("Ceil", np.ceil)],
)
def test_bfloat16_is_rounded_once(op_type: str, expected: Callable[[Array], Array]) -> None:
    values = np.random.default_rng(0).uniform(0.1, 5, 500).astype(BFLOAT16)
    result = computed(op_type, values)
    # ORT's and numpy's float32 may differ in the last place, and so round differently at a tie.
    wanted = expected(values.astype(np.float64))
    assert np.all(result == result.astype(BFLOAT16))
    assert np.abs(result / wanted - 1).max() < 2**-8


def test_no_cast_where_a_kernel_exists() -> None:
    weight = constant("embedding", np.ones((4, 2), BFLOAT16))
    indices = constant("indices", np.array([1, 2]))
    gather = op("Gather", weight, indices)
    wide = op("Cast", gather.outputs[0], dtype=FLOAT, to=int(FLOAT))
    product = op("Mul", wide.outputs[0], wide.outputs[0])
    proto = legalised(model([gather, wide, product], product.outputs, [weight, indices]))
    assert [node.op_type for node in proto.graph.node] == ["Gather", "Cast", "Mul"]


def test_a_value_with_several_readers_is_cast_once() -> None:
    x, weight = ir.val("x", BF16, (2, 2)), constant("weight", np.ones((2, 2), BFLOAT16))
    products = [op("MatMul", x, weight) for _ in range(3)]
    outputs = [product.outputs[0] for product in products]
    proto = legalised(model(products, outputs, [weight], [x]))
    casts = [node.input[0] for node in proto.graph.node if node.op_type == "Cast"]
    assert casts.count("weight") == 1
    assert casts.count("x") == 1
    assert len(casts) == 5
    assert [tensor.data_type for tensor in proto.graph.initializer] == [int(BF16)]


def test_rounding_casts_stay_and_lossless_pairs_of_casts_are_removed() -> None:
    x = ir.val("x", BF16, (2,))
    first = op("Add", x, x)
    second = op("Neg", first.outputs[0])
    third = op("Exp", second.outputs[0])
    proto = legalised(model([first, second, third], third.outputs, inputs=[x]))
    types = [node.op_type for node in proto.graph.node]
    # The sum is rounded to bfloat16. Neg does not round, so Exp reads its result directly.
    assert types == ["Cast", "Add", "Cast", "Cast", "Neg", "Exp", "Cast"]


def test_small_constants_are_widened_in_the_file() -> None:
    x = ir.val("x", BF16, (2,))
    half = ir.val("half", const_value=Constant(np.array(0.5, BFLOAT16)))
    product = op("Mul", x, half)
    proto = legalised(model([product], product.outputs, [half], [x]))
    assert [node.op_type for node in proto.graph.node] == ["Cast", "Mul", "Cast"]
    [tensor] = proto.graph.initializer
    assert onnx.numpy_helper.to_array(tensor) == np.float32(0.5)


def test_functions_are_legalised_and_calls_are_not_changed() -> None:
    a = ir.val("a", BF16, (2,))
    body = op("Exp", a)
    graph = ir.Graph([a], body.outputs, nodes=[body], opset_imports={"": 23})
    function = ir.Function("local", "f", graph=graph, attributes=())
    x = ir.val("x", FLOAT, (2,))
    narrow = op("Cast", x, dtype=BF16, to=int(BF16))
    call = op("f", narrow.outputs[0])
    call.domain = "local"
    wide = op("Cast", call.outputs[0], dtype=FLOAT, to=int(FLOAT))
    proto = legalised(model([narrow, call, wide], wide.outputs, (), [x], [function]))
    assert [node.op_type for node in proto.graph.node] == ["Cast", "f", "Cast"]
    assert [node.op_type for node in proto.functions[0].node] == ["Cast", "Exp", "Cast"]
    onnx.checker.check_model(proto, full_check=True)
    np.testing.assert_array_equal(run(proto, {"x": np.zeros(2, np.float32)})[0], [1, 1])


def loop(body_op: str, captured: ir.Value, start: ir.Value) -> ir.Node:
    """Return a Loop that computes ``carry = body_op(carry, captured)`` three times."""
    step, go, carry = ir.val("i", SHORT_NAMES["i64"], ()), ir.val("go", BOOL, ()), None
    carry = ir.val("carry", BF16, (2,))
    keep, body = op("Identity", go), op(body_op, carry, captured)
    graph = ir.Graph(
        [step, go, carry], [keep.outputs[0], body.outputs[0]], nodes=[keep, body], name="body"
    )
    times = constant("times", np.array(3))
    return op("Loop", times, None, start, dtype=BF16, body=graph)


def test_loops_are_legalised_and_captured_values_are_cast_outside() -> None:
    x, weight = ir.val("x", FLOAT, (2,)), constant("weight", np.array([2, 3], BFLOAT16))
    narrow = op("Cast", x, dtype=BF16, to=int(BF16))
    node = loop("Mul", weight, narrow.outputs[0])
    wide = op("Cast", node.outputs[0], dtype=FLOAT, to=int(FLOAT))
    times = node.inputs[0]
    assert times is not None
    proto = legalised(model([narrow, node, wide], wide.outputs, [weight, times], [x]))
    assert [n.op_type for n in proto.graph.node] == ["Cast", "Cast", "Loop", "Cast"]
    [body] = [a.g for a in proto.graph.node[2].attribute if a.name == "body"]
    assert [n.op_type for n in body.node] == ["Identity", "Cast", "Mul", "Cast"]
    np.testing.assert_array_equal(run(proto, {"x": np.ones(2, np.float32)})[0], [8, 27])


def test_half_precision_is_not_cast_in_functions_and_branches_either() -> None:
    a = ir.val("a", SHORT_NAMES["f16"], (2,))
    body = op("Erf", a)
    graph = ir.Graph([a], body.outputs, nodes=[body], opset_imports={"": 23})
    function = ir.Function("local", "f", graph=graph, attributes=())
    go, x = ir.val("go", BOOL, ()), ir.val("x", SHORT_NAMES["f16"], (2,))
    choice = ir.node("If", [go])
    for branch in ("then_branch", "else_branch"):
        inner = op("Erf", x)
        choice.attributes.add(ir.AttrGraph(branch, ir.Graph([], inner.outputs, nodes=[inner])))
    choice.outputs[0].dtype = x.dtype or FLOAT
    call = op("f", choice.outputs[0])
    call.domain = "local"
    proto = legalised(model([choice, call], call.outputs, (), [go, x], [function]))
    assert "Cast" not in {node.op_type for node in (*proto.graph.node, *proto.functions[0].node)}
    [result] = run(proto, {"go": np.array(True), "x": np.zeros(2, np.float16)})
    np.testing.assert_array_equal(result, np.zeros(2, np.float16))


def test_outputs_keep_their_names_and_types() -> None:
    x = ir.val("x", BF16, (2,))
    node = op("Exp", x)
    node.outputs[0].name = "y"
    proto = legalised(model([node], node.outputs, inputs=[x]))
    [output] = proto.graph.output
    assert (output.name, output.type.tensor_type.elem_type) == ("y", int(BF16))


def test_double_is_never_narrowed_and_one_error_lists_all_nodes() -> None:
    x = ir.val("x", SHORT_NAMES["f64"], (2,))
    erf, tan = op("Erf", x), op("Tan", x)
    erf.name, tan.name = "block.0/erf", "block.1/tan"
    with pytest.raises(UnsupportedTypeError) as caught:
        legalise(model([erf, tan], [erf.outputs[0], tan.outputs[0]], inputs=[x]))
    message = str(caught.value)
    assert "cannot run 2 kind(s) of node" in message
    assert "Erf(f64) -> f64 at node 'block.0/erf': it runs in f16, f32; cast around it" in message
    assert "Tan(f64) -> f64 at node 'block.1/tan'" in message
    assert "enable_double_precision" in message


def test_the_error_names_an_opset_that_has_the_kernel() -> None:
    x = ir.val("x", FLOAT, (1, 1, 2, 2))
    node = op("GlobalLpPool", x)
    with pytest.raises(UnsupportedTypeError, match=r"it runs in operator set 21; pass opset=21"):
        legalise(model([node], node.outputs, inputs=[x]))


def test_an_unknown_operator_is_named() -> None:
    x = ir.val("x", FLOAT, (2,))
    node = op("Frobnicate", x)
    with pytest.raises(UnsupportedTypeError, match=r"Frobnicate\(f32\) -> f32 .* no such operator"):
        legalise(model([node], node.outputs, inputs=[x]))


def test_the_error_on_an_unknown_target_lists_the_targets() -> None:
    with pytest.raises(InputError, match="target='tpu': choose one of cpu"):
        legalise(model([], []), target="tpu")


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_bits_are_shifted_like_unsigned_integers(dtype: np.dtype[Any]) -> None:
    values = extremes(dtype)
    amounts = np.resize(np.array([0, 1, 3, dtype.itemsize * 8 - 1], dtype), values.shape)
    bits = values.view(f"u{dtype.itemsize}")
    right = np.right_shift(bits, amounts.view(bits.dtype)).view(dtype)
    left = np.left_shift(bits, amounts.view(bits.dtype)).view(dtype)
    np.testing.assert_array_equal(computed("BitShift", values, amounts, direction="RIGHT"), right)
    np.testing.assert_array_equal(computed("BitShift", values, amounts, direction="LEFT"), left)


@pytest.mark.parametrize("dtype", ["bf16", "f16", "bool", "i8", "u32"])
@pytest.mark.parametrize("reduction", ["none", "add", "mul", "min", "max"])
def test_scatters_run_with_every_reduction(reduction: str, dtype: str) -> None:
    array = np.array([1, 0, 1, 1]).astype(SHORT_NAMES[dtype].numpy())
    data, updates = constant("data", array), constant("updates", array[:2])
    indices = constant("indices", np.array([[3], [1]]))
    node = op("ScatterND", data, indices, updates, reduction=reduction)
    wide = op("Cast", node.outputs[0], dtype=FLOAT, to=int(FLOAT))
    proto = legalised(model([node, wide], wide.outputs, [data, indices, updates]))
    expected = array.astype(np.float32)
    at, new = [3, 1], expected[:2]
    combine = {"add": np.add, "mul": np.multiply, "min": np.minimum, "max": np.maximum}
    expected[at] = new if reduction == "none" else combine[reduction](expected[at], new)
    np.testing.assert_array_equal(run(proto)[0], np.minimum(expected, 1 if dtype == "bool" else 9))
