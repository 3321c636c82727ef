"""Binds the parameters of a model to the tensors of a checkpoint, accounting for every one.

Three views of one binding, which is a mapping from a parameter's path in the model to a
`TensorSource`:

- `check` proves that it is complete: every array leaf of the model has a tensor of its own shape
  and dtype, and every tensor of the checkpoint is used exactly once or ignored by name;
- `load` puts the tensors' values into the model, to run it in JAX;
- `external` says where in the checkpoint's files each parameter lies, to export it by reference.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

import jax
import numpy as np
import onnx_ir as ir

from exporters.artifact.exportable import TensorSource
from exporters.errors import ExportError
from jax2onnx.trace.frameworks.callables import parameterise
from weights.files.dtypes import NUMPY

if TYPE_CHECKING:
    from weights import Checkpoint, TensorInfo

Model = TypeVar("Model", bound=Callable[..., Any])

_LISTED = 40
"""Findings of one kind that an error lists in full; a checkpoint of another model has hundreds."""


def parameters(model: Any) -> dict[str, Any]:
    """The model's array leaves, real or abstract, by their path ("layers.0.attention.q.weight")."""
    split = parameterise(model)
    return dict(zip(split.paths, split.leaves, strict=True))


def check(
    model: Any,
    sources: Mapping[str, TensorSource],
    checkpoint: Checkpoint,
    *,
    ignored: Collection[str] = (),
) -> None:
    """Raises one ExportError that lists every tensor which does not fit.

    `ignored` names tensors that the model rightly does without; such a tensor may be absent.
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
    """The model with the checkpoint's values in place of its abstract leaves, as jax arrays."""
    split = parameterise(model)
    values = [_value(sources[path], checkpoint) for path in split.paths]
    return cast("Model", split.rebuild(values))


def external(
    sources: Mapping[str, TensorSource], checkpoint: Checkpoint
) -> dict[str, ir.ExternalTensor]:
    """Where each parameter lies, as ONNX external data relative to the checkpoint's folder.

    `check` must have passed: offsets and lengths come from headers that the checkpoint has held
    against the sizes of its files.
    """
    return {path: _reference(path, sources[path], checkpoint) for path in sorted(sources)}


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
    """Shape, byte offset in the file, and byte length of what a source takes of its tensor."""
    if source.rows is None:
        return info.shape, info.offset, info.nbytes
    start, stop = source.rows
    row = info.nbytes // info.shape[0]
    return (stop - start, *info.shape[1:]), info.offset + start * row, (stop - start) * row


def _misfits(
    leaves: Mapping[str, Any], sources: Mapping[str, TensorSource], checkpoint: Checkpoint
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
    """Tensors that are bound twice, or whose row slices leave a gap, overlap or reach outside."""
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
