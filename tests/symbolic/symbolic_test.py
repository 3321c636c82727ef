"""A model with symbolic dimensions agrees with JAX at several sizes."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import onnx
import onnxruntime
import pytest
from jax import export

from jax2onnx import InputSpec, to_onnx
from jax2onnx.checks.allclose import compare, packed
from jax2onnx.checks.runtime import run
from tests.symbolic.cases import CASES

SIZES = (1, 2, 3, 7)
"""The sizes of B. The other names have sizes near it."""

FEW = (1, 3)
"""The sizes of B that the suite takes without ``--all``."""


def _specs(shapes: tuple[str, ...]) -> list[InputSpec]:
    specs = []
    for shape in shapes:
        kind, _, dims = shape.rpartition(":")
        sizes = [int(d) if d.strip().isdigit() else d.strip() for d in dims.split(",")]
        specs.append(InputSpec(sizes, np.int32 if kind else np.float32))
    return specs


def _array(spec: InputSpec, size: int, random: np.random.Generator) -> Any:
    names = {"B": size, "T": size + 1, "S": size + 2, "H": size + 1, "W": size}
    dims = [d if isinstance(d, int) else _size(d, names) for d in spec.shape]
    if spec.dtype == np.int32:
        return random.integers(0, size, dims, np.int32)
    return random.standard_normal(dims, np.float32)


def _size(expression: str, names: dict[str, Any]) -> int:
    (dim,) = export.symbolic_shape(expression)
    return int(dim) if isinstance(dim, int) else int(dim._evaluate(names))


@pytest.mark.parametrize("name", CASES)
def test_one_model_for_all_sizes(name: str, request: pytest.FixtureRequest) -> None:
    case = CASES[name]
    specs = _specs(case.shapes)
    model = to_onnx(case.function, specs, constraints=case.constraints)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    inputs = [i.name for i in session.get_inputs()]
    random = np.random.default_rng(0)
    function = jax.jit(case.function)
    for size in SIZES if request.config.getoption("--all") else FEW:
        arrays = [_array(spec, size, random) for spec in specs]
        wanted = [packed(np.asarray(x)) for x in jax.tree_util.tree_leaves(function(*arrays))]
        found = run(session, dict(zip(inputs, arrays, strict=True)))
        result = compare(list(found), wanted, list(found.values()), rtol=1e-4, atol=1e-4)
        assert result, f"B = {size}: {result}"
