from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exporters.errors import ExportError
from exporters.families.dinov3.config import ConvNextConfig, DINOv3Config, parse

CONFIGS = Path(__file__).parent / "configs"


def vitb16(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((CONFIGS / "vitb16.json").read_text())
    return values | changes


def convnext(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((CONFIGS / "convnext_tiny.json").read_text())
    return values | changes


def test_reads_the_sizes() -> None:
    config = parse(vitb16(image_size=[224, 448], dtype="float32", out_features=["stage12"]))
    assert isinstance(config, DINOv3Config)
    assert (config.hidden_size, config.head_size, config.prefix_tokens) == (768, 64, 5)
    assert (config.patch_size, config.image_size) == ((16, 16), (224, 448))
    assert (config.query_bias, config.key_bias, config.hidden_act) == (True, False, "gelu")


def test_reads_the_sizes_of_a_convnext() -> None:
    config = parse(convnext())
    assert isinstance(config, ConvNextConfig)
    assert (config.hidden_sizes, config.depths) == ((96, 192, 384, 768), (3, 3, 9, 3))
    assert (config.multiple, config.layers) == ((32, 32), 18)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depths": [3, 3]}, r"depths is \[3, 3\], but it must have one number for each of \(96,"),
        ({"depths": [3, 0, 9, 3]}, "depths is .* must be a list of positive integers"),
        ({"hidden_act": "relu"}, "hidden_act is 'relu', but it must be 'gelu'"),
    ],
)
def test_refuses_a_convnext_that_does_not_exist(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ExportError, match=message):
        parse(convnext(**changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "dinov2"}, "model_type is 'dinov2', but it must be 'dinov3_convnext' or"),
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
