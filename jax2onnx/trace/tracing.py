"""Trace: a callable and its input specifications become a jaxpr with named parameters."""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Unpack

import jax
import numpy as np
from jax import tree_util
from jax.extend import core, source_info_util

from jax2onnx.errors import InputError, ModelError
from jax2onnx.jax_internals import DimExpr
from jax2onnx.options import Options, with_defaults
from jax2onnx.trace.checks import without_checks
from jax2onnx.trace.dimensions import (
    CONCRETE,
    ShapeParser,
    abstract,
    dimension_parser,
    explained,
    named_sizes,
    variables,
)
from jax2onnx.trace.equal_sizes import with_equalities
from jax2onnx.trace.frameworks.callables import (
    Parameterised,
    is_linen_module,
    linen_pair,
    module_arrays,
    parameterise,
    signature,
    state_of,
)
from jax2onnx.trace.frameworks.inference import missing_flags, mode
from jax2onnx.trace.frameworks.state import warn_of_changes, without_last
from jax2onnx.trace.inputs.border import FROM_NCHW, TO_NCHW, branching, images, permuted
from jax2onnx.trace.inputs.specs import Input, InputSpec, check_inputs, chosen_names, flatten_inputs
from jax2onnx.trace.jaxprs import without_dead_equations
from jax2onnx.trace.naming.paths import flatten_with_path, path_name
from jax2onnx.trace.naming.reach import constants, identity, named
from jax2onnx.trace.read_values import with_values_read

# Errors name the user's line, not the one below that calls the user's function.
source_info_util.register_exclusion(str(Path(__file__).parent))

Array = jax.Array | np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Parameter:
    """An array of the model.

    Attributes:
        path: its path in the model, such as ``blocks.3.attn.qkv.weight``.
        value: the array, or its shape and dtype if it is abstract.
    """

    path: str
    value: Array | jax.ShapeDtypeStruct


@dataclass(frozen=True)
class Traced:
    """The trace of a callable.

    Attributes:
        jaxpr: its invars are ``parameters``, then ``inputs``, in that order.
        consts: the values of its constvars.
        parameters: arrays of the callable that are inputs of the jaxpr.
        inputs: inputs of the graph.
        output_names: the names of the graph's outputs, one for each outvar.
        captured: arrays that the callable reached by itself (through a closure, say). They are
            parameters of the graph, and constants of this jaxpr or of one that is nested in it.
        read: the paths of arrays of the callable that it read as values while it was traced. They
            are captured, if they are used as arrays too.
        checks: messages of the checks that were left out.
        size_names: names that the constraints give to expressions of dimensions, by their text.
    """

    jaxpr: core.Jaxpr
    consts: tuple[Array, ...]
    parameters: tuple[Parameter, ...]
    inputs: tuple[Input, ...]
    output_names: tuple[str, ...]
    captured: tuple[Parameter, ...] = ()
    read: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    size_names: Mapping[str, str] = field(default_factory=dict)


def trace(
    fn: Callable[..., Any] | tuple[Any, Any],
    inputs: Sequence[Any],
    input_params: Mapping[str, Any] | None = None,
    **options: Unpack[Options],
) -> Traced:
    """Trace ``fn`` on abstract values of ``inputs``, with the types that JAX allows right now.

    Args:
        fn: the callable, as ``to_onnx`` takes it.
        inputs: a specification for each positional argument.
        input_params: keyword arguments that become inputs, with an example of each.
        options: of ``to_onnx``.

    Raises:
        InputError: a malformed input specification or name.
        ModelError: a model that cannot be traced abstractly.
        SymbolicDimensionError: a dimension that JAX cannot keep symbolic.
    """
    options = with_defaults(options)
    return with_equalities(lambda o: _trace(fn, inputs, input_params, o), options)


def _trace(
    fn: Callable[..., Any] | tuple[Any, Any],
    inputs: Sequence[Any],
    input_params: Mapping[str, Any] | None,
    options: Options,
) -> Traced:
    """Trace ``fn`` under the constraints that ``options`` have."""
    keywords = _check_arguments(fn, inputs, input_params, options)
    model = parameterise(fn)
    callable_ = model.rebuild(model.leaves)
    _check_call(callable_, inputs, keywords, options["training"])
    parse = dimension_parser(options["constraints"])
    double = options["enable_double_precision"]
    flat, tree = flatten_inputs(callable_, inputs, options["input_names"], parse, double)
    if options["input_names"] is None:
        names = _distinct([i.name for i in flat], model.paths)
        flat = [replace(i, name=name) for i, name in zip(flat, names, strict=True)]
    extra = _keyword_inputs(keywords, parse, double)
    shapes = [i.aval.shape for i in flat]
    nchw = images("inputs_as_nchw", options["inputs_as_nchw"], [i.name for i in flat], shapes)
    shapes = permuted(shapes, nchw, TO_NCHW)
    flat = [replace(i, aval=abstract(s, i.aval.dtype)) for i, s in zip(flat, shapes, strict=True)]
    taken = [*model.paths, *(i.name for i in (*flat, *extra))]
    call = _Call(model, tree, nchw, taken, options["output_names"], options["outputs_as_nchw"])
    flagged = any(i.dtype == bool for i in extra)
    with _Noted([*flat, *extra]), mode(options["training"], flagged):
        (closed, (out, state)), model, read = with_values_read(
            lambda model: _make_jaxpr(replace(call, model=model), flat, extra),
            model,
            options["parameters"] or {},
        )
    _refuse_tracers(closed.consts)
    checks: dict[str, None] = {}
    keep = options["checks"] == "outputs"
    jaxpr = without_checks(without_last(closed.jaxpr, len(state)), checks, keep)
    jaxpr = without_dead_equations(jaxpr)
    warn_of_changes(model.paths, closed.jaxpr, jaxpr, options["training"])
    found = list(constants(core.ClosedJaxpr(jaxpr, closed.consts)))
    paths = {identity(value): path for path, value in read.items()}
    known = {paths[identity(c)]: c for c in found if identity(c) in paths}
    reached = named(fn, [c for c in found if identity(c) not in paths], module_arrays)
    fresh = _distinct([path for path, _ in reached], taken)
    captured = [*known.items(), *zip(fresh, (array for _, array in reached), strict=True)]
    return Traced(
        jaxpr,
        tuple(closed.consts),
        tuple(map(Parameter, model.paths, model.leaves)),
        (*flat, *extra),
        call.names_of(out),
        tuple(Parameter(path, array) for path, array in captured),
        tuple(read),
        tuple(checks),
        named_sizes(options["constraints"], parse),
    )


@dataclass(frozen=True)
class _Call:
    """A function of arrays alone, which is what JAX traces: it puts the callable together.

    Attributes:
        model: the callable, split into its array leaves.
        tree: the pytree of the positional inputs.
        nchw_inputs: positions of inputs that arrive as (N, C, H, W).
        taken: names that an output cannot have by default.
        output_names: as the user chose them.
        outputs_as_nchw: outputs that leave as (N, C, H, W), by name or index.
    """

    model: Parameterised
    tree: tree_util.PyTreeDef
    nchw_inputs: frozenset[int]
    taken: Sequence[str]
    output_names: Sequence[str] | None
    outputs_as_nchw: Sequence[int | str]

    def run(
        self,
        onnx_parameters: Sequence[jax.Array],
        onnx_inputs: Sequence[jax.Array],
        keywords: Mapping[str, jax.Array],
        flags: Sequence[str],
    ) -> tuple[Any, list[Any]]:
        """Return the callable's output, and its own arrays after the call.

        Args:
            onnx_parameters: the arrays of the callable. JAX's errors show this name and the next,
                which ``read_values`` and ``dimensions`` look for.
            onnx_inputs: the positional inputs, flat.
            keywords: the keyword inputs.
            flags: the boolean keywords that need a branch for each of their values.
        """

        def rebuilt(*args: Any, **keywords: Any) -> tuple[Any, list[Any]]:
            callable_ = self.model.rebuild(onnx_parameters)
            out = tree_util.tree_map(_array_of_size, callable_(*args, **keywords))
            return out, state_of(callable_, self.model.paths, onnx_parameters)

        positional = tree_util.tree_unflatten(
            self.tree, permuted(onnx_inputs, self.nchw_inputs, FROM_NCHW)
        )
        out, state = branching(rebuilt, flags)(*positional, **keywords)
        results, out_tree = tree_util.tree_flatten(out)
        _check_results(results)
        shapes = list(map(np.shape, results))
        nchw = images("outputs_as_nchw", self.outputs_as_nchw, self.names_of(out), shapes)
        return tree_util.tree_unflatten(out_tree, permuted(results, nchw, TO_NCHW)), state

    def names_of(self, out: Any) -> tuple[str, ...]:
        """Return the names of the leaves of ``out``, which the callable returned."""
        paths = [path for path, _ in flatten_with_path(out)[0]]
        if not paths:
            raise ModelError("fn returns no array, so that the model would have no output")
        derived = ["output" if not p else _prefixed(path_name(p)) for p in paths]
        if self.output_names is None:
            return tuple(_distinct(derived, self.taken))
        return tuple(chosen_names("output_names", self.output_names, derived))


def _make_jaxpr(
    call: _Call, inputs: Sequence[Input], keywords: Sequence[Input]
) -> tuple[core.ClosedJaxpr, tuple[Any, Sequence[Any]]]:
    """Return the jaxpr of ``call``, and the abstract values of its output and of the state.

    Boolean keywords are traced as arrays. If the model needs their values while it is traced, both
    values of each are traced, as the branches of a conditional.
    """
    avals = (
        list(map(_abstract, call.model.leaves)),
        [i.aval for i in inputs],
        {i.name: i.aval for i in keywords},
    )
    flags = [i.name for i in keywords if i.dtype == bool]
    sizes = variables(aval.shape for aval in tree_util.tree_leaves(avals))
    with explained(sizes, [i.name for i in inputs]):
        try:
            return jax.make_jaxpr(partial(call.run, flags=()), return_shape=True)(*avals)
        except CONCRETE:
            if not flags:
                raise
        return jax.make_jaxpr(partial(call.run, flags=flags), return_shape=True)(*avals)


class _Noted:
    """Adds to the model's exceptions what it was called with, and the remedy for two of Flax."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        self._inputs = inputs

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
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
                "method, and not in a function around it."
            )


# -- checks of the arguments ---------------------------------------------------------------------


def _check_arguments(
    fn: object, inputs: object, input_params: object, options: Options
) -> dict[str, Any]:
    """Check the kinds of the arguments of ``trace``; return ``input_params`` as a dictionary."""
    if isinstance(fn, type):
        raise InputError(f"fn is the class {fn.__name__}: give an instance of it")
    if not callable(fn) and linen_pair(fn) is None:
        raise InputError(
            f"fn must be callable, or a Flax Linen (module, variables) pair, got {reprlib.repr(fn)}"
        )
    check_inputs(inputs)
    if not isinstance(input_params or {}, Mapping):
        raise InputError(f"input_params={input_params!r}: give a dictionary of keyword arguments")
    if isinstance(options["constraints"], str):
        raise InputError(f"constraints={options['constraints']!r}: give a list of them")
    return dict(input_params) if isinstance(input_params, Mapping) else {}


def _check_call(
    fn: Callable[..., Any], inputs: Sequence[Any], keywords: Mapping[str, Any], training: bool
) -> None:
    """Check that ``fn`` takes so many positional arguments, and these keyword arguments."""
    name, owner = getattr(fn, "__name__", ""), getattr(fn, "__self__", None)
    if name == "apply" and is_linen_module(owner) and not isinstance([*inputs, {}][0], Mapping):
        raise InputError(
            "apply of a Flax Linen module takes its variables first: bind them, "
            "functools.partial(module.apply, variables), or give (module, variables)"
        )
    known = signature(fn)
    if known is None:
        return
    given = {*list(known.parameters)[: len(inputs)], *keywords}
    flags = {} if training else missing_flags(known.parameters, given)
    try:
        known.bind(*inputs, **flags, **keywords)
    except TypeError as error:
        raise InputError(
            f"inputs= gives {len(inputs)} positional argument(s) and input_params= gives "
            f"{sorted(keywords)}, but fn takes {known}: {error}"
        ) from error


def _array_of_size(result: Any) -> Any:
    """Return a dimension or an integer of Python as an int64 scalar, and all else as it is."""
    if type(result) is not int and not isinstance(result, DimExpr):
        return result
    with jax.enable_x64(True):
        return jax.numpy.asarray(result, np.int64)


def _check_results(results: Sequence[object]) -> None:
    for result in results:
        if not hasattr(result, "dtype") and not isinstance(result, int | float | complex):
            raise ModelError(
                f"fn returns {reprlib.repr(result)}, a {type(result).__name__}; what it returns "
                "must be arrays, in tuples, lists, dictionaries or other pytrees"
            )


def _refuse_tracers(consts: Sequence[object]) -> None:
    leaked = [c for c in consts if isinstance(c, jax.core.Tracer)]
    if leaked:
        raise ModelError(
            f"the model holds {len(leaked)} value(s) of another JAX trace, such as {leaked[0]!r}: "
            "an attribute was created under eval_shape but is no parameter. Declare it as a "
            "parameter (for Flax NNX: nnx.Variable), or create it with numpy."
        )


# -- inputs and names ----------------------------------------------------------------------------


def _abstract(leaf: Array | jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    dtype = jax.dtypes.canonicalize_dtype(leaf.dtype, allow_extended_dtype=True)
    sharding = getattr(leaf, "sharding", None)
    return abstract(leaf.shape, dtype, sharding)  # type: ignore[arg-type]  # or that of keys


def _keyword_inputs(keywords: Mapping[str, Any], parse: ShapeParser, double: bool) -> list[Input]:
    """Return the inputs for keyword arguments; a Python number is an example like any array."""
    specs = {
        name: value
        if hasattr(value, "dtype") or isinstance(value, InputSpec)
        else np.asarray(value)
        for name, value in keywords.items()
    }
    names = sorted(specs)
    return flatten_inputs(lambda *a: a, [specs[n] for n in names], names, parse, double)[0]


def _distinct(names: Sequence[str], taken: Iterable[str]) -> list[str]:
    """Return default names, with a number where one is ``taken`` or occurs twice."""
    used, result = set(taken), []
    for name in names:
        count, distinct = 0, name
        while distinct in used:
            count, distinct = count + 1, f"{name}_{count + 1}"
        used.add(distinct)
        result.append(distinct)
    return result


def _prefixed(name: str) -> str:
    return f"output_{name}" if name[0].isdigit() else name
