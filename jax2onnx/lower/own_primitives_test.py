"""The user's own primitives are registered, decomposed in JAX, or reported as missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx_ir as ir
import pytest
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jax2onnx.decorator import onnx_function
from jax2onnx.errors import LoweringError, SymbolicDimensionError, UnsupportedPrimitiveError
from jax2onnx.lower import Context, in_jax, register_lowering
from jax2onnx.lower.families import FAMILIES
from jax2onnx.lower.registry import LOWERINGS
from jax2onnx.testing.agreement import assert_agrees, lowered, operators

X = np.random.default_rng(0).standard_normal((4, 3), np.float32)


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    """Restore the dictionary of lowerings after a test."""
    before = dict(LOWERINGS)
    yield
    for primitive in set(LOWERINGS) - set(before):
        if primitive.name not in FAMILIES:  # A family is imported only once.
            del LOWERINGS[primitive]
    LOWERINGS.update(before)


def primitive(name: str, compute: Callable[..., Any] = lambda x, **_: x) -> Any:
    """Return an elementwise primitive that JAX can run, differentiate once, and map."""
    made = Primitive(name)
    made.def_impl(compute)
    made.def_abstract_eval(lambda x, **_: jax.core.ShapedArray(x.shape, x.dtype))
    mlir.register_lowering(made, mlir.lower_fun(compute, multiple_results=False))
    batching.primitive_batchers[made] = lambda args, dims, **params: (
        made.bind(*args, **params),
        dims[0],
    )
    ad.defjvp(made, lambda t, x, **params: t * made.bind(x, **params))
    return made


@pytest.fixture
def scaled() -> Callable[..., Any]:
    """Return a function that computes ``x * factor`` by a primitive with its own rule."""
    scaled_p = primitive("scaled", lambda x, *, factor: x * factor)

    @register_lowering(scaled_p)
    def _(ctx: Context, x: ir.Value, *, factor: float) -> ir.Value:
        return ctx.op.Mul(x, factor)

    return lambda x, factor=3.0: scaled_p.bind(x, factor=factor)


@pytest.fixture
def cubed() -> Callable[..., Any]:
    """Return a function that computes ``x ** 3`` by a primitive that is decomposed in JAX."""
    cubed_p = primitive("cubed", lambda x: x * x * x)
    register_lowering(cubed_p)(in_jax(lambda x: x * x * x))
    bind: Callable[..., Any] = cubed_p.bind
    return bind


PLACES: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "alone": lambda f: f,
    "jit": lambda f: jax.jit(lambda x: f(x) + 1),
    "vmap": lambda f: jax.vmap(lambda row: f(row) + row.sum()),
    "grad": lambda f: jax.grad(lambda x: (f(x) * x).sum()),
    "jvp": lambda f: lambda x: jax.jvp(f, (x,), (x,)),
    "scan": lambda f: lambda x: jax.lax.scan(lambda c, row: (f(c) + row, None), x[0], x)[0],
    "cond": lambda f: lambda x: jax.lax.cond(x.sum() > 0, f, jnp.sin, x),
    "remat": lambda f: jax.checkpoint(lambda x: f(f(x))),
}


@pytest.mark.parametrize("name", ["scaled", "cubed"])
@pytest.mark.parametrize("place", PLACES)
def test_a_primitive_of_the_user(place: str, name: str, request: pytest.FixtureRequest) -> None:
    function = request.getfixturevalue(name)
    assert_agrees(PLACES[place](function), X, specs=[("B", 3)])


def test_the_rule_determines_the_graph(scaled: Any, cubed: Any) -> None:
    assert operators(assert_agrees(scaled, X)) == ["Mul"]
    assert operators(assert_agrees(cubed, X)) == ["Mul", "Mul"]


@pytest.mark.parametrize("name", ["scaled", "cubed"])
def test_in_a_function(name: str, request: pytest.FixtureRequest) -> None:
    function = request.getfixturevalue(name)

    @onnx_function
    def block(x: Any) -> Any:
        return function(x) + x

    model = assert_agrees(lambda x: block(block(x)), X, specs=[("B", 3)])
    assert operators(model) == ["block", "block"]


def test_a_decomposition_takes_complex_numbers_too(cubed: Any) -> None:
    assert_agrees(lambda x: cubed(x + 1j * x), X, specs=[("B", 3)])


def test_a_rule_may_read_symbolic_dimensions() -> None:
    rows_p = primitive("rows", lambda x: x * x.shape[0])

    @register_lowering(rows_p)
    def _(ctx: Context, x: ir.Value) -> ir.Value:
        return ctx.op.Mul(x, ctx.cast(ctx.dim_scalar(ctx.dims(x)[0]), x.dtype))

    assert_agrees(rows_p.bind, X, specs=[("B", 3)])


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        (lambda ctx, x: ctx.op.IsNaN(x), r"gave BOOL\[4, 3\] for float32\[4,3\]"),
        (lambda ctx, x: (x, x), r"gave 2 value\(s\) for 1 result"),
        (lambda ctx, x: None, r"gave 0 value\(s\) for 1 result"),
    ],
)
def test_a_rule_with_wrong_results_is_named_in_the_error(rule: Any, fault: str) -> None:
    wrong_p = primitive("wrong")
    register_lowering(wrong_p)(rule)
    with pytest.raises(LoweringError, match=rf"of wrong at .*own_primitives_test\.py:.*{fault}"):
        lowered(lambda x: wrong_p.bind(x), [(4, 3)])  # noqa: PLW0108  # a line of the user


def test_an_error_on_a_dimension_in_a_decomposition_has_the_users_line() -> None:
    counted_p = primitive("counted")
    register_lowering(counted_p)(in_jax(lambda x: x * float(x.shape[0])))
    with pytest.raises(SymbolicDimensionError, match=r"own_primitives_test\.py:\d+"):
        lowered(lambda x: counted_p.bind(x), [("B", 3)])  # noqa: PLW0108  # a line of the user


def turn(z: jax.Array, w: jax.Array, *, by: float) -> jax.Array:
    return z * w * jnp.exp(1j * by)


def test_a_primitive_of_a_library_is_lowered_as_jax_compiles_it() -> None:
    turned_p = Primitive("turned")
    turned_p.def_abstract_eval(lambda z, w, **_: jax.core.ShapedArray(z.shape, z.dtype))
    turned_p.def_impl(turn)
    mlir.register_lowering(turned_p, mlir.lower_fun(turn, multiple_results=False))
    real_p = primitive("real", lambda x: jnp.tanh(x) * 2)

    def fn(x: Any) -> Any:
        return turned_p.bind(jax.lax.complex(x, 2 * x), x, by=0.5).imag + real_p.bind(x)

    assert_agrees(fn, X)


def test_one_error_lists_all_missing_primitives() -> None:
    a, b, c, d, outer, inner, near = map(
        primitive, ("in_main", "in_vmap", "in_scan", "in_block", "known", "in_rule", "erf_imv")
    )
    for each in (a, b, c, d, inner, near):
        mlir.register_lowering(each, lambda _, x: [x])  # not written in JAX
    register_lowering(outer)(in_jax(inner.bind))

    @onnx_function
    def block(x: Any) -> Any:
        return d.bind(x)

    def fn(x: Any) -> Any:
        x = jax.vmap(b.bind)(a.bind(x))
        x, _ = jax.lax.scan(lambda carry, _: (c.bind(carry), None), x, jnp.arange(3))
        x = jax.lax.cond(x.sum() > 0, outer.bind, block, x)
        return near.bind(x) + a.bind(x + 1j * x).real

    with pytest.raises(UnsupportedPrimitiveError) as caught:
        lowered(fn, [("B", 3)])
    names = [name for name, _ in caught.value.missing]
    assert sorted(names) == [
        *("erf_imv", "in_block", "in_main", "in_main of complex numbers or random keys"),
        *("in_rule", "in_scan", "in_vmap"),
    ]
    message = str(caught.value)
    assert message.startswith("no ONNX lowering for 7 primitive(s)")
    assert all("own_primitives_test.py:" in where for _, where in caught.value.missing)
    assert "Did you mean erf_inv?" in message
    assert "register_lowering" in message
    assert "docs/guides/primitives.md" in message


def test_the_error_on_a_callback_says_why_it_is_impossible() -> None:
    def fn(x: Any) -> Any:
        return jax.pure_callback(np.sin, x, x)

    with pytest.raises(UnsupportedPrimitiveError, match=r"pure_callback .* calls Python"):
        lowered(fn, [(4, 3)])
