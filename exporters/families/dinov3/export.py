"""The exporter of DINOv3: vision transformers and ConvNeXts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from exporters.errors import ExportError
from exporters.families.dinov3.checkpoint import IGNORED, model, sources
from exporters.families.dinov3.config import Config, parse
from exporters.model.exportable import Exportable
from exporters.model.extents import Extent, check_extent, check_layers
from exporters.model.layers import as_stored
from jax2onnx import InputSpec
from weights import Checkpoint


def export(
    checkpoint: Checkpoint,
    *,
    image_size: Extent | Sequence[Extent] | None = None,
    batch: Extent = "batch_size",
) -> Exportable:
    """Return the model of a checkpoint in the published (hub) layout.

    Args:
        checkpoint: the weights and their config.json.
        image_size: the size of images in pixels, for both directions or as [height, width]. Each is
            a multiple of the patch size, or is left open as ``"16*h"``, the patch size and a name.
            The patches of a ConvNeXt are those of its last stage, 32 by 32 pixels.
            By default it is the size in config.json.
        batch: the number of images, or a name that leaves it open.

    Raises:
        ExportError: the config is not understood, or an option does not fit the model.
    """
    config = parse(checkpoint.json(), str(checkpoint.folder / "config.json"))
    check_layers(config.layers, checkpoint)
    parameters = sources(config)
    height, width = _extents(config, image_size)
    check_extent("batch", batch, taken=[str(side).partition("*")[2] for side in (height, width)])
    shape = (batch, config.num_channels, height, width)
    return Exportable(
        model=as_stored(model(config), parameters, checkpoint),
        inputs=[InputSpec(shape, jnp.float32)],
        parameters=parameters,
        input_names=["pixel_values"],
        output_names=["last_hidden_state", "pooler_output"],
        ignored=IGNORED,
    )


def _extents(config: Config, image_size: Any) -> tuple[Extent, Extent]:
    given = config.image_size if image_size is None else image_size
    extents = tuple(given) if isinstance(given, list | tuple) else (given, given)
    if len(extents) != 2:
        raise ExportError(f"image_size is {image_size!r}: give one extent, or [height, width].")
    for extent, patch in zip(extents, config.multiple, strict=True):
        symbolic = isinstance(extent, str) and re.fullmatch(rf"{patch}\*[A-Za-z]\w*", extent)
        whole = type(extent) is int and extent > 0 and extent % patch == 0
        if not (symbolic or whole):
            below = max(extent // patch, 1) * patch if type(extent) is int else 14 * patch
            raise ExportError(
                f"image_size is {given!r}, and {extent!r} is not a multiple of the patch size "
                f"{patch}: give one such as {below}, or '{patch}*h' to leave it open."
            )
    return extents
