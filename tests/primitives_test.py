"""JAX's own harness: cases of its primitives, run on ONNX Runtime and held against eager JAX.

A few cases a group. The groups of linear algebra, whose results are not unique, have tests of their
own beside their lowerings.
"""

from __future__ import annotations

import warnings
from typing import Any

import jax
import numpy as np
import onnx
import onnxruntime
import pytest
from jax._src.internal_test_util import test_harnesses

from jax2onnx import UnsupportedPrimitiveError, to_onnx
from jax2onnx.allclose import packed
from jax2onnx.runtime import run

CASES = 2
TOLERANCE = {"float16": 2e-3, "bfloat16": 2e-2, "float32": 1e-5, "float64": 1e-12}
"""Relative to the greatest magnitude of the output; other types are exact."""

ELSEWHERE = frozenset(
    (
        *("cholesky", "custom_linear_solve", "eig", "eigh", "lu", "qr", "svd"),
        *("triangular_solve", "tridiagonal_solve"),
    )
)
REFUSED = frozenset(("rng_bit_generator",))
"""XLA's own generator, which has no decomposition in JAX."""


def _groups() -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for harness in test_harnesses.all_harnesses:
        limited = any(
            limit.filter(device="cpu", dtype=harness.dtype) for limit in harness.jax_unimplemented
        )
        # An unstable sort may order equals in any way.
        loose = harness.group_name == "sort" and not harness.params.get("is_stable", True)
        if not limited and not (loose and harness.params.get("num_arrays", 1) > 1):
            groups.setdefault(harness.group_name, []).append(harness)
    return groups


def _chosen() -> list[Any]:
    chosen = []
    for group, harnesses in _groups().items():
        if group not in ELSEWHERE:
            step = max(1, len(harnesses) // CASES)
            chosen += harnesses[::step][:CASES]
    return [pytest.param(h, id=h.fullname) for h in chosen]


def _agree(found: Any, wanted: Any) -> bool:
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        return False
    tolerance = TOLERANCE.get(str(wanted.dtype))
    if tolerance is None:
        return bool((found == wanted).all())
    a, b = found.astype(np.float64), wanted.astype(np.float64)
    finite = np.abs(b[np.isfinite(b)])
    scale = finite.max() if finite.size else 1.0
    return bool(np.allclose(a, b, rtol=tolerance, atol=tolerance * scale, equal_nan=True))


@pytest.mark.parametrize("harness", _chosen())
def test_harness(harness: Any) -> None:
    arguments = [np.asarray(a) for a in harness.dyn_args_maker(np.random.RandomState(0))]
    double = any(
        a.dtype.kind in "iufc" and a.dtype.itemsize == (16 if a.dtype.kind == "c" else 8)
        for a in arguments
    )
    with warnings.catch_warnings(), jax.enable_x64(double):
        warnings.simplefilter("ignore")  # of the harness itself
        results = jax.tree_util.tree_leaves(harness.dyn_fun(*arguments))
        wanted = [packed(np.asarray(x)) for x in results]
        if harness.group_name in REFUSED:
            with pytest.raises(UnsupportedPrimitiveError, match=harness.group_name):
                to_onnx(harness.dyn_fun, arguments, enable_double_precision=double)
            return
        model = to_onnx(harness.dyn_fun, arguments, enable_double_precision=double)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [i.name for i in session.get_inputs()]
    feeds = dict(zip(names, map(packed, arguments), strict=True))
    for (name, found), want in zip(run(session, feeds).items(), wanted, strict=True):
        assert _agree(found, want), name
