"""Run examples in each mode, and judge them."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import onnx
from flax.errors import FlaxError
from jax import export, tree_util

from jax2onnx import InputSpec, to_onnx
from jax2onnx.checks.allclose import packed
from jax2onnx.checks.runtime import run
from jax2onnx.errors import Jax2OnnxError
from jax2onnx.trace.frameworks.callables import parameterise
from tests.coverage.example import Example
from tests.primitives.closeness import same_types, within
from tests.primitives.judge import ERRORS, RUNTIME_ERRORS, load
from tests.primitives.tolerances import TOLERANCES, DisagreementError
from tests.reasons import one_line

Mode = Literal["f32", "f64", "symbolic", "vmap"]
MODES: tuple[Mode, ...] = ("f32", "f64", "symbolic", "vmap")
MAPPED = 3
"""The size of a mapped axis."""


_OF_JAX: tuple[type[Exception], ...] = (
    *ERRORS,
    *(FlaxError, jax.errors.InconclusiveDimensionOperation),
)
_OF_ONNX: tuple[type[Exception], ...] = (
    *RUNTIME_ERRORS,
    *(Jax2OnnxError, DisagreementError),
    *(onnx.checker.ValidationError, onnx.shape_inference.InferenceError),
)


@dataclass(frozen=True)
class Verdict:
    """The outcome of an example in a mode.

    Attributes:
        status: ``passed``, ``failed``, ``jax`` where JAX itself refuses the example, or ``none``
            where the mode does not apply.
        cause: the error, unless it passed.
        operators: the ONNX operators that it became, in the order of their first use.
    """

    status: Literal["passed", "failed", "jax", "none"]
    cause: str = ""
    operators: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Case:
    fn: Callable[..., Any]
    arrays: list[Any]
    wanted: list[Any]
    double: bool
    mapped: bool

    def specs(self, example: Example, symbolic: bool) -> list[InputSpec]:
        """Return the input specifications, with a symbolic batch axis if ``symbolic``."""
        shapes: list[tuple[int | str, ...]] = [x.shape for x in self.arrays]
        pairs = list(zip(example.inputs, self.arrays, strict=True))
        leading = next((x.shape[0] for arg, x in pairs if x.ndim and not arg.fixed), None)
        for k, (arg, _) in enumerate(pairs if symbolic else ()):
            batched = self.mapped or (not arg.fixed and shapes[k][:1] == (leading,))
            if batched:
                shapes[k] = ("B", *shapes[k][1:])
        return [InputSpec(s, x.dtype) for s, x in zip(shapes, self.arrays, strict=True)]


def verdict(example: Example, mode: Mode) -> Verdict:
    """Convert the example, run it on ONNX Runtime, and compare the results with eager JAX."""
    batched = mode in ("symbolic", "vmap")
    if mode in example.skip or (batched and not example.inputs):
        return Verdict("none")
    mapped = mode == "vmap" or (mode == "symbolic" and example.batch == "mapped")
    try:
        case = _case(example, mode == "f64", mapped)
    except _OF_JAX as error:
        return Verdict("jax" if mode != "f32" else "failed", "JAX: " + one_line(error))
    specs = case.specs(example, mode == "symbolic")
    if mode == "symbolic" and not any("B" in spec.shape for spec in specs):
        return Verdict("none")
    try:
        model = to_onnx(case.fn, specs, enable_double_precision=case.double, training=True)
        onnx.checker.check_model(model, full_check=True)
        session = load(model)
        names = [x.name for x in session.get_inputs()]
        found = list(run(session, dict(zip(names, map(packed, case.arrays), strict=True))).values())
        same_types(case.wanted, found)
        for number, (want, got) in enumerate(zip(case.wanted, found, strict=True)):
            tolerance = TOLERANCES.get(want.dtype.name)
            if tolerance is not None and example.tolerance is not None:
                tolerance = max(tolerance, example.tolerance[mode == "f64"])
            within(tolerance, f"output {number}", want, got)
    except (*_OF_JAX, *_OF_ONNX) as error:
        untraceable = _jax_refuses(case.fn, specs) if batched else None
        if untraceable is not None:
            return Verdict("jax", "JAX: " + one_line(untraceable))
        return Verdict("failed", one_line(error))
    return Verdict("passed", operators=tuple(dict.fromkeys(_operators(model))))


@functools.lru_cache(maxsize=1)
def _made(example: Example, double: bool) -> Any:
    fn = example.make()
    return _widened(fn) if double else fn


@functools.lru_cache(maxsize=2)
def _case(example: Example, double: bool, mapped: bool) -> _Case:
    """Return the example's callable and inputs, and the results of eager JAX."""
    random = np.random.default_rng(zlib.crc32(example.name.encode()))
    draws = range(MAPPED if mapped else 1)
    drawn = [[arg.draw(random, double) for arg in example.inputs] for _ in draws]
    arrays = [np.stack(column) if mapped else column[0] for column in zip(*drawn, strict=True)]
    with jax.enable_x64(double):
        fn = _made(example, double)
        if mapped:
            fn = jax.vmap(_rebuilt(fn))
        results = _rebuilt(fn)(*map(jnp.asarray, arrays))
        leaves = tree_util.tree_leaves(results)
        # A size, which is a Python integer, becomes an int64 scalar.
        wanted = [packed(np.asarray(x if type(x) is int else jnp.asarray(x))) for x in leaves]
    return _Case(fn, arrays, wanted, double, mapped)


def _rebuilt(fn: Any) -> Callable[..., Any]:
    """Return the callable, rebuilt at each call because a trace may change a Flax module."""
    whole = parameterise(fn)

    def call(*arguments: Any) -> Any:
        return whole.rebuild(whole.leaves)(*arguments)

    return call


def _widened(fn: Any) -> Any:
    """Return the callable with 64-bit parameters."""
    whole = parameterise(fn)
    if not whole.leaves:
        return fn
    wide = {jnp.dtype(jnp.float32): jnp.float64, jnp.dtype(jnp.complex64): jnp.complex128}
    return whole.rebuild([x.astype(wide[x.dtype]) if x.dtype in wide else x for x in whole.leaves])


def _jax_refuses(fn: Any, specs: Sequence[InputSpec]) -> Exception | None:
    """Return JAX's error if JAX alone cannot trace the case either, else None."""
    scope = export.SymbolicScope()
    avals = [
        jax.ShapeDtypeStruct(
            export.symbolic_shape(",".join(map(str, s.shape)), scope=scope), s.dtype
        )
        for s in specs
    ]
    try:
        jax.make_jaxpr(_rebuilt(fn))(*avals)
    except _OF_JAX as error:
        return error
    return None


def _operators(model: onnx.ModelProto) -> Iterator[str]:
    functions = {f.name for f in model.functions}
    graphs = [model.graph.node, *(f.node for f in model.functions)]
    while graphs:
        for node in graphs.pop(0):
            if node.op_type not in functions:
                yield node.op_type
            graphs += [a.g.node for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
