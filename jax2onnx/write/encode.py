"""Protobuf bytes of a model, with the bytes of its large tensors left where they are.

Serialising a `ModelProto` that holds its weights takes three times their memory: the tensors, the
message, the bytes. Here the message is made without the large ones and cut at the places where they
belong, so that writing it needs no more than the tensors themselves. The result is byte for byte
what `ModelProto.SerializeToString(deterministic=True)` gives.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import onnx
import onnx_ir as ir

from jax2onnx.errors import WriteError
from jax2onnx.write.references import file_of

# A message longer than this cannot be parsed by anyone.
PROTOBUF_LIMIT = 2**31 - 1

# Below this, copying a tensor into the message costs less than cutting it out.
_LARGE = 1 << 16
_CHUNK = 1 << 24

_GRAPH_IN_MODEL = onnx.ModelProto.GRAPH_FIELD_NUMBER
_INITIALIZER_IN_GRAPH = onnx.GraphProto.INITIALIZER_FIELD_NUMBER
_RAW_DATA_IN_TENSOR = onnx.TensorProto.RAW_DATA_FIELD_NUMBER

Part = bytes | ir.TensorProtocol


@contextlib.contextmanager
def replaced(replacements: Mapping[ir.Value, ir.TensorProtocol]) -> Iterator[None]:
    """Give initializers other tensors for the time of the block."""
    originals = {value: value.const_value for value in replacements}
    try:
        for value, tensor in replacements.items():
            value.const_value = tensor
        yield
    finally:
        for value, original in originals.items():
            value.const_value = original


def encode(model: ir.Model, embed_references: bool = False) -> list[Part]:
    """The model as a sequence of bytes and of tensors whose bytes belong in between.

    Tensors by reference become references in the message, unless `embed_references`.
    """
    large = {
        value: value.const_value
        for value in model.graph.initializers.values()
        if _is_cut_out(value.const_value, embed_references)
    }
    stand_ins = {value: stand_in(value) for value in large}
    with replaced(stand_ins):
        proto = ir.to_proto(model)
    if not large:
        return [proto.SerializeToString(deterministic=True)]
    tensors = {value.name: tensor for value, tensor in large.items()}
    initializers: list[Part] = []
    for message in proto.graph.initializer:
        initializers += _field(_INITIALIZER_IN_GRAPH, _tensor_parts(message, tensors))
    del proto.graph.initializer[:]
    graph = _insert(
        proto.graph.SerializeToString(deterministic=True), _INITIALIZER_IN_GRAPH, initializers
    )
    proto.ClearField("graph")
    return _insert(
        proto.SerializeToString(deterministic=True), _GRAPH_IN_MODEL, _field(_GRAPH_IN_MODEL, graph)
    )


def size(parts: Sequence[Part]) -> int:
    """Bytes that `parts` take when written."""
    return sum(len(part) if isinstance(part, bytes) else part.nbytes for part in parts)


def write_parts(parts: Sequence[Part], file: BinaryIO, folder: Path) -> None:
    """Write what `encode` gave; `folder` holds references without a base folder."""
    for part in parts:
        if isinstance(part, bytes):
            file.write(part)
        else:
            write_tensor(part, file, folder)


def write_tensor(tensor: ir.TensorProtocol, file: BinaryIO, folder: Path) -> None:
    """Write a tensor's little-endian bytes.

    1. from its file, in chunks, if it is a reference (hard links too, which onnx_ir refuses);
    2. from its array without a copy, if elements take whole bytes;
    3. packed, if they do not.
    """
    if isinstance(tensor, ir.ExternalTensor):
        _copy_range(file_of(tensor, folder), tensor.offset or 0, tensor.nbytes, file)
    elif tensor.dtype.bitwidth >= 8:
        array = np.ascontiguousarray(tensor.numpy()).reshape(-1)
        if not np.little_endian:
            array = array.byteswap()
        file.write(array.view(np.uint8).data)
    else:
        file.write(tensor.tobytes())


def _copy_range(path: Path, offset: int, length: int, file: BinaryIO) -> None:
    with path.open("rb") as source:
        source.seek(offset)
        while length:
            chunk = source.read(min(length, _CHUNK))
            if not chunk:
                raise WriteError(f"{path} became shorter while it was read. Fetch it again.")
            file.write(chunk)
            length -= len(chunk)


def _is_cut_out(tensor: ir.TensorProtocol | None, embed_references: bool) -> bool:
    if tensor is None or tensor.dtype.is_string():
        return False
    if isinstance(tensor, ir.ExternalTensor):
        return embed_references
    return tensor.nbytes >= _LARGE


def stand_in(value: ir.Value) -> ir.ExternalTensor:
    """A tensor without bytes that has the type, shape and name of an initializer."""
    tensor = value.const_value
    assert tensor is not None
    assert value.name is not None
    shape = ir.Shape(tensor.shape.numpy())
    return ir.ExternalTensor(
        "",
        None,
        None,
        tensor.dtype,
        shape=shape,
        name=value.name,
        metadata_props=dict(tensor.metadata_props),
    )


def _tensor_parts(
    message: onnx.TensorProto, tensors: Mapping[str | None, ir.TensorProtocol | None]
) -> list[Part]:
    tensor = tensors.get(message.name)
    if tensor is None:
        return [message.SerializeToString(deterministic=True)]
    message.ClearField("external_data")
    message.ClearField("data_location")
    return _insert(
        message.SerializeToString(deterministic=True),
        _RAW_DATA_IN_TENSOR,
        _field(_RAW_DATA_IN_TENSOR, [tensor]),
    )


def _field(number: int, content: list[Part]) -> list[Part]:
    """A length-delimited protobuf field."""
    return [_varint(number << 3 | 2) + _varint(size(content)), *content]


def _insert(message: bytes, number: int, parts: list[Part]) -> list[Part]:
    """Put fields of that number where the serialiser would, which is in order of number."""
    position = 0
    while position < len(message):
        tag, after = _read_varint(message, position)
        if tag >> 3 > number:
            break
        position = _skip(message, tag & 7, after)
    return [message[:position], *parts, message[position:]]


def _skip(message: bytes, wire_type: int, position: int) -> int:
    if wire_type == 0:
        return _read_varint(message, position)[1]
    if wire_type == 2:
        length, position = _read_varint(message, position)
        return position + length
    return position + {1: 8, 5: 4}[wire_type]


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _read_varint(message: bytes, position: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = message[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
        shift += 7
