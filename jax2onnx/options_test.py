from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, assert_type

import jax.numpy as jnp
import numpy as np
import onnx
import onnx_ir as ir
import pytest
from flax import nnx

from jax2onnx import InputError, allclose, to_onnx
from jax2onnx.options import Options, check_options, with_defaults


def test_every_option_is_a_parameter_of_to_onnx_with_its_default() -> None:
    parameters = inspect.signature(to_onnx).parameters
    assert list(parameters)[:7] == [
        "fn",
        "inputs",
        "input_params",
        "model_name",
        "opset",
        "return_mode",
        "output_path",
    ]
    assert list(parameters)[7:] == list(Options.__annotations__)
    defaults = with_defaults({})
    for name in Options.__annotations__:
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[name].default == dict(defaults)[name]


def test_the_docstring_describes_every_option_once() -> None:
    text = inspect.cleandoc(to_onnx.__doc__ or "")
    for name in Options.__annotations__:
        assert text.count(f"\n    {name}: ") == 1, name
    assert "\n    call_sites: write on each node the line of the model" in text
    assert "**options" not in text


def test_a_given_option_replaces_its_default() -> None:
    assert with_defaults({"prefer": "readable"})["prefer"] == "readable"
    assert with_defaults({"prefer": "readable"})["target"] == "cpu"
    assert with_defaults({"external_data": False})["external_data"] is False


def test_none_is_the_default() -> None:
    none: Any = None
    assert with_defaults({"inputs_as_nchw": none, "target": none}) == with_defaults({})


def test_the_error_on_an_unknown_option_suggests_a_known_one() -> None:
    with pytest.raises(
        TypeError, match=r"argument 'fold_batchnorm'\. Did you mean 'fold_batch_norm'"
    ):
        to_onnx(jnp.sin, [(3,)], fold_batchnorm=True)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"argument 'output_pth'\. Did you mean 'output_path'"):
        to_onnx(jnp.sin, [(3,)], output_pth="m.onnx")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"to_onnx\(\) got an unexpected keyword argument 'x'$"):
        check_options({"x": 1}, to_onnx)


def test_the_error_on_an_invalid_choice_lists_the_choices() -> None:
    with pytest.raises(
        InputError, match="prefer='size': choose 'speed' or 'readable' or 'decomposed'"
    ):
        to_onnx(jnp.sin, [(3,)], prefer="size")  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("mode", "groups", "layer"),
    [
        ("auto", "InstanceNormalization", "LayerNormalization"),
        ("prefer_native", "GroupNormalization", "LayerNormalization"),
        ("force_decomposed", "Sqrt", "Sqrt"),
    ],
)
def test_norms_are_chosen_by_their_own_option(mode: Any, groups: str, layer: str) -> None:
    for norm, op_type in (
        (nnx.GroupNorm(8, num_groups=2, rngs=nnx.Rngs(0)), groups),
        (nnx.LayerNorm(8, rngs=nnx.Rngs(0)), layer),
    ):
        x = np.linspace(-1, 2, 2 * 3 * 8, dtype=np.float32).reshape(2, 3, 8)
        model = to_onnx(norm, [x], normalization_mode=mode)
        assert op_type in [node.op_type for node in model.graph.node]
        assert allclose(norm, model, [x])
        preferred = with_defaults({"normalization_mode": mode})["prefer"]
        assert model == to_onnx(norm, [x], prefer=preferred)


@pytest.mark.parametrize(
    "constraints",
    [["T <= 4", "T >= 8"], ["A + B <= 4", "A >= 8"], ["A <= B", "B <= A - 1"], ["T <= 0"]],
)
def test_constraints_that_contradict_each_other_are_refused(constraints: list[str]) -> None:
    with pytest.raises(InputError, match="Unsatisfiable constraint"):
        to_onnx(jnp.sin, [("T", "A", "B")], constraints=constraints)


def test_constraints_that_only_one_size_satisfies_are_accepted() -> None:
    to_onnx(jnp.sin, [("T",)], constraints=["T <= 8", "T >= 8"])


def test_type_checkers_infer_the_type_of_the_result(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    assert_type(to_onnx(jnp.sin, [(3,)], call_sites=True), onnx.ModelProto)
    assert_type(to_onnx(jnp.sin, [(3,)], return_mode="ir", prefer="speed"), ir.Model)
    assert_type(to_onnx(jnp.sin, [(3,)], return_mode="file", output_path=path), str)
