"""Export the public exporter's DINOv3 example with it, with a checkpoint's weights.

Arguments: CHECKPOINT OUTPUT. The job needs jax2onnx 0.17.1 of the package index, and not this
repository. It prints the CPU seconds of the export, without building the model.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jax2onnx import to_onnx
from jax2onnx.plugins.examples.eqx.dino import VisionTransformer

_RENAMED = [
    ("blocks[", "layer."),
    ("]", ""),
    ("attn.core.attn.query", "attention.q"),
    ("attn.core.attn.key", "attention.k"),
    ("attn.core.attn.value", "attention.v"),
    ("attn.core.attn.output", "attention.o"),
    ("mlp.fc1", "mlp.up_proj"),
    ("mlp.fc2", "mlp.down_proj"),
    ("ls1.gamma", "layer_scale1.lambda1"),
    ("ls2.gamma", "layer_scale2.lambda1"),
    ("patch_embed.proj", "embeddings.patch_embeddings"),
    ("cls_token", "embeddings.cls_token"),
    ("storage_tokens", "embeddings.register_tokens"),
]
"""Parts of the example's names, and the parts that replace them in the checkpoint's names."""


def read(file: Path) -> dict[str, np.ndarray]:
    """Return the tensors of a safetensors file, all f32, by name."""
    data = file.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    return {
        name: np.frombuffer(
            data, np.float32, int(np.prod(entry["shape"])), start + entry["data_offsets"][0]
        ).reshape(entry["shape"])
        for name, entry in header.items()
    }


def loaded(model: Any, tensors: dict[str, np.ndarray], theta: float) -> Any:
    """Return ``model`` with the checkpoint's weights; biases that the checkpoint lacks are zero."""

    def value(path: Any, leaf: Any) -> Any:
        if not eqx.is_array(leaf):
            return leaf
        name = jax.tree_util.keystr(path).lstrip(".")
        if name == "dino_rope.periods":  # The example rounds these to bf16.
            return jnp.asarray(theta ** (np.arange(leaf.size, dtype=np.float32) / leaf.size))
        for theirs, ours in _RENAMED:
            name = name.replace(theirs, ours)
        if name not in tensors and name.endswith("attention.k_proj.bias"):
            return jnp.zeros_like(leaf)
        return jnp.asarray(tensors[name].reshape(leaf.shape))

    return jax.tree_util.tree_map_with_path(value, model)


def main(folder: str, output: str) -> None:
    """Build the model, and export it with a symbolic batch."""
    config = json.loads((Path(folder) / "config.json").read_text())
    model = VisionTransformer(
        img_size=config["image_size"],
        patch_size=config["patch_size"],
        embed_dim=config["hidden_size"],
        depth=config["num_hidden_layers"],
        num_heads=config["num_attention_heads"],
        num_storage_tokens=config["num_register_tokens"],
        key=jax.random.PRNGKey(0),
    )
    model = loaded(model, read(Path(folder) / "model.safetensors"), config["rope_theta"])
    size = config["image_size"]
    start = time.process_time()
    to_onnx(model, [("B", 3, size, size)], return_mode="file", output_path=output)
    print(json.dumps({"cpu": time.process_time() - start}))


main(*sys.argv[1:])
