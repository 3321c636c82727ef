"""References: initializers whose bytes lie in another file than the model's."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

import onnx_ir as ir

from jax2onnx.errors import WriteError
from jax2onnx.graph.walk import nested_graphs


def references(model: ir.Model) -> Iterator[tuple[ir.Value, ir.ExternalTensor]]:
    """Yield the initializers of the main graph and its subgraphs that are references."""
    for graph in nested_graphs(model.graph):
        for value in graph.initializers.values():
            if isinstance(value.const_value, ir.ExternalTensor):
                yield value, value.const_value


def file_of(tensor: ir.ExternalTensor, folder: Path) -> Path:
    """Return the file of a reference: in its base folder, or else in that of the model."""
    return Path(tensor.base_dir or folder) / tensor.location


def check_references(model: ir.Model, folder: Path) -> None:
    """Check the references of a model, which neither the serialiser nor ``onnx.checker`` does.

    1. The location is a relative path with forward slashes and without ``..``: runtimes refuse
       others, and an artifact must not depend on the machine that built it.
    2. The file exists.
    3. The length is that of the tensor's type and shape.
    4. The range of bytes lies within the file.

    Args:
        model: the model.
        folder: the folder that the model will lie in.

    Raises:
        WriteError: one of these is not so. It names the tensor and the file.
    """
    sizes: dict[Path, int] = {}
    for value, tensor in references(model):
        location = str(tensor.location)
        if not _is_portable(location):
            raise WriteError(
                f"tensor {value.name!r} refers to {location!r}; an ONNX model may refer only to a "
                "relative path below its own folder. Give the file name as location and the "
                "folder as base_dir."
            )
        path = file_of(tensor, folder)
        if path not in sizes:
            if not path.is_file():
                raise WriteError(
                    f"tensor {value.name!r} refers to {path}, which does not exist. "
                    "Put the file there, or give its folder as the tensor's base_dir."
                )
            sizes[path] = path.stat().st_size
        offset = tensor.offset or 0
        length = tensor.nbytes if tensor.length is None else tensor.length
        if length != tensor.nbytes:
            raise WriteError(
                f"tensor {value.name!r} takes {tensor.nbytes} bytes as {tensor.dtype.name}"
                f"{list(tensor.shape)}, but its reference to {path} gives {length}. "
                "Correct the reference's type, shape or length."
            )
        if offset < 0 or offset + length > sizes[path]:
            raise WriteError(
                f"tensor {value.name!r} lies at bytes {offset} to {offset + length} of {path}, "
                f"which has {sizes[path]}. The file is truncated or not the one that was meant; "
                "fetch it again."
            )


def _is_portable(location: str) -> bool:
    path = PurePosixPath(location)
    return (
        bool(path.parts)
        and "\\" not in location
        and ".." not in path.parts
        and not path.is_absolute()
        and not PureWindowsPath(location).anchor
        and path.as_posix() == location
    )
