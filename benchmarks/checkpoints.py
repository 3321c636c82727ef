"""Checkpoints for measurements: random ones of published architectures, and sparse files."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exporters.families.dinov3 import checkpoint as dinov3
from exporters.families.dinov3.config import parse as parse_dinov3
from exporters.families.gpt_oss import checkpoint as gpt_oss_layouts
from exporters.families.gpt_oss.config import parse as parse_gpt_oss
from exporters.families.gpt_oss.model_equinox import GptOss
from jax2onnx.models import parameters
from weights.files.dtypes import BITS
from weights.synthetic import plausible, write_checkpoint

_FAMILIES = Path(__file__).parents[1] / "exporters" / "families"

GPT_OSS: dict[str, Any] = {
    "hidden_size": 1024,
    "intermediate_size": 1024,
    "num_hidden_layers": 4,
    "layer_types": ["sliding_attention", "full_attention"] * 2,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "head_dim": 64,
    "num_local_experts": 8,
    "num_experts_per_tok": 4,
    "sliding_window": 128,
    "vocab_size": 8192,
}
"""128 million parameters, 512 MB in f32. All other fields are those of the published models."""


def vit_b16(work: Path) -> Path:
    """Write a random DINOv3 ViT-B/16 in the published layout, f32, 343 MB; return its folder."""
    config = json.loads((_FAMILIES / "dinov3" / "configs" / "vitb16.json").read_text())
    folder = work / "vitb16"
    if not folder.exists():
        write_checkpoint(folder, config, dinov3.synthetic(config), seed=0)
    return folder


def gpt_oss(work: Path) -> Path:
    """Write a random ``GPT_OSS`` in the dense hub layout, f32, and return its folder."""
    config = json.loads((_FAMILIES / "gpt_oss" / "configs" / "tiny.json").read_text())
    config |= GPT_OSS
    del config["quantization_config"]
    folder = work / "gpt_oss"
    if not folder.exists():
        parsed = parse_gpt_oss(config)
        leaves = parameters(GptOss(parsed, "dense"))
        tensors = {
            source.tensor: plausible(source.tensor, "F32", leaves[path].shape)
            for path, source in gpt_oss_layouts.sources(parsed, "dense").items()
        }
        write_checkpoint(folder, config, tensors, seed=0)
    return folder


def gpt_oss_packed(work: Path) -> Path:
    """Write a random ``GPT_OSS`` in the published layout, 108 MB, and return its folder."""
    return _published(work / "gpt_oss_packed", "tiny", GPT_OSS)


def gpt_oss_wide(work: Path) -> Path:
    """Write two random layers of the published widths, 2.5 GB, and return their folder."""
    few = {
        "num_hidden_layers": 2,
        "layer_types": ["sliding_attention", "full_attention"],
        "num_local_experts": 4,
    }
    return _published(work / "gpt_oss_wide", "20b", few)


def _published(folder: Path, name: str, changes: Mapping[str, Any]) -> Path:
    """Write a random GPT-OSS in the published layout, whose config differs in some fields."""
    config = json.loads((_FAMILIES / "gpt_oss" / "configs" / f"{name}.json").read_text())
    config |= changes
    if not folder.exists():
        write_checkpoint(folder, config, gpt_oss_layouts.synthetic(config), seed=0)
    return folder


def sparse_dinov3(folder: Path, hidden: int) -> int:
    """Write a DINOv3 of zeros to one sparse file, and return the size of the file in bytes."""
    config = json.loads((_FAMILIES / "dinov3" / "configs" / "vitb16.json").read_text())
    config |= {"hidden_size": hidden, "intermediate_size": 4 * hidden, "num_attention_heads": 4}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    return _sparse(folder / "model.safetensors", dinov3.tensors(parse_dinov3(config)))


def _sparse(file: Path, tensors: Mapping[str, tuple[str, tuple[int, ...]]]) -> int:
    header: dict[str, Any] = {}
    end = 0
    for name, (dtype, shape) in tensors.items():
        begin, end = end, end + math.prod(shape) * BITS[dtype] // 8
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with file.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        stream.truncate(8 + len(text) + end)
    return end
