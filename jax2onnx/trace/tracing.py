"""Trace: a callable and its input specifications become a jaxpr with named parameters."""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import tree_util
from jax.extend import core, source_info_util
from jax.extend.core import primitives
from jax.interpreters import partial_eval

from jax2onnx.errors import InputError, ModelError
from jax2onnx.marks import Mark
from jax2onnx.trace.dimensions import CONCRETE, abstract, dimension_parser, explained, variables
from jax2onnx.trace.frameworks.callables import (
    held,
    is_linen_module,
    linen_pair,
    parameterise,
    signature,
    state_of,
)
from jax2onnx.trace.frameworks.state import warn_of_changes, without_last
from jax2onnx.trace.inputs.border import FROM_NCHW, TO_NCHW, branching, images, permuted
from jax2onnx.trace.inputs.specs import Input, InputSpec, check_inputs, chosen_names, flatten_inputs
from jax2onnx.trace.naming.paths import flatten_with_path, path_name
from jax2onnx.trace.naming.reach import constants, named

# Errors name the user's line, not the one below that calls the user's function.
source_info_util.register_exclusion(str(Path(__file__).parent))


@dataclass(frozen=True)
class Parameter:
    """An array of the model: its path, and its value or (abstract) its shape and dtype."""

    path: str
    value: jax.Array | np.ndarray[Any, Any] | jax.ShapeDtypeStruct


@dataclass(frozen=True)
class Traced:
    """A closed jaxpr whose invars are ``parameters``, then ``inputs``, in that order.

    ``captured`` are parameters too, which the callable reached by itself: they are constants of
    this jaxpr or of one that is nested in it.
    """

    jaxpr: core.Jaxpr
    consts: tuple[Any, ...]
    parameters: tuple[Parameter, ...]
    inputs: tuple[Input, ...]
    output_names: tuple[str, ...]
    captured: tuple[Parameter, ...] = ()


def trace(
    fn: Any,
    inputs: Sequence[Any],
    *,
    input_params: Mapping[str, Any] | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    inputs_as_nchw: Sequence[int | str] = (),
    outputs_as_nchw: Sequence[int | str] = (),
    constraints: Sequence[str] = (),
    double: bool = False,
) -> Traced:
    """Traces ``fn`` on abstract values of ``inputs``, with the types that JAX allows right now.

    Raises:
        InputError: a malformed input specification or name.
        ModelError: a model that cannot be traced abstractly.
        SymbolicDimensionError: a dimension that JAX cannot keep symbolic.
    """
    _check_callable(fn)
    check_inputs(inputs)
    if not isinstance(input_params or {}, Mapping):
        raise InputError(f"input_params={input_params!r}: give a dictionary of keyword arguments")
    if isinstance(constraints, str):
        raise InputError(f"constraints={constraints!r}: give a list of them")
    model = parameterise(fn)
    parse = dimension_parser(constraints)
    keywords = dict(input_params or {})
    callable_ = model.rebuild(model.leaves)
    _check_call(callable_, inputs, keywords)
    flat, tree = flatten_inputs(callable_, inputs, input_names, parse, double)
    if input_names is None:
        names = _distinct([i.name for i in flat], model.paths)
        flat = [replace(i, name=name) for i, name in zip(flat, names, strict=True)]
    extra = _keyword_inputs(keywords, parse, double)
    taken = [*model.paths, *(i.name for i in (*flat, *extra))]
    given = [i.name for i in flat], [i.aval.shape for i in flat]
    swapped = images("inputs_as_nchw", inputs_as_nchw, *given)
    shapes = permuted([i.aval.shape for i in flat], swapped, TO_NCHW)
    flat = [replace(i, aval=abstract(s, i.aval.dtype)) for i, s in zip(flat, shapes, strict=True)]

    def call(leaves: Any, arrays: Any, keywords: Any, flags: Sequence[str]) -> Any:
        def rebuilt(*args: Any, **keywords: Any) -> Any:
            callable_ = model.rebuild(leaves)
            return callable_(*args, **keywords), state_of(callable_, model.paths, leaves)

        positional = tree_util.tree_unflatten(tree, permuted(arrays, swapped, FROM_NCHW))
        out, state = branching(rebuilt, flags)(*positional, **keywords)
        results, out_tree = tree_util.tree_flatten(out)
        _check_results(results)
        made = _output_names(out, output_names, taken), list(map(np.shape, results))
        turned = images("outputs_as_nchw", outputs_as_nchw, *made)
        return tree_util.tree_unflatten(out_tree, permuted(results, turned, TO_NCHW)), state

    avals = (
        list(map(_abstract, model.leaves)),
        [i.aval for i in flat],
        {i.name: i.aval for i in extra},
    )
    with _Noted([*flat, *extra]):
        flags = [i.name for i in extra if i.dtype == bool]
        closed, (out, state) = _make_jaxpr(call, avals, flags)
    _refuse_tracers(closed.consts)
    jaxpr = live(without_last(closed.jaxpr, len(state)))
    warn_of_changes(model.paths, closed.jaxpr, jaxpr)
    reached = named(fn, constants(jaxpr, closed.consts), held)
    return Traced(
        jaxpr,
        tuple(closed.consts),
        tuple(map(Parameter, model.paths, model.leaves)),
        (*flat, *extra),
        _output_names(out, output_names, taken),
        tuple(map(Parameter, _distinct([p for p, _ in reached], taken), [a for _, a in reached])),
    )


def _check_results(results: Sequence[Any]) -> None:
    for result in results:
        if not hasattr(result, "dtype") and not isinstance(result, int | float | complex):
            raise ModelError(
                f"fn returns {reprlib.repr(result)}, a {type(result).__name__}; what it returns "
                "must be arrays, in tuples, lists, dictionaries or other pytrees"
            )


def _make_jaxpr(call: Any, avals: Sequence[Any], flags: Sequence[str]) -> tuple[Any, Any]:
    """Traces ``call``; with a branch for each value of ``flags`` where their values are needed."""
    shapes = (aval.shape for aval in tree_util.tree_leaves(avals))
    with explained(variables(shapes)):
        try:
            return jax.make_jaxpr(partial(call, flags=()), return_shape=True)(*avals)
        except CONCRETE:
            if not flags:
                raise
        return jax.make_jaxpr(partial(call, flags=flags), return_shape=True)(*avals)


class _Noted:
    """Adds to what the model raises what it was given, and what to do about two errors of Flax."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        self._inputs = inputs

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, where: Any) -> None:
        if error is None:
            return
        flax = sys.modules.get("flax.errors")
        if flax is not None and isinstance(error, flax.ScopeCollectionNotFound):
            raise InputError(
                f"{str(error).partition(' (http')[0]} Give all that the module's init returns, "
                '{"params": {...}, ...}, and not one collection of it.'
            ) from error
        given = ", ".join(f"{i.name}: {i.dtype}{list(i.aval.shape)}" for i in self._inputs)
        error.add_note(f"jax2onnx called fn with {given}.")
        if flax is not None and isinstance(error, flax.TraceContextError):
            error.add_note(
                "A Flax NNX module that changes its state must be given itself, or by a bound "
                "method, and not in a function around it; model.eval() stops most changes."
            )


def live(jaxpr: core.Jaxpr) -> core.Jaxpr:
    """Without the equations whose results nobody reads; the inputs stay in the signature.

    A marked call keeps all of its results, whichever are read, so that it shares its function.
    """
    needed, kept = {v for v in jaxpr.outvars if isinstance(v, core.Var)}, list[core.JaxprEqn]()
    for eqn in reversed(jaxpr.eqns):
        used = [v in needed for v in eqn.outvars]
        if not any(used) and not eqn.effects:
            continue
        rule = partial_eval.dce_rules.get(eqn.primitive)
        if eqn.primitive is primitives.jit_p and Mark.parse(eqn.params["name"]):
            used = [True] * len(used)
            rule = rule if any(map(_is_key, eqn.invars)) else None  # which it may not use
        live = rule(used, eqn)[1] if rule else eqn
        if live is not None:
            kept.append(live)
            needed.update(v for v in live.invars if isinstance(v, core.Var))
    pruned: core.Jaxpr = jaxpr.replace(eqns=kept[::-1])
    return pruned


def _is_key(variable: Any) -> bool:
    return bool(jax.numpy.issubdtype(variable.aval.dtype, jax.dtypes.prng_key))


def _check_callable(fn: Any) -> None:
    if isinstance(fn, type):
        raise InputError(f"fn is the class {fn.__name__}: give an instance of it")
    if not callable(fn) and linen_pair(fn) is None:
        raise InputError(
            f"fn must be callable, or a Flax Linen (module, variables) pair, got {reprlib.repr(fn)}"
        )


def _check_call(fn: Any, inputs: Sequence[Any], keywords: Mapping[str, Any]) -> None:
    name, owner = getattr(fn, "__name__", ""), getattr(fn, "__self__", None)
    if name == "apply" and is_linen_module(owner) and not isinstance([*inputs, {}][0], Mapping):
        raise InputError(
            "apply of a Flax Linen module takes its variables first: bind them, "
            "functools.partial(module.apply, variables), or give (module, variables)"
        )
    known = signature(fn)
    if known is None:
        return
    try:
        known.bind(*inputs, **keywords)
    except TypeError as error:
        raise InputError(
            f"inputs= gives {len(inputs)} positional argument(s) and input_params= gives "
            f"{sorted(keywords)}, but fn takes {known}: {error}"
        ) from error


def _abstract(leaf: Any) -> jax.ShapeDtypeStruct:
    dtype = jax.dtypes.canonicalize_dtype(leaf.dtype, allow_extended_dtype=True)
    return abstract(leaf.shape, dtype)


def _keyword_inputs(keywords: Mapping[str, Any], parse: Any, double: bool) -> list[Input]:
    specs = {
        name: value
        if hasattr(value, "dtype") or isinstance(value, InputSpec)
        else np.asarray(value)
        for name, value in keywords.items()
    }
    names = sorted(specs)
    return flatten_inputs(lambda *a: a, [specs[n] for n in names], names, parse, double)[0]


def _refuse_tracers(consts: Sequence[Any]) -> None:
    leaked = [c for c in consts if isinstance(c, jax.core.Tracer)]
    if leaked:
        raise ModelError(
            f"the model holds {len(leaked)} value(s) of another JAX trace, such as {leaked[0]!r}: "
            "an attribute was created under eval_shape but is no parameter. Declare it as a "
            "parameter (for Flax NNX: nnx.Variable), or create it with numpy."
        )


def _distinct(names: Sequence[str], taken: Iterable[str]) -> list[str]:
    """Names that nobody chose, with a number where they would clash."""
    used, result = set(taken), []
    for name in names:
        count, distinct = 0, name
        while distinct in used:
            count, distinct = count + 1, f"{name}_{count + 1}"
        used.add(distinct)
        result.append(distinct)
    return result


def _output_names(out: Any, names: Sequence[str] | None, taken: Iterable[str]) -> tuple[str, ...]:
    paths = [path for path, _ in flatten_with_path(out)[0]]
    if not paths:
        raise ModelError("fn returns no array, so that the model would have no output")
    derived = ["output" if not p else _prefixed(path_name(p)) for p in paths]
    if names is None:
        return tuple(_distinct(derived, taken))
    return tuple(chosen_names("output_names", names, derived))


def _prefixed(name: str) -> str:
    return f"output_{name}" if name[0].isdigit() else name
