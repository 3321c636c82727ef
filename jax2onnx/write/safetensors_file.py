"""Writing tensors to a safetensors file that a model refers into."""

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import onnx_ir as ir

from jax2onnx.files import TensorEntry, safetensors_header
from jax2onnx.write.encode import write_tensor

_DTYPES = {
    ir.DataType.BOOL: "BOOL",
    ir.DataType.UINT8: "U8",
    ir.DataType.INT8: "I8",
    ir.DataType.UINT16: "U16",
    ir.DataType.INT16: "I16",
    ir.DataType.UINT32: "U32",
    ir.DataType.INT32: "I32",
    ir.DataType.UINT64: "U64",
    ir.DataType.INT64: "I64",
    ir.DataType.FLOAT8E4M3FN: "F8_E4M3",
    ir.DataType.FLOAT8E5M2: "F8_E5M2",
    ir.DataType.FLOAT16: "F16",
    ir.DataType.BFLOAT16: "BF16",
    ir.DataType.FLOAT: "F32",
    ir.DataType.DOUBLE: "F64",
}


class TensorFile:
    """A safetensors file to be, in which the place of each tensor is fixed before any is written.

    The order is that of the safetensors library: widest elements first, then by name, without gaps,
    so that each tensor is aligned to its element. A type that the format does not have is stored as
    bytes.
    """

    def __init__(self, tensors: Mapping[str, ir.TensorProtocol]) -> None:
        self._tensors = dict(
            sorted(tensors.items(), key=lambda item: (-item[1].dtype.bitwidth, item[0]))
        )
        entries = {name: _entry(tensor) for name, tensor in self._tensors.items()}
        self._header = safetensors_header(entries, {"format": "onnx"})

    def reference(self, name: str, location: str) -> ir.ExternalTensor:
        """Return a reference to a tensor in this file, which will lie at ``location``."""
        tensor = self._tensors[name]
        return ir.ExternalTensor(
            location,
            self._header.offsets[name],
            tensor.nbytes,
            tensor.dtype,
            shape=ir.Shape(tensor.shape.numpy()),
            name=name,
        )

    def write(self, file: BinaryIO, folder: Path) -> None:
        """Write the header and the tensors, one at a time.

        ``folder`` holds the files of references that have no base folder of their own.
        """
        file.write(self._header.raw)
        for tensor in self._tensors.values():
            write_tensor(tensor, file, folder)


def _entry(tensor: ir.TensorProtocol) -> TensorEntry:
    dtype = _DTYPES.get(tensor.dtype)
    if dtype is None:
        return TensorEntry("U8", [tensor.nbytes], tensor.nbytes)
    return TensorEntry(dtype, tensor.shape.numpy(), tensor.nbytes)
