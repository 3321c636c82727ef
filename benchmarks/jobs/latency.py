"""REQUEST: runs models in turns on ONNX Runtime, and JAX beside them.

The request is a JSON object: `models` (name -> {"file", "weights": folder or null}), `shape`,
`below` (for integers, null for floats), `threads`, `runs`, and `jax` (family and checkpoint, or
null). Prints, by name, the wall and CPU milliseconds of each run, what loading took, and how far
its output is from that of the first model: the first row of axis 1, which all models have.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

Array = np.ndarray[Any, Any]
_FOLDER = "session.model_external_initializers_file_folder_path"


def onnx_model(entry: dict[str, Any], threads: int, x: Array) -> Callable[[], Array]:
    """A call of the model that returns its first output."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads of the other sessions must not spin while this one is measured.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if entry["weights"] is not None:
        options.add_session_config_entry(_FOLDER, str(Path(entry["weights"]).resolve()))
    session = ort.InferenceSession(entry["file"], options, providers=["CPUExecutionProvider"])
    spec = session.get_inputs()[0]
    feeds = {spec.name: x.astype({"tensor(int32)": np.int32}.get(spec.type, x.dtype))}
    name = session.get_outputs()[0].name

    def call() -> Array:
        output: Array = session.run([name], feeds)[0]
        return output

    return call


def jax_model(x: Array, family: str, folder: str) -> Callable[[], Array]:
    """The same, for the model under `jax.jit`, its weights being arguments."""
    import equinox as eqx

    from exporters import binding, functions
    from weights import Checkpoint

    checkpoint = Checkpoint.open(Path(folder))
    exportable = functions.find(f"exporters.{family}.export:export", "exporter")(checkpoint)
    model = binding.load(exportable.model, exportable.parameters, checkpoint)
    compiled = eqx.filter_jit(lambda model, x: model(x))

    def call() -> Array:
        result = compiled(model, x)
        return np.asarray(result[0] if isinstance(result, tuple) else result)

    return call


def main(request: dict[str, Any]) -> None:
    """Loads all, runs each once to warm up, then all in turns."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: request["threads"]])
    generator = np.random.default_rng(0)
    x: Array = generator.standard_normal(request["shape"], np.float32)
    if request["below"] is not None:
        x = generator.integers(0, request["below"], request["shape"])
    calls, load = {}, {}
    for name, entry in request["models"].items():
        start = time.process_time()
        calls[name] = onnx_model(entry, request["threads"], x)
        load[name] = time.process_time() - start
    if request["jax"] is not None:
        calls["jax.jit"] = jax_model(x, *request["jax"])
    outputs = {name: call() for name, call in calls.items()}
    wall: dict[str, list[float]] = {name: [] for name in calls}
    cpu: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(request["runs"]):
        names = list(calls)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            began = time.perf_counter(), time.process_time()
            calls[name]()
            wall[name].append(1e3 * (time.perf_counter() - began[0]))
            cpu[name].append(1e3 * (time.process_time() - began[1]))
    expected = next(iter(outputs.values()))[:, 0]
    difference = {
        name: float(np.abs(output[:, 0] - expected).max()) for name, output in outputs.items()
    }
    print(json.dumps({"wall": wall, "cpu": cpu, "load": load, "difference": difference}))


main(json.loads(sys.argv[1]))
