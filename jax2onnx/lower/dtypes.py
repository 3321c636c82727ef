"""JAX dtypes as ONNX types."""

import functools
from typing import Any

import numpy as np
import onnx_ir as ir
from jax.typing import DTypeLike

from jax2onnx.errors import UnsupportedUseError

BOOL, INT32, INT64 = ir.DataType.BOOL, ir.DataType.INT32, ir.DataType.INT64


def onnx_dtype(dtype: DTypeLike) -> ir.DataType:
    """Return the ONNX element type of a numpy or ml_dtypes dtype.

    Raises:
        UnsupportedUseError: ONNX has none.
    """
    try:
        return _onnx_dtype(np.dtype(dtype))
    except TypeError as error:
        raise UnsupportedUseError(f"ONNX has no element type for {dtype}") from error


@functools.cache
def _onnx_dtype(dtype: np.dtype[Any]) -> ir.DataType:
    return ir.DataType.from_numpy(dtype)


@functools.cache
def tensor_type(dtype: ir.DataType) -> ir.TensorType:
    """Return the type of a tensor: one shared object for each element type, never modified."""
    return ir.TensorType(dtype)
