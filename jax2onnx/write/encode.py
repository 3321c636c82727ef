"""Protobuf bytes of a model, without copies of its large tensors.

Serialising a ``ModelProto`` that holds its weights takes three times their memory: for the tensors,
the message and the bytes. Here, the message is made without the large tensors and cut at the places
where their bytes belong, so that writing it needs no more memory than the tensors themselves. The
result equals that of ``ModelProto.SerializeToString(deterministic=True)`` byte for byte.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import onnx
import onnx_ir as ir

from jax2onnx.errors import WriteError
from jax2onnx.write.references import file_of

# The largest message that protobuf parses.
PROTOBUF_LIMIT = 2**31 - 1

# A smaller tensor is copied into the message, which costs less than cutting it out.
_LARGE = 1 << 16
_CHUNK = 1 << 24

_GRAPH_IN_MODEL = onnx.ModelProto.GRAPH_FIELD_NUMBER
_INITIALIZER_IN_GRAPH = onnx.GraphProto.INITIALIZER_FIELD_NUMBER
_RAW_DATA_IN_TENSOR = onnx.TensorProto.RAW_DATA_FIELD_NUMBER

Part = bytes | ir.TensorProtocol


@contextlib.contextmanager
def replaced(replacements: Mapping[ir.Value, ir.TensorProtocol]) -> Iterator[None]:
    """Replace the tensors of initializers inside the block."""
    originals = {value: value.const_value for value in replacements}
    try:
        for value, tensor in replacements.items():
            value.const_value = tensor
        yield
    finally:
        for value, original in originals.items():
            value.const_value = original


def encode(model: ir.Model, embed_references: bool = False) -> list[Part]:
    """Return the message as parts: bytes, and tensors whose bytes belong between them.

    With ``embed_references``, it holds the bytes of references, and not the references.
    """
    large = {
        value: value.const_value
        for value in model.graph.initializers.values()
        if _is_cut_out(value.const_value, embed_references)
    }
    placeholders = {value: without_data(value) for value in large}
    with replaced(placeholders):
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
    """Return the number of bytes that ``parts`` take when they are written."""
    return sum(len(part) if isinstance(part, bytes) else part.nbytes for part in parts)


def write_parts(parts: Sequence[Part], file: BinaryIO, folder: Path) -> None:
    """Write the parts of a message.

    Args:
        parts: the result of ``encode``.
        file: the stream to write to.
        folder: the folder of the model, for references without a base folder.
    """
    for part in parts:
        if isinstance(part, bytes):
            file.write(part)
        else:
            write_tensor(part, file, folder)


def write_tensor(tensor: ir.TensorProtocol, file: BinaryIO, folder: Path) -> None:
    """Write the little-endian bytes of a tensor.

    1. A reference is copied from its file in chunks. The file may be a hard link, which ``onnx_ir``
       refuses to read.
    2. A tensor whose elements take whole bytes is written from its array without a copy.
    3. A tensor of narrower elements is packed first.

    Args:
        tensor: the tensor.
        file: the stream to write to.
        folder: the folder of the model, for a reference without a base folder.
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


def without_data(value: ir.Value) -> ir.ExternalTensor:
    """Return a tensor without bytes that has the type, shape and name of an initializer."""
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
    """Return the parts of a length-delimited protobuf field."""
    return [_varint(number << 3 | 2) + _varint(size(content)), *content]


def _insert(message: bytes, number: int, parts: list[Part]) -> list[Part]:
    """Insert fields where the serialiser would put them, which is in the order of their numbers."""
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
