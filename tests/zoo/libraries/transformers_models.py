"""Flax models of transformers, in small configurations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import transformers  # noqa: TID251  # the zoo installs it; the build does not

from tests.coverage.example import Arg, f, i
from tests.zoo.model import Model, made

TEXT = {
    "vocab_size": 50,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 40,
}
VISION = {**TEXT, "image_size": 32, "patch_size": 8}
TOKENS, MASK = i(2, 8, low=3, high=50), i(2, 8, low=0, high=2)
IMAGE = f(2, 3, 32, 32)


def _model(
    name: str,
    config: str,
    sizes: dict[str, Any],
    inputs: tuple[tuple[str, Arg], ...],
    **options: Any,
) -> Model:
    """Return a model with random weights, which is called with keywords.

    Args:
        name: the class, without the prefix ``Flax``.
        config: the class of its configuration.
        sizes: the keywords of the configuration.
        inputs: the inputs and their names.
        options: options of the model in the zoo.
    """

    def make() -> Callable[..., Any]:
        settings = getattr(transformers, config)(**sizes)
        model = getattr(transformers, f"Flax{name}")(settings, seed=0)

        def call(*arrays: Any) -> Any:
            named = dict(zip((key for key, _ in inputs), arrays, strict=True))
            return model(**named).to_tuple()[0]  # Training is not the default.

        return call

    return made(name, make, *(arg for _, arg in inputs), **{"batch": True, **options})


IDS = ("input_ids", TOKENS)
MASKED = (IDS, ("attention_mask", MASK))
PIXELS = (("pixel_values", IMAGE),)
LLAMA = {**TEXT, "num_key_value_heads": 2}

MODELS = [
    _model("BertModel", "BertConfig", TEXT, MASKED),
    _model("BertForSequenceClassification", "BertConfig", TEXT, MASKED),
    _model("RobertaForMaskedLM", "RobertaConfig", TEXT, MASKED),
    _model("ElectraModel", "ElectraConfig", {**TEXT, "embedding_size": 16}, MASKED),
    _model("AlbertModel", "AlbertConfig", {**TEXT, "embedding_size": 16}, MASKED),
    _model(
        "DistilBertModel",
        "DistilBertConfig",
        {"vocab_size": 50, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64},
        MASKED,
    ),
    _model(
        "GPT2LMHeadModel",
        "GPT2Config",
        {"vocab_size": 50, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 40},
        (IDS,),
    ),
    _model("LlamaForCausalLM", "LlamaConfig", LLAMA, (IDS,)),
    _model("MistralForCausalLM", "MistralConfig", LLAMA, (IDS,)),
    _model("GemmaForCausalLM", "GemmaConfig", {**LLAMA, "head_dim": 8}, (IDS,)),
    _model("ViTForImageClassification", "ViTConfig", VISION, PIXELS),
    _model("BeitModel", "BeitConfig", VISION, PIXELS),
    _model("Dinov2Model", "Dinov2Config", VISION, PIXELS),
    _model(
        "ResNetModel",
        "ResNetConfig",
        {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 2]},
        PIXELS,
    ),
    _model(
        "RegNetModel",
        "RegNetConfig",
        {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 2], "groups_width": 4},
        PIXELS,
    ),
    _model(
        "CLIPModel",
        "CLIPConfig",
        {"text_config": TEXT, "vision_config": VISION, "projection_dim": 16},
        (("input_ids", TOKENS), ("pixel_values", IMAGE)),
    ),
    _model("XLMRobertaModel", "XLMRobertaConfig", TEXT, MASKED),
    _model(
        "OPTForCausalLM",
        "OPTConfig",
        {
            "vocab_size": 50,
            "hidden_size": 32,
            "word_embed_proj_dim": 32,
            "num_hidden_layers": 2,
            "ffn_dim": 64,
            "num_attention_heads": 4,
            "max_position_embeddings": 40,
        },
        MASKED,
    ),
]
