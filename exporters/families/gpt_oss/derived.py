"""GPT-OSS as ONNX Runtime's kernels for the CPU take it: derived from a packed checkpoint.

- Twice an E2M1 value is an integer of at most 12, so experts in MXFP4 become 8-bit codes with half
  the scale, exactly. A code is the integer plus 128, which is the zero point of QMoE.
- Matrices in bfloat16 become f32, so that no step has to convert them.

Everything else is copied. All of this moves data or looks it up, so it gives the same bytes on
every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from exporters.errors import ExportError
from exporters.families.gpt_oss import mxfp4
from exporters.families.gpt_oss.checkpoint import detect, read_config, sources
from exporters.model.exportable import TensorSource
from weights import Checkpoint
from weights.derived import DerivedTensor
from weights.files.dtypes import NUMPY

_CODES = (2 * mxfp4.PAIRS + 128).astype(np.uint8)
_FACTORS = mxfp4.SCALES / 2
_PACKED = {"codes": "blocks", "factors": "scales"}
_WIDENED = ("attention.q", "attention.k", "attention.v", "attention.o", "mlp.router", "head")

Array = npt.NDArray[Any]


def int8(checkpoint: Checkpoint) -> dict[str, DerivedTensor]:
    """Return the tensors of the layout ``int8``.

    Args:
        checkpoint: a checkpoint whose experts are packed, in the hub layout or in ``original/``.

    Raises:
        ExportError: the experts are not packed.
    """
    layout = detect(checkpoint)
    if layout not in ("mxfp4", "original"):
        raise ExportError(
            f"{checkpoint.folder} has the layout {layout!r}, in which experts are not packed in "
            "MXFP4: derive from the published checkpoint."
        )
    config = read_config(checkpoint)
    stored = sources(config, layout)
    return {
        source.tensor: _derived(checkpoint, path, stored)
        for path, source in sources(config, "int8").items()
    }


def _derived(checkpoint: Checkpoint, path: str, stored: dict[str, TensorSource]) -> DerivedTensor:
    """Return the tensor of a parameter of the derived model."""
    module, _, name = path.rpartition(".")
    source = stored[f"{module}.{_PACKED.get(name, name)}"]
    info = checkpoint.tensors[source.tensor]
    shape = (
        info.shape if source.rows is None else (source.rows[1] - source.rows[0], *info.shape[1:])
    )
    if name == "codes":
        experts, outputs, blocks, half = shape
        return DerivedTensor(
            "U8",
            (experts, outputs, blocks * half * 2),
            partial(_looked_up, checkpoint, source, _CODES),
        )
    if name == "factors":
        return DerivedTensor("F32", shape, partial(_looked_up, checkpoint, source, _FACTORS))
    if name == "weight" and module.endswith(_WIDENED):
        return DerivedTensor("F32", shape, partial(_pieces, checkpoint, source, np.float32))
    return DerivedTensor(info.dtype, shape, partial(_pieces, checkpoint, source, NUMPY[info.dtype]))


def _looked_up(checkpoint: Checkpoint, source: TensorSource, table: Array) -> Iterator[Array]:
    """Yield the entries of a table at all bytes of a tensor, one expert at a time."""
    for expert in checkpoint.read(source.tensor):
        yield table[expert]


def _pieces(checkpoint: Checkpoint, source: TensorSource, dtype: npt.DTypeLike) -> Iterator[Array]:
    """Yield rows of a tensor in another dtype, some thousands at a time."""
    array = checkpoint.read(source.tensor)
    rows = array if source.rows is None else array[slice(*source.rows)]
    for start in range(0, len(rows), 4096):
        yield np.ascontiguousarray(rows[start : start + 4096].astype(dtype, copy=False))
