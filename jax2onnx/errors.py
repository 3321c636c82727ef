"""Errors that users of ``jax2onnx`` can act on: each says what was wrong, where, and what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType


class Jax2OnnxError(Exception):
    """Base class of every error that this package raises for its user's input."""


class InputError(Jax2OnnxError, ValueError):
    """An argument of the public API is malformed."""


class ModelError(Jax2OnnxError):
    """The model cannot be traced as it stands."""


class SymbolicDimensionError(ModelError):
    """A dimension that was given as a name cannot be kept symbolic."""


class SymbolicDimensionWarning(UserWarning):
    """A model asks whether two dimensions are equal, which JAX answers with no, unless proven."""


class StateChangeWarning(UserWarning):
    """A call of the model changes its state, and the graph has no output for that."""


class UnsupportedPrimitiveError(Jax2OnnxError, NotImplementedError):
    """The traced function uses primitives for which there is no lowering.

    Attributes:
        missing: ``(primitive name, user's source line)`` of each, in the order of the trace.
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
            "Write them with other functions of JAX, or register a rule, which takes five lines "
            "(docs/guides/primitives.md): jax2onnx.register_lowering(primitive)(rule), where the "
            "rule adds ONNX operators, or is jax2onnx.in_jax(function) of a function that computes "
            "the same in JAX."
        )


_REASONS = (
    (r"callback|debug_print", "it calls Python, which a model cannot"),
    (r"all_gather|all_to_all|psum|pmax|pmin|ppermute|psend|precv|reduce_scatter|axis_index",
     "it is for several devices, a model for one"),
    (r"rng_uniform", "it has no key: take jax.random.uniform"),
    (r"ffi_call|custom_partitioning|pallas_call", "its code is native: give the same in JAX"),
)  # fmt: skip


def _remark(name: str, known: Sequence[str], reasons: Mapping[str, str]) -> str:
    """Why a primitive has no lowering, or which of a similar name has one."""
    reason = reasons.get(name) or next(
        (text for pattern, text in _REASONS if re.search(pattern, name)), None
    )
    near = difflib.get_close_matches(name, known, 1, 0.75)
    if reason is None and near:
        reason = f"there is one for {near[0]}"
    return f" ({reason})" if reason else ""


class JaxVersionError(Jax2OnnxError, NotImplementedError):
    """The installed release of JAX lacks something that this conversion needs of its internals."""


class LoweringError(Jax2OnnxError):
    """A lowering rule gave something else than the type that JAX expects."""


class UnsupportedUseError(Jax2OnnxError, NotImplementedError):
    """A primitive is known, but not with these parameters or types."""


class UnsupportedTypeError(Jax2OnnxError):
    """Nodes of the model can run in no element type that the target has kernels for."""


class WriteError(Jax2OnnxError):
    """A model could not be written; the message names the file and says what to do."""
