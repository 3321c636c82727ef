"""The parameters of a JAX model by their paths, and the values that its modules compute.

This module is public. A path is the name that a parameter bears in the ONNX model
(``layers.1.attention.q.weight``). The module that computes a value is told from the parameters that
it consumes; the ONNX model names the same value ``<module>/output``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar, cast

import jax
import numpy as np
from jax.extend import core

from jax2onnx.trace import InputSpec, trace
from jax2onnx.trace.frameworks.callables import parameterise
from jax2onnx.trace.frameworks.inference import mode
from jax2onnx.trace.jaxprs import called_jaxpr
from jax2onnx.trace.naming.modules import ModuleTracker

__all__ = ["OUTPUT_SUFFIX", "Leaf", "evaluate", "module_outputs", "parameters", "with_parameters"]

OUTPUT_SUFFIX = "/output"
"""End of the name of a value that a module computes, in the ONNX model."""

Leaf: TypeAlias = "jax.Array | np.ndarray[Any, Any] | jax.ShapeDtypeStruct"
"""A parameter: an array, or its shape and dtype alone."""

Model = TypeVar("Model", bound=Callable[..., Any])
Array = np.ndarray[Any, Any]


def parameters(model: Callable[..., Any]) -> dict[str, Leaf]:
    """Return the parameters of a model, concrete or abstract, by their paths.

    Args:
        model: an Equinox or Flax NNX module, a bound Flax Linen module, a bound method or a
            ``functools.partial`` of one of these, or any pytree that can be called.
    """
    split = parameterise(model)
    return dict(zip(split.paths, split.leaves, strict=True))


def with_parameters(model: Model, values: Mapping[str, Leaf]) -> Model:
    """Return the model with other parameters.

    Args:
        model: a model as `parameters` takes it.
        values: the value of every parameter, by its path.

    Raises:
        KeyError: ``values`` lacks a parameter of the model.
    """
    split = parameterise(model)
    return cast("Model", split.rebuild([values[path] for path in split.paths]))


def evaluate(
    model: Callable[..., Any], inputs: Sequence[Array], *, training: bool = False
) -> list[Array]:
    """Run a model in JAX as ``to_onnx`` converts it.

    Args:
        model: a model as `parameters` takes it, without abstract parameters.
        inputs: one array for each positional argument.
        training: as for ``to_onnx``: modules compute in their present mode.

    Returns:
        The arrays of the result, in the order of the ONNX model's outputs.
    """
    split = parameterise(model)
    with mode(training):
        result = split.rebuild(split.leaves)(*map(jax.numpy.asarray, inputs))
    return [np.asarray(array) for array in jax.tree.leaves(result)]


def module_outputs(model: Callable[..., Any], inputs: Sequence[Array]) -> dict[str, Array]:
    """Run a model in JAX, one equation after the other, and return what each module computes.

    Args:
        model: a model as `parameters` takes it, without abstract parameters.
        inputs: one array for each positional argument.

    Returns:
        For each module that has parameters of its own, the last value that it computes with them;
        by the module's path, in the order of the computation.
    """
    traced = trace(model, [InputSpec(array.shape, array.dtype) for array in inputs])
    operands = [jax.numpy.asarray(p.value) for p in traced.parameters]
    operands += [
        jax.numpy.asarray(array, spec.aval.dtype)
        for array, spec in zip(inputs, traced.inputs, strict=True)
    ]
    paths = [p.path for p in traced.parameters] + [""] * len(inputs)
    outputs: dict[str, Array] = {}
    _evaluate(core.ClosedJaxpr(traced.jaxpr, traced.consts), operands, paths, outputs)
    return outputs


def _evaluate(
    jaxpr: core.ClosedJaxpr,
    operands: Sequence[Any],
    paths: Sequence[str],
    outputs: dict[str, Array],
) -> list[Any]:
    """Evaluate a jaxpr equation by equation, and add what each module computes to ``outputs``."""
    inner = jaxpr.jaxpr
    environment: dict[core.Var, Any] = dict(zip(inner.constvars, jaxpr.consts, strict=True))
    environment |= zip(inner.invars, operands, strict=True)
    tracker = ModuleTracker((v, p) for v, p in zip(inner.invars, paths, strict=True) if p)

    def read(variable: core.Var | core.Literal) -> Any:
        return variable.val if isinstance(variable, core.Literal) else environment[variable]

    for eqn in inner.eqns:
        module, consumes = tracker.enter(eqn)
        values = [read(variable) for variable in eqn.invars]
        called = called_jaxpr(eqn)
        if called is not None:
            results = _evaluate(called, values, tracker.paths(eqn.invars), outputs)
        else:
            params = eqn.primitive.get_bind_params(eqn.params)
            found = eqn.primitive.bind(*values, **params)
            results = list(found) if eqn.primitive.multiple_results else [found]
        environment |= zip(eqn.outvars, results, strict=True)
        if consumes:
            outputs[module] = np.asarray(results[-1])
    return [read(variable) for variable in inner.outvars]
