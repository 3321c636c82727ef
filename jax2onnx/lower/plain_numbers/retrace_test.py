from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array, lax
from jax.extend import core

from jax2onnx.errors import ModelError, UnsupportedPrimitiveError
from jax2onnx.lower.plain_numbers.retrace import (
    Keys,
    Pair,
    is_plain,
    on_plain_numbers,
    pack,
    part_dtype,
    plain_jaxpr,
    split,
    unpack,
)
from jax2onnx.testing.agreement import lowered
from jax2onnx.trace import trace

Z = np.array([1 + 2j, -3 - 0.5j], np.complex64)


def packed(z: np.ndarray) -> np.ndarray:
    return np.stack([z.real, z.imag], -1)


def closed(function: Callable[..., Any], *args: Any) -> core.ClosedJaxpr:
    return jax.make_jaxpr(function)(*args)


@pytest.mark.parametrize(
    "function",
    [
        lambda z: z * z + 1,
        lambda z: jnp.exp(z) / (2 - z),
        jax.jit(lambda z: jnp.abs(z) * z),
        lambda z: lax.cond(z[0].real > 0, lambda x: x * 2j, jnp.conj, z),
        lambda z: lax.fori_loop(0, 3, lambda _, x: x * (0.5 + 0.5j), z),
        lambda z: lax.scan(lambda c, x: (c + x, c * x), 1j + 0 * z[0], z)[1],
    ],
)
def test_a_jaxpr_on_pairs_computes_the_same(function: Callable[..., Any]) -> None:
    jaxpr = closed(function, Z)
    plain = plain_jaxpr(jaxpr)
    assert not is_plain(jaxpr.jaxpr)
    assert is_plain(plain.jaxpr)
    (found,) = jax.core.eval_jaxpr(plain.jaxpr, plain.consts, packed(Z))
    np.testing.assert_allclose(found, packed(np.asarray(function(Z))), rtol=1e-5, atol=1e-6)


def test_a_jaxpr_of_plain_numbers_does_not_change() -> None:
    jaxpr = closed(jnp.sin, 1.0)
    assert plain_jaxpr(jaxpr) is jaxpr


def test_keys_become_the_integers_in_them() -> None:
    key = jax.random.key(3)
    plain = plain_jaxpr(closed(lambda k: jax.random.split(k, 2), key))
    assert is_plain(plain.jaxpr)
    data = jax.random.key_data(key)
    (found,) = jax.core.eval_jaxpr(plain.jaxpr, plain.consts, data)
    np.testing.assert_array_equal(found, jax.random.key_data(jax.random.split(key, 2)))


def test_constants_are_split_and_packed() -> None:
    pair = split(Z)
    assert isinstance(pair, Pair)
    np.testing.assert_array_equal(pair.im, Z.imag)
    np.testing.assert_array_equal(pack(pair), packed(Z))
    np.testing.assert_array_equal(unpack(jnp.asarray(packed(Z))).re, Z.real)
    keys = split(jax.random.split(jax.random.key(0), 3))
    assert isinstance(keys, Keys)
    assert keys.ndim == 1
    assert pack(keys).shape == (3, 2)
    plain: Any = np.ones(2)
    assert split(plain) is plain


def test_dtypes_of_parts() -> None:
    assert part_dtype(np.dtype("complex128")) == np.float64
    assert part_dtype(np.dtype("complex64")) == np.float32
    assert part_dtype(np.dtype("int8")) == np.int8


def test_inputs_and_parameters_are_packed() -> None:
    spec = jax.ShapeDtypeStruct((2,), np.complex64)
    traced = on_plain_numbers(trace(jax.tree_util.Partial(lambda w, z: z * w, Z), [spec]))
    (parameter,), (given,) = traced.parameters, traced.inputs
    assert given.dtype == np.float32
    assert given.aval.shape == (2, 2)
    np.testing.assert_array_equal(np.asarray(parameter.value), packed(Z))
    abstract = jax.tree_util.Partial(lambda w, z: z * w, spec)
    with pytest.raises(ModelError, match="is abstract, and of complex64"):
        on_plain_numbers(trace(abstract, [spec]))


def test_mutable_arrays_become_values() -> None:
    def function(x: Array) -> Array:
        total = jax.new_ref(x)
        total[...] += 1.0
        result: Array = total[...]
        return result

    traced = on_plain_numbers(trace(function, [(2,)]))
    assert not traced.jaxpr.effects


def test_a_primitive_without_a_rule_on_pairs_is_named() -> None:
    odd = core.Primitive("odd")
    odd.def_abstract_eval(lambda z: z)
    with pytest.raises(UnsupportedPrimitiveError, match="odd of complex numbers or random keys"):
        lowered(odd.bind, [jax.ShapeDtypeStruct((2,), np.complex64)])
