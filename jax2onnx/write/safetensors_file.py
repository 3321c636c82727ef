"""Writing tensors to a safetensors file that a model refers into."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import onnx_ir as ir

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
    """A safetensors file to be: fixes where each tensor will lie before any byte is written.

    Tensors are laid as the safetensors library lays them: widest elements first, then by name,
    without gaps, so that each is aligned to its element. Types that the format does not have are
    stored as bytes.
    """

    def __init__(self, tensors: Mapping[str, ir.TensorProtocol]) -> None:
        self._tensors = dict(
            sorted(tensors.items(), key=lambda item: (-item[1].dtype.bitwidth, item[0]))
        )
        header: dict[str, object] = {"__metadata__": {"format": "onnx"}}
        self._offsets: dict[str, int] = {}
        position = 0
        for name, tensor in self._tensors.items():
            header[name] = _entry(tensor, position)
            self._offsets[name] = position
            position += tensor.nbytes
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        self._header = text + b" " * (-len(text) % 8)

    def reference(self, name: str, location: str) -> ir.ExternalTensor:
        """The tensor of that name, as a reference into the file, which will be at `location`."""
        tensor = self._tensors[name]
        return ir.ExternalTensor(
            location,
            8 + len(self._header) + self._offsets[name],
            tensor.nbytes,
            tensor.dtype,
            shape=ir.Shape(tensor.shape.numpy()),
            name=name,
        )

    def write(self, file: BinaryIO, folder: Path) -> None:
        """Write header and tensors, one at a time."""
        file.write(len(self._header).to_bytes(8, "little"))
        file.write(self._header)
        for tensor in self._tensors.values():
            write_tensor(tensor, file, folder)


def _entry(tensor: ir.TensorProtocol, position: int) -> dict[str, object]:
    offsets = [position, position + tensor.nbytes]
    dtype = _DTYPES.get(tensor.dtype)
    if dtype is None:
        return {"dtype": "U8", "shape": [tensor.nbytes], "data_offsets": offsets}
    return {"dtype": dtype, "shape": list(tensor.shape.numpy()), "data_offsets": offsets}
