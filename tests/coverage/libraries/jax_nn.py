"""``jax.nn``."""

from __future__ import annotations

from typing import Any

from jax import nn

from tests.coverage.example import Example, b, each, f, i, of

_X = f(3, 4)
_HEADS = (f(2, 5, 4, 8), f(2, 5, 4, 8), f(2, 5, 4, 8))

ACTIVATIONS = (
    "celu elu gelu hard_sigmoid hard_silu hard_swish hard_tanh identity leaky_relu log_sigmoid "
    "mish relu relu6 selu sigmoid silu soft_sign softplus sparse_plus sparse_sigmoid squareplus "
    "swish tanh"
)
SOFTMAX = (1e-5, 1e-6)
"""Tolerances of attention: ``jax.nn`` always computes its softmax in float32."""


def attention(library: Any) -> list[Example]:
    """Return examples of ``dot_product_attention`` with the conventions of the library."""
    fn = library.dot_product_attention
    return [
        *of("dot_product_attention", fn, *_HEADS, tolerance=SOFTMAX),
        *of(
            "dot_product_attention",
            fn,
            *_HEADS,
            f(2, 4, 5, 5),
            variant="bias",
            tolerance=SOFTMAX,
        ),
        *of(
            "dot_product_attention",
            lambda q, k, v, mask: fn(q, k, v, mask=mask),
            *_HEADS,
            b(2, 4, 5, 5),
            variant="mask",
            tolerance=SOFTMAX,
        ),
    ]


EXAMPLES: list[Example] = [
    *each(nn, ACTIVATIONS, _X),
    *each(nn, "log1mexp", f(3, 4, low=0.1, high=3)),
    *each(nn, "gelu", _X, variants=({"approximate": False},)),
    *each(nn, "leaky_relu", _X, variants=({"negative_slope": 0.3},)),
    *each(nn, "elu celu", _X, variants=({"alpha": 0.5},)),
    *each(nn, "relu relu6", i(3, 4, low=-4, high=9)),
    *of(
        "leaky_relu",
        nn.leaky_relu,
        _X,
        f(4, low=0, high=1),
        variant="slope by an input",
    ),
    *each(
        nn, "softmax log_softmax standardize logsumexp logmeanexp", _X, variants=({}, {"axis": 0})
    ),
    *each(nn, "softmax", f(2, 3, 4), variants=({"axis": (1, 2)},)),
    *each(
        nn,
        "logsumexp",
        f(2, 3, 4),
        variants=(
            {"axis": None},
            {"axis": (1, 2), "keepdims": True},
            {"axis": 1, "return_sign": True},
        ),
    ),
    *of("softmax", lambda x: nn.softmax(x, where=x > -9), _X, variant="where"),
    *of("log_softmax", lambda x: nn.log_softmax(x, where=x > -9), _X, variant="where"),
    *of(
        "logsumexp",
        lambda x, w: nn.logsumexp(x, b=w, axis=1),
        _X,
        f(3, 4, low=0.1, high=2),
        variant="weights",
    ),
    *each(nn, "glu", f(3, 8), variants=({}, {"axis": 1})),
    *each(
        nn,
        "one_hot",
        i(3, 2),
        variants=({"num_classes": 6}, {"num_classes": 6, "axis": 1}, {"num_classes": 3}),
    ),
    *attention(nn),
    *[
        e
        for v, o in {
            "causal": {"is_causal": True},
            "scale": {"scale": 0.3},
            "window": {"local_window_size": (2, 1)},
        }.items()
        for e in of(
            "dot_product_attention",
            lambda q, k, v, o=o: nn.dot_product_attention(q, k, v, **o),
            *_HEADS,
            variant=v,
            tolerance=SOFTMAX,
        )
    ],
    *of(
        "dot_product_attention",
        nn.dot_product_attention,
        f(2, 5, 4, 8),
        f(2, 5, 2, 8),
        f(2, 5, 2, 8),
        variant="grouped",
        tolerance=SOFTMAX,
    ),
    *of(
        "dot_product_attention",
        lambda q, k, v, n: nn.dot_product_attention(
            q, k, v, query_seq_lengths=n, key_value_seq_lengths=n
        ),
        *_HEADS,
        i(2, low=1, high=6, dtype="int32"),
        variant="lengths",
        tolerance=SOFTMAX,
    ),
]
