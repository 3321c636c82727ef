"""Export the public exporter's GPT-OSS example with it, in the size of a checkpoint.

Arguments: CHECKPOINT TOKENS OUTPUT. The job needs jax2onnx 0.17.1 of the package index, and not
this repository. The weights are the example's random ones. The length is fixed, since the example
does not support a symbolic one. The job prints the CPU seconds of the export, without building the
model.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp

from jax2onnx import to_onnx
from jax2onnx.plugins.examples.eqx.gpt_oss import GPTOSSConfig, Transformer


def main(folder: str, tokens: str, output: str) -> None:
    """Build the model in f32 and export it."""
    config = json.loads((Path(folder) / "config.json").read_text())
    scaling = config["rope_scaling"]
    model = Transformer(
        GPTOSSConfig(
            num_hidden_layers=config["num_hidden_layers"],
            num_experts=config["num_local_experts"],
            experts_per_token=config["num_experts_per_tok"],
            vocab_size=config["vocab_size"],
            hidden_size=config["hidden_size"],
            intermediate_size=config["intermediate_size"],
            head_dim=config["head_dim"],
            num_attention_heads=config["num_attention_heads"],
            num_key_value_heads=config["num_key_value_heads"],
            sliding_window=config["sliding_window"],
            initial_context_length=scaling["original_max_position_embeddings"],
            rope_theta=float(config["rope_theta"]),
            rope_scaling_factor=scaling["factor"],
            rope_ntk_alpha=scaling["beta_slow"],
            rope_ntk_beta=scaling["beta_fast"],
        ),
        key=jax.random.PRNGKey(0),
        param_dtype=jnp.float32,
    )
    example = jax.ShapeDtypeStruct((1, int(tokens)), jnp.int32)
    start = time.process_time()
    to_onnx(model, [example], return_mode="file", output_path=output)
    print(json.dumps({"cpu": time.process_time() - start}))


main(*sys.argv[1:])
