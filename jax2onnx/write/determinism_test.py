"""The bytes of a model do not depend on the process that converts it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# The model has named parameters, a function that is called twice, control flow, symbolic
# dimensions, types that the runtime lacks, and weights inside the file and beside it.
CODE = """
import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import jax2onnx
from jax2onnx.write import save


class Block(eqx.Module):
    norm: eqx.nn.LayerNorm
    linear: eqx.nn.Linear
    scales: dict[str, jax.Array]

    @jax2onnx.onnx_function
    def __call__(self, x):
        y = jax.vmap(lambda row: jax.nn.gelu(self.linear(self.norm(row))))(x)
        return y * self.scales["b"] + self.scales["a"]


def weights(tree):
    # Random numbers would not do, since JAX's depend on the instruction set.
    leaves, structure = jax.tree.flatten(tree)
    made = [np.arange(leaf.size, dtype=np.float32) / leaf.size for leaf in leaves]
    shaped = [array.reshape(leaf.shape) for array, leaf in zip(made, leaves)]
    return jax.tree.unflatten(structure, [jnp.asarray(array) for array in shaped])


def block():
    key = jax.random.key(0)
    scales = {"b": jnp.ones(64), "a": jnp.zeros(64)}
    shape = eqx.filter_eval_shape(
        lambda: Block(eqx.nn.LayerNorm(64), eqx.nn.Linear(64, 64, key=key), scales)
    )
    arrays, rest = eqx.partition(shape, lambda leaf: hasattr(leaf, "shape"))
    return eqx.combine(weights(arrays), rest)


class Model(eqx.Module):
    blocks: list[Block]

    def __call__(self, x, steps):
        for each in self.blocks:
            x = each(x)
        x = jax.lax.fori_loop(0, 3, lambda i, y: jnp.tanh(y) + i, x)
        narrow = x.astype(jnp.bfloat16)
        total = jnp.where(narrow > 0, narrow, -narrow).sum(axis=1)
        return {"total": total.astype(jnp.float32), "steps": (steps.astype(jnp.int8) * 3).sum()}


model = jax2onnx.to_onnx(
    Model([block(), block()]),
    [("B", 64), jax2onnx.InputSpec(("T",), jnp.int32)],
    return_mode="ir",
)
folder = Path(sys.argv[1])
save(model, folder / "inside.onnx")
save(model, folder / "beside.onnx", external_data=True)
"""

SURROUNDINGS = {
    "plain": {"PYTHONHASHSEED": "0", "TZ": "UTC", "LANG": "C"},
    "elsewhere": {
        "PYTHONHASHSEED": "1",
        "TZ": "Asia/Kathmandu",
        "LANG": "tr_TR.UTF-8",
        "LC_ALL": "C.UTF-8",
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
    },
    "older": {
        "PYTHONHASHSEED": "2",
        "TZ": "America/St_Johns",
        "LANG": "de_DE.UTF-8",
        "NPY_DISABLE_CPU_FEATURES": "AVX512F",
        "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2",
        "SOURCE_DATE_EPOCH": "1",
    },
}


def convert(folder: Path, surroundings: dict[str, str], cwd: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(cwd),
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]),
        **surroundings,
    }
    subprocess.run([sys.executable, "-c", CODE, folder], env=environment, cwd=cwd, check=True)


def digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    convert(folder, SURROUNDINGS["plain"], ROOT)
    return folder


@pytest.mark.parametrize("name", ["elsewhere", "older"])
def test_the_same_bytes(plain: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    previous = os.umask(0o077 if name == "older" else 0o002)
    try:
        convert(folder, SURROUNDINGS[name], tmp_path)
    finally:
        os.umask(previous)
    expected = digests(plain)
    assert list(expected) == ["beside.onnx", "beside.onnx.safetensors", "inside.onnx"]
    assert digests(folder) == expected


def test_the_files_contain_no_path_of_this_machine(plain: Path) -> None:
    data = (plain / "beside.onnx").read_bytes()
    for place in (str(ROOT), str(plain), str(Path.home()), sys.prefix, "site-packages"):
        assert place.encode() not in data, place
