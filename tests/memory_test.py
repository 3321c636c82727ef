"""The memory of an export does not grow with the weights, which are not read."""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from exporters.families.dinov3.checkpoint import tensors
from exporters.families.dinov3.config import parse
from jax2onnx.files import TensorEntry, safetensors_header
from tests.commands import FIXTURES, REPOSITORY, export_request

_ITEM_BYTES = 4  # All tensors are F32.
_ALLOWED_MB = 100


def write_sparse_checkpoint(folder: Path, config: dict[str, Any]) -> int:
    """Write a sparse checkpoint of zeros, and return its size in bytes."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    entries = {
        name: TensorEntry(dtype, shape, _ITEM_BYTES * math.prod(shape))
        for name, (dtype, shape) in tensors(parse(config, "config.json")).items()
    }
    header = safetensors_header(entries, {}).raw
    size = sum(entry.nbytes for entry in entries.values())
    with (folder / "model.safetensors").open("wb") as file:
        file.write(header)
        file.truncate(len(header) + size)
    return size


def peak_memory(sandbox: Path) -> float:
    """Return the peak memory in MB of an export of the checkpoint in ``sandbox``/weights."""
    request = export_request(sandbox / "weights", "dinov3")
    (sandbox / "spec.json").write_text(request)
    environment = {"PATH": os.defpath, "PYTHONPATH": str(REPOSITORY)}
    child = os.posix_spawn(
        "/bin/sh",
        [
            "sh",
            "-c",
            f'cd "{sandbox}" && exec "{sys.executable}" -m exporters.drivers.build spec.json',
        ],
        environment,
    )
    _, status, usage = os.wait4(child, 0)
    assert status == 0
    assert (sandbox / "out" / "model.onnx").is_file()
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_maxrss * unit / 1e6


@pytest.mark.parametrize("hidden", [2640])
def test_a_large_checkpoint_takes_no_more_memory_than_a_small_one(
    tmp_path: Path, hidden: int
) -> None:
    config = json.loads((FIXTURES / "dinov3_vit" / "config.json").read_text())
    config |= {"num_hidden_layers": 12, "num_attention_heads": 4}
    small = {**config, "hidden_size": 128, "intermediate_size": 512}
    large = {**config, "hidden_size": hidden, "intermediate_size": 4 * hidden}
    assert 8e6 < write_sparse_checkpoint(tmp_path / "small" / "weights", small) < 12e6
    assert 3.9e9 < write_sparse_checkpoint(tmp_path / "large" / "weights", large) < 4.5e9
    difference = peak_memory(tmp_path / "large") - peak_memory(tmp_path / "small")
    assert abs(difference) < _ALLOWED_MB
