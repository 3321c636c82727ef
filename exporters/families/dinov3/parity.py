"""The references that the artifact of a DINOv3 ViT is compared with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from exporters.errors import ExportError
from exporters.families.dinov3.export import export
from exporters.model.exportable import ParityCase
from exporters.model.extents import Extent
from exporters.parity.generic import against_jax
from exporters.parity.references import stored_cases
from weights import Checkpoint

__all__ = ["against_jax", "against_torch"]


def against_torch(
    checkpoint: Checkpoint, data: Path | None, **options: Any
) -> Iterator[ParityCase]:
    """Yield cases that transformers computed and ``make_dinov3.py`` stored.

    Args:
        checkpoint: the weights.
        data: the stored cases.
        options: the options of ``export``. Cases of other image sizes are left out.

    Raises:
        ExportError: none of the stored images has that size.
    """
    exported = export(checkpoint, **options)
    shape = exported.inputs[0].shape
    cases = list(stored_cases(data, exported.input_names, exported.output_names))
    fitting = [case for case in cases if _fits(case.inputs["pixel_values"].shape, shape)]
    if not fitting:
        found = " and ".join(str(case.inputs["pixel_values"].shape) for case in cases)
        raise ExportError(
            f"{data} holds images of shape {found}, and the model takes {tuple(shape)}: set the "
            "target's image_size to a stored one."
        )
    yield from fitting


def _fits(shape: Sequence[int], spec: Sequence[Extent]) -> bool:
    """Return whether an array of a shape fits the spec of an input."""
    return all(
        have == want if isinstance(want, int) else have % int(want.rpartition("*")[0] or 1) == 0
        for have, want in zip(shape, spec, strict=True)
    )
