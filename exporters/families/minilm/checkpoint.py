"""The layout of a BERT encoder's checkpoint, as sentence-transformers publishes it."""

from __future__ import annotations

from collections.abc import Mapping

from exporters.families.minilm.config import MiniLMConfig
from exporters.model.exportable import TensorSource

# These tables map a module of the model to its name in the file.
_EMBEDDINGS: Mapping[str, str] = {
    "embeddings.words": "embeddings.word_embeddings.weight",
    "embeddings.positions": "embeddings.position_embeddings.weight",
    "embeddings.types": "embeddings.token_type_embeddings.weight",
    "embeddings.norm.weight": "embeddings.LayerNorm.weight",
    "embeddings.norm.bias": "embeddings.LayerNorm.bias",
}
_LAYER: Mapping[str, str] = {
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
    "norm": "output.LayerNorm",
}
IGNORED = ("embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias")
"""Tensors that the model does without: the positions 0, 1, 2, ..., and BERT's own pooling layer."""


def sources(config: MiniLMConfig) -> dict[str, TensorSource]:
    """Return the tensor of each parameter, by the parameter's path in the model."""
    names = dict(_EMBEDDINGS)
    for n in range(config.num_hidden_layers):
        for module, stored in _LAYER.items():
            for kind in ("weight", "bias"):
                names[f"layers.{n}.{module}.{kind}"] = f"encoder.layer.{n}.{stored}.{kind}"
    return {path: TensorSource(name) for path, name in names.items()}
