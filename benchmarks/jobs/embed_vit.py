"""Convert ViT-B/16 with embedded weights; print the cost and the size of the weights.

Arguments: OUTPUT. The weights are numpy arrays, with one copy in memory when the conversion begins.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jax2onnx import to_onnx
from tests.models import vit


def main(output: str) -> None:
    """Convert a small function to complete late imports, then convert the model."""
    generator = np.random.default_rng(0)

    def weight(leaf: Any) -> Any:
        if not isinstance(leaf, jax.ShapeDtypeStruct):
            return leaf
        return generator.standard_normal(leaf.shape, np.float32)

    model = jax.tree.map(weight, eqx.filter_eval_shape(vit.build))
    size = sum(x.nbytes for x in jax.tree.leaves(model) if isinstance(x, np.ndarray))
    to_onnx(jnp.sin, [(3,)])
    start = time.process_time()
    to_onnx(model, [("B", 3, 224, 224)], return_mode="file", output_path=output)
    print(json.dumps({"cpu": time.process_time() - start, "size": size}))


main(*sys.argv[1:])
