"""Convert a model of ``benchmarks.architectures`` by either exporter.

Arguments: MODEL OUTPUT. The job prints the CPU seconds of the conversion, without the imports and
the construction of the model.
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

# The repository comes last, so that an installed public jax2onnx takes precedence.
sys.path.append(str(Path(__file__).parents[2]))


def main(name: str, output: str) -> None:
    """Build the model, convert a small function to complete late imports, then the model."""
    from benchmarks.architectures import ARCHITECTURES, build

    model, architecture = build(name), ARCHITECTURES[name]
    scope = jax.export.SymbolicScope()
    inputs = []
    for feed in architecture.feeds:
        first = "B" if architecture.batch else feed.shape[0]
        shape = ", ".join(map(str, (first, *feed.shape[1:])))
        dims = jax.export.symbolic_shape(shape, scope=scope)
        inputs.append(jax.ShapeDtypeStruct(dims, jnp.float32 if feed.below is None else jnp.int32))
    to_onnx(jnp.sin, [("B", 3)])
    start = time.process_time()
    to_onnx(model, inputs, return_mode="file", output_path=output)
    print(json.dumps({"cpu": time.process_time() - start}))


main(*sys.argv[1:])
