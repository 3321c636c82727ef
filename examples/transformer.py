"""A small decoder whose blocks share one ONNX function; batch and length are symbolic."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from examples.shared import export, run
from jax2onnx import InputSpec, onnx_function

WIDTH, HEADS, LAYERS, WORDS, CONTEXT = 64, 4, 3, 100, 32


@onnx_function
class Block(nnx.Module):
    """Attention and a perceptron, each with a residual connection."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.norm1 = nnx.LayerNorm(WIDTH, rngs=rngs)
        self.qkv = nnx.Linear(WIDTH, 3 * WIDTH, rngs=rngs)
        self.out = nnx.Linear(WIDTH, WIDTH, rngs=rngs)
        self.norm2 = nnx.LayerNorm(WIDTH, rngs=rngs)
        self.up = nnx.Linear(WIDTH, 4 * WIDTH, rngs=rngs)
        self.down = nnx.Linear(4 * WIDTH, WIDTH, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        batch, length, _ = x.shape
        qkv = self.qkv(self.norm1(x)).reshape(batch, length, 3, HEADS, WIDTH // HEADS)
        q, k, v = qkv[:, :, 0], qkv[:, :, 1], qkv[:, :, 2]
        seen = jax.nn.dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(seen.reshape(batch, length, WIDTH))
        y: jax.Array = x + self.down(jax.nn.gelu(self.up(self.norm2(x))))
        return y


class Decoder(nnx.Module):
    """A map from token ids to the logits of each next token."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.words = nnx.Embed(WORDS, WIDTH, rngs=rngs)
        self.positions = nnx.Embed(CONTEXT, WIDTH, rngs=rngs)
        self.blocks = nnx.List([Block(rngs) for _ in range(LAYERS)])
        self.norm = nnx.LayerNorm(WIDTH, rngs=rngs)

    def __call__(self, words: jax.Array) -> jax.Array:
        x = self.words(words) + self.positions(jnp.arange(words.shape[1]))
        for block in self.blocks:
            x = block(x)
        logits: jax.Array = self.words.attend(self.norm(x))
        return logits


def main(folder: Path) -> None:
    """Export the decoder and check its functions."""
    words = np.random.default_rng(0).integers(0, WORDS, (2, 7), dtype=np.int32)
    model = export(
        folder,
        "transformer",
        Decoder(nnx.Rngs(0)),
        [InputSpec(("B", "T"), np.int32)],
        [words],
        constraints=[f"T <= {CONTEXT}"],
        output_names=["logits"],
    )
    calls = [node for node in model.graph.node if node.op_type == "Block"]
    assert (len(calls), len(model.functions)) == (LAYERS, 1)
    assert "blocks.2.qkv.kernel" in calls[2].input


if __name__ == "__main__":
    run(main)
