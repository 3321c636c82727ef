from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exporters.errors import ExportError
from exporters.families.dinov3.config import parse

CONFIGS = Path(__file__).parent / "configs"


def vitb16(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((CONFIGS / "vitb16.json").read_text())
    return values | changes


def test_reads_the_sizes() -> None:
    config = parse(vitb16(image_size=[224, 448], dtype="float32", out_features=["stage12"]))
    assert (config.hidden_size, config.head_size, config.prefix_tokens) == (768, 64, 5)
    assert (config.patch_size, config.image_size) == ((16, 16), (224, 448))
    assert (config.query_bias, config.key_bias, config.hidden_act) == (True, False, "gelu")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "dinov2"}, "model_type is 'dinov2', but it must be 'dinov3_vit'"),
        ({"hidden_act": "gelu_new"}, "hidden_act is 'gelu_new', but it must be 'gelu' or 'silu'"),
        (
            {"hidden_size": 770},
            "hidden_size is 770, but it must be a multiple of 4 x num_attention",
        ),
        ({"hidden_size": "768"}, "hidden_size is '768', but it must be an integer"),
        ({"patch_size": [16]}, r"patch_size is \[16\]"),
        ({"num_register_tokens": -1}, "num_register_tokens is -1"),
        ({"rope_theta": 0}, "rope_theta is 0, but it must be a positive number"),
        ({"layer_norm_eps": None}, "layer_norm_eps is None"),
        ({"use_gated_mlp": "no"}, "use_gated_mlp is 'no', but it must be true or false"),
        ({"rope_scaling": {}}, r"rope_scaling is \{\}, but it is not known to this exporter"),
    ],
)
def test_refuses_unknown_keys_and_unsupported_values(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ExportError, match=f"^weights/config.json: {message}"):
        parse(vitb16(**changes), "weights/config.json")


@pytest.mark.parametrize("key", sorted(vitb16().keys() - {"architectures"}))
def test_names_a_missing_key(key: str) -> None:
    values = vitb16()
    del values[key]
    with pytest.raises(ExportError, match=f"^weights/config.json has no '{key}', which the model"):
        parse(values, "weights/config.json")
