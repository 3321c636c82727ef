"""Run models on ONNX Runtime in turns with the JAX model.

Arguments: REQUEST, a JSON object with ``models`` (name -> {"file", "weights": folder or null}),
``feeds`` (for each input its shape and, for integers, their upper and lower bound), ``threads``,
``runs`` and ``jax`` (an architecture, or a family and its checkpoint; empty for none).

The job prints, by name, the wall and CPU milliseconds of each run, the CPU seconds of loading, the
error where ONNX Runtime refuses a model, and the largest difference of the output from that of the
first model. It compares index 0 of axis 1, which every output has; the difference is null where the
shapes differ.
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
from onnxruntime.capi.onnxruntime_pybind11_state import Fail

Array = np.ndarray[Any, Any]
_FOLDER = "session.model_external_initializers_file_folder_path"


def onnx_model(entry: dict[str, Any], threads: int, xs: list[Array]) -> Callable[[], Array]:
    """Return a function that runs the model and returns its first output."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads of the other sessions must not spin while this one is measured.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if entry["weights"] is not None:
        options.add_session_config_entry(_FOLDER, str(Path(entry["weights"]).resolve()))
    session = ort.InferenceSession(entry["file"], options, providers=["CPUExecutionProvider"])
    specs = session.get_inputs()
    feeds = {spec.name: as_input(x, spec) for spec, x in zip(specs, xs, strict=False)}
    name = session.get_outputs()[0].name

    def call() -> Array:
        output: Array = session.run([name], feeds)[0]
        return output

    return call


def as_input(x: Array, spec: Any) -> Array:
    """Return ``x`` as an input takes it: as int32, or with channels first, where required."""
    if spec.type == "tensor(int32)":
        return x.astype(np.int32)
    if x.ndim == 4 and spec.shape[-1] != x.shape[-1]:
        return np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    return x


def jax_model(xs: list[Array], name: str, folder: str | None = None) -> Callable[[], Array]:
    """Return such a function for the model under ``jax.jit``, with its weights as arguments."""
    import equinox as eqx
    import jax
    from flax import nnx

    if folder is None:
        from benchmarks.architectures import build

        model = build(name)
        xs = [x.astype(np.int32) if x.dtype == np.int64 else x for x in xs]
    else:
        from exporters import functions
        from exporters.artifact import bind as binding
        from weights import Checkpoint

        checkpoint = Checkpoint.open(Path(folder))
        exportable = functions.find(f"exporters.families.{name}.export:export", "exporter")(
            checkpoint
        )
        model = binding.load(exportable.model, exportable.parameters, checkpoint)
    jit = nnx.jit if isinstance(model, nnx.Module) else eqx.filter_jit
    compiled = jit(lambda model, *xs: model(*xs))

    def call() -> Array:
        return np.asarray(jax.tree.leaves(compiled(model, *xs))[0])

    return call


def main(request: dict[str, Any]) -> None:
    """Load all models, run each once to warm up, then run all in turns."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: request["threads"]])
    generator = np.random.default_rng(0)
    xs: list[Array] = [
        generator.standard_normal(shape, np.float32)
        if below is None
        else generator.integers(least, below, shape)
        for shape, below, least in request["feeds"]
    ]
    calls, load, failed = {}, {}, {}
    for name, entry in request["models"].items():
        start = time.process_time()
        try:
            calls[name] = onnx_model(entry, request["threads"], xs)
        except Fail as error:
            failed[name] = str(error).strip().splitlines()[-1]
            continue
        load[name] = time.process_time() - start
    if request["jax"]:
        calls["jax.jit"] = jax_model(xs, *request["jax"])
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
        name: float(np.abs(output[:, 0] - expected).max())
        if output[:, 0].shape == expected.shape
        else None
        for name, output in outputs.items()
    }
    report = {"wall": wall, "cpu": cpu, "load": load, "difference": difference, "failed": failed}
    print(json.dumps(report))


main(json.loads(sys.argv[1]))
