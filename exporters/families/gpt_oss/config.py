"""The config.json of a GPT-OSS checkpoint, in either of its two dialects.

- *hub*: the keys of transformers (``model_type``, ``num_local_experts``, ...). The rotary settings
  are in ``rope_parameters`` (newer), or in ``rope_theta`` and ``rope_scaling`` (as published);
- *original*: the keys of the ``original/`` folder (``num_experts``, ``rope_scaling_factor``, ...).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exporters.model.config import ConfigReader

_SLIDING, _FULL = "sliding_attention", "full_attention"

_HUB_DEFAULTS: Mapping[str, Any] = {
    "attention_bias": True,
    "hidden_act": "silu",
    "layer_types": None,
    "swiglu_alpha": 1.702,
    "swiglu_limit": 7.0,
    "tie_word_embeddings": False,
}
"""The values that transformers uses for hub keys which a config leaves out."""

_HUB_IRRELEVANT = (
    "attention_dropout",
    "bos_token_id",
    "derived_from",  # the provenance of a derived checkpoint
    "eos_token_id",
    "experts_per_token",  # the same as num_experts_per_tok
    "initial_context_length",  # the same as original_max_position_embeddings
    "max_position_embeddings",
    "output_router_logits",
    "pad_token_id",
    "quantization_config",  # the names of the tensors say it
    "router_aux_loss_coef",
)

_ROPE_DEFAULTS: Mapping[str, Any] = {
    "attention_factor": None,
    "beta_fast": 32.0,
    "beta_slow": 1.0,
    "mscale": None,
    "mscale_all_dim": None,
    "partial_rotary_factor": 1.0,
    "truncate": True,
}

_ORIGINAL_DEFAULTS: Mapping[str, Any] = {"swiglu_limit": 7.0}


@dataclass(frozen=True)
class Yarn:
    """Settings of rotary embeddings that are stretched over a longer context (YaRN).

    See arXiv:2309.00071.

    Attributes:
        theta: the base of the frequencies.
        factor: by how much slow dimensions are slowed down further.
        beta_fast: dimensions that turn more often than this within the original context keep
            their frequency.
        beta_slow: dimensions that turn less often than this are slowed down by ``factor``. Between
            the two lies a linear ramp.
        original_context: the number of positions before stretching.
        truncate: whether the ends of the ramp are rounded outwards to whole dimensions.
    """

    theta: float
    factor: float
    beta_fast: float
    beta_slow: float
    original_context: int
    truncate: bool


@dataclass(frozen=True)
class GptOssConfig:
    """The sizes and constants of a GPT-OSS model.

    ``windows`` has one entry for each layer: the number of positions that a token sees, itself
    included, or None if it sees all positions before it. From a gate g and a value u the experts
    compute ``min(g, limit) * sigmoid(alpha * min(g, limit)) * (clip(u, -limit, limit) + 1)``.
    """

    vocabulary: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    experts: int
    experts_per_token: int
    windows: tuple[int | None, ...]
    rope: Yarn
    epsilon: float
    limit: float
    alpha: float

    @property
    def layers(self) -> int:
        """Return the number of layers."""
        return len(self.windows)


def parse(values: Mapping[str, Any], file: str = "config.json") -> GptOssConfig:
    """Return the model that a config.json of either dialect describes.

    Args:
        values: the content of the file.
        file: the name of the file, for errors.

    Raises:
        ExportError: a key is missing or unknown, or its value is not supported.
    """
    is_original = "model_type" not in values and "num_experts" in values
    return _original(values, file) if is_original else _hub(values, file)


def _hub(values: Mapping[str, Any], file: str) -> GptOssConfig:
    read = ConfigReader({**_HUB_DEFAULTS, **values}, file)
    read.choice("model_type", ("gpt_oss",))
    read.choice("attention_bias", (True,))
    read.choice("hidden_act", ("silu",))
    read.choice("tie_word_embeddings", (False,))
    config = GptOssConfig(
        vocabulary=read.integer("vocab_size"),
        hidden=read.integer("hidden_size"),
        intermediate=read.integer("intermediate_size"),
        heads=read.integer("num_attention_heads"),
        kv_heads=_kv_heads(read),
        head_dim=_head_dim(read),
        experts=read.integer("num_local_experts"),
        experts_per_token=_experts_per_token(read, "num_experts_per_tok", "num_local_experts"),
        windows=_windows(read, values.get("layer_types")),
        rope=_hub_rope(read, published="rope_parameters" not in values),
        epsilon=read.positive("rms_norm_eps"),
        limit=read.positive("swiglu_limit"),
        alpha=read.positive("swiglu_alpha"),
    )
    read.finish(("layer_types", "sliding_window", *_HUB_IRRELEVANT))
    return config


def _original(values: Mapping[str, Any], file: str) -> GptOssConfig:
    read = ConfigReader({**_ORIGINAL_DEFAULTS, **values}, file)
    config = GptOssConfig(
        vocabulary=read.integer("vocab_size"),
        hidden=read.integer("hidden_size"),
        intermediate=read.integer("intermediate_size"),
        heads=read.integer("num_attention_heads"),
        kv_heads=_kv_heads(read),
        head_dim=_head_dim(read),
        experts=read.integer("num_experts"),
        experts_per_token=_experts_per_token(read, "experts_per_token", "num_experts"),
        windows=_windows(read, None),
        rope=Yarn(
            theta=_above_one(read, "rope_theta"),
            factor=_stretching(read, "rope_scaling_factor"),
            beta_fast=read.positive("rope_ntk_beta"),
            beta_slow=read.positive("rope_ntk_alpha"),
            original_context=read.integer("initial_context_length"),
            truncate=False,
        ),
        epsilon=1e-5,
        limit=read.positive("swiglu_limit"),
        alpha=1.702,
    )
    read.finish(("derived_from",))
    return config


def _hub_rope(whole: ConfigReader, published: bool) -> Yarn:
    """Read the rotary settings. In published files ``rope_theta`` lies outside their section."""
    spelling = "rope_scaling" if published else "rope_parameters"
    rope = whole.section(spelling, _ROPE_DEFAULTS)
    rope.choice("rope_type", ("yarn",))
    rope.choice("partial_rotary_factor", (1.0,))
    for key in ("attention_factor", "mscale", "mscale_all_dim"):
        rope.choice(key, (None,))
    yarn = Yarn(
        theta=_above_one(whole if published else rope, "rope_theta"),
        factor=_stretching(rope, "factor"),
        beta_fast=rope.positive("beta_fast"),
        beta_slow=rope.positive("beta_slow"),
        original_context=rope.integer("original_max_position_embeddings"),
        truncate=rope.flag("truncate"),
    )
    rope.finish(())
    return yarn


def _windows(read: ConfigReader, types: Any) -> tuple[int | None, ...]:
    """Return the window of each layer. Without types, sliding and full attention alternate."""
    layers = read.layers("num_hidden_layers")
    if types is None:
        types = [(_SLIDING, _FULL)[layer % 2] for layer in range(layers)]
    known = isinstance(types, list) and all(kind in (_SLIDING, _FULL) for kind in types)
    if not known or len(types) != layers:
        read.refuse(
            "layer_types",
            f"must be a list of num_hidden_layers = {layers} entries, each {_SLIDING!r} or "
            f"{_FULL!r}",
        )
    window = read.integer("sliding_window") if _SLIDING in types else None
    return tuple(window if kind == _SLIDING else None for kind in types)


def _kv_heads(read: ConfigReader) -> int:
    heads, kv_heads = read.integer("num_attention_heads"), read.integer("num_key_value_heads")
    if heads % kv_heads:
        read.refuse("num_key_value_heads", f"must divide num_attention_heads = {heads}")
    return kv_heads


def _head_dim(read: ConfigReader) -> int:
    head_dim = read.integer("head_dim")
    if head_dim % 2:
        read.refuse(
            "head_dim",
            "must be even, because the rotary embedding turns one half against the other",
        )
    return head_dim


def _experts_per_token(read: ConfigReader, key: str, experts_key: str) -> int:
    chosen, experts = read.integer(key), read.integer(experts_key)
    if chosen > experts:
        read.refuse(key, f"must be at most {experts_key} = {experts}")
    return chosen


def _above_one(read: ConfigReader, key: str) -> float:
    value = read.positive(key)
    if value <= 1:
        read.refuse(key, "must be greater than 1")
    return value


def _stretching(read: ConfigReader, key: str) -> float:
    value = read.positive(key)
    if value < 1:
        read.refuse(key, "must be at least 1")
    return value
