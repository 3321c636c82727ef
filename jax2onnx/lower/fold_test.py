from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from jax2onnx.lower import fold as folding
from jax2onnx.lower.fold import MAX_ELEMENTS, Array, fold, fold_cast

I8 = np.array([[-7, 3, 100], [0, -128, 127]], np.int8)
I64 = np.array([[-7, 3, 100], [1, -12, 5]], np.int64)
U4 = np.array([[7, 2**32 - 1, 100], [0, 2**31, 127]], np.uint32)
F4 = np.array([[-1.5, 0.0, 2.25], [3.0, -0.0, 7.5]], np.float32)
B1 = np.array([[True, False, True], [False, False, True]])


def int64(*numbers: int) -> Array:
    return np.array(numbers, np.int64)


CASES: list[tuple[str, list[Array], dict[str, Any]]] = [
    *((name, [x, x[::-1].copy()], {}) for name in ("Add", "Sub", "Mul") for x in (I64, F4)),
    ("Div", [I64, np.array([[2, -2, 3], [5, 5, -4]])], {}),
    ("Div", [F4, F4 + 9], {}),
    *((name, [I64], {}) for name in ("Abs", "Neg")),
    *((name, [x, np.zeros_like(x)], {}) for name in ("Max", "Min") for x in (I64, F4[:1])),
    *(
        (name, [x, x[::-1].copy()], {})
        for name in ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
        for x in (I64, F4)
    ),
    *((name, [B1, B1[::-1].copy()], {}) for name in ("And", "Or", "Xor")),
    ("Not", [B1], {}),
    *((name, [F4], {}) for name in ("Ceil", "Floor", "Round")),
    *(
        (name, [x, x[::-1].copy()], {})
        for name in ("BitwiseAnd", "BitwiseOr", "BitwiseXor")
        for x in (I8, I64, U4)
    ),
    *(("BitwiseNot", [x], {}) for x in (I8, U4)),
    *(("BitShift", [U4, U4 % 31], {"direction": way}) for way in ("LEFT", "RIGHT")),
    ("Mod", [I64, np.array([[2, -2, 3], [5, 5, -4]])], {}),
    ("Mod", [I64, np.array([[2, -2, 3], [5, 5, -4]])], {"fmod": 1}),
    ("Sign", [I8], {}),
    *(
        ("CumSum", [x, np.array(axis)], {"exclusive": exclusive, "reverse": reverse})
        for x, axis, exclusive, reverse in ((I64, 0, 0, 0), (I8, -1, 0, 1), (I64, 1, 1, 0))
    ),
    *((name, [I64, int64(1)], {}) for name in ("ReduceMax", "ReduceMin", "ReduceSum")),
    ("ReduceSum", [I8, int64(0, 1)], {"keepdims": 0}),
    ("Split", [I64, int64(1, 2)], {"axis": 1}),
    ("Sqrt", [np.abs(F4)], {}),
    ("IsNaN", [np.array([1, np.nan], np.float32)], {}),
    ("Clip", [I64, np.array(-5), np.array(4)], {}),
    ("Clip", [F4[0], np.array(1, np.float32), np.array(2, np.float32)], {}),
    ("Concat", [I64, I64[:1]], {"axis": 0}),
    ("Expand", [I64[:1], int64(2, 2, 1)], {}),
    ("Gather", [I64, int64(2, 0, -1)], {"axis": 1}),
    ("Identity", [F4], {}),
    ("Reshape", [I64, int64(0, 3, -1)], {}),
    ("Slice", [I64, int64(1), int64(3), int64(1)], {}),
    ("Slice", [I64, int64(-1), int64(-4), int64(1), int64(-1)], {}),
    ("Slice", [I64, int64(2), int64(0), int64(1), int64(-1)], {}),
    ("Squeeze", [I64[None, :, None], int64(0, 2)], {}),
    ("Tile", [I64, int64(2, 1)], {}),
    ("Transpose", [I64], {"perm": [1, 0]}),
    ("Unsqueeze", [I64, int64(0, 3)], {}),
    ("Where", [B1, F4, F4 + 1], {}),
]


def by_onnx(
    op_type: str, inputs: list[Array], attributes: Mapping[str, Any], outputs: int
) -> list[Array]:
    """Return the results of ONNX's own reference implementation."""
    names = [f"x{i}" for i in range(len(inputs))]
    results = [f"y{i}" for i in range(outputs)]
    node = onnx.helper.make_node(op_type, names, results, **attributes)
    tensors = [
        onnx.helper.make_tensor_value_info(
            n, onnx.helper.np_dtype_to_tensor_dtype(x.dtype), x.shape
        )
        for n, x in zip(names, inputs, strict=True)
    ]
    undefined = onnx.TensorProto.UNDEFINED
    values = [onnx.helper.make_tensor_value_info(y, undefined, None) for y in results]
    graph = onnx.helper.make_graph([node], "g", tensors, values)
    evaluator = ReferenceEvaluator(onnx.helper.make_model(graph))
    found: Any = evaluator.run(None, dict(zip(names, inputs, strict=True)))
    return [np.asarray(x) for x in found]


@pytest.mark.parametrize(
    ("op_type", "inputs", "attributes"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)]
)
def test_folding_agrees_with_the_definition_of_onnx(
    op_type: str, inputs: list[Array], attributes: dict[str, Any]
) -> None:
    results = fold(op_type, inputs, attributes)
    assert results is not None
    expected = by_onnx(op_type, inputs, attributes, len(results))
    for found, wanted in zip(results, expected, strict=True):
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)


def test_every_folded_operator_has_a_case() -> None:
    assert {c[0] for c in CASES} == {*folding._MOVEMENT, *folding._EXACT}


@pytest.mark.parametrize(
    ("op_type", "inputs"),
    [
        ("Exp", [F4]),
        ("Add", [F4.astype(np.float16)] * 2),
        ("Max", [F4, F4]),  # Runtimes return either of -0.0 and 0.0.
        ("Min", [F4[:1], np.array([np.nan], np.float32)]),
        ("Clip", [F4, F4[0, 0], F4[1, 1]]),
        ("ReduceSum", [F4, int64(0)]),
        ("Div", [I64, np.zeros_like(I64)]),
        ("Mod", [I64, np.zeros_like(I64)]),
        ("Gather", [I64, int64(2)]),
        ("Gather", [I64, int64(-3)]),
    ],
)
def test_a_result_that_differs_between_machines_is_not_folded(
    op_type: str, inputs: list[Array]
) -> None:
    assert fold(op_type, inputs, {}) is None


def test_an_operation_that_creates_nan_is_not_folded_but_one_that_moves_nan_is() -> None:
    nan, inf = np.array([np.nan], np.float32), np.array([np.inf], np.float32)
    assert fold("Sub", [inf, inf], {}) is None
    assert fold("Sqrt", [-np.abs(F4) - 1], {}) is None
    assert fold("Div", [np.zeros(1, np.float32)] * 2, {}) is None
    assert fold("Add", [nan, inf], {}) is None
    moved = fold("Concat", [nan, inf], {"axis": 0})
    assert moved is not None
    np.testing.assert_array_equal(moved[0], np.array([np.nan, np.inf], np.float32))
    assert fold("Add", [inf, inf], {}) == [inf]


def test_large_constants_are_not_folded() -> None:
    most = np.zeros(MAX_ELEMENTS, np.int64)
    assert fold("Neg", [most], {}) is not None
    assert fold("Neg", [np.zeros(MAX_ELEMENTS + 1, np.int64)], {}) is None
    assert fold("Expand", [int64(1), int64(MAX_ELEMENTS + 1)], {}) is None
    assert fold_cast(np.zeros(MAX_ELEMENTS + 1, np.int64), np.dtype(np.int32)) is None
    assert fold_cast(most, np.dtype(np.int32)) is not None


@pytest.mark.parametrize(
    ("x", "dtype", "expected"),
    [
        (np.float32(1.5), np.float32, 1.5),
        (np.int64(-1), np.uint8, 255),
        (np.int64(300), np.int8, 44),
        (np.bool_(True), np.int32, 1),
        (np.int64(7), np.bool_, True),
        (np.float32(3), np.int32, 3),
        (np.float32(-3.5), np.int32, -3),
        (np.float32(255.9), np.uint8, None),
        (np.float64(2.0**63), np.int64, None),
        (np.float32(2.0**31), np.int32, None),
        (np.float32(np.nan), np.int32, None),
        (np.int64(2**24), np.float32, 2**24),
        (np.int64(2**24 + 1), np.float32, None),
        (np.float64(1.0), np.float32, None),
        (np.float32(-1), np.uint8, None),
    ],
)
def test_casts(x: np.generic, dtype: Any, expected: Any) -> None:
    found = fold_cast(np.asarray(x), np.dtype(dtype))
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert found.dtype == dtype
        assert found == expected
