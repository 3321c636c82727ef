"""Errors that users of ``jax2onnx`` can act on: each says what was wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Sequence


class Jax2OnnxError(Exception):
    """Base class of every error that this package raises for its user's input."""


class InputError(Jax2OnnxError, ValueError):
    """An argument of the public API is malformed."""


class ModelError(Jax2OnnxError):
    """The model cannot be traced as it stands."""


class SymbolicDimensionError(ModelError):
    """A dimension that was given as a name cannot be kept symbolic."""


class UnsupportedPrimitiveError(Jax2OnnxError, NotImplementedError):
    """The traced function uses primitives for which there is no lowering.

    Attributes:
        missing: ``(primitive name, user's source line)`` of each, in the order of the trace.
    """

    def __init__(self, missing: Sequence[tuple[str, str]]) -> None:
        self.missing = tuple(missing)
        lines = "\n".join(f"  {name}  at {where}" for name, where in self.missing)
        super().__init__(
            f"no ONNX lowering for {len(self.missing)} primitive(s) of this function:\n{lines}\n"
            "Write them with primitives that have one, or register a lowering: "
            "jax2onnx.register_lowering(primitive, rule)."
        )


class UnsupportedUseError(Jax2OnnxError, NotImplementedError):
    """A primitive is known, but not with these parameters or types."""
