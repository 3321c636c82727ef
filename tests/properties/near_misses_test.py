"""Functions that nearly are what a rewrite rule recognises give the results of JAX.

A case has a seed, which a failure names: ``case("activations.gelu", 17)`` computes it again.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import onnxruntime
import pytest
from hypothesis import settings
from jax import lax

from jax2onnx import to_onnx
from jax2onnx.checks.runtime import run
from jax2onnx.rewrite.stages import STAGES
from tests.properties.near_misses import Steps, near_miss, recorded, runs
from tests.properties.patterns import PATTERNS, N, Pattern

CASES = {"suite": 5, "nightly": 48}
"""Cases of each rule: about 200 in the suite, and 2000 in the profile nightly."""


def test_every_rule_has_a_pattern() -> None:
    assert set(PATTERNS) == {entry.rule for stage in STAGES for entry in stage.entries}


def _array(shape: tuple[Any, ...], rng: np.random.Generator) -> Any:
    if shape and shape[0] == "i":
        return rng.integers(-5, 6, shape[1:]).astype(np.int32)
    return rng.standard_normal(shape, dtype=np.float32)


def _moved(x: Any, rng: np.random.Generator) -> Any:
    """Return an array that differs in the last digits."""
    return (
        np.asarray(x * (1 + 2e-6 * rng.uniform(-1, 1, x.shape)), x.dtype)
        if x.dtype.kind == "f"
        else x
    )


def _scanned(body: Any, pattern: Pattern) -> Any:
    """Return the function of which a pattern is the body: of a scan, or of nothing else."""
    if not pattern.states:
        return body

    def function(*arrays: Any) -> Any:
        *states, rows, factor = arrays

        def step(carry: Any, row: Any) -> Any:
            found = body(*carry, row, factor)
            return tuple(found[: pattern.states]), tuple(found)

        carry, outs = lax.scan(step, tuple(states), rows)
        return [*carry, *outs]

    return function


def case(rule: str, seed: int) -> tuple[Steps, list[Any], list[Any], list[Any]]:
    """Return a near miss: its steps, and what JAX, JAX on slightly other inputs and ONNX give."""
    rng = np.random.default_rng(seed)
    pattern = PATTERNS[rule][rng.integers(len(PATTERNS[rule]))]
    inside = [*(_array(s, rng) for s in pattern.shapes), np.asarray(1.5, np.float32)]
    arrays = list(inside)
    if pattern.states:
        arrays[pattern.states] = _array((N, *pattern.shapes[pattern.states]), rng)
    steps = recorded(lambda *xs: jax.tree.leaves(pattern.function(*xs[:-1])), inside)
    steps = near_miss(steps, lambda s: runs(_scanned(s, pattern), arrays), rng)
    function = _scanned(steps, pattern)
    wanted = function(*arrays)
    moved = [function(*(_moved(x, rng) for x in arrays)) for _ in range(3)]
    options = {"opset": int(rng.choice([21, 23, 24])), **pattern.options}
    if rng.integers(2):
        options["prefer"] = "readable"
    model = to_onnx(function, arrays, **options)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [i.name for i in session.get_inputs()]
    found = list(run(session, dict(zip(names, arrays, strict=True))).values())
    return steps, wanted, moved, found


@pytest.mark.parametrize("rule", PATTERNS)
def test_near_misses(rule: str) -> None:
    compared = 0
    count = CASES[settings.get_current_profile_name()]
    for seed in range(count):
        steps, wanted, moved, found = case(rule, seed)
        for want, got, *others in zip(wanted, found, *moved, strict=True):
            assert (got.shape, got.dtype) == (want.shape, want.dtype), (seed, steps.changes)
            if not all(np.isfinite(x).all() for x in (want, *others)):
                continue  # Runtimes differ at poles.
            a, b = np.asarray(want, np.float64), got.astype(np.float64)
            error = 30 * np.max([np.abs(a - np.asarray(x, float)) for x in others], axis=0)
            wrong = ~(np.abs(a - b) <= error + 1e-4 * np.abs(a) + 2e-5)
            assert not wrong.any(), (seed, steps.changes, a[wrong][:4], b[wrong][:4])
            compared += 1
    assert compared >= count / 2
