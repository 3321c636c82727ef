"""Scatters with repeated indices: the forms in ONNX, their cost, and the runs that are wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import onnxruntime as ort

from benchmarks.report import heading, spread, table, verdict
from benchmarks.settings import Settings
from jax2onnx import to_onnx

_SIZES = (
    (100, 1_000, 64),
    (1_000, 10_000, 64),
    (1_000, 10_000, 256),
    (5_000, 20_000, 128),
    (100, 20_000, 64),
    (100, 200_000, 1),
)
"""Places, updates, and elements of each."""

_FORMS: dict[tuple[str, str], Callable[..., Any]] = {
    ("add", "emitted"): lambda x, i, u: x.at[i].add(u),
    ("add", "ScatterND"): lambda x, i, u: x.at[i].add(u, unique_indices=True),
    ("add", "one-hot MatMul"): lambda x, i, u: (
        x + (i == jnp.arange(len(x))[:, None]).astype(np.float32) @ u
    ),
    ("set", "emitted"): lambda x, i, u: x.at[i].set(u),
    ("set", "ScatterND"): lambda x, i, u: x.at[i].set(u, unique_indices=True),
}


def run_figure(settings: Settings) -> None:
    """CPU milliseconds on one thread, and wrong runs of ``--runs`` on four threads."""
    heading("Scatters with repeated indices")
    rows = []
    right = True
    for places, count, size in _SIZES:
        rng = np.random.default_rng(0)
        x = np.zeros((places, size), np.float32)
        i = rng.integers(0, places, count).astype(np.int32)
        u = rng.standard_normal((count, size), dtype=np.float32)
        for (kind, form), fn in _FORMS.items():
            if form == "one-hot MatMul" and places * count > 10**7:
                continue
            model = to_onnx(fn, [x, i, u]).SerializeToString()
            took, _ = _runs(model, (x, i, u), 1, settings.runs)
            _, found = _runs(model, (x, i, u), 4, settings.runs)
            expected = np.asarray(_FORMS[kind, "emitted"](*map(jnp.asarray, (x, i, u))))
            wrong = sum(not np.allclose(y, expected, 1e-3, 1e-3) for y in found)
            right &= not wrong or form != "emitted"
            rows.append((kind, places, count, size, form, spread(took, 3), wrong))
    columns = ("", "places", "updates", "elements", "form", "CPU, ms", "wrong runs, 4 threads")
    table(columns, rows)
    verdict("no run of an emitted scatter is wrong", right)


def _runs(
    model: bytes, arrays: tuple[Any, ...], threads: int, count: int
) -> tuple[list[float], list[Any]]:
    """Return the CPU milliseconds of each run, and its result."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(model, options)
    feeds = dict(zip((v.name for v in session.get_inputs()), arrays, strict=True))
    took, found = [], []
    for _ in range(count + 1):
        start = time.process_time()
        found.append(session.run(None, feeds)[0])
        took.append(1e3 * (time.process_time() - start))
    return took[1:], found[1:]
