"""Binding the parameters of a model to the tensors of a checkpoint, without leaving any out.

A binding maps the path of each parameter in the model to a ``TensorSource``. Three functions use
it:

- ``check`` proves that the binding is complete: every parameter has a tensor of its own shape and
  dtype, and every tensor of the checkpoint is used exactly once, or ignored by name;
- ``load`` puts the values of the tensors into the model, to run it in JAX;
- ``external`` returns the place of each parameter in the checkpoint's files, to export the model
  without its weights.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import jax
import numpy as np
import onnx_ir as ir

from exporters.errors import ExportError
from exporters.model.exportable import TensorSource
from jax2onnx.models import Leaf, parameters, with_parameters
from weights.files.dtypes import NUMPY

if TYPE_CHECKING:
    from weights import Checkpoint, TensorInfo

Model = TypeVar("Model", bound=Callable[..., Any])

_LISTED = 40
"""The largest number of findings of one kind that an error lists."""


def check(
    model: Callable[..., Any],
    sources: Mapping[str, TensorSource],
    checkpoint: Checkpoint,
    *,
    ignored: Collection[str] = (),
) -> None:
    """Check that a binding covers all parameters of a model and all tensors of a checkpoint.

    Args:
        model: the model; its parameters may be abstract.
        sources: the binding, by the parameters' paths.
        checkpoint: the tensors.
        ignored: names of tensors that the model does without. They may be absent.

    Raises:
        ExportError: the binding is incomplete; the message lists everything that does not fit.
    """
    leaves = parameters(model)
    used = {source.tensor for source in sources.values()}
    findings = [
        *_listed("parameters of the model that no tensor is bound to", leaves.keys() - sources),
        *_listed("bindings to no parameter of the model", sources.keys() - leaves),
        *_listed(
            "missing tensors",
            (
                f"{source.tensor} (for {path})"
                for path, source in sources.items()
                if source.tensor not in checkpoint.tensors
            ),
        ),
        *_listed(
            "extra tensors",
            (
                f"{name}: {_described(info)}"
                for name, info in checkpoint.tensors.items()
                if name not in used and name not in ignored
            ),
        ),
        *_listed("tensors that do not fit", _misfits(leaves, sources, checkpoint)),
        *_listed("tensors not used exactly once", _uncovered(sources, checkpoint)),
    ]
    if findings:
        raise ExportError(
            f"the checkpoint {checkpoint.folder} does not hold what the model needs:\n"
            + "\n".join(findings)
            + "\nCheck that config.json and the weights belong to each other and are complete."
        )


def load(model: Model, sources: Mapping[str, TensorSource], checkpoint: Checkpoint) -> Model:
    """Return the model with the values of a checkpoint, as JAX arrays, for its parameters.

    Args:
        model: the model; its parameters may be abstract.
        sources: a binding that ``check`` has accepted.
        checkpoint: the tensors.
    """
    values = {path: _value(sources[path], checkpoint) for path in parameters(model)}
    return with_parameters(model, values)


def external(
    sources: Mapping[str, TensorSource], checkpoint: Checkpoint
) -> dict[str, ir.ExternalTensor]:
    """Return the place of each parameter, as ONNX external data in the checkpoint's folder.

    Args:
        sources: a binding that ``check`` has accepted.
        checkpoint: the tensors. Opening it has checked their offsets against the files' sizes.
    """
    return {path: _reference(path, sources[path], checkpoint) for path in sorted(sources)}


def relocate(model: ir.Model, names: Mapping[str, str], folder: Path) -> None:
    """Let the references of a model name other files, which hold the same bytes.

    Args:
        model: the model.
        names: the new name of each file.
        folder: a folder that receives symbolic links of the new names.
    """
    for value in model.graph.initializers.values():
        old = value.const_value
        if isinstance(old, ir.ExternalTensor):
            new = names[str(old.location)]
            if not (folder / new).is_symlink():
                (folder / new).symlink_to(Path(old.base_dir, old.location).absolute())
            value.const_value = ir.ExternalTensor(
                location=new,
                offset=old.offset,
                length=old.length,
                dtype=old.dtype,
                shape=old.shape,
                name=old.name,
                base_dir=folder,
            )


def _reference(path: str, source: TensorSource, checkpoint: Checkpoint) -> ir.ExternalTensor:
    info = checkpoint.tensors[source.tensor]
    shape, offset, length = _slice(info, source)
    return ir.ExternalTensor(
        location=info.file.relative_to(checkpoint.folder).as_posix(),
        offset=offset,
        length=length,
        dtype=ir.DataType.from_numpy(NUMPY[info.dtype]),
        shape=ir.Shape(shape),
        name=path,
        base_dir=checkpoint.folder,
    )


def _value(source: TensorSource, checkpoint: Checkpoint) -> jax.Array:
    array = checkpoint.read(source.tensor)
    return jax.numpy.asarray(array if source.rows is None else array[slice(*source.rows)])


def _slice(info: TensorInfo, source: TensorSource) -> tuple[tuple[int, ...], int, int]:
    """Return the shape, the byte offset in the file and the byte length of a source."""
    if source.rows is None:
        return info.shape, info.offset, info.nbytes
    start, stop = source.rows
    row = info.nbytes // info.shape[0]
    return (stop - start, *info.shape[1:]), info.offset + start * row, (stop - start) * row


def _misfits(
    leaves: Mapping[str, Leaf], sources: Mapping[str, TensorSource], checkpoint: Checkpoint
) -> Iterator[str]:
    for path in sorted(leaves.keys() & sources.keys()):
        source, leaf = sources[path], leaves[path]
        info = checkpoint.tensors.get(source.tensor)
        if info is None or not _rows_inside(source, info):
            continue
        shape = _slice(info, source)[0]
        if shape != tuple(leaf.shape) or NUMPY.get(info.dtype) != leaf.dtype:
            taken = "" if source.rows is None else f" rows {source.rows[0]}:{source.rows[1]}"
            yield (
                f"{source.tensor}{taken}: expected {np.dtype(leaf.dtype).name}"
                f"{list(leaf.shape)} for {path}, found {_described(info, shape)}"
            )


def _uncovered(sources: Mapping[str, TensorSource], checkpoint: Checkpoint) -> Iterator[str]:
    """Yield tensors that are bound twice, or whose row slices leave a gap, overlap or overrun."""
    uses: dict[str, list[tuple[tuple[int, int] | None, str]]] = {}
    for path in sorted(sources):
        uses.setdefault(sources[path].tensor, []).append((sources[path].rows, path))
    for name in sorted(uses.keys() & checkpoint.tensors.keys()):
        if [rows for rows, _ in uses[name]] == [None]:
            continue
        info = checkpoint.tensors[name]
        height = info.shape[0] if info.shape else 0
        spans = sorted((rows or (0, height), path) for rows, path in uses[name])
        at = 0
        for (start, stop), _ in spans:
            if start != at or stop <= start:
                break
            at = stop
        else:
            if at == height:
                continue
        parts = ", ".join(f"{path} takes rows {start}:{stop}" for (start, stop), path in spans)
        yield f"{name}: has rows 0:{height}, but {parts}"


def _rows_inside(source: TensorSource, info: TensorInfo) -> bool:
    if source.rows is None:
        return True
    return bool(info.shape) and 0 <= source.rows[0] < source.rows[1] <= info.shape[0]


def _described(info: TensorInfo, shape: tuple[int, ...] | None = None) -> str:
    dtype = NUMPY.get(info.dtype)
    name = info.dtype if dtype is None else dtype.name
    return f"{name}{list(info.shape if shape is None else shape)} in {info.file.name}"


def _listed(title: str, items: Iterable[str]) -> list[str]:
    found = sorted(items)
    if not found:
        return []
    more = [f"... and {len(found) - _LISTED} more"] if len(found) > _LISTED else []
    return [f"  {title} ({len(found)}):", *(f"    {i}" for i in [*found[:_LISTED], *more])]
