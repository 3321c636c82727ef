"""The place of each parameter in a GPT-OSS checkpoint, in the layouts that exist.

- ``mxfp4``: the published hub layout, experts packed as ``*_blocks`` and ``*_scales``;
- ``dense``: the hub layout with experts unpacked to (experts, in, out);
- ``original``: the ``original/`` folder, experts packed, queries, keys and values fused;
- ``int8``: the hub layout with experts as codes of 8 bits, which ``derived.int8`` makes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import jax.numpy as jnp
import numpy as np

from exporters.errors import ExportError
from exporters.families.gpt_oss.config import GptOssConfig, parse
from exporters.families.gpt_oss.experts import ExpertFormat
from exporters.families.gpt_oss.forward import WHOLE, Interface
from exporters.families.gpt_oss.model_equinox import GptOss
from exporters.families.gpt_oss.mxfp4 import BLOCK
from exporters.model.exportable import TensorSource
from exporters.model.extents import check_layers
from exporters.model.layers import as_stored
from jax2onnx.models import parameters
from weights import Checkpoint
from weights.synthetic import Integers, SyntheticTensor, plausible

Layout = Literal["mxfp4", "dense", "original", "int8"]
Dtype = Literal["float32", "float16", "bfloat16"]
Stack = Literal["equinox", "nnx"]


@dataclass(frozen=True)
class _Names:
    """The names of tensors in a layout.

    Attributes:
        experts: the format of the experts.
        whole: the names by path in the model, outside layers.
        prefix: the beginning of the names in a layer; ``{}`` stands for the layer's number.
        layer: the rest of the names in a layer, by path in the layer.
        fused: the names of the fused qkv projection, by part: ``weight`` and ``bias``.
    """

    experts: ExpertFormat
    whole: Mapping[str, str]
    prefix: str
    layer: Mapping[str, str]
    fused: Mapping[str, str] = field(default_factory=dict)


_HUB_WHOLE = {
    "embedding.weight": "model.embed_tokens.weight",
    "norm.weight": "model.norm.weight",
    "head.weight": "lm_head.weight",
}

_HUB_LAYER = {
    "attention_norm.weight": "input_layernorm.weight",
    "attention.q.weight": "self_attn.q_proj.weight",
    "attention.q.bias": "self_attn.q_proj.bias",
    "attention.k.weight": "self_attn.k_proj.weight",
    "attention.k.bias": "self_attn.k_proj.bias",
    "attention.v.weight": "self_attn.v_proj.weight",
    "attention.v.bias": "self_attn.v_proj.bias",
    "attention.o.weight": "self_attn.o_proj.weight",
    "attention.o.bias": "self_attn.o_proj.bias",
    "attention.sinks": "self_attn.sinks",
    "mlp_norm.weight": "post_attention_layernorm.weight",
    "mlp.router.weight": "mlp.router.weight",
    "mlp.router.bias": "mlp.router.bias",
    "mlp.gate_up.bias": "mlp.experts.gate_up_proj_bias",
    "mlp.down.bias": "mlp.experts.down_proj_bias",
}

_NAMES: Mapping[Layout, _Names] = {
    "mxfp4": _Names(
        experts="mxfp4",
        whole=_HUB_WHOLE,
        prefix="model.layers.{}.",
        layer={
            **_HUB_LAYER,
            "mlp.gate_up.blocks": "mlp.experts.gate_up_proj_blocks",
            "mlp.gate_up.scales": "mlp.experts.gate_up_proj_scales",
            "mlp.down.blocks": "mlp.experts.down_proj_blocks",
            "mlp.down.scales": "mlp.experts.down_proj_scales",
        },
    ),
    "dense": _Names(
        experts="dense",
        whole=_HUB_WHOLE,
        prefix="model.layers.{}.",
        layer={
            **_HUB_LAYER,
            "mlp.gate_up.weight": "mlp.experts.gate_up_proj",
            "mlp.down.weight": "mlp.experts.down_proj",
        },
    ),
    "int8": _Names(
        experts="int8",
        whole=_HUB_WHOLE,
        prefix="model.layers.{}.",
        layer={
            **_HUB_LAYER,
            "mlp.gate_up.codes": "mlp.experts.gate_up_proj_codes",
            "mlp.gate_up.factors": "mlp.experts.gate_up_proj_factors",
            "mlp.down.codes": "mlp.experts.down_proj_codes",
            "mlp.down.factors": "mlp.experts.down_proj_factors",
        },
    ),
    "original": _Names(
        experts="mxfp4",
        whole={
            "embedding.weight": "embedding.weight",
            "norm.weight": "norm.scale",
            "head.weight": "unembedding.weight",
        },
        prefix="block.{}.",
        layer={
            "attention_norm.weight": "attn.norm.scale",
            "attention.o.weight": "attn.out.weight",
            "attention.o.bias": "attn.out.bias",
            "attention.sinks": "attn.sinks",
            "mlp_norm.weight": "mlp.norm.scale",
            "mlp.router.weight": "mlp.gate.weight",
            "mlp.router.bias": "mlp.gate.bias",
            "mlp.gate_up.blocks": "mlp.mlp1_weight.blocks",
            "mlp.gate_up.scales": "mlp.mlp1_weight.scales",
            "mlp.gate_up.bias": "mlp.mlp1_bias",
            "mlp.down.blocks": "mlp.mlp2_weight.blocks",
            "mlp.down.scales": "mlp.mlp2_weight.scales",
            "mlp.down.bias": "mlp.mlp2_bias",
        },
        fused={"weight": "attn.qkv.weight", "bias": "attn.qkv.bias"},
    ),
}

_TELLING: Mapping[str, Layout] = {
    "block.0.mlp.mlp1_weight.blocks": "original",
    "model.layers.0.mlp.experts.gate_up_proj_blocks": "mxfp4",
    "model.layers.0.mlp.experts.gate_up_proj": "dense",
    "model.layers.0.mlp.experts.gate_up_proj_codes": "int8",
}
"""A tensor that exists in one layout alone, for each layout."""


def bind(
    checkpoint: Checkpoint,
    interface: Interface = WHOLE,
    dtype: Dtype = "float32",
    stack: Stack = "equinox",
) -> tuple[GptOss, dict[str, TensorSource]]:
    """Return the abstract model of a checkpoint, and the place of each of its parameters.

    ``exporters.artifact.bind.check`` checks that the two fit.

    Args:
        checkpoint: a checkpoint in any of the layouts.
        interface: the inputs and outputs of the model.
        dtype: the dtype of the computation: float32, float16 or bfloat16.
        stack: the library of the model: equinox or nnx.

    Raises:
        ExportError: the config or the layout is not one of GPT-OSS.
    """
    config = read_config(checkpoint)
    layout = detect(checkpoint)
    check_layers(config.layers, checkpoint)
    bound = sources(config, layout)
    make = GptOss if stack == "equinox" else _nnx()
    model = make(config, _NAMES[layout].experts, interface, jnp.dtype(dtype))
    return as_stored(model, bound, checkpoint), bound


def _nnx() -> type[GptOss]:
    """Return the model in Flax NNX, whose arguments, call and paths are those of the other one."""
    from exporters.families.gpt_oss import model_nnx

    return cast("type[GptOss]", model_nnx.GptOss)


def read_config(checkpoint: Checkpoint) -> GptOssConfig:
    """Return the content of the checkpoint's config.json.

    Raises:
        ExportError: a key is missing or unknown, or its value is not supported.
    """
    return parse(checkpoint.json(), str(checkpoint.folder / "config.json"))


def detect(checkpoint: Checkpoint) -> Layout:
    """Return the layout of a checkpoint, which the names of its tensors tell.

    Raises:
        ExportError: it is none of the layouts.
    """
    for tensor, layout in _TELLING.items():
        if tensor in checkpoint.tensors:
            return layout
    some = ", ".join(list(checkpoint.tensors)[:3])
    raise ExportError(
        f"{checkpoint.folder} is not a GPT-OSS checkpoint: none of {', '.join(_TELLING)} is among "
        f"its {len(checkpoint.tensors)} tensors ({some}, ...). Export a GPT-OSS checkpoint, or use "
        "the exporter of this checkpoint's family."
    )


def sources(config: GptOssConfig, layout: Layout) -> dict[str, TensorSource]:
    """Return the tensor of each parameter, by the parameter's path in the model."""
    names = _NAMES[layout]
    bound = {path: TensorSource(tensor) for path, tensor in names.whole.items()}
    for layer in range(config.layers):
        prefix = names.prefix.format(layer)
        for path, tensor in names.layer.items():
            bound[f"layers.{layer}.{path}"] = TensorSource(prefix + tensor)
        for part, tensor in names.fused.items():
            for projection, rows in _fused_rows(config).items():
                path = f"layers.{layer}.attention.{projection}.{part}"
                bound[path] = TensorSource(prefix + tensor, rows)
    return bound


def tensors(config: GptOssConfig) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return dtype (as safetensors spells it) and shape of every tensor of the published layout.

    Raises:
        ExportError: a size is not a multiple of the MXFP4 block.
    """
    for key, extent in (("hidden_size", config.hidden), ("intermediate_size", config.intermediate)):
        if extent % BLOCK:
            raise ExportError(
                f"{key} is {extent}, but the published layout packs experts in blocks of {BLOCK} "
                "values: choose a multiple."
            )
    leaves = parameters(GptOss(config, "mxfp4"))
    return {
        source.tensor: ("U8" if leaves[path].dtype == np.uint8 else "BF16", leaves[path].shape)
        for path, source in sources(config, "mxfp4").items()
    }


def synthetic(values: Mapping[str, Any]) -> dict[str, SyntheticTensor]:
    """Return random tensors of the published layout for a config.json.

    With them, activations keep their scale from layer to layer, routers send tokens to every
    expert, and a decoded matrix has a gain of one to two.
    """
    return {
        name: SyntheticTensor(dtype, shape, _scales(BLOCK * shape[-1]))
        if name.endswith("_scales")
        else SyntheticTensor(dtype, shape, Integers(0, 256))
        if name.endswith("_blocks")
        else plausible(name, dtype, shape)
        for name, (dtype, shape) in tensors(parse(values)).items()
    }


def _scales(inputs: int) -> Integers:
    """Return scales with which random codes (their RMS is 2.9) decode to about inputs**-0.5."""
    exponent = -((8 * inputs).bit_length() // 2)
    return Integers(127 + exponent, 127 + exponent + 2)


def _fused_rows(config: GptOssConfig) -> dict[str, tuple[int, int]]:
    queries, keys = config.heads * config.head_dim, config.kv_heads * config.head_dim
    return {
        "q": (0, queries),
        "k": (queries, queries + keys),
        "v": (queries + keys, queries + 2 * keys),
    }
