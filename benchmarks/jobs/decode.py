"""Run decoders on ONNX Runtime, one token at a time, and say where the time goes.

Arguments: REQUEST, a JSON object with ``models`` (name -> {"file", "weights": folder or null,
"settings": session settings by name}), ``past`` (the positions in the cache), ``threads`` and
``runs``.

The job prints, by model: the CPU milliseconds and the wall milliseconds of each step, the CPU
seconds of loading, the MB of private memory that the session takes, and the milliseconds in
operators of each type.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

_FOLDER = "session.model_external_initializers_file_folder_path"
_DTYPES = {"tensor(float)": 1, "tensor(float16)": 10, "tensor(bfloat16)": 16}
_CONTAINERS = ("Loop", "If", "Scan")


class Step:
    """One model, and what it is fed: a cache of random numbers, and one token."""

    def __init__(self, entry: dict[str, Any], request: dict[str, Any], profile: Path) -> None:
        before, start = _private(), time.process_time()
        self.session = _session(entry, request["threads"], profile)
        self.load = time.process_time() - start
        self.feeds = _feeds(self.session, request["past"])
        self.names = [output.name for output in self.session.get_outputs()]
        self.logits = self.run()
        self.memory = _private() - before

    def run(self) -> np.ndarray[Any, Any]:
        """Return the logits of one step."""
        outputs = self.session.run_with_ort_values(self.names, self.feeds)
        logits: np.ndarray[Any, Any] = outputs[0].numpy()
        return logits


def _session(entry: dict[str, Any], threads: int, profile: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_profiling = True
    options.profile_file_prefix = str(profile)
    settings = {"session.force_spinning_stop": "1", **entry.get("settings", {})}
    if entry["weights"] is not None:
        settings[_FOLDER] = str(Path(entry["weights"]).resolve())
    for name, value in settings.items():
        options.add_session_config_entry(name, value)
    return ort.InferenceSession(entry["file"], options, providers=["CPUExecutionProvider"])


def _feeds(session: ort.InferenceSession, past: int) -> dict[str, ort.OrtValue]:
    generator = np.random.default_rng(0)
    feeds: dict[str, np.ndarray[Any, Any]] = {
        "input_ids": np.array([[7]], np.int64),
        "attention_mask": np.ones((1, past + 1), np.int64),
        "position_ids": np.array([[past]], np.int64),
    }
    specs = session.get_inputs()
    for spec in specs:
        if spec.name.startswith("past_key_values."):
            _, heads, _, size = spec.shape
            feeds[spec.name] = generator.standard_normal((1, heads, past, size), np.float32)
    return {spec.name: ort.OrtValue.ortvalue_from_numpy(feeds[spec.name]) for spec in specs}


def _private() -> float:
    """Return the MB of memory that this process shares with no file, where Linux tells."""
    try:
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    except FileNotFoundError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty")) / 1e3


def _by_operator(profile: Path, runs: int) -> dict[str, float]:
    """Return the milliseconds of a step in operators of each type, the most expensive type first.

    Each node counts with the lower quartile of its times, because on a busy machine the others
    contain waiting.
    """
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in json.loads(profile.read_text()):
        if event["name"].endswith("_kernel_time"):
            times[event["args"]["op_name"], event["name"]].append(event["dur"] / 1e3)
    by_type: dict[str, float] = defaultdict(float)
    for (operator, _), each in times.items():
        if operator not in _CONTAINERS:  # The operators inside have events of their own.
            by_type[operator] += len(each) / runs * sorted(each)[len(each) // 4]
    return dict(sorted(by_type.items(), key=lambda item: -item[1]))


def main(request: dict[str, Any]) -> None:
    """Load all models, and run them in turns."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: request["threads"]])
    with tempfile.TemporaryDirectory() as scratch:
        steps = {
            name: Step(entry, request, Path(scratch) / str(number))
            for number, (name, entry) in enumerate(request["models"].items())
        }
        cpu: dict[str, list[float]] = {name: [] for name in steps}
        wall: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(request["runs"]):
            for name, step in steps.items():
                began = time.perf_counter(), time.process_time()
                step.run()
                wall[name].append(1e3 * (time.perf_counter() - began[0]))
                cpu[name].append(1e3 * (time.process_time() - began[1]))
        first = next(iter(steps.values())).logits
        report = {
            name: {
                "cpu": cpu[name],
                "wall": wall[name],
                "load": step.load,
                "memory": step.memory,
                "difference": float(np.abs(step.logits - first).max() / np.abs(first).max()),
                "operators": _by_operator(Path(step.session.end_profiling()), request["runs"] + 1),
            }
            for name, step in steps.items()
        }
    print(json.dumps(report))


main(json.loads(sys.argv[1]))
