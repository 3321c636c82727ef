import json
from pathlib import Path
from typing import Any

import pytest

from exporters.errors import ExportError
from exporters.families.gpt_oss.config import GptOssConfig, Yarn, parse

FIXTURES = Path(__file__).parents[3] / "weights" / "fixtures"

TINY = GptOssConfig(
    vocabulary=101,
    hidden=64,
    intermediate=96,
    heads=6,
    kv_heads=2,
    head_dim=8,
    experts=5,
    experts_per_token=2,
    windows=(5, None),
    rope=Yarn(150000.0, 32.0, 32.0, 1.0, 4096, truncate=False),
    epsilon=1e-5,
    limit=7.0,
    alpha=1.702,
)


def values(layout: str) -> dict[str, Any]:
    """Return a fixture's config.json; dense has the newer rope keys, mxfp4 the published ones."""
    content: dict[str, Any] = json.loads((FIXTURES / f"gpt_oss_{layout}/config.json").read_text())
    return content


@pytest.mark.parametrize("layout", ["dense", "mxfp4", "original"])
def test_every_dialect_gives_the_same_config(layout: str) -> None:
    assert parse(values(layout)) == TINY


def test_layers_alternate_unless_their_types_are_given() -> None:
    given = values("dense")
    del given["layer_types"]
    assert parse(given | {"num_hidden_layers": 5}).windows == (5, None, 5, None, 5)


def test_a_model_without_sliding_layers_needs_no_window() -> None:
    types = {"layer_types": ["full_attention"] * 2, "sliding_window": None}
    assert parse(values("dense") | types).windows == (None, None)


@pytest.mark.parametrize(
    ("layout", "key", "value", "message"),
    [
        ("dense", "model_type", "llama", "'llama', but it must be 'gpt_oss'"),
        ("dense", "hidden_act", "gelu", "must be 'silu'"),
        ("dense", "attention_bias", False, "must be True"),
        ("dense", "tie_word_embeddings", True, "must be False"),
        ("dense", "hidden_size", "64", "must be an integer"),
        ("dense", "num_hidden_layers", 0, "must be an integer of at least 1"),
        ("dense", "rms_norm_eps", -1e-5, "must be a positive number"),
        ("dense", "num_key_value_heads", 4, "must divide num_attention_heads = 6"),
        ("dense", "head_dim", 7, "must be even"),
        ("dense", "num_experts_per_tok", 6, "must be at most num_local_experts = 5"),
        ("dense", "layer_types", ["full_attention"], "must be a list of num_hidden_layers = 2"),
        ("dense", "layer_types", ["full_attention", "linear"], "each 'sliding_attention' or"),
        ("dense", "layer_types", "full_attention", "must be a list"),
        ("dense", "sliding_window", None, "must be an integer"),
        ("dense", "rope_parameters", None, "must be an object"),
        ("dense", "mixture_depth", 3, "is not known to this exporter"),
        ("mxfp4", "rope_scaling", None, "must be an object"),
        ("mxfp4", "rope_theta", 1, "must be greater than 1"),
        ("original", "experts_per_token", 6, "must be at most num_experts = 5"),
        ("original", "rope_scaling_factor", 0.5, "must be at least 1"),
        ("original", "qk_norm", True, "is not known to this exporter"),
    ],
)
def test_an_unsupported_value_is_named(layout: str, key: str, value: Any, message: str) -> None:
    with pytest.raises(ExportError) as error:
        parse(values(layout) | {key: value}, "folder/config.json")
    assert str(error.value).startswith("folder/config.json")
    assert key in str(error.value)
    assert repr(value) in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("rope_type", "linear", "must be 'yarn'"),
        ("factor", 0.5, "must be at least 1"),
        ("attention_factor", 1.5, "must be None"),
        ("partial_rotary_factor", 0.5, "must be 1.0"),
        ("truncate", 1, "must be true or false"),
        ("long_factor", [1.0], "is not known to this exporter"),
    ],
)
def test_an_unsupported_rope_setting_is_named(key: str, value: Any, message: str) -> None:
    given = values("dense")
    given["rope_parameters"][key] = value
    with pytest.raises(ExportError) as error:
        parse(given)
    assert str(error.value).startswith("config.json: rope_parameters: " + key)
    assert message in str(error.value)


HUB = (
    "head_dim hidden_size intermediate_size model_type num_attention_heads num_experts_per_tok "
    "num_hidden_layers num_key_value_heads num_local_experts rms_norm_eps sliding_window vocab_size"
)
ORIGINAL = (
    "experts_per_token head_dim hidden_size initial_context_length intermediate_size "
    "num_attention_heads num_hidden_layers num_key_value_heads rope_ntk_alpha rope_ntk_beta "
    "rope_scaling_factor rope_theta sliding_window vocab_size"
)


@pytest.mark.parametrize(
    ("layout", "keys"),
    [
        ("dense", HUB),
        ("mxfp4", HUB + " rope_scaling rope_theta"),
        ("original", ORIGINAL),
    ],
)
def test_a_missing_key_is_named(layout: str, keys: str) -> None:
    for key in keys.split():
        with pytest.raises(ExportError, match=rf"config\.json has no '{key}'"):
            parse({k: v for k, v in values(layout).items() if k != key})


@pytest.mark.parametrize("key", ["rope_type", "rope_theta", "factor"])
def test_a_missing_rope_setting_is_named(key: str) -> None:
    given = values("dense")
    del given["rope_parameters"][key]
    with pytest.raises(ExportError, match=rf"config\.json: rope_parameters has no '{key}'"):
        parse(given)


def test_a_config_of_neither_dialect_lacks_a_model_type() -> None:
    with pytest.raises(ExportError, match=r"config\.json has no 'model_type'"):
        parse({})
