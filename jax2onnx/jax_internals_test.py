"""Conversions work without private names of JAX, which the tests hide, or fail with advice."""

from __future__ import annotations

import json
import subprocess
import sys

import jax
import pytest

from jax2onnx import jax_internals

_HIDE = """
import importlib, json, types
import jax, numpy as np
import jax.numpy as jnp

real = importlib.import_module
importlib.import_module = lambda name, package=None: (
    types.ModuleType(name) if name.startswith("jax._src.") else real(name, package)
)
import jax2onnx
from jax2onnx import jax_internals
importlib.import_module = real
from jax._src.lax.lax import tie_p

def told(fn, *specs):
    try:
        jax2onnx.to_onnx(fn, list(specs))
    except jax2onnx.Jax2OnnxError as error:
        return f"{type(error).__name__}: {error}"
    return "converted"

"""


@pytest.fixture(scope="module")
def without_private_names() -> dict[str, str]:
    """Return the operators of a conversion, or the message of its error."""
    program = f"""{_HIDE}
key = jax.ShapeDtypeStruct((4,), np.uint32)
print(json.dumps(dict(
    missing=str(len(jax_internals.missing)),
    layer=told(lambda x, w: jnp.tanh(x @ w), (2, 3), (3, 4)),
    function=told(jax.scipy.special.gammainc, (3,), (3,)),
    primitive=told(lambda x: tie_p.bind(x, jnp.exp(x)), (3,)),
    symbolic=told(lambda x: x.reshape(-1), ("B", 3)),
    remainder=told(lambda x: x[: x.shape[0] % 2], ("B",)),
)))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()
    shown: dict[str, str] = json.loads(run.stdout)
    return shown


_SINCE_0_11 = {
    "log2_p",
    "one_minus_square_p",
    "program_order_p",
    "relayout_p",
    "unreduced_pmax_p",
    "unreduced_pmin_p",
    "xla_metadata_call_p",
}
_SINCE_0_12 = {"_polynomial_lower", "pbroadcast_dynamic_p", "polynomial_p"}
_GONE_IN_0_11 = {"_mulhi_impl", "shard_alike_p"}


def test_the_installed_release_lacks_only_known_names() -> None:
    if jax.__version_info__ < (0, 11):
        assert set(jax_internals.missing) == _SINCE_0_11 | _SINCE_0_12
    elif jax.__version_info__ < (0, 12):
        assert _SINCE_0_12 <= set(jax_internals.missing) <= _SINCE_0_12 | _GONE_IN_0_11
    else:
        assert set(jax_internals.missing) <= _GONE_IN_0_11


def test_functions_that_need_no_private_name_convert(without_private_names: dict[str, str]) -> None:
    assert int(without_private_names["missing"]) > 60
    assert without_private_names["layer"] == "converted"
    assert without_private_names["symbolic"] == "converted"


@pytest.mark.parametrize(
    ("needed", "said"),
    [
        ("function", "JaxVersionError: JAX {} has no jax._src.lax.special.igamma_impl"),
        ("primitive", "(JAX {} does not have it in jax._src.lax.lax; jax2onnx was tested"),
        ("remainder", "JaxVersionError: JAX {} has no jax._src.export.shape_poly._DimFactor"),
    ],
)
def test_a_missing_name_is_reported_when_it_is_needed(
    without_private_names: dict[str, str], needed: str, said: str
) -> None:
    message = without_private_names[needed]
    assert said.format(jax.__version__) in message
    assert f"tested with JAX {jax_internals.TESTED[0]} to {jax_internals.TESTED[1]}" in message


@pytest.mark.parametrize(
    ("version", "tested"),
    [((0, 10, 1), False), ((0, 10, 2), True), ((0, 12, 9), True), ((0, 13, 0), False)],
)
def test_the_tested_releases(version: tuple[int, ...], tested: bool) -> None:
    assert jax_internals.is_tested(version) is tested


def test_an_untested_release_converts_with_one_warning() -> None:
    program = """
import jax
jax.__version__, jax.__version_info__ = "0.99.0", (0, 99, 0)
import jax2onnx
for _ in range(2):
    model = jax2onnx.to_onnx(lambda x: x + 1, [(3,)])
print([n.op_type for n in model.graph.node])
"""
    run = subprocess.run(
        [sys.executable, "-W", "always", "-c", program], capture_output=True, check=False, text=True
    )
    assert run.stdout == "['Add']\n", run.stderr
    assert run.stderr.count("UntestedJaxWarning") == 1
    assert "tested with JAX 0.10.2 to 0.12, and this is JAX 0.99.0" in run.stderr
