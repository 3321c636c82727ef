"""A key gives JAX's random numbers; random bits are equal."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import onnxruntime
import pytest

from jax2onnx.testing.agreement import assert_agrees, lowered
from jax2onnx.trace import InputSpec

SEED = np.int32(7)


@pytest.mark.parametrize("opset", [13, 23])
@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        ("float32", -1, 3),
        ("float16", 0, 1),
        ("int32", -(2**31), 2**31 - 1),
        ("int8", -3, 4),
        ("float64", 2, 3),
        ("int64", -5, 2**40),
    ],
)
def test_numbers_without_a_key_are_uniform_and_differ(
    dtype: str, low: int, high: int, opset: int
) -> None:
    def draw(a: jax.Array, b: jax.Array) -> Any:
        return jax.lax.rng_uniform(a, b, (4, 500)), jax.lax.rng_uniform(a, b, (4, 500))

    bounds = [np.asarray(x, dtype) for x in (low, high)]
    wide = "64" in dtype
    model = lowered(draw, bounds, opset, enable_double_precision=wide)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    feeds = {i.name: x for i, x in zip(session.get_inputs(), bounds, strict=True)}
    drawn = [np.asarray(r) for _ in range(2) for r in session.run(None, feeds)]
    for i, numbers in enumerate(drawn):
        assert numbers.dtype == dtype
        assert (numbers >= low).all()
        assert (numbers < high).all()
        assert abs((numbers.astype(float) - low).mean() / (float(high) - low) - 0.5) < 0.09
        assert not any((numbers == other).all() for other in drawn[:i])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32"])
def test_bits(dtype: Any) -> None:
    assert_agrees(lambda s: jax.random.bits(jax.random.key(s), (3, 5), dtype), SEED)


@pytest.mark.parametrize(
    "draw",
    [
        lambda k: jax.random.uniform(k, (4, 3)),
        lambda k: jax.random.normal(k, (4, 3)),
        lambda k: jax.random.randint(k, (6,), -3, 9),
        lambda k: jax.random.bernoulli(k, 0.3, (6,)),
        lambda k: jax.random.categorical(k, np.log([0.2, 0.5, 0.3]).astype("f4"), shape=(6,)),
        lambda k: jax.random.permutation(k, 6),
        lambda k: jax.random.truncated_normal(k, -1, 1, (5,)),
    ],
)
def test_draws(draw: Any) -> None:
    assert_agrees(lambda s: draw(jax.random.key(s)), SEED, rtol=1e-5)


@pytest.mark.parametrize("impl", ["threefry2x32", "rbg", "unsafe_rbg"])
def test_keys_are_split_folded_and_carried(impl: str) -> None:
    def fn(seed: jax.Array) -> Any:
        keys = jax.random.split(jax.random.fold_in(jax.random.key(seed, impl=impl), 3), 3)

        def step(carry: Any, key: Any) -> Any:
            return jax.random.fold_in(carry, 1), jax.random.bits(key, (2,))

        last, drawn = jax.lax.scan(step, keys[0], keys)
        return jax.random.key_data(last), drawn, jax.random.key_data(keys[1:])

    assert_agrees(fn, SEED, rtol=0, atol=0)


def test_a_captured_key() -> None:
    key = jax.random.key(3)
    x = np.ones((3, 3), np.float32)
    assert_agrees(lambda v: v @ jax.random.normal(jax.random.split(key, 3)[0], (3, 3)), x)


@pytest.mark.parametrize("impl", ["threefry4x32", "philox2x32", "philox4x32", "rbg", "unsafe_rbg"])
def test_generators(impl: str) -> None:
    def fn(seed: jax.Array) -> Any:
        one, two = jax.random.split(jax.random.key(seed, impl=impl))
        drawn = jax.random.uniform(one, (4, 3)), jax.random.normal(two, (3,))
        return *drawn, jax.vmap(lambda k: jax.random.bits(k, (3,)))(jax.random.split(two, 2))

    assert_agrees(fn, SEED)


LAST = 2**32 - 1


@pytest.mark.parametrize("key", [(1, 2, 3, 4), (LAST, 7, LAST - 1, LAST)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "uint64"])
@pytest.mark.parametrize("algorithm", list(jax.lax.RandomAlgorithm))
def test_generator_of_xla(algorithm: Any, dtype: str, key: Any) -> None:
    def fn(state: jax.Array) -> Any:
        results = []
        for shape in ((), (9,), (3, 5), (3, 4, 5), (0, 2)):
            state, bits = jax.lax.rng_bit_generator(state, shape, dtype, algorithm)
            if dtype == "uint64":  # Halves are exact in doubles, in which numbers are compared.
                results.append((bits >> np.uint64(32)).astype(np.uint32))
            results.append(bits.astype(np.uint32))
        return state, results

    double = dtype == "uint64"
    assert_agrees(fn, np.array(key, np.uint32), rtol=0, atol=0, double=double)


def test_state_of_64_bits() -> None:
    state = np.array([2**63 + 5, 2**64 - 2], np.uint64)
    assert_agrees(lambda s: jax.lax.rng_bit_generator(s, (7,)), state, rtol=0, double=True)


def test_symbolic_shape() -> None:
    def fn(key: jax.Array, x: jax.Array) -> Any:
        return jax.lax.rng_bit_generator(key, (x.shape[0], 3))

    arrays = np.array([1, 2, 3, 4], np.uint32), np.zeros(5, np.float32)
    assert_agrees(fn, *arrays, specs=[InputSpec((4,), "uint32"), ("B",)], rtol=0)


def test_gamma() -> None:
    shape = np.array([0.3, 1.0, 4.5], np.float32)
    assert_agrees(lambda s, a: jax.random.gamma(jax.random.key(s), a), SEED, shape)


def test_a_loop_over_keys_under_vmap() -> None:
    def one(data: jax.Array) -> Any:
        return jax.random.binomial(jax.random.wrap_key_data(data), 10.0, 0.3, (4,))

    assert_agrees(jax.vmap(one), np.arange(6, dtype=np.uint32).reshape(3, 2))


def test_uniform_numbers_of_a_literal_key_are_constants() -> None:
    def fn(x: jax.Array) -> jax.Array:
        return x * jax.random.uniform(jax.random.key(3), (2, 4))

    model = assert_agrees(fn, np.ones((2, 4), np.float32))
    assert not model.functions
    assert {node.op_type for node in model.graph.node} <= {"Max", "Mul"}
