"""The config.json of DINOv3's ViT and ConvNeXt. ``configs/`` holds those that are published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exporters.model.config import ConfigReader

# Settings of training, and of the use as a backbone that returns feature maps.
_IRRELEVANT = frozenset(
    {
        "apply_layernorm",
        "attention_dropout",
        "drop_path_rate",
        "layer_scale_init_value",
        "layerscale_value",
        "out_features",
        "out_indices",
        "pos_embed_jitter",
        "pos_embed_rescale",
        "pos_embed_shift",
        "reshape_hidden_states",
        "stage_names",
    }
)


@dataclass(frozen=True)
class DINOv3Config:
    """The architecture. Sizes are in elements, those of patches and images are (h, w) in pixels."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_channels: int
    num_register_tokens: int
    patch_size: tuple[int, int]
    image_size: tuple[int, int]
    layer_norm_eps: float
    rope_theta: float
    hidden_act: str
    use_gated_mlp: bool
    query_bias: bool
    key_bias: bool
    value_bias: bool
    proj_bias: bool
    mlp_bias: bool

    @property
    def layers(self) -> int:
        """Return the number of blocks."""
        return self.num_hidden_layers

    @property
    def multiple(self) -> tuple[int, int]:
        """Return (height, width) in pixels that those of an image are multiples of."""
        return self.patch_size

    @property
    def head_size(self) -> int:
        """Return the number of elements of one attention head."""
        return self.hidden_size // self.num_attention_heads

    @property
    def prefix_tokens(self) -> int:
        """Return the number of tokens before the patches: the class token and the registers."""
        return 1 + self.num_register_tokens


@dataclass(frozen=True)
class ConvNextConfig:
    """The architecture of a ConvNeXt.

    Attributes:
        num_channels: the channels of an image.
        hidden_sizes: the channels of each stage.
        depths: the number of blocks of each stage.
        layer_norm_eps: the number that is added to each variance.
        image_size: (height, width) in pixels.
    """

    num_channels: int
    hidden_sizes: tuple[int, ...]
    depths: tuple[int, ...]
    layer_norm_eps: float
    image_size: tuple[int, int]

    @property
    def layers(self) -> int:
        """Return the number of blocks."""
        return sum(self.depths)

    @property
    def multiple(self) -> tuple[int, int]:
        """Return (height, width) in pixels that those of an image are multiples of.

        The first stage makes one pixel of 4 by 4, and every other one makes one of 2 by 2.
        """
        side = 2 ** (len(self.depths) + 1)
        return side, side


Config = DINOv3Config | ConvNextConfig
"""An architecture of DINOv3."""


def parse(values: Mapping[str, Any], file: str = "config.json") -> Config:
    """Return the architecture that a config.json describes.

    Args:
        values: the content of the file.
        file: the name of the file, for errors.

    Raises:
        ExportError: a key is missing or unknown, or its value is not supported.
    """
    reader = ConfigReader(values, file)
    kind = reader.choice("model_type", ["dinov3_vit", "dinov3_convnext"])
    return _vit(reader) if kind == "dinov3_vit" else _convnext(reader)


def _convnext(reader: ConfigReader) -> ConvNextConfig:
    reader.choice("hidden_act", ["gelu"])
    config = ConvNextConfig(
        num_channels=reader.integer("num_channels"),
        hidden_sizes=reader.integers("hidden_sizes"),
        depths=reader.integers("depths"),
        layer_norm_eps=reader.positive("layer_norm_eps"),
        image_size=reader.pair("image_size"),
    )
    reader.finish(_IRRELEVANT)
    if len(config.depths) != len(config.hidden_sizes):
        reader.refuse("depths", f"must have one number for each of {config.hidden_sizes}")
    return config


def _vit(reader: ConfigReader) -> DINOv3Config:
    config = DINOv3Config(
        hidden_size=reader.integer("hidden_size"),
        intermediate_size=reader.integer("intermediate_size"),
        num_hidden_layers=reader.layers("num_hidden_layers"),
        num_attention_heads=reader.integer("num_attention_heads"),
        num_channels=reader.integer("num_channels"),
        num_register_tokens=reader.integer("num_register_tokens", minimum=0),
        patch_size=reader.pair("patch_size"),
        image_size=reader.pair("image_size"),
        layer_norm_eps=reader.positive("layer_norm_eps"),
        rope_theta=reader.positive("rope_theta"),
        hidden_act=reader.choice("hidden_act", ["gelu", "silu"]),
        use_gated_mlp=reader.flag("use_gated_mlp"),
        query_bias=reader.flag("query_bias"),
        key_bias=reader.flag("key_bias"),
        value_bias=reader.flag("value_bias"),
        proj_bias=reader.flag("proj_bias"),
        mlp_bias=reader.flag("mlp_bias"),
    )
    reader.finish(_IRRELEVANT)
    if config.hidden_size % (4 * config.num_attention_heads):
        reader.refuse(
            "hidden_size",
            f"must be a multiple of 4 x num_attention_heads ({config.num_attention_heads}): the "
            "position embedding turns pairs of elements, half by row and half by column",
        )
    return config
