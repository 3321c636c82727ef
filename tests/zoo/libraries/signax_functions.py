"""Signatures of paths with signax."""

from __future__ import annotations

import jax
import signax

from tests.coverage.example import f
from tests.zoo.model import of

PATH = f(6, 2)

MODELS = [
    of("signature", lambda x: signax.signature(x, 3), PATH),
    of("signature of a batch", jax.vmap(lambda x: signax.signature(x, 2)), f(2, 6, 2), batch=True),
    of("log-signature", lambda x: signax.logsignature(x, 3), PATH),
]
