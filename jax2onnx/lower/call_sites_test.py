"""Each node has the line of the model that it comes from."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import onnx
from jax import Array, lax

from jax2onnx.decorator import onnx_function
from jax2onnx.rewrite.rules.activations import gelu
from jax2onnx.rewrite.rules.products import linear
from jax2onnx.testing.rewriting import conversion_with

convert = conversion_with(gelu, linear)

X = np.ones((2, 4), np.float32)


def sites(model: onnx.ModelProto) -> list[tuple[str, str]]:
    """Return the operator and call site of each node, also in functions and branches."""
    return [
        (n.op_type, {p.key: p.value for p in n.metadata_props}.get("pkg.jax2onnx.call_site", ""))
        for nodes in (model.graph.node, *(f.node for f in model.functions))
        for n in _nested(nodes)
        if n.op_type not in ("Constant", "Identity")
    ]


def _nested(nodes: Any) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            yield from _nested(attribute.g.node)


def line(function: Callable[..., Any], text: str) -> int:
    """Return the number of the line of this file with the text in the function."""
    source, start = inspect.getsourcelines(function)
    return next(start + i for i, found in enumerate(source) if text in found)


@onnx_function
def doubled(x: Array) -> Array:
    return x + x  # in a function


def steps(x: Array) -> Array:
    def step(i: Array, y: Array) -> Array:
        return y * i  # in a loop

    y = jnp.sin(x)  # a primitive
    y = lax.fori_loop(0, 3, step, y)  # a loop
    return doubled(y)  # a call


def test_each_node_has_its_line() -> None:
    found = dict(sites(convert(steps, [X], call_sites=True)))
    name = f"{steps.__name__}.<locals>.step"
    assert found["Sin"].startswith(f"call_sites_test.py:{line(steps, 'a primitive')}:")
    assert found["Sin"].endswith(" (steps)")
    assert found["Mul"].startswith(f"call_sites_test.py:{line(steps, 'in a loop')}:")
    assert found["Mul"].endswith(f" ({name})")
    assert found["Loop"].startswith(f"call_sites_test.py:{line(steps, '# a loop')}:")
    assert found["doubled"].startswith(f"call_sites_test.py:{line(steps, '# a call')}:")
    assert found["Add"].endswith(" (doubled)")


def test_nodes_of_decompositions_casts_and_rules_have_the_original_line() -> None:
    def layer(x: Array) -> Array:
        x = jax.nn.gelu(x.astype(jnp.bfloat16), approximate=False)  # a rule, and casts
        return lax.lgamma(x).astype(jnp.float32)  # a decomposition

    found = sites(convert(layer, [X], call_sites=True))
    assert {"Gelu", "Cast"} < {operator for operator, _ in found}
    lines = {line(layer, "a rule, and casts"), line(layer, "a decomposition")}
    assert {site.split(":")[1] for _, site in found} == set(map(str, lines))


def test_a_library_layer_has_a_line_of_the_library() -> None:
    model = eqx.nn.Linear(4, 3, key=jax.random.key(0))
    found = dict(sites(convert(jax.vmap(model), [X], call_sites=True)))
    assert "_linear.py:" in found["Gemm"]
    assert "/" not in found["Gemm"]


def test_functions_of_jax_have_the_line_of_their_present_caller() -> None:
    def first(x: Array) -> Array:
        return jax.nn.silu(x)

    def second(x: Array) -> Array:
        return jax.nn.silu(x)

    for function in (first, second):
        names = {
            site.rpartition(".")[2] for _, site in sites(convert(function, [X], call_sites=True))
        }
        assert names == {f"{function.__name__})"}


def test_call_sites_are_not_written_by_default() -> None:
    assert {site for _, site in sites(convert(steps, [X]))} == {""}
