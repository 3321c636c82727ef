"""The published (hub) layout of a DINOv3 checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exporters.families.dinov3.config import Config, DINOv3Config, parse
from exporters.families.dinov3.convnext import DINOv3ConvNext
from exporters.families.dinov3.model import DINOv3ViT
from exporters.model.exportable import TensorSource
from jax2onnx.models import parameters
from weights.synthetic import SyntheticTensor, Uniform, plausible

MASK_TOKEN = "embeddings.mask_token"
IGNORED = (MASK_TOKEN,)
"""The mask token replaces hidden patches in training. At inference no patch is hidden."""

_SCALES = ("lambda1", "gamma")
"""The ends of the names of factors that training begins near 0."""


def model(config: Config) -> DINOv3ViT | DINOv3ConvNext:
    """Return the abstract model of an architecture."""
    return DINOv3ViT(config) if isinstance(config, DINOv3Config) else DINOv3ConvNext(config)


def sources(config: Config) -> dict[str, TensorSource]:
    """Return the tensor of each parameter, which has the name of the parameter's path."""
    return {path: TensorSource(path) for path in parameters(model(config))}


def tensors(config: Config, dtype: str = "F32") -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return dtype and shape of every tensor of a checkpoint of this architecture, by name."""
    layout = {path: leaf.shape for path, leaf in parameters(model(config)).items()}
    if isinstance(config, DINOv3Config):
        layout[MASK_TOKEN] = (1, 1, config.hidden_size)
    return {name: (dtype, shape) for name, shape in sorted(layout.items())}


def synthetic(values: Mapping[str, Any]) -> dict[str, SyntheticTensor]:
    """Return random tensors for a config.json, with which every part of the model has an effect."""
    return {
        name: SyntheticTensor(dtype, shape, Uniform(0.1, mean=1.0))
        if name.endswith(_SCALES)
        else plausible(name, dtype, shape)
        for name, (dtype, shape) in tensors(parse(values)).items()
    }
