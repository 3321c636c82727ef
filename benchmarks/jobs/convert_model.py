"""MODEL OUTPUT: converts one of `benchmarks.architectures` by either exporter, its batch open.

Prints the CPU seconds of the conversion, once everything is imported and the model is built.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import jax
import jax.export
import jax.numpy as jnp

from jax2onnx import to_onnx

# Behind the installed packages, of which the public exporter may be one.
sys.path.append(str(Path(__file__).parents[2]))


def main(name: str, output: str) -> None:
    """Builds the model, converts a small function for what loads late, then the model."""
    from benchmarks.architectures import ARCHITECTURES, build

    model = build(name)
    scope = jax.export.SymbolicScope()
    inputs = []
    for feed in ARCHITECTURES[name].feeds:
        shape = ", ".join(["B", *map(str, feed.shape[1:])])
        dims = jax.export.symbolic_shape(shape, scope=scope)
        inputs.append(jax.ShapeDtypeStruct(dims, jnp.float32 if feed.below is None else jnp.int32))
    to_onnx(jnp.sin, [("B", 3)])
    start = time.process_time()
    to_onnx(model, inputs, return_mode="file", output_path=output)
    print(json.dumps({"cpu": time.process_time() - start}))


main(*sys.argv[1:])
