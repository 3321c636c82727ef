"""Change a function of JAX a little: another axis, another operand, another number.

A function is recorded as a list of steps, one for each primitive, with nested calls inlined. A
change is kept if JAX can still compute the steps. Most sizes of the patterns are equal, so that a
wrong axis leaves all shapes as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Operand = int | np.ndarray[Any, Any]
"""The number of a value, or a constant."""

_CALLS = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr"}
_CALLS |= {"custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr"}
_KIN = (
    (lax.add_p, lax.sub_p, lax.mul_p, lax.div_p, lax.max_p, lax.min_p),
    (lax.neg_p, lax.abs_p, lax.sign_p, lax.square_p),
    (lax.gt_p, lax.ge_p, lax.lt_p, lax.le_p, lax.eq_p),
    (lax.reduce_max_p, lax.reduce_min_p),
    (lax.exp_p, lax.exp2_p, lax.tanh_p, lax.logistic_p, lax.rsqrt_p, lax.sqrt_p),
)
_REJECTED = (TypeError, ValueError, IndexError, AssertionError, NotImplementedError)
"""Errors of JAX about operands and parameters that do not fit."""


@dataclass(frozen=True)
class Step:
    """One primitive, applied to earlier values."""

    primitive: Any
    params: dict[str, Any]
    operands: tuple[Operand, ...]
    results: tuple[int, ...]


@dataclass(frozen=True)
class Steps:
    """A function as a list of steps.

    Attributes:
        inputs: the values of its arguments.
        steps: the steps, in order.
        results: the values that it returns.
        changes: the changes so far, in words.
    """

    inputs: tuple[int, ...]
    steps: tuple[Step, ...]
    results: tuple[Operand, ...]
    changes: tuple[str, ...] = ()

    def __call__(self, *arrays: Any) -> list[Any]:
        """Apply the primitives."""
        known = dict(zip(self.inputs, arrays, strict=True))
        for step in self.steps:
            params = step.primitive.get_bind_params(step.params)
            operands = [known[v] if isinstance(v, int) else v for v in step.operands]
            found = step.primitive.bind(*operands, **params)
            many = step.primitive.multiple_results
            known |= zip(step.results, found if many else [found], strict=True)
        return [known[v] if isinstance(v, int) else jnp.asarray(v) for v in self.results]


def runs(function: Callable[..., Any], arrays: Sequence[Any]) -> bool:
    """Return whether JAX can compute a function of these arrays."""
    try:
        function(*arrays)
    except _REJECTED:
        return False
    return True


def recorded(function: Callable[..., Any], arrays: Sequence[Any]) -> Steps:
    """Return the steps of a function of ``arrays``."""
    closed = jax.make_jaxpr(function)(*arrays)
    numbers: dict[Any, Operand] = {}
    count = iter(range(10**6))
    steps: list[Step] = []

    def read(atom: Any) -> Operand:
        return np.asarray(atom.val, atom.aval.dtype) if hasattr(atom, "val") else numbers[atom]

    def inline(jaxpr: Any, consts: Sequence[Any], operands: Sequence[Operand]) -> list[Operand]:
        numbers.update(zip(jaxpr.constvars, map(np.asarray, consts), strict=True))
        numbers.update(zip(jaxpr.invars, operands, strict=True))
        for eqn in jaxpr.eqns:
            given = [read(v) for v in eqn.invars]
            inner = eqn.params.get(_CALLS.get(eqn.primitive.name, ""))
            if inner is not None:
                found = inline(inner.jaxpr, inner.consts, given)
            else:
                found = [next(count) for _ in eqn.outvars]
                steps.append(Step(eqn.primitive, eqn.params, tuple(given), tuple(found)))  # type: ignore[arg-type]
            numbers.update(zip(eqn.outvars, found, strict=True))
        return [read(v) for v in jaxpr.outvars]

    inputs = [next(count) for _ in closed.jaxpr.invars]
    results = inline(closed.jaxpr, closed.consts, inputs)
    return Steps(tuple(inputs), tuple(steps), tuple(results))


def near_miss(steps: Steps, fits: Callable[[Steps], bool], rng: np.random.Generator) -> Steps:
    """Return the steps with one to three changes, which fit still."""
    for _ in range(1 + rng.integers(0, 3)):
        for _ in range(20):
            change = _CHANGES[rng.integers(len(_CHANGES))]
            place = int(rng.integers(len(steps.steps)))
            changed = change(steps, place, rng)
            if changed is not None and fits(changed):
                note = f"{change.__name__.strip('_')} at {place} {steps.steps[place].primitive}"
                steps = replace(changed, changes=(*steps.changes, note))
                break
    return steps


def _chosen(rng: np.random.Generator, among: Sequence[Any]) -> Any:
    return among[int(rng.integers(len(among)))]


def _with(steps: Steps, place: int, *instead: Step) -> Steps:
    return replace(steps, steps=(*steps.steps[:place], *instead, *steps.steps[place + 1 :]))


def _other_operand(step: Step, position: int, operand: Operand) -> Step:
    operands = (*step.operands[:position], operand, *step.operands[position + 1 :])
    return replace(step, operands=operands)


def _number(steps: Steps, place: int, rng: np.random.Generator) -> Steps | None:
    """Change a constant."""
    step = steps.steps[place]
    found = [i for i, v in enumerate(step.operands) if not isinstance(v, int) and v.dtype != bool]
    if not found:
        return None
    i = _chosen(rng, found)
    old: Any = step.operands[i]
    with np.errstate(all="ignore"):  # The constants of masks are infinite, or nearly.
        new = [old + 1, old * 2, -old, old / 2, old * 1.01, old * 0, old * 0 + 1, old * 0 + 4]
    array = np.asarray(_chosen(rng, new)).astype(old.dtype)
    if old.ndim and rng.integers(2):  # one element alone
        array = np.where(np.arange(old.size).reshape(old.shape) == old.size - 1, array, old)
    return _with(steps, place, _other_operand(step, i, array))


def _value(steps: Steps, place: int, rng: np.random.Generator) -> Steps | None:
    """Take another value as an operand, or an operand at another position."""
    step = steps.steps[place]
    known = [*steps.inputs, *(v for s in steps.steps[:place] for v in s.results)]
    if not step.operands:
        return None
    i = int(rng.integers(len(step.operands)))
    return _with(steps, place, _other_operand(step, i, _chosen(rng, known)))


def _swap(steps: Steps, place: int, rng: np.random.Generator) -> Steps | None:
    """Exchange two operands."""
    step = steps.steps[place]
    if len(step.operands) < 2:
        return None
    order = rng.permutation(len(step.operands))
    return _with(steps, place, replace(step, operands=tuple(step.operands[i] for i in order)))


def _primitive(steps: Steps, place: int, rng: np.random.Generator) -> Steps | None:
    """Apply another primitive."""
    step = steps.steps[place]
    kin = [p for group in _KIN if step.primitive in group for p in group]
    if not kin:
        return None
    chosen = _chosen(rng, kin)
    params = step.params if chosen.name.startswith("reduce") else {}
    if chosen in _KIN[4]:
        params = {} if chosen in (lax.sign_p,) else {"accuracy": None}
    return _with(steps, place, replace(step, primitive=chosen, params=params))


def _axes(steps: Steps, place: int, rng: np.random.Generator) -> Steps | None:
    """Change a parameter that consists of integers, such as axes or a permutation."""
    step = steps.steps[place]
    names = [k for k, v in step.params.items() if _integers(v) and k not in ("shape", "new_sizes")]
    if not names:
        return None
    name = _chosen(rng, names)
    old = step.params[name]
    flat, tree = jax.tree.flatten(old)
    if len(flat) > 1 and rng.integers(2):
        flat = [flat[i] for i in rng.permutation(len(flat))]
    else:
        flat[rng.integers(len(flat))] = int(rng.integers(0, 4))
    return _with(
        steps, place, replace(step, params={**step.params, name: jax.tree.unflatten(tree, flat)})
    )


def _integers(value: object) -> bool:
    flat = jax.tree.leaves(value)
    return bool(flat) and all(type(v) is int for v in flat)


def _scale(steps: Steps, place: int, rng: np.random.Generator) -> Steps | None:
    """Multiply an operand by a number, or by the last argument, a scalar."""
    return _before(steps, place, rng, lax.mul_p, {}, _chosen(rng, [2.0, 0.5, -1.0, None, None]))


def _turn(steps: Steps, place: int, rng: np.random.Generator) -> Steps | None:
    """Exchange two axes of an operand."""
    order = [(1, 0), (0, 2, 1), (1, 0, 2), (2, 1, 0), (0, 1, 3, 2), (0, 2, 1, 3), (0, 3, 2, 1)]
    return _before(steps, place, rng, lax.transpose_p, {"permutation": _chosen(rng, order)})


def _before(
    steps: Steps,
    place: int,
    rng: np.random.Generator,
    primitive: Any,
    params: dict[str, Any],
    *number: float | None,
) -> Steps | None:
    """Apply a primitive to an operand."""
    step = steps.steps[place]
    if not step.operands:
        return None
    i = int(rng.integers(len(step.operands)))
    more = [steps.inputs[-1] if n is None else np.float32(n) for n in number]
    new = max(v for s in steps.steps for v in s.results) + 1
    first = Step(primitive, params, (step.operands[i], *more), (new,))  # type: ignore[arg-type]
    return _with(steps, place, first, _other_operand(step, i, new))


def _seen(steps: Steps, place: int, _: np.random.Generator) -> Steps | None:
    """Return a value inside as well."""
    return replace(steps, results=(*steps.results, steps.steps[place].results[0]))


_CHANGES: tuple[Callable[[Steps, int, np.random.Generator], Steps | None], ...] = (
    *(_number, _value, _swap, _primitive, _axes, _scale, _turn, _seen),
)
