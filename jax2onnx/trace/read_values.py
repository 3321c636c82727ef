"""Parameters that the model reads as values while it is traced, such as ``float(self.scale)``.

Such a parameter becomes a constant of the trace, as a numpy array: an operation of JAX on a
constant would be traced, and have no value. All other parameters stay inputs of the trace.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import jax
import numpy as np
import onnx_ir as ir

from jax2onnx.errors import InputError, ModelError
from jax2onnx.trace.frameworks.callables import Parameterised

T = TypeVar("T")

Array = np.ndarray[tuple[int, ...], np.dtype[np.generic]]


class ReadValue(np.ndarray):
    """A parameter that the model reads; it is no input of a function (``onnx_function``)."""


class ByContents:
    """A value that is hashed and compared by its contents.

    Attributes:
        read: the value.
    """

    def __init__(self, array: Array) -> None:
        self.read = array
        self._key = array.tobytes(), array.dtype, array.shape

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByContents) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


def with_values_read(
    trace: Callable[[Parameterised], T],
    model: Parameterised,
    tensors: Mapping[str, ir.TensorProtocol],
) -> tuple[T, Parameterised, dict[str, Array]]:
    """Trace a model, again and again until it has the values of all parameters that it reads.

    Args:
        trace: traces the model; the leaves are the argument ``onnx_parameters`` of what it traces.
        model: the model.
        tensors: the tensors of abstract parameters, by path.

    Returns:
        The trace, the model without the parameters that it reads, and these by path.

    Raises:
        ModelError: it reads an abstract parameter that has no tensor.
        InputError: a tensor does not have the type of its parameter.
    """
    read: dict[str, Array] = {}
    while True:
        try:
            return trace(model), model, read
        except (ModelError, IndexError) as error:
            values = _values_read(error, model, tensors)
            if not values:
                raise
        read |= {model.paths[i]: value for i, value in values.items()}
        model = _with_values(model, values)


def _values_read(
    error: BaseException, model: Parameterised, tensors: Mapping[str, ir.TensorProtocol]
) -> dict[int, Array]:
    """Return the values, by position, of the parameters that an error says the model reads.

    Parameters of one name in all blocks of a model are read together, so that a model of many
    blocks is not traced once for each.
    """
    causes = list(_causes(error))
    named = {
        int(i) for each in causes for i in re.findall(r"\bonnx_parameters\[(\d+)\]", str(each))
    }
    for i in named:
        if isinstance(model.leaves[i], jax.ShapeDtypeStruct) and model.paths[i] not in tensors:
            raise ModelError(
                f"the model reads the value of the parameter {model.paths[i]!r} while it is "
                "traced, but the parameter is abstract: give its tensor, "
                f"to_onnx(..., parameters={{{model.paths[i]!r}: ...}})"
            ) from error
    alike = {_without_numbers(model.paths[i]) for i in named}
    # JAX does not say which array is the mask in x[mask].
    masked = any(isinstance(each, jax.errors.NonConcreteBooleanIndexError) for each in causes)
    values = {
        i: _value(path, leaf, tensors)
        for i, (path, leaf) in enumerate(zip(model.paths, model.leaves, strict=True))
        if _without_numbers(path) in alike or (masked and leaf.dtype == bool)
    }
    return {i: value for i, value in values.items() if value is not None}


def _with_values(model: Parameterised, values: Mapping[int, Array]) -> Parameterised:
    """Return ``model`` with some of its leaves, by position, as constants."""
    others = [i for i in range(len(model.leaves)) if i not in values]

    def rebuild(leaves: Sequence[object]) -> object:
        given = dict(zip(others, leaves, strict=True))
        return model.rebuild([values.get(i, given.get(i)) for i in range(len(model.leaves))])

    return Parameterised(
        tuple(model.paths[i] for i in others), tuple(model.leaves[i] for i in others), rebuild
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _without_numbers(path: str) -> str:
    return re.sub(r"\d+", "0", path)


def _value(
    path: str,
    leaf: jax.Array | jax.ShapeDtypeStruct | Array,
    tensors: Mapping[str, ir.TensorProtocol],
) -> Array | None:
    """Return the value of a parameter; None for a random key, and if there is no tensor of it."""
    if jax.numpy.issubdtype(leaf.dtype, jax.dtypes.extended):
        return None
    if not isinstance(leaf, jax.ShapeDtypeStruct):
        return np.asarray(leaf).view(ReadValue)
    if path not in tensors:
        return None
    value: Array = tensors[path].numpy()
    if value.shape != leaf.shape or value.dtype != leaf.dtype:
        raise InputError(
            f"parameters=: {path} is {leaf.dtype}{list(leaf.shape)} in the model, "
            f"{value.dtype}{list(value.shape)} in the file"
        )
    return value.view(ReadValue)
