"""The memory of an export by reference does not grow with the weights."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from exporters.families.dinov3.checkpoint import tensors
from exporters.families.dinov3.config import parse
from tests.commands import FIXTURES, REPOSITORY, export_request

_ITEM_BYTES = 4  # all tensors are F32
_ALLOWED_MB = 100


def write_sparse_checkpoint(folder: Path, config: dict[str, Any]) -> int:
    """A checkpoint of zeros that takes no room on the disk; its size in bytes."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    header: dict[str, Any] = {}
    end = 0
    for name, (dtype, shape) in tensors(parse(config, "config.json")).items():
        begin, end = end, end + _ITEM_BYTES
        for extent in shape:
            end = begin + (end - begin) * extent
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    return end


def peak_memory(sandbox: Path) -> float:
    """Of an export of the checkpoint in `sandbox`/weights, in MB."""
    request = export_request(sandbox / "weights", "dinov3")
    (sandbox / "spec.json").write_text(json.dumps(request))
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
