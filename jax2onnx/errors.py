"""The exceptions and warnings of ``jax2onnx``.

A message says what is wrong, where it is, and what to do about it. This module is public.
"""

import difflib
import re
import sys
import warnings
from collections.abc import Mapping, Sequence
from types import MappingProxyType

__all__ = [
    "CheckWarning",
    "InputError",
    "Jax2OnnxError",
    "JaxVersionError",
    "LoweringError",
    "ModelError",
    "StateChangeWarning",
    "SymbolicDimensionError",
    "SymbolicDimensionWarning",
    "UnsupportedPrimitiveError",
    "UnsupportedTypeError",
    "UnsupportedUseError",
    "UntestedJaxWarning",
    "WriteError",
]


class Jax2OnnxError(Exception):
    """Base class of the errors that this package raises because of its user's input."""


class InputError(Jax2OnnxError, ValueError):
    """An argument of the public API is malformed."""


class ModelError(Jax2OnnxError):
    """JAX cannot trace the model."""


class SymbolicDimensionError(ModelError):
    """The model needs the value of a dimension that was given as a name."""


class SymbolicDimensionWarning(UserWarning):
    """The model compares two symbolic dimensions, which JAX takes for different unless proven."""


class UntestedJaxWarning(UserWarning):
    """The installed release of JAX is not one that this package was tested with."""


class StateChangeWarning(UserWarning):
    """A call of the model changes its state, and the graph has no output for the new state."""


class CheckWarning(UserWarning):
    """The model checks values while it runs, and the graph does not."""


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the line of the user's program, or of a test, that called this package."""
    level, frame = 1, sys._getframe()
    while frame.f_back and _OWN_MODULE.match(frame.f_globals["__name__"]):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


_OWN_MODULE = re.compile(r"jax2onnx\b(?!.*_test$)")


class UnsupportedPrimitiveError(Jax2OnnxError, NotImplementedError):
    """The traced function uses primitives that have no lowering.

    Args:
        missing: the name of each such primitive, and the line of the user's code that calls it.
        known: the names of the primitives that have a lowering.
        reasons: why a primitive has none, by its name.

    Attributes:
        missing: ``(name, line)`` of each such primitive, in the order of the trace.
    """

    def __init__(
        self,
        missing: Sequence[tuple[str, str]],
        known: Sequence[str] = (),
        reasons: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.missing = tuple(missing)
        lines = "\n".join(
            f"  {name}  at {where}{_remark(name, known, reasons)}" for name, where in self.missing
        )
        count = len(dict(self.missing))
        super().__init__(
            f"no ONNX lowering for {count} primitive(s) of this function:\n{lines}\n"
            "Write the model with other functions of JAX, or register a lowering rule, which takes "
            "five lines (docs/guides/primitives.md): jax2onnx.register_lowering(primitive)(rule). "
            "The rule adds ONNX operators, or is jax2onnx.in_jax(function), where the function "
            "computes the same with other primitives."
        )


_REASONS = (
    (r"callback|debug_print", "It calls Python, and an ONNX model cannot."),
    (r"all_gather|all_to_all|psum|pmax|pmin|ppermute|psend|precv|reduce_scatter|axis_index",
     "It communicates between devices, and an ONNX model runs on one."),
    (r"ffi_call|custom_partitioning|pallas_call",
     "It runs native code; use an implementation in JAX."),
)  # fmt: skip


def _remark(name: str, known: Sequence[str], reasons: Mapping[str, str]) -> str:
    """Return why a primitive has no lowering, or which one of a similar name has a lowering."""
    reason = reasons.get(name) or next(
        (text for pattern, text in _REASONS if re.search(pattern, name)), None
    )
    near = difflib.get_close_matches(name, known, 1, 0.75)
    if reason is None and near:
        reason = f"Did you mean {near[0]}?"
    return f" ({reason})" if reason else ""


class JaxVersionError(Jax2OnnxError, NotImplementedError):
    """The installed release of JAX lacks something that this conversion needs of its internals."""


class LoweringError(Jax2OnnxError):
    """The result of a lowering rule does not have the type that JAX expects."""


class UnsupportedUseError(Jax2OnnxError, NotImplementedError):
    """A primitive has a lowering, but not for these parameters or types."""


class UnsupportedTypeError(Jax2OnnxError):
    """The target has no kernel for the element types of some nodes of the model."""


class WriteError(Jax2OnnxError):
    """A model could not be written; the message names the file."""
