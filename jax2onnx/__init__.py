"""JAX models as ONNX models.

>>> import jax2onnx
>>> model = jax2onnx.to_onnx(fn, [("B", 30)])

Importing this package imports neither JAX nor ONNX: each name is loaded when it is first used.
Public are the names in ``__all__``, and the modules `jax2onnx.errors`, `jax2onnx.files`,
`jax2onnx.models`, `jax2onnx.checks.comparison` and `jax2onnx.checks.runtime`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # For type checkers and editors; `_MODULES` says the same at run time.
    from jax2onnx.api import to_onnx
    from jax2onnx.checks.allclose import allclose
    from jax2onnx.checks.report import Report, report
    from jax2onnx.decorator import onnx_function
    from jax2onnx.errors import (
        CheckWarning,
        InputError,
        Jax2OnnxError,
        JaxVersionError,
        LoweringError,
        ModelError,
        StateChangeWarning,
        SymbolicDimensionError,
        SymbolicDimensionWarning,
        UnsupportedPrimitiveError,
        UnsupportedTypeError,
        UnsupportedUseError,
        UntestedJaxWarning,
        WriteError,
    )
    from jax2onnx.lower import Context, in_jax, register_lowering
    from jax2onnx.trace import InputSpec
    from jax2onnx.write import save

__version__ = "0.1.0"

__all__ = [
    "CheckWarning",
    "Context",
    "InputError",
    "InputSpec",
    "Jax2OnnxError",
    "JaxVersionError",
    "LoweringError",
    "ModelError",
    "Report",
    "StateChangeWarning",
    "SymbolicDimensionError",
    "SymbolicDimensionWarning",
    "UnsupportedPrimitiveError",
    "UnsupportedTypeError",
    "UnsupportedUseError",
    "UntestedJaxWarning",
    "WriteError",
    "allclose",
    "in_jax",
    "onnx_function",
    "register_lowering",
    "report",
    "save",
    "to_onnx",
]

_MODULES = {
    "Context": "lower",
    "InputSpec": "trace",
    "Report": "checks.report",
    "allclose": "checks.allclose",
    "in_jax": "lower",
    "onnx_function": "decorator",
    "register_lowering": "lower",
    "report": "checks.report",
    "save": "write",
    "to_onnx": "api",
}
"""The module of each public name; all other names are exceptions and warnings, of `errors`."""

if not TYPE_CHECKING:  # Else type checkers would take any name for one of this package.

    def __getattr__(name: str) -> object:
        """Load a public name when it is first used."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if name in _MODULES:
            from jax2onnx.lazy_imports import import_onnx_ir

            import_onnx_ir()
        module = importlib.import_module(f"{__name__}.{_MODULES.get(name, 'errors')}")
        value = globals()[name] = getattr(module, name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
