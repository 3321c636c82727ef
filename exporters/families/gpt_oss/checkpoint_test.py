import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from exporters.artifact import bind as binding
from exporters.errors import ExportError
from exporters.families.gpt_oss.checkpoint import bind, detect, sources, synthetic, tensors
from exporters.families.gpt_oss.config import parse
from exporters.families.gpt_oss.experts import route
from exporters.families.gpt_oss.forward import run
from exporters.model.exportable import TensorSource
from weights import Checkpoint
from weights.synthetic import write_checkpoint

HERE = Path(__file__).parent
FIXTURES = HERE.parents[2] / "weights" / "fixtures"
LAYOUTS = ("dense", "mxfp4", "original")

Arrays = dict[str, np.ndarray[Any, Any]]


def fixture(layout: str) -> Checkpoint:
    return Checkpoint.open(FIXTURES / f"gpt_oss_{layout}")


def config(name: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((HERE / f"configs/{name}.json").read_text())
    return values


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_tensor_is_accounted_for(layout: str) -> None:
    checkpoint = fixture(layout)
    assert detect(checkpoint) == layout
    model, bound = bind(checkpoint)
    binding.check(model, bound, checkpoint)


def test_fused_projections_split_by_rows() -> None:
    bound = sources(parse(fixture("original").json()), "original")
    assert bound["layers.1.attention.q.weight"] == TensorSource("block.1.attn.qkv.weight", (0, 48))
    assert bound["layers.1.attention.k.bias"] == TensorSource("block.1.attn.qkv.bias", (48, 64))
    assert bound["layers.1.attention.v.bias"] == TensorSource("block.1.attn.qkv.bias", (64, 80))


@pytest.mark.parametrize(
    ("name", "experts", "count", "size"),
    [("20b", 32, 459, 13_761_264_768), ("120b", 128, 687, 65_248_815_744)],
)
def test_published_layout(name: str, experts: int, count: int, size: int) -> None:
    """The number of tensors and the total size are those of the hub's index."""
    layout = tensors(parse(config(name)))
    assert len(layout) == count
    width = {"U8": 1, "BF16": 2}
    assert sum(width[dtype] * int(np.prod(shape)) for dtype, shape in layout.values()) == size
    expert = "model.layers.3.mlp.experts."
    assert layout[expert + "gate_up_proj_blocks"] == ("U8", (experts, 5760, 90, 16))
    assert layout[expert + "gate_up_proj_scales"] == ("U8", (experts, 5760, 90))
    assert layout[expert + "gate_up_proj_bias"] == ("BF16", (experts, 5760))
    assert layout[expert + "down_proj_blocks"] == ("U8", (experts, 2880, 90, 16))
    assert layout["model.layers.3.self_attn.k_proj.weight"] == ("BF16", (512, 2880))
    assert layout["model.layers.3.self_attn.sinks"] == ("BF16", (64,))
    assert layout["lm_head.weight"] == ("BF16", (201088, 2880))


def test_the_fixture_has_the_published_layout() -> None:
    checkpoint = fixture("mxfp4")
    held = {name: (info.dtype, info.shape) for name, info in checkpoint.tensors.items()}
    assert tensors(parse(checkpoint.json())) == held


def test_experts_with_incomplete_blocks_are_refused() -> None:
    values = fixture("mxfp4").json() | {"intermediate_size": 100}
    with pytest.raises(ExportError, match=r"intermediate_size is 100.*blocks of 32"):
        tensors(parse(values))


def test_synthetic_weights_give_plausible_activations(tmp_path: Path) -> None:
    """Activations neither vanish nor explode, and no expert gets no tokens or all of them."""
    values = config("tiny")
    write_checkpoint(tmp_path / "made", values, synthetic(values), seed=0)
    checkpoint = Checkpoint.open(tmp_path / "made")
    abstract, bound = bind(checkpoint)
    binding.check(abstract, bound, checkpoint)
    model = binding.load(abstract, bound, checkpoint)
    ids = jnp.arange(96).reshape(2, 48) * 7919 % model.config.vocabulary
    states, *_ = eqx.filter_jit(run)(model, ids, jnp.ones_like(ids))
    for layer, state in zip(model.layers, states[:-1], strict=True):
        tokens = layer.mlp_norm(state).reshape(-1, state.shape[-1])
        chosen, shares = route(
            layer.mlp.router(tokens), model.config.experts_per_token, tokens.dtype
        )
        assert set(chosen.reshape(-1).tolist()) == set(range(model.config.experts))
        assert 0.4 < np.max(shares) < 0.99
    assert all(0.01 < np.std(state) < 20 for state in states)
    assert 0.5 < np.std(states[-1] @ model.head.weight.astype(jnp.float32).T) < 2


def drop(arrays: Arrays) -> None:
    del arrays["model.layers.1.self_attn.sinks"]


def add(arrays: Arrays) -> None:
    arrays["model.layers.1.self_attn.q_norm.weight"] = np.ones(8, np.float32)


def reshape(arrays: Arrays) -> None:
    arrays["model.norm.weight"] = arrays["model.norm.weight"][:-1]


def retype(arrays: Arrays) -> None:
    name = "model.layers.0.self_attn.sinks"
    arrays[name] = arrays[name].astype(np.int32)


def transpose(arrays: Arrays) -> None:
    name = "model.layers.0.mlp.experts.down_proj"
    arrays[name] = np.ascontiguousarray(arrays[name].swapaxes(1, 2))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (drop, "missing tensors.*model.layers.1.self_attn.sinks"),
        (add, "extra tensors.*model.layers.1.self_attn.q_norm.weight"),
        (reshape, r"do not fit.*model.norm.weight: expected bfloat16\[64\].*found bfloat16\[63\]"),
        (retype, r"do not fit.*self_attn.sinks: expected float32\[6\].*found int32\[6\]"),
        (transpose, r"down_proj: expected bfloat16\[5, 96, 64\].*found bfloat16\[5, 64, 96\]"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(
    tmp_path: Path, spoil: Callable[[Arrays], None], message: str
) -> None:
    shutil.copy(FIXTURES / "gpt_oss_dense/config.json", tmp_path)
    arrays = load_file(FIXTURES / "gpt_oss_dense/model.safetensors")
    spoil(arrays)
    save_file(arrays, tmp_path / "model.safetensors")
    checkpoint = Checkpoint.open(tmp_path)
    model, bound = bind(checkpoint)
    with pytest.raises(ExportError, match=f"(?s){message}"):
        binding.check(model, bound, checkpoint)


def test_packed_experts_must_be_bytes(tmp_path: Path) -> None:
    shutil.copy(FIXTURES / "gpt_oss_original/config.json", tmp_path)
    arrays = load_file(FIXTURES / "gpt_oss_original/model.safetensors")
    name = "block.0.mlp.mlp1_weight.scales"
    arrays[name] = arrays[name].astype(np.float32)
    save_file(arrays, tmp_path / "model.safetensors")
    checkpoint = Checkpoint.open(tmp_path)
    model, bound = bind(checkpoint)
    with pytest.raises(ExportError, match=r"scales: expected uint8.*found float32"):
        binding.check(model, bound, checkpoint)


def test_another_family_is_refused(tmp_path: Path) -> None:
    shutil.copy(FIXTURES / "gpt_oss_dense/config.json", tmp_path)
    save_file({"encoder.weight": np.zeros(3, np.float32)}, tmp_path / "model.safetensors")
    with pytest.raises(ExportError, match=r"not a GPT-OSS checkpoint.*1 tensors \(encoder.weight"):
        bind(Checkpoint.open(tmp_path))
