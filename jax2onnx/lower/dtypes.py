"""JAX dtypes as ONNX types."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import onnx_ir as ir

from jax2onnx.errors import UnsupportedUseError

BOOL, INT32, INT64 = ir.DataType.BOOL, ir.DataType.INT32, ir.DataType.INT64


@functools.cache
def onnx_dtype(dtype: Any) -> ir.DataType:
    """The ONNX element type of a numpy or ml_dtypes dtype."""
    try:
        return ir.DataType.from_numpy(np.dtype(dtype))
    except TypeError as error:
        raise UnsupportedUseError(f"ONNX has no element type for {dtype}") from error


@functools.cache
def tensor_type(dtype: ir.DataType) -> ir.TensorType:
    """A shared, never modified type object: one a dtype instead of one a value."""
    return ir.TensorType(dtype)
