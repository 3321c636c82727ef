"""Exporters as a user might write them, some with a mistake. Their checkpoint has one tensor."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive

from exporters.errors import ExportError
from exporters.model.exportable import Exportable, TensorSource
from jax2onnx import InputSpec
from weights import Checkpoint

_mystery = Primitive("mystery")
_mystery.def_abstract_eval(lambda x: x)


class Scale(eqx.Module):
    """A model that computes ``after(x * weight)``."""

    weight: jax.ShapeDtypeStruct
    after: Callable[[jax.Array], jax.Array]

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map f32 (B, 3) to f32 (B, 3)."""
        return self.after(x * self.weight)  # type: ignore[operator]


def _scale(after: Callable[[jax.Array], jax.Array]) -> Exportable:
    return Exportable(
        model=Scale(jax.ShapeDtypeStruct((3,), np.float32), after),
        inputs=[InputSpec(("B", 3))],
        parameters={"weight": TensorSource("weight")},
        input_names=["x"],
        output_names=["y"],
    )


def good(checkpoint: Checkpoint) -> Exportable:
    """Return a model without a mistake."""
    return _scale(jnp.tanh)


def unsupported(checkpoint: Checkpoint) -> Exportable:
    """Return a model with a primitive that the converter does not know."""
    return _scale(_mystery.bind)


def asks_the_batch(checkpoint: Checkpoint) -> Exportable:
    """Return a model that depends on the value of a symbolic dimension."""
    return _scale(lambda x: x if x.shape[0] > 1 else -x)


def fixes_the_batch(checkpoint: Checkpoint) -> Exportable:
    """Return a model that turns a symbolic dimension into a number."""
    return _scale(lambda x: x * float(x.shape[0]))


def reads_elsewhere(checkpoint: Checkpoint) -> Exportable:
    """Read a file that is not declared, and suppress the error."""
    try:
        open("/etc/hostname").close()  # noqa: PTH123
    except ExportError:
        return good(checkpoint)
    return good(checkpoint)


def downloads(checkpoint: Checkpoint) -> Exportable:
    """Use the network."""
    import urllib.request

    urllib.request.urlopen("https://example.org/more.safetensors")
    return good(checkpoint)


def nothing(checkpoint: Checkpoint) -> None:
    """Return nothing, by mistake."""
