"""Count the operators of ResNets of other libraries, as converted and as ONNX Runtime runs them.

Needs an environment with this repository's dependencies, ``keras`` and ``dm-haiku``, and not those
of the lockfiles::

    python -m benchmarks.jobs.optimised keras_v2 haiku_v1 haiku_v2
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime as ort

from jax2onnx import to_onnx

SHAPE = (1, 224, 224, 3)


def keras_v2() -> Any:
    """Return Keras's ResNet50V2 with random weights."""
    os.environ["KERAS_BACKEND"] = "jax"
    keras: Any = __import__("keras")
    return keras.applications.ResNet50V2(weights=None)


def haiku(v2: bool) -> Any:
    """Return Haiku's ResNet-50 with random weights, as it computes in inference."""
    hk: Any = __import__("haiku")

    def forward(x: Any, training: bool) -> Any:
        return hk.nets.ResNet50(1000, resnet_v2=v2)(x, is_training=training)

    model = hk.without_apply_rng(hk.transform_with_state(forward))
    key = jax.eval_shape(lambda: jax.random.key(0))
    image = jax.ShapeDtypeStruct(SHAPE, jnp.float32)
    shapes, statistics = jax.eval_shape(lambda k, x: model.init(k, x, True), key, image)
    rng = np.random.default_rng(0)
    parameters = jax.tree.map(
        lambda p: jnp.asarray(rng.standard_normal(p.shape, np.float32) / 20), shapes
    )
    state = jax.tree.map(lambda p: jnp.ones(p.shape, p.dtype), statistics)
    return lambda x: model.apply(parameters, state, x, False)[0]


MODELS: dict[str, Callable[[], Any]] = {
    "keras_v2": keras_v2,
    "haiku_v1": lambda: haiku(False),
    "haiku_v2": lambda: haiku(True),
}


def optimised(model: onnx.ModelProto, file: Path) -> onnx.ModelProto:
    """Return the graph that ONNX Runtime's CPU provider runs, with all of its optimisations."""
    options = ort.SessionOptions()
    options.log_severity_level = 3  # it warns that the file suits this machine alone
    options.optimized_model_filepath = str(file)
    ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return onnx.load(file)


def main() -> None:
    """Print a row of a table for each model that is named on the command line."""
    for name in sys.argv[1:]:
        fn = MODELS[name]()
        model = to_onnx(fn, [("B", *SHAPE[1:])])
        with tempfile.TemporaryDirectory() as folder:
            after = optimised(model, Path(folder) / "optimised.onnx")
        x = np.random.default_rng(0).standard_normal(SHAPE, np.float32)
        (got,) = ort.InferenceSession(model.SerializeToString()).run(
            None, {model.graph.input[0].name: x}
        )
        difference = np.abs(got - np.asarray(fn(x))).max()
        print(f"| {name} | {len(model.graph.node)} | {len(after.graph.node)} | {difference:.1e} |")


if __name__ == "__main__":
    main()
