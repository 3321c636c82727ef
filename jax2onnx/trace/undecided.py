"""Advice for users where JAX cannot go on with a symbolic dimension."""

import re
from collections.abc import Collection
from typing import Any

import jax
from jax import export

from jax2onnx.errors import Jax2OnnxError, SymbolicDimensionError
from jax2onnx.jax_internals import DimExpr, UnexpectedDimVar
from jax2onnx.trace.equal_sizes import equal_multiples

UNDECIDED: tuple[type[Exception], ...] = (
    *(jax.errors.InconclusiveDimensionOperation, UnexpectedDimVar),
    *(AssertionError, AttributeError, IndexError, NotImplementedError, TypeError, ValueError),
)
"""JAX's exceptions where a dimension would have to be known (see ``concerns_dimension``)."""

# JAX 0.12 iterates over a symbolic axis by binding dim_as_value outside of any trace.
_SURELY = re.compile(r"_DimExpr|dim_as_value|polymorphi|[Ss]ymbolic dim|process_primitive")
_COMPARISON = re.compile(r"comparison '(.+)' (>=|>|<=|<) '(.+)' is inconclusive")
_REMAINDER = re.compile(r"(?:remainder|rest is) (mod\(.+, (?:- )?(\d+)\))")
_PADDED = re.compile(r"mod\(- \w+, (\d+)\)")
_BOUND = re.compile(r"\b(min|max)\(([^(),]+), ([^(),]+)\)")
_ONLY_KNOWN = re.compile(r"polymorphi|non-constant")
_NUMBER = re.compile(
    r"_DimExpr|dim_as_value|requires a constant|non-integer powers|are valid indices"
    r"|process_primitive"
)


_ADVICE = {
    "associative scan over axis": (
        "jax.lax.associative_scan is a recursion in Python over the size. Use jnp.cumsum, "
        "jax.lax.cummax and the like, or jax.lax.scan; or give that axis a fixed size and pad."
    )
}
"""Advice by a part of the message."""


def concerns_dimension(error: Exception, names: Collection[str] = ()) -> bool:
    """Return whether an error, one of ``UNDECIDED``, is about a symbolic dimension.

    A message that shows one of ``names`` in a shape is, even if it does not say so.
    """
    if isinstance(error, Jax2OnnxError):
        return False
    if not isinstance(error, UNDECIDED[2:]) or _SURELY.search(str(error)):
        return True
    shown = "|".join(map(re.escape, sorted(names)))
    within = rf"(?:[(\[]|sizes: |Got |size: )[^()\[\]]*\b(?:{shown})\b"
    return bool(names) and re.search(within, str(error)) is not None


def undecided(error: Exception, where: str) -> SymbolicDimensionError:
    """Return the error to raise instead of JAX's about a dimension, with advice and the line."""
    problem = "\n  ".join(str(error).split("This error arises")[0].split("\nUsing")[0].splitlines())
    return SymbolicDimensionError(
        f"a symbolic dimension cannot be kept symbolic at {where}:\n  {problem}\n{_advice(problem)}"
    )


def _advice(problem: str) -> str:
    for sign, advice in _ADVICE.items():
        if sign in problem:
            return advice
    if found := _COMPARISON.search(problem):
        always, never = _deciding(*found.groups())
        return (
            f'If that always holds, say so: to_onnx(..., constraints=["{always}"]); if it never '
            f'does: constraints=["{never}"]. If it depends on the input, choose in the graph, by '
            "jax.lax.cond or jnp.where on jnp.asarray(x.shape[0])."
        )
    if found := _PADDED.search(problem):
        return (
            "JAX cannot see that a padded size is a multiple. Pad outside of the model, and name "
            f'the axis "{found[1]}*n".'
        )
    if found := _REMAINDER.search(problem):
        remainder, divisor = found.groups()
        return (
            f'Say that the size is a multiple: name the axis "{divisor}*n", or give '
            f'to_onnx(..., constraints=["{remainder} == 0"]).'
        )
    if _NUMBER.search(problem):
        return (
            "A number is needed here, and a dimension that is a name has one only when the model "
            "runs. Compute with jax.numpy: jnp.sqrt(x.shape[0]), jnp.arange(x.shape[0]), "
            "x[jnp.asarray(x.shape[0]) - 1]; loop with jax.lax.scan or jax.lax.fori_loop; or give "
            "that axis a fixed size. Write x.shape[0] for len(x); leave out the length of "
            "jax.lax.scan if it scans over arrays; for local_window_size=w of attention, give "
            "mask=jnp.abs(i[:, None] - i) <= w, where i = jnp.arange(x.shape[1])."
        )
    if found := _BOUND.search(problem):
        bound, left, right = found.groups()
        constant, dim = (left, right) if left.isdigit() else (right, left)
        is_dim, is_constant = ("<=", ">=") if bound == "min" else (">=", "<=")
        return (
            f'Say which of the two it is: to_onnx(..., constraints=["{dim} {is_dim} {constant}"]) '
            f'makes it {dim}, constraints=["{dim} {is_constant} {constant}"] makes it {constant}.'
        )
    if names := equal_multiples(problem):
        return f"The sizes are equal for some inputs: name the axis {' and '.join(names)}."
    if _ONLY_KNOWN.search(problem):
        return (
            "JAX itself does this only for sizes that it knows enough of: give that axis a fixed "
            'size, say more of it (to_onnx(..., constraints=["B >= 2"])), or compute it otherwise.'
        )
    return (
        "Dimensions of different names are different sizes for JAX, and none is a known number. "
        'Where two are always equal, give them one name, or to_onnx(..., constraints=["B == T"]).'
    )


def _deciding(left: str, sign: str, right: str) -> tuple[str, str]:
    """Return the constraints under which ``left sign right`` always holds, and never holds."""
    scope = export.SymbolicScope()
    (a,), (b,) = (export.symbolic_shape(side, scope=scope) for side in (left, right))
    difference: Any = a - b if sign in (">", ">=") else b - a
    strict = sign in (">", "<")
    terms = [(t, k) for t, k in difference._sorted_terms if not t.is_constant]
    added = tuple((t, k) for t, k in terms if k > 0)
    if added:
        side = DimExpr(added, scope)
        rest = side - difference + strict
        return f"{side} >= {rest}", f"{side} <= {rest - 1}"
    side = DimExpr(tuple((t, -k) for t, k in terms), scope)
    rest = side + difference - strict
    return f"{side} <= {rest}", f"{side} >= {rest + 1}"
