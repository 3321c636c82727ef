"""Architectures on which exporters are compared, and the inputs of their artifacts."""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Feed:
    """An input for latency measurements: its shape and, for integers, their bounds."""

    shape: tuple[int, ...]
    below: int | None = None
    least: int = 0

    @property
    def dtype(self) -> str:
        """Its type."""
        return "float32" if self.below is None else "int64"


@dataclass(frozen=True)
class Architecture:
    """A JAX model. The function of the same name in ``jobs/torch_models.py`` matches it.

    Attributes:
        title: a description for readers.
        module: the module whose ``build()`` makes the model. It imports jax, flax and equinox but
            no converter, so that every exporter can convert it.
        feeds: the inputs of a run.
        batch: whether the first axis of all inputs is the batch, which is symbolic in artifacts.
    """

    title: str
    module: str
    feeds: tuple[Feed, ...]
    batch: bool = True


_TOKENS = (1, 128)
_IMAGE = (Feed((1, 224, 224, 3)),)

ARCHITECTURES = {
    "vit": Architecture("ViT-B/16, 224 x 224", "tests.models.vit", (Feed((1, 3, 224, 224)),)),
    "resnet50": Architecture("ResNet-50, 224 x 224", "tests.models.resnet", _IMAGE),
    "gpt2": Architecture(
        "GPT-2, 12 layers x 768, 128 tokens", "tests.models.gpt2", (Feed(_TOKENS, 50257),)
    ),
    "lstm": Architecture(
        "LSTM, 128 to 256, 64 steps", "benchmarks.models.lstm", (Feed((1, 64, 128)),)
    ),
    "minilm": Architecture(
        "MiniLM, 6 layers x 384, 128 tokens",
        "benchmarks.models.minilm",
        (Feed(_TOKENS, 30522), Feed(_TOKENS, 2), Feed(_TOKENS, 2)),
    ),
    "convnext": Architecture("ConvNeXt-T, 224 x 224", "benchmarks.models.convnext", _IMAGE),
    "mobilenet": Architecture(
        "MobileNetV3-Large, 224 x 224", "benchmarks.models.mobilenet", _IMAGE
    ),
    "llama": Architecture(
        "Llama-style decoding step, 4 layers x 1024, 255 tokens before",
        "benchmarks.models.llama",
        (Feed((1, 1), 32000), Feed((1, 1), 256), *[Feed((1, 4, 255, 64))] * 8),
    ),
    "gnn": Architecture(
        "GNN layer, 1,000 nodes x 64, 10,000 edges",
        "benchmarks.models.gnn",
        (Feed((1000, 64)), Feed((10000,), 1000), Feed((10000,), 1000)),
        batch=False,
    ),
}


def build(name: str) -> Any:
    """Return the model of an architecture: a callable that holds its weights."""
    model = importlib.import_module(ARCHITECTURES[name].module).build()
    return functools.partial(model[0].apply, model[1]) if isinstance(model, tuple) else model
