"""Rearrangements, reductions and einsums of einops."""

from __future__ import annotations

from typing import Any

import jax
from einops import einsum, pack, rearrange, reduce, repeat
from jax import Array

from tests.coverage.example import f
from tests.zoo.model import of

IMAGE = f(2, 8, 8, 3)


def _patches(x: Array) -> Any:
    return rearrange(x, "b (h p) (w q) c -> b (h w) (p q c)", p=4, q=4)


def _attention(x: Array) -> Any:
    q, k, v = rearrange(x, "b t (three h d) -> three b h t d", three=3, h=2)
    shares = jax.nn.softmax(einsum(q, k, "b h t d, b h s d -> b h t s") / 2.0)
    return rearrange(einsum(shares, v, "b h t s, b h s d -> b h t d"), "b h t d -> b t (h d)")


MODELS = [
    of("patches of an image", _patches, IMAGE, batch=True),
    of("attention", _attention, f(2, 5, 24), batch=True),
    of(
        "pooling",
        lambda x: reduce(x, "b (h p) (w q) c -> b h w c", "max", p=2, q=2),
        IMAGE,
        batch=True,
    ),
    of("mean of all places", lambda x: reduce(x, "b h w c -> b c", "mean"), IMAGE, batch=True),
    of("repeated rows", lambda x: repeat(x, "b h w c -> b (h r) w c", r=2), IMAGE, batch=True),
    of("packed", lambda x, y: pack([x, y], "b * c")[0], IMAGE, f(2, 5, 3), batch=True),
]
