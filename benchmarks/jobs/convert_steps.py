"""Measure the CPU seconds of each step of a conversion, and the memory that all of them add.

Arguments: EQUATIONS, the approximate size of the function.
"""

from __future__ import annotations

import itertools
import json
import resource
import sys
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jax2onnx import InputSpec, to_onnx
from jax2onnx.legalise import legalise
from jax2onnx.lower import lower
from jax2onnx.rewrite import rewrite
from jax2onnx.trace import trace
from jax2onnx.write import finalise, to_proto

_ROUND = 10


def function(equations: int) -> tuple[Callable[[jax.Array], jax.Array], int]:
    """Return a function of about ``equations`` equations, all different, and their exact number."""
    weight = np.eye(8, dtype=np.float32)

    def call(x: jax.Array) -> jax.Array:
        for i in range(equations // _ROUND):
            y = x @ weight
            y = jnp.sin(y)
            y = y * np.float32(1 + i)
            y = jnp.maximum(y, x)
            y = y - x
            y = jax.lax.transpose(y, (1, 0))
            y = jnp.exp(y)
            y = jax.lax.transpose(y, (1, 0))
            y = y + np.float32(i)
            x = jnp.tanh(y)
        return x

    traced = jax.make_jaxpr(call)(jax.ShapeDtypeStruct((8, 8), jnp.float32))
    return call, len(traced.eqns)


def main(equations: int) -> None:
    """Convert the function with the steps of ``to_onnx``, and print the cost of each."""
    to_onnx(jnp.sin, [(3,)])  # This completes late imports.
    call, count = function(equations)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clock = [time.process_time()]
    traced = trace(call, [InputSpec((8, 8), jnp.float32)])
    clock.append(time.process_time())
    model = lower(traced, 23, "model")
    clock.append(time.process_time())
    rewrite(model)
    clock.append(time.process_time())
    legalise(model, "cpu")
    clock.append(time.process_time())
    finalise(model)
    to_proto(model).SerializeToString()
    clock.append(time.process_time())
    seconds = [after - earlier for earlier, after in itertools.pairwise(clock)]
    steps = dict(zip(("trace", "lower", "rewrite", "legalise", "write"), seconds, strict=True))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    unit = 1 if sys.platform == "darwin" else 1024
    print(json.dumps({"equations": count, "grown": grown * unit, **steps}))


main(int(sys.argv[1]))
