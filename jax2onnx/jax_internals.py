"""The parts of JAX that are not public: this is the only module of the package that imports them.

A name of ``jax._src`` may move or vanish with any release of JAX. Each one is looked up here, with
a note of what it serves. A release that lacks a name costs only what needs that name:

- A primitive (``_primitive``) becomes one that no trace of that release contains, so its rule is
  registered and never used. A primitive that has only moved is then one without a rule, and the
  error that says so names the tested releases (``moved``).
- A function (``_function``) becomes one that raises ``JaxVersionError`` when a rule calls it.
- A class (``_type``) becomes one without instances, which raises ``JaxVersionError`` when it is
  called or an attribute of it is read.

To add a name, look first in ``jax.lax``, ``jax.extend`` and ``jax.interpreters``, which are public.
"""

from __future__ import annotations

import importlib
import inspect
import math
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import jax
from jax import export
from jax.extend.core import JaxprEqn, Primitive
from jax.interpreters import partial_eval

from jax2onnx.errors import JaxVersionError, UntestedJaxWarning

TESTED = ("0.10.2", "0.12")
"""The oldest and the newest release of JAX that the tests run with (docs/coverage/versions.md)."""


def is_tested(version: tuple[int, ...]) -> bool:
    """Return whether a release of JAX lies between those of ``TESTED``, patches included."""
    oldest, newest = (tuple(map(int, release.split("."))) for release in TESTED)
    return oldest <= version and version[: len(newest)] <= newest


if not is_tested(jax.__version_info__):
    warnings.warn(
        f"jax2onnx was tested with JAX {TESTED[0]} to {TESTED[1]}, and this is JAX "
        f"{jax.__version__}: what it cannot convert may convert with a tested release",
        UntestedJaxWarning,
        stacklevel=2,
    )

T = TypeVar("T")

missing: dict[str, str] = {}
"""The names that this release of JAX lacks: the name, and the module where it was looked for."""


def _find(path: str) -> Any:
    """Return the object at ``path`` below ``jax._src``, or None, which ``missing`` notes."""
    where, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(f"jax._src.{where}"), name, None)
    except ModuleNotFoundError:
        found = None
    if found is None:
        missing[name] = f"jax._src.{where}"
    return found


def _primitive(path: str) -> Primitive:
    found = _find(path)
    return found if isinstance(found, Primitive) else Primitive(path.rpartition(".")[2])


def _function(path: str) -> Callable[..., Any]:
    def absent(*_: Any, **__: Any) -> Any:
        raise _error(path)

    found = _find(path)
    return found if callable(found) else absent


class _Absent(type):
    """The type of a class that this release of JAX lacks."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):  # what Python itself asks of a class
            raise AttributeError(name)
        raise _error(cls.__name__)

    def __call__(cls, *_: Any, **__: Any) -> Any:
        raise _error(cls.__name__)


def _type(path: str, base: type = object) -> Any:
    return _find(path) or _Absent(path, (base,), {})


def _error(path: str) -> JaxVersionError:
    return JaxVersionError(
        f"JAX {jax.__version__} has no jax._src.{path}, which this conversion needs. jax2onnx was "
        f"tested with JAX {TESTED[0]} to {TESTED[1]}: install one of these releases."
    )


def moved() -> dict[str, str]:
    """Return why there is no rule for the primitives that this release of JAX has moved, by name.

    The names are those of primitives that the release has not where the tested ones have them.
    """
    tested = f"jax2onnx was tested with JAX {TESTED[0]} to {TESTED[1]}"
    return {
        name.removesuffix("_p"): f"JAX {jax.__version__} does not have it in {where}; {tested}"
        for name, where in missing.items()
        if name.endswith("_p")
    }


# -- Symbolic dimensions: dims, trace.dimensions, trace.undecided ----------------------------------

if TYPE_CHECKING:
    from jax._src.export import shape_poly

    DimExpr: TypeAlias = shape_poly._DimExpr
    DimFactor: TypeAlias = shape_poly._DimFactor
else:
    DimExpr = type(export.symbolic_shape("n")[0])
    """A symbolic dimension: the public API has no name for the class of what it returns."""

    DimFactor = _type("export.shape_poly._DimFactor")
    """A variable in a dimension, or an operation: floordiv, mod, max, min."""

UnexpectedDimVar = _type("export.shape_poly.UnexpectedDimVar", Exception)
"""Raised where a dimension would have to be known: its message is explained to the user."""

_bounds = _find("export.shape_poly._bounds_decision")
_precision = _find("export.shape_poly.BoundsPrecision")


def bounds(dim: DimExpr | int) -> tuple[float, float]:
    """Return the least and the greatest value of a dimension; infinite where they are not known."""
    if _bounds is None or _precision is None:
        return -math.inf, math.inf
    low, high = _bounds(dim, _precision.BEST)
    return low, high


DIMENSIONS_FILE = getattr(sys.modules.get(DimExpr.__module__), "__file__", None) or ""
"""The file of ``DimExpr``: its own frames are not those of the code that compares dimensions."""

dim_as_value_p = _primitive("export.shape_poly.dim_as_value_p")
"""A dimension as a number: ``jnp.asarray(x.shape[0])``."""

# -- References to mutable arrays: trace.jaxprs ----------------------------------------------------

InternalMutableArrayEffect = _type("core.InternalMutableArrayEffect")
"""The effect of a jaxpr that makes a mutable array (``jax.new_ref``) of its own."""

discharge_state = _function("state.discharge.discharge_state")
"""Turns reads and writes of mutable arrays into values."""

# -- Equations without the results that nothing reads: trace.tracing -------------------------------


def prune(eqn: JaxprEqn, used: Sequence[bool]) -> JaxprEqn | None:
    """Return an equation without what only its unused results need, or None if nothing is left.

    Args:
        eqn: the equation. It is returned itself where JAX has no rule for its primitive.
        used: for each result, whether it is used.
    """
    rule: Callable[..., Any] | None = partial_eval.dce_rules.get(eqn.primitive)
    if rule is None:
        return eqn
    live_references = [[True] * len(eqn.invars)] if jax.__version_info__ >= (0, 12) else []
    pruned: JaxprEqn | None = rule(list(used), *live_references, eqn)[1]
    return pruned


# -- The parts of a scan: lower.rules.control_flow, lower.plain_numbers.control_flow ---------------


def scan_parts(operands: Sequence[T], params: Mapping[str, Any]) -> tuple[Sequence[T], ...]:
    """Return the operands of a scan in three parts: constants, carry, and what it scans over.

    Args:
        operands: the operands of the equation.
        params: its params, which tell the sizes of the parts as numbers, and since JAX 0.11 as a
            tree (``ft_in``).
    """
    if "ft_in" in params:
        consts, carry = (len(part) for part in params["ft_in"].unpack()[:2])
    else:
        consts, carry = params["num_consts"], params["num_carry"]
    first = consts + carry
    return operands[:consts], operands[consts:first], operands[first:]


# -- Calls: lower.rules.calls, lower.rules.control_flow --------------------------------------------

linear_call_p = _primitive("custom_derivatives.linear_call_p")
"""``jax.custom_derivatives.linear_call``."""

custom_vmap_p = _primitive("custom_batching.custom_vmap_p")
"""``jax.custom_batching.custom_vmap``."""

composite_p = _primitive("lax.lax.composite_p")
"""``jax.lax.composite``."""

program_order_p = _primitive("program_order.program_order_p")
"""A function whose operations run in the order in which they are written (JAX 0.11 and later)."""

xla_metadata_call_p = _primitive("xla_metadata.xla_metadata_call_p")
"""A function with metadata for XLA (JAX 0.11 and later)."""

platform_index_p = _primitive("lax.control_flow.conditionals.platform_index_p")
"""The choice that ``jax.lax.platform_dependent`` makes."""

custom_linear_solve = _function("lax.control_flow.solves._custom_linear_solve_impl")
"""``jax.lax.custom_linear_solve``: calls the function of the user's that solves the system."""

debug_callback_p = _primitive("debugging.debug_callback_p")
"""``jax.debug.callback``."""

debug_print_p = _primitive("debugging.debug_print_p")
"""``jax.debug.print``."""

dce_sink_p = _primitive("lax.lax.dce_sink_p")
"""Keeps its operand from being removed."""

# -- Values that pass through: lower.rules.elementwise, lower.rules.devices ------------------------

tie_p = _primitive("lax.lax.tie_p")
"""Its second operand, computed after the first."""

xla_metadata_value_p = _primitive("xla_metadata.xla_metadata_value_p")
"""``jax.experimental.xla_metadata.set_xla_metadata``."""

layout_constraint_p = _primitive("pjit.layout_constraint_p")
reshard_p = _primitive("pjit.reshard_p")
relayout_p = _primitive("pjit.relayout_p")
shard_alike_p = _primitive("shard_alike.shard_alike_p")
"""``jax.experimental.shard_alike``, which JAX 0.11.2 removed."""

pvary_p = _primitive("core.pvary_p")
reduced_vary_cast_p = _primitive("core.reduced_vary_cast_p")
"""How a value varies over the devices of a mesh; a model runs on one device."""

# -- Devices: lower.rules.devices ------------------------------------------------------------------

shard_map_p = _primitive("shard_map.shard_map_p")
"""``jax.shard_map``."""

all_gather_invariant_p = _primitive("lax.parallel.all_gather_invariant_p")
all_gather_reduced_p = _primitive("lax.parallel.all_gather_reduced_p")
pbroadcast_dynamic_p = _primitive("lax.parallel.pbroadcast_dynamic_p")
pbroadcast_p = _primitive("lax.parallel.pbroadcast_p")
preduced_p = _primitive("lax.parallel.preduced_p")
psum_invariant_p = _primitive("lax.parallel.psum_invariant_p")
reduce_scatter_p = _primitive("lax.parallel.reduce_scatter_p")
unreduced_pmax_p = _primitive("lax.parallel.unreduced_pmax_p")
unreduced_pmin_p = _primitive("lax.parallel.unreduced_pmin_p")
unreduced_psum_p = _primitive("lax.parallel.unreduced_psum_p")
unreduced_reduce_scatter_p = _primitive("lax.parallel.unreduced_reduce_scatter_p")
vary_unreduced_cast_p = _primitive("lax.parallel.vary_unreduced_cast_p")
"""Collectives that ``jax.lax`` does not export; it exports ``psum_p``, ``all_gather_p``..."""

# -- Random numbers: lower.rules.random, lower.plain_numbers.keys ----------------------------------

random_wrap_p = _primitive("random.prng.random_wrap_p")
random_unwrap_p = _primitive("random.prng.random_unwrap_p")
random_clone_p = _primitive("random.core.random_clone_p")
iota_2x32_shape_p = _primitive("random.prng.iota_2x32_shape_p")
threefry4x32_p = _primitive("random.threefry4x32.threefry4x32_p")
philox2x32_p = _primitive("random.philox2x32.philox2x32_p")
philox4x32_p = _primitive("random.philox4x32.philox4x32_p")
"""Keys and generators that ``jax.extend.core.primitives`` does not export."""

threefry2x32 = _function("random.threefry2x32._threefry2x32_lowering")
threefry4x32 = _function("random.threefry4x32._threefry4x32_lowering")
philox2x32 = _function("random.philox2x32._philox2x32_lowering")
philox4x32 = _function("random.philox4x32._philox4x32_lowering")
"""The generators in integer operations, as JAX lowers them itself on the CPU."""

random_seed = _function("random.prng.random_seed_impl_base")
random_split = _function("random.prng.random_split_impl_base")
random_fold_in = _function("random.prng.random_fold_in_impl_base")
random_bits = _function("random.prng.random_bits_impl_base")
"""The primitives of these names on the integers that a key consists of."""

random_gamma = _function("random.core._gamma_impl")
"""``random_gamma_p`` by rejection sampling."""

# -- Primitives of libraries: lower.registry ------------------------------------------------------

_lowerings = _find("interpreters.mlir._lowerings") or {}
_platform_lowerings = _find("interpreters.mlir._platform_specific_lowerings") or {}


def composition(primitive: Primitive) -> Callable[..., Any] | None:
    """Return the function in JAX that a primitive is compiled as on the CPU, or None.

    A library registers it by ``jax.interpreters.mlir.lower_fun``.
    """
    entry = _platform_lowerings.get("cpu", {}).get(primitive) or _lowerings.get(primitive)
    rule: Any = getattr(entry, "rule", entry)
    if not getattr(rule, "__qualname__", "").startswith("lower_fun.<locals>."):
        return None
    function: Callable[..., Any] | None = inspect.getclosurevars(rule).nonlocals.get("fun")
    return function


# -- Decompositions that JAX has itself: lower.rules -----------------------------------------------

ragged_dot_general_p = _primitive("lax.lax.ragged_dot_general_p")
ragged_dot_general = _function("lax.lax._ragged_dot_general_impl")
"""``jax.lax.ragged_dot_general``."""

scaled_dot_p = _primitive("lax.scaled_dot.scaled_dot_p")
scaled_dot = _function("lax.scaled_dot._scaled_dot_impl")
"""``jax.nn.scaled_matmul``: a contraction of operands with block scales."""

call_hi_primitive_p = _primitive("hijax.call_hi_primitive_p")
"""A primitive that says itself how it is computed with others, such as ``jnp.searchsorted``'s."""

expand_hi_primitive = _function("hijax._call_hi_primitive_to_lojax")
"""Computes ``call_hi_primitive_p`` with other primitives."""

empty_p = _primitive("lax.lax.empty_p")
empty2_p = _primitive("lax.lax.empty2_p")
"""Arrays whose elements have no defined value."""

log2_p = _primitive("lax.lax.log2_p")
one_minus_square_p = _primitive("lax.lax.one_minus_square_p")
"""Elementwise functions that are primitives since JAX 0.11."""

polynomial_p = _primitive("lax.lax.polynomial_p")
polynomial = _function("lax.lax._polynomial_lower")
"""A polynomial by Horner's rule, a primitive since JAX 0.12."""

igamma = _function("lax.special.igamma_impl")
igammac = _function("lax.special.igammac_impl")
igamma_grad_a = _function("lax.special.igamma_grad_a_impl")
regularized_incomplete_beta = _function("lax.special.regularized_incomplete_beta_impl")
bessel_i0e = _function("lax.special.bessel_i0e_impl")
"""Series and continued fractions of the special functions of these names."""

geqp3_p = _primitive("lax.linalg.geqp3_p")
geqrf_p = _primitive("lax.linalg.geqrf_p")
"""Householder's reflections of a QR decomposition, with and without pivoting."""

symmetric_product = _function("lax.linalg._symmetric_product_jax_fn")
qr = _function("lax.linalg._qr_lowering")
empty_svd = _function("lax.linalg._empty_svd")
"""``jax.lax.linalg``'s own compositions of its primitives."""
