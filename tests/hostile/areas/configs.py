"""Values in config.json, for each dialect: of the wrong kind, out of range, absent or unknown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.hostile.entry import Entry, any_of, config_with, fixture

AREA = "config"

_SIZES = {
    "gpt_oss_mxfp4": (
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "num_local_experts",
        "num_experts_per_tok",
        "num_hidden_layers",
        "sliding_window",
        "rope_scaling/original_max_position_embeddings",
    ),
    "gpt_oss_original": (
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "num_experts",
        "experts_per_token",
        "num_hidden_layers",
        "sliding_window",
        "initial_context_length",
    ),
    "dinov3_vit": (
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_channels",
        "patch_size",
        "image_size",
    ),
    "minilm_tiny": (
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "max_position_embeddings",
        "vocab_size",
        "type_vocab_size",
    ),
}
_NUMBERS = {
    "gpt_oss_mxfp4": (
        "rms_norm_eps",
        "swiglu_limit",
        "swiglu_alpha",
        "rope_theta",
        "rope_scaling/factor",
        "rope_scaling/beta_fast",
    ),
    "gpt_oss_original": (
        "rope_theta",
        "rope_scaling_factor",
        "rope_ntk_alpha",
        "rope_ntk_beta",
        "swiglu_limit",
    ),
    "dinov3_vit": ("layer_norm_eps", "rope_theta"),
    "minilm_tiny": ("layer_norm_eps",),
}
_FLAGS = {
    "gpt_oss_mxfp4": ("rope_scaling/truncate",),
    "dinov3_vit": (
        "use_gated_mlp",
        "query_bias",
        "key_bias",
        "value_bias",
        "proj_bias",
        "mlp_bias",
    ),
}
_CHOICES = {
    "gpt_oss_mxfp4": (
        "model_type",
        "hidden_act",
        "attention_bias",
        "tie_word_embeddings",
        "rope_scaling/rope_type",
    ),
    "dinov3_vit": ("model_type", "hidden_act"),
    "minilm_tiny": (
        "model_type",
        "hidden_act",
        "position_embedding_type",
        "is_decoder",
        "add_cross_attention",
    ),
}
_FAMILIES = {
    "gpt_oss_mxfp4": "gpt_oss",
    "gpt_oss_original": "gpt_oss",
    "dinov3_vit": "dinov3",
    "minilm_tiny": "minilm",
}

_NO_SIZES: tuple[Any, ...] = (None, "2", 2.0, 0, -1, [], {}, True, 1 << 25, 10**30, 1e30)
_NO_NUMBERS: tuple[Any, ...] = (
    None,
    "1",
    0,
    -1.0,
    [],
    {},
    True,
    float("nan"),
    float("inf"),
    10**39,
    1e300,
)
_NO_FLAGS: tuple[Any, ...] = (None, "true", 0, 1, [])
_NO_CHOICES: tuple[Any, ...] = ("\x1b[31mred", 7, ["a"], "x" * 100_000)


def entries() -> Iterator[Entry]:
    """Yield the entries of this area."""
    for values, keys in (
        (_NO_SIZES, _SIZES),
        (_NO_NUMBERS, _NUMBERS),
        (_NO_FLAGS, _FLAGS),
        (_NO_CHOICES, _CHOICES),
    ):
        for name, paths in keys.items():
            for path in paths:
                for value in values:
                    key = path.rpartition("/")[2]
                    yield _entry(name, f"{key} {_shown(value)}", {path: value}, f"{key} is ")
    yield from _unknown()
    yield from _relations()
    yield from _files()


def _shown(value: Any) -> str:
    return ascii(json.dumps(value)[:24])[1:-1]


def _entry(name: str, what: str, changes: dict[str, Any], expected: str) -> Entry:
    arguments = ("export", _FAMILIES[name], "{here}/w", "-o", "{here}/out/m.onnx")
    return Entry(AREA, f"{name}, {what}", fixture(name, config_with(changes)), arguments, expected)


def _unknown() -> Iterator[Entry]:
    for name in _FAMILIES:
        for key in ("unheard_of", "quantization", "\x1b[2J", "x" * 5000, "auto_map", ""):
            yield _entry(
                name, f"unknown key {_shown(key)}", {key: 1}, "is not known to this exporter"
            )


def _relations() -> Iterator[Entry]:
    for name in ("gpt_oss_mxfp4", "gpt_oss_original"):
        yield _entry(
            name,
            "heads that kv_heads do not divide",
            {"num_key_value_heads": 4},
            "must divide num_attention_heads",
        )
        yield _entry(name, "an odd head_dim", {"head_dim": 7}, "must be even")
        yield _entry(name, "a theta of 1", {"rope_theta": 1}, "must be greater than 1")
    for layers in (3, 100, 10_000):
        yield _entry(
            "minilm_tiny",
            f"{layers} layers",
            {"num_hidden_layers": layers},
            "layers" if layers > 50 else "missing tensors",
        )
        yield _entry(
            "dinov3_vit",
            f"{layers} layers",
            {"num_hidden_layers": layers},
            "layers" if layers > 50 else "missing tensors",
        )
        yield _entry(
            "gpt_oss_original",
            f"{layers} layers",
            {"num_hidden_layers": layers},
            "layers" if layers > 50 else "missing tensors",
        )
        yield _entry(
            "gpt_oss_mxfp4", f"{layers} layers", {"num_hidden_layers": layers}, "layer_types is"
        )
    yield _entry(
        "gpt_oss_mxfp4",
        "more experts in use than there are",
        {"num_experts_per_tok": 6},
        "must be at most",
    )
    for types in any_of(
        [],
        ["full_attention"],
        ["full_attention", "other"],
        "full_attention",
        [None, None],
        [["a"], ["b"]],
        {},
    ):
        yield _entry(
            "gpt_oss_mxfp4",
            f"layer_types {_shown(types)}",
            {"layer_types": types},
            "layer_types is ",
        )
    for section in any_of(None, [], "yarn", 1, True):
        yield _entry(
            "gpt_oss_mxfp4",
            f"rope_scaling {_shown(section)}",
            {"rope_scaling": section},
            "rope_scaling is ",
        )
    for size in any_of(
        [20], [20, 0], [20, 20, 20], [20.0, 20], ["20", 20], [1 << 25, 1], [None, 1]
    ):
        yield _entry("dinov3_vit", f"image_size {size}", {"image_size": size}, "image_size is ")
    for heads in any_of(2, 5, 7):
        yield _entry(
            "dinov3_vit", f"{heads} heads", {"num_attention_heads": heads}, "must be a multiple of"
        )
    yield _entry("minilm_tiny", "5 heads", {"num_attention_heads": 5}, "must be a multiple of")
    for name, key in (
        ("minilm_tiny", "hidden_size"),
        ("minilm_tiny", "vocab_size"),
        ("gpt_oss_original", "hidden_size"),
        ("gpt_oss_original", "vocab_size"),
        ("gpt_oss_mxfp4", "intermediate_size"),
        ("dinov3_vit", "intermediate_size"),
    ):
        value = 1 << 24 if key != "hidden_size" else 3 << 10
        yield _entry(name, f"{key} {value} of another model", {key: value}, "expected")


def _files() -> Iterator[Entry]:
    def content(raw: bytes) -> Any:
        def change(folder: Path) -> None:
            (folder / "config.json").write_bytes(raw)

        return change

    arguments = ("export", "minilm", "{here}/w", "-o", "{here}/out/m.onnx")
    for name, raw, expected in (
        ("an empty file", b"", "config.json is not valid JSON"),
        ("a list", b"[]", "must hold a JSON object"),
        ("a null", b"null", "must hold a JSON object"),
        ("no UTF-8", b'{"a":"\xff"}', "config.json is not valid JSON"),
        ("5,000 digits", b'{"hidden_size":' + b"9" * 5000 + b"}", "an integer has 5,000 digits"),
        ("nested 100,000 deep", b'{"a":' + b"[" * 100_000, "nested too deep"),
        ("a key twice", b'{"a":1,"a":2}', "the name 'a' is given twice"),
        ("an empty object", b"{}", "has no 'model_type'"),
        ("40 MB", b" " * 40_000_000, "is larger than 32,000,000 bytes"),
        ("3 million values", b"[" + b"0," * 3_000_000 + b"0]", "holds more than 2,000,000 values"),
        ("a page", b"<html>", "config.json is not valid JSON"),
    ):
        yield Entry(AREA, name, fixture("minilm_tiny", content(raw)), arguments, expected)
    for name, target in (
        ("nothing", "gone"),
        ("itself", "config.json"),
        ("/dev/zero", "/dev/zero"),
        ("/proc", "/proc/self/environ"),
    ):

        def link(folder: Path, target: str = target) -> None:
            (folder / "config.json").unlink()
            (folder / "config.json").symlink_to(target)

        yield Entry(
            AREA, f"a link to {name}", fixture("minilm_tiny", link), arguments, "config.json"
        )
