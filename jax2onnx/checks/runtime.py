"""ONNX Runtime on numpy arrays of every numeric type.

ONNX Runtime's own Python API takes and gives arrays of numpy's own types. Arrays of the types of
ml_dtypes (bfloat16, the 8-bit floats, the 4-bit integers) go in and come out as bytes here.

This module is public. It imports ONNX Runtime only when a model is run.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnx_ir as ir

if TYPE_CHECKING:
    import onnxruntime as ort

__all__ = ["input_types", "run"]

Array = np.ndarray[Any, Any]

_FOREIGN = 2
"""Value of ``dtype.isbuiltin`` for types that another package registered with numpy."""


def input_types(session: ort.InferenceSession) -> dict[str, np.dtype[Any]]:
    """Return the dtype that each input of the model must have, by name, in their order.

    Args:
        session: a model that was loaded on any execution provider.
    """
    return {each.name: _element_type(each.type).numpy() for each in session.get_inputs()}


def run(session: ort.InferenceSession, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Run a model and return all of its outputs, by name, in their order.

    Args:
        session: a model that was loaded on any execution provider.
        feeds: the array of each input, by name, of the dtype that `input_types` gives.

    Raises:
        Exception: the model fails. ONNX Runtime's exceptions have no common base class.
    """
    names = [each.name for each in session.get_outputs()]
    given = {name: _to_ort(array) for name, array in feeds.items()}
    found = session.run_with_ort_values(names, given)
    return {name: _from_ort(value) for name, value in zip(names, found, strict=True)}


def _element_type(spelled: str) -> ir.DataType:
    """Return FLOAT for ONNX Runtime's ``"tensor(float)"``, and so on."""
    return ir.DataType[spelled.removeprefix("tensor(").removesuffix(")").upper()]


def _to_ort(array: Array) -> ort.OrtValue:
    import onnxruntime as ort

    if array.dtype.isbuiltin != _FOREIGN:
        return ort.OrtValue.ortvalue_from_numpy(array)
    kind = ir.DataType.from_numpy(array.dtype)
    raw = np.asarray(array, order="C")
    if kind.bitwidth < 8:  # Packed, in a buffer whose shape is that of the tensor.
        packed = np.frombuffer(ir.tensor(array).tobytes(), np.uint8)
        raw = np.zeros(array.shape, np.uint8)
        raw.flat[: packed.size] = packed
    return ort.OrtValue.ortvalue_from_numpy_with_onnx_type(raw, kind.value)


def _from_ort(value: ort.OrtValue) -> Array:
    kind, shape = ir.DataType(value.element_type()), value.shape()
    if kind.is_string() or kind.numpy().isbuiltin != _FOREIGN:
        array: Array = value.numpy()
        return array
    size = math.ceil(math.prod(shape) * kind.bitwidth / 8)
    raw = ctypes.string_at(value.data_ptr(), size)
    tensor = onnx.TensorProto(dims=shape, data_type=kind.value, raw_data=raw)
    return onnx.numpy_helper.to_array(tensor)
