"""JAX models as ONNX models.

>>> import jax2onnx
>>> model = jax2onnx.to_onnx(fn, [("B", 30)])
"""

from __future__ import annotations

from jax2onnx.api import to_onnx
from jax2onnx.checks.allclose import allclose
from jax2onnx.checks.report import Report, report
from jax2onnx.errors import (
    InputError,
    Jax2OnnxError,
    LoweringError,
    ModelError,
    StateChangeWarning,
    SymbolicDimensionError,
    SymbolicDimensionWarning,
    UnsupportedPrimitiveError,
    UnsupportedTypeError,
    UnsupportedUseError,
    WriteError,
)
from jax2onnx.lower import Context, in_jax, register_lowering
from jax2onnx.onnx_function import onnx_function
from jax2onnx.trace import InputSpec

__version__ = "0.1.0"

__all__ = [
    "Context",
    "InputError",
    "InputSpec",
    "Jax2OnnxError",
    "LoweringError",
    "ModelError",
    "Report",
    "StateChangeWarning",
    "SymbolicDimensionError",
    "SymbolicDimensionWarning",
    "UnsupportedPrimitiveError",
    "UnsupportedTypeError",
    "UnsupportedUseError",
    "WriteError",
    "allclose",
    "in_jax",
    "onnx_function",
    "register_lowering",
    "report",
    "to_onnx",
]
