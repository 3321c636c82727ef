"""Serialisation of a finished model, to a protobuf message or to files."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import onnx
import onnx_ir as ir

from jax2onnx.errors import WriteError
from jax2onnx.files import atomic_files, explain
from jax2onnx.graph.walk import nested_graphs
from jax2onnx.write.encode import PROTOBUF_LIMIT, Part, encode, replaced, size, write_parts
from jax2onnx.write.references import check_references, references
from jax2onnx.write.safetensors_file import TensorFile

# Leaves 64 MiB for the graph itself in a message that holds its weights.
_SELF_CONTAINED_LIMIT = PROTOBUF_LIMIT - (1 << 26)

# Smaller tensors stay in the model when the others go to a file of their own.
_EXTERNAL_THRESHOLD = 1024


def to_proto(model: ir.Model) -> onnx.ModelProto:
    """Return a finished model as a protobuf message.

    Raises:
        WriteError: the message would exceed 2 GiB, the limit of protobuf.
    """
    embedded = _embedded_bytes(model)
    if embedded > _SELF_CONTAINED_LIMIT:
        raise WriteError(
            f"the model's weights take {embedded} bytes, and a protobuf message ends at 2 GiB. "
            "Write it to a file (return_mode='file'), which keeps the weights beside it."
        )
    return ir.to_proto(model)


def save(
    model: ir.Model, path: str | os.PathLike[str], *, external_data: bool | str | None = None
) -> None:
    """Write a model to a file, atomically. The model itself is not changed.

    If anything fails, no new file is left behind, and an old file at ``path`` stays as it was.

    Args:
        model: a model that ``to_onnx(..., return_mode="ir")`` returned. References
            (``onnx_ir.ExternalTensor``) must have a relative location. Their files are checked, and
            neither copied nor loaded.
        path: the file to write, ``NAME.onnx``.
        external_data: where the tensors in memory go:

            - None: into the model or, if that would exceed 2 GiB, as with True;
            - True: into ``NAME.onnx.safetensors`` beside it;
            - a name: into a safetensors file of that name beside it;
            - False: into the model, together with the tensors that are references.

    Raises:
        WriteError: a reference is wrong, the model is too large, or a file cannot be written.
    """
    path = Path(path)
    folder = path.parent
    check_references(model, folder)
    if external_data is None:
        external_data = True if _embedded_bytes(model) > _SELF_CONTAINED_LIMIT else None
    if external_data is None or external_data is False:
        parts = encode(model, embed_references=external_data is False)
        _check_size(parts, path)
        with _files([path]) as [file]:
            write_parts(parts, file, folder)
        return
    name = f"{path.name}.safetensors" if external_data is True else external_data
    _check_name(model, name, path)
    moved = _movable(model)
    tensors = TensorFile({str(value.name): tensor for value, tensor in moved.items()})
    with replaced({value: tensors.reference(str(value.name), name) for value in moved}):
        parts = encode(model)
    _check_size(parts, path)
    with _files([folder / name, path]) as [tensor_file, file]:
        tensors.write(tensor_file, folder)
        write_parts(parts, file, folder)


@contextlib.contextmanager
def _files(paths: Sequence[Path]) -> Iterator[list[BinaryIO]]:
    """Open files as ``atomic_files`` does, and raise a ``WriteError`` if that fails."""
    try:
        with atomic_files(paths) as streams:
            yield streams
    except OSError as error:
        raise WriteError(explain(error)) from error


def _embedded_bytes(model: ir.Model) -> int:
    return sum(
        value.const_value.nbytes
        for graph in nested_graphs(model.graph)
        for value in graph.initializers.values()
        if value.const_value is not None and not isinstance(value.const_value, ir.ExternalTensor)
    )


def _movable(model: ir.Model) -> dict[ir.Value, ir.TensorProtocol]:
    """Return the initializers in memory that go to a file of their own, with their tensors."""
    return {
        value: tensor
        for graph in nested_graphs(model.graph)
        for value in graph.initializers.values()
        if (tensor := value.const_value) is not None
        and not isinstance(tensor, ir.ExternalTensor)
        and not tensor.dtype.is_string()
        and tensor.nbytes >= _EXTERNAL_THRESHOLD
    }


def _check_name(model: ir.Model, name: str, path: Path) -> None:
    if not name or Path(name).name != name or name == path.name:
        raise WriteError(
            f"external_data={name!r} must be the name of a file beside {path}, without a folder."
        )
    if any(str(tensor.location) == name for _, tensor in references(model)):
        raise WriteError(
            f"external_data={name!r} is a file that the model already refers to. "
            "Give another name, so that those weights are not overwritten."
        )


def _check_size(parts: list[Part], path: Path) -> None:
    total = size(parts)
    if total > PROTOBUF_LIMIT:
        raise WriteError(
            f"{path} would take {total} bytes, and an ONNX file ends at 2 GiB. "
            "Leave external_data to its default, or give True, to keep the weights beside it."
        )
