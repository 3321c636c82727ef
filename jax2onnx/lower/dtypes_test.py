from __future__ import annotations

import jax
import ml_dtypes
import numpy as np
import onnx_ir as ir
import pytest
from jax.typing import DTypeLike

from jax2onnx.errors import UnsupportedUseError
from jax2onnx.lower.dtypes import onnx_dtype, tensor_type


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (np.float32, "FLOAT"),
        ("float64", "DOUBLE"),
        (np.dtype("int8"), "INT8"),
        (bool, "BOOL"),
        (ml_dtypes.bfloat16, "BFLOAT16"),
        (ml_dtypes.float8_e4m3fn, "FLOAT8E4M3FN"),
        (ml_dtypes.int4, "INT4"),
        (np.complex64, "COMPLEX64"),
    ],
)
def test_dtypes(dtype: DTypeLike, expected: str) -> None:
    assert onnx_dtype(dtype).name == expected


@pytest.mark.parametrize("dtype", [jax.dtypes.float0, np.dtype("M8[s]")])
def test_a_dtype_that_onnx_lacks_is_refused(dtype: DTypeLike) -> None:
    with pytest.raises(UnsupportedUseError, match="ONNX has no element type for"):
        onnx_dtype(dtype)


def test_types_of_tensors_are_shared() -> None:
    assert tensor_type(ir.DataType.FLOAT) is tensor_type(ir.DataType.FLOAT)
    assert tensor_type(ir.DataType.FLOAT).dtype == ir.DataType.FLOAT
