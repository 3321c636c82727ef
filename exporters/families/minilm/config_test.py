from __future__ import annotations

from typing import Any

import pytest

from exporters.errors import ExportError
from exporters.families.minilm.config import MiniLMConfig, parse

# A version of transformers that writes every key published this config.
PUBLISHED: dict[str, Any] = {
    "_name_or_path": "nreimers/MiniLM-L6-H384-uncased",
    "architectures": ["BertModel"],
    "attention_probs_dropout_prob": 0.1,
    "gradient_checkpointing": False,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 384,
    "initializer_range": 0.02,
    "intermediate_size": 1536,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
    "model_type": "bert",
    "num_attention_heads": 12,
    "num_hidden_layers": 6,
    "pad_token_id": 0,
    "position_embedding_type": "absolute",
    "transformers_version": "4.8.2",
    "type_vocab_size": 2,
    "use_cache": True,
    "vocab_size": 30522,
}


def test_reads_the_published_config() -> None:
    assert parse(PUBLISHED) == MiniLMConfig(384, 1536, 6, 12, 512, 30522, 2, 1e-12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "roberta"}, "model_type is 'roberta', but it must be 'bert' here"),
        ({"hidden_act": "gelu_new"}, "hidden_act is 'gelu_new', but it must be 'gelu' here"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key'"),
        ({"is_decoder": True}, "is_decoder is True, but it must be False"),
        ({"hidden_size": 385}, "hidden_size is 385, but it must be a multiple of num_attention"),
        ({"embedding_size": 128}, "embedding_size is 128, but it is not known to this exporter"),
    ],
)
def test_refuses_unknown_keys_and_unsupported_values(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ExportError, match=f"^weights/config.json: {message}"):
        parse(PUBLISHED | changes, "weights/config.json")


@pytest.mark.parametrize("key", ["model_type", "hidden_act", "vocab_size", "layer_norm_eps"])
def test_names_a_missing_key(key: str) -> None:
    values = {name: value for name, value in PUBLISHED.items() if name != key}
    with pytest.raises(ExportError, match=f"^weights/config.json has no '{key}', which the model"):
        parse(values, "weights/config.json")
