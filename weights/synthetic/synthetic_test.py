"""Synthetic checkpoints have the same bytes everywhere, and the layout of the format."""

import hashlib
import json
import os
import resource
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from weights import Checkpoint, WeightsError
from weights.synthetic import (
    Integers,
    SyntheticTensor,
    Uniform,
    Values,
    plausible,
    write_checkpoint,
)
from weights.synthetic.checkpoint import write_safetensors
from weights.synthetic.elements import splitmix

TENSORS = {
    "embed.weight": SyntheticTensor("BF16", (37, 24), Uniform(0.2)),
    "block.0.norm.weight": SyntheticTensor("F32", (24,), Uniform(0.1, mean=1.0)),
    "block.0.half": SyntheticTensor("F16", (5, 7), Uniform(0.5)),
    "block.0.double": SyntheticTensor("F64", (3,), Uniform(1.0)),
    "block.0.small": SyntheticTensor("F8_E4M3", (9,), Uniform(1.0)),
    "block.0.blocks": SyntheticTensor("U8", (4, 16), Integers(0, 256)),
    "block.0.scales": SyntheticTensor("U8", (4,), Integers(118, 124)),
    "position_ids": SyntheticTensor("I64", (1, 8), Values(np.arange(8))),
    "mask": SyntheticTensor("BOOL", (11,), Integers(0, 2)),
    "scalar": SyntheticTensor("I32", (), Integers(-5, 6)),
    "nothing": SyntheticTensor("F32", (0, 4), Uniform(1.0)),
}
CONFIG = {"model_type": "example", "layers": 1}
# Change these only with the recipe: every pinned synthetic checkpoint changes with them.
GOLDEN = {
    "config.json": "be10223ec19e86ec2745b188051388a51b803295bf1cc89b0de65f4b08035f8d",
    "model.safetensors": "4a5fcb3a119080b562319775564e4d3aaa82bcabaf78f1581d1473bfe6fbd313",
}


def digests(folder: Path) -> dict[str, str]:
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.iterdir())
    }


def test_golden_bytes(tmp_path: Path) -> None:
    pins = write_checkpoint(tmp_path / "c", CONFIG, TENSORS, 7)
    assert {pin.name: pin.sha256 for pin in pins.files} == GOLDEN
    assert digests(tmp_path / "c") == GOLDEN
    pins.verify(tmp_path / "c")


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_another_process_writes_the_same(tmp_path: Path, hash_seed: str) -> None:
    """Bytes do not depend on hash seed, locale, time zone, umask or vector instructions."""
    script = (
        "import os, sys; os.umask(0o077)\n"
        "from pathlib import Path\n"
        "from weights.synthetic.synthetic_test import CONFIG, TENSORS\n"
        "from weights import write_checkpoint\n"
        "shuffled = {name: TENSORS[name] for name in sorted(set(TENSORS), key=hash)}\n"
        "write_checkpoint(Path(sys.argv[1]), CONFIG, shuffled, 7)\n"
    )
    changed = {
        "PYTHONHASHSEED": hash_seed,
        "TZ": "Asia/Kolkata",
        "LANG": "tr_TR.UTF-8",
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL" if hash_seed == "1" else "",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-W", "ignore", "-c", script, str(tmp_path / "c")]
    subprocess.run(command, env=os.environ | changed, check=True, cwd=tmp_path)
    assert digests(tmp_path / "c") == GOLDEN


@pytest.mark.parametrize("words", [1, 2, 3, 7, 64, 1 << 20])
def test_the_size_of_chunks_does_not_change_the_bytes(tmp_path: Path, words: int) -> None:
    pin = write_safetensors(tmp_path / "model.safetensors", TENSORS, 7, chunk_words=words)
    assert pin.sha256 == GOLDEN["model.safetensors"]


def test_splitmix_is_splitmix() -> None:
    """The generator gives the outputs that are published for the state 1234567."""
    words = np.concatenate(list(splitmix(1234567, 5, 2)))
    assert words.tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def scalar_words(key: str, count: int) -> bytes:
    """Return the same random words, computed with Python integers."""
    state = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")
    out = b""
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        out += (z ^ (z >> 31)).to_bytes(8, "little")
    return out


def test_values_agree_with_plain_python(tmp_path: Path) -> None:
    tensors = {
        "f": SyntheticTensor("F32", (40,), Uniform(0.3)),
        "i": SyntheticTensor("U8", (40,), Integers(118, 124)),
    }
    write_checkpoint(tmp_path / "c", {}, tensors, 3)
    checkpoint = Checkpoint.open(tmp_path / "c")

    (scale,) = struct.unpack("<f", struct.pack("<f", 0.3 * 3**0.5 / 2**23))
    lanes = struct.unpack("<40i", scalar_words("3\0f", 20))
    # A product of two 24-bit numbers is exact in a double, so packing rounds once, as f32 does.
    expected = struct.unpack("<40f", struct.pack("<40f", *[(lane >> 8) * scale for lane in lanes]))
    assert checkpoint.read("f").tolist() == list(expected)

    draws = struct.unpack("<40I", scalar_words("3\0i", 20))
    assert checkpoint.read("i").tolist() == [118 + (draw * 6 >> 32) for draw in draws]


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "BF16"])
@pytest.mark.parametrize("mean", [0.0, 1.0])
def test_mean_and_deviation(tmp_path: Path, dtype: str, mean: float) -> None:
    tensor = SyntheticTensor(dtype, (300, 200), Uniform(0.25, mean))
    write_checkpoint(tmp_path / "c", {}, {"w": tensor}, 0)
    values = Checkpoint.open(tmp_path / "c").read("w").astype(np.float64)
    assert abs(values.mean() - mean) < 0.005
    assert abs(values.std() - 0.25) < 0.005
    assert np.abs(values - mean).max() <= 0.25 * 3**0.5 * 1.01
    assert abs(np.corrcoef(values[:-1].ravel(), values[1:].ravel())[0, 1]) < 0.02


def test_seeds_and_names_give_other_values(tmp_path: Path) -> None:
    tensors = {name: SyntheticTensor("U8", (64,), Integers(0, 256)) for name in ("a", "b")}
    seen = set()
    for seed in (0, 1, -1):
        write_checkpoint(tmp_path / str(seed), {}, tensors, seed)
        checkpoint = Checkpoint.open(tmp_path / str(seed))
        seen |= {checkpoint.read(name).tobytes() for name in tensors}
    assert len(seen) == 6


def test_layout_is_that_of_the_reference(tmp_path: Path) -> None:
    """The reference library reads the file, and writes the same bytes again."""
    # The library's numpy interface cannot write 8-bit floats.
    tensors = {name: tensor for name, tensor in TENSORS.items() if tensor.dtype != "F8_E4M3"}
    write_checkpoint(tmp_path / "c", CONFIG, tensors, 7)
    file = tmp_path / "c" / "model.safetensors"
    read = safetensors.numpy.load_file(file)
    assert read["position_ids"].tolist() == [list(range(8))]
    assert read["embed.weight"].dtype == ml_dtypes.bfloat16
    assert safetensors.numpy.save(read, {"format": "pt"}) == file.read_bytes()


def test_shards(tmp_path: Path) -> None:
    pins = write_checkpoint(tmp_path / "c", CONFIG, TENSORS, 7, shard_size=600)
    whole, parts = tmp_path / "whole", tmp_path / "c"
    write_checkpoint(whole, CONFIG, TENSORS, 7)
    names = [pin.name for pin in pins.files]
    assert names == sorted(file.name for file in parts.iterdir())
    assert "model-00001-of-00003.safetensors" in names
    index = json.loads((parts / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == sum(t.nbytes for t in TENSORS.values())
    one, many = Checkpoint.open(whole), Checkpoint.open(parts)
    assert list(one.tensors) == list(many.tensors)
    assert all(one.read(name).tobytes() == many.read(name).tobytes() for name in one.tensors)


def test_progress_counts_every_byte(tmp_path: Path) -> None:
    counts: list[int] = []
    write_checkpoint(tmp_path / "c", CONFIG, TENSORS, 7, progress=counts.append)
    assert sum(counts) == sum(tensor.nbytes for tensor in TENSORS.values())


BAD: dict[str, SyntheticTensor] = {
    "is none of BOOL": SyntheticTensor("F4", (4,), Uniform(1.0)),
    "needs a floating type, not I8": SyntheticTensor("I8", (4,), Uniform(1.0)),
    "needs an integer type": SyntheticTensor("F32", (4,), Integers(0, 4)),
    "does not fit U8": SyntheticTensor("U8", (4,), Integers(0, 257)),
    "range of 1 to": SyntheticTensor("U8", (4,), Integers(4, 4)),
    "does not fit F32": SyntheticTensor("F32", (4,), Uniform(float("nan"))),
    "does not fit F16": SyntheticTensor("F16", (4,), Uniform(1e5)),
    r"do not fit \(4,\)": SyntheticTensor("F32", (4,), Values(np.zeros(3))),
}


@pytest.mark.parametrize(("message", "tensor"), BAD.items(), ids=BAD.keys())
def test_impossible_tensors_are_refused(
    tmp_path: Path, message: str, tensor: SyntheticTensor
) -> None:
    with pytest.raises(WeightsError, match=f"synthetic tensor 'w': .*{message}"):
        write_checkpoint(tmp_path / "c", {}, {"w": tensor}, 0)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_exists_is_kept(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    write_checkpoint(tmp_path / "c", CONFIG, TENSORS, 7)
    with pytest.raises(WeightsError, match="exists already"):
        write_checkpoint(tmp_path / "c", CONFIG, TENSORS, 8)
    assert digests(tmp_path / "c") == GOLDEN
    assert [file.name for file in tmp_path.iterdir()] == ["c"]


def test_interrupt_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_checkpoint(tmp_path / "c", CONFIG, TENSORS, 7, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files interrupts a write, as a full disk does."""
    tensors = {"w": SyntheticTensor("F32", (1 << 20,), Uniform(1.0))}
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(WeightsError, match=r"model\.safetensors: .*to another disk"):
            write_checkpoint(tmp_path / "c", {}, tensors, 0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_no_room_is_seen_beforehand(tmp_path: Path) -> None:
    tensors = {"w": SyntheticTensor("F32", (1 << 50,), Uniform(1.0))}
    with pytest.raises(WeightsError, match=r"has room for .* 4,503,599,627,370,496 are to be"):
        write_checkpoint(tmp_path / "c", {}, tensors, 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "shape", "std", "mean"),
    [
        ("q_proj.weight", (8, 16), 0.25, 0.0),
        ("patch.weight", (8, 3, 4, 4), 1 / 48**0.5, 0.0),
        ("norm.weight", (8,), 0.1, 1.0),
        ("norm.bias", (8,), 0.02, 0.0),
        ("sinks", (8,), 0.02, 0.0),
    ],
)
def test_plausible(name: str, shape: tuple[int, ...], std: float, mean: float) -> None:
    init: Any = plausible(name, "F32", shape).init
    assert (init.std, init.mean) == (pytest.approx(std), mean)
