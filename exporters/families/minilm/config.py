"""The config.json of a MiniLM sentence encoder, whose architecture is BERT's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exporters.model.config import ConfigReader

# Settings of training, and settings that the tokenizer has itself.
_IRRELEVANT = frozenset(
    {
        "attention_probs_dropout_prob",
        "bos_token_id",
        "classifier_dropout",
        "eos_token_id",
        "hidden_dropout_prob",
        "pad_token_id",
        "tie_word_embeddings",
    }
)


@dataclass(frozen=True)
class MiniLMConfig:
    """The architecture, with sizes in elements, layers, heads or tokens."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    max_position_embeddings: int
    vocab_size: int
    type_vocab_size: int
    layer_norm_eps: float


def parse(values: Mapping[str, Any], file: str = "config.json") -> MiniLMConfig:
    """Return the architecture that a config.json describes.

    Args:
        values: the content of the file.
        file: the name of the file, for errors.

    Raises:
        ExportError: a key is missing or unknown, or its value is not supported.
    """
    reader = ConfigReader(values, file)
    reader.choice("model_type", ["bert"])
    reader.choice("hidden_act", ["gelu"])
    reader.fixed("position_embedding_type", "absolute")
    reader.fixed("is_decoder", False)
    reader.fixed("add_cross_attention", False)
    config = MiniLMConfig(
        hidden_size=reader.integer("hidden_size"),
        intermediate_size=reader.integer("intermediate_size"),
        num_hidden_layers=reader.layers("num_hidden_layers"),
        num_attention_heads=reader.integer("num_attention_heads"),
        max_position_embeddings=reader.integer("max_position_embeddings"),
        vocab_size=reader.integer("vocab_size"),
        type_vocab_size=reader.integer("type_vocab_size"),
        layer_norm_eps=reader.positive("layer_norm_eps"),
    )
    reader.finish(_IRRELEVANT)
    if config.hidden_size % config.num_attention_heads:
        reader.refuse(
            "hidden_size", f"must be a multiple of num_attention_heads {config.num_attention_heads}"
        )
    return config
