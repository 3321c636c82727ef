"""Input specifications: the forms that ``to_onnx(fn, inputs)`` accepts for an argument."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import dtypes, tree_util
from jax.typing import DTypeLike

from jax2onnx.errors import InputError
from jax2onnx.trace.dimensions import ShapeParser, abstract
from jax2onnx.trace.frameworks.callables import argument_names
from jax2onnx.trace.naming.paths import flatten_with_path, path_name


@dataclass(frozen=True)
class InputSpec:
    """Shape and dtype of one input of the graph.

    Attributes:
        shape: integers, and names or expressions of symbolic dimensions such as ``"B"``.
        dtype: the dtype of the graph's input. A 64-bit integer stays one at the graph's border even
            where JAX computes with 32 bits (``enable_double_precision=False``).
    """

    shape: tuple[int | str, ...]
    dtype: np.dtype[Any]

    def __init__(self, shape: Sequence[int | str], dtype: DTypeLike = np.float32) -> None:
        if isinstance(shape, str) or not isinstance(shape, Sequence):
            raise InputError(f"InputSpec: shape must be a sequence of dimensions, got {shape!r}")
        object.__setattr__(self, "shape", tuple(shape))
        try:
            object.__setattr__(self, "dtype", np.dtype(dtype))
        except TypeError as error:
            raise InputError(f"InputSpec: {dtype!r} is no dtype") from error


@dataclass(frozen=True)
class Input:
    """One leaf of the inputs.

    Attributes:
        name: its name in the graph.
        dtype: its dtype in the graph, which can be int64 where JAX traces int32.
        aval: the shape and dtype that JAX traces.
    """

    name: str
    dtype: np.dtype[Any]
    aval: jax.ShapeDtypeStruct


def examples(inputs: Sequence[Any], double: bool) -> list[Any]:
    """Return ``inputs`` with random arrays in place of shapes.

    Args:
        inputs: specifications, as ``to_onnx`` takes them.
        double: whether a bare shape is float64.

    Returns:
        The same with arrays of values from -2 to 2; the first named dimension is 2, the next 3...
    """
    rng, sizes = np.random.default_rng(0), dict[str, int]()

    def example(spec: Any) -> Any:
        if isinstance(spec, tuple | list):
            spec = InputSpec(tuple(spec), np.float64 if double else np.float32)
        if not isinstance(spec, InputSpec | jax.ShapeDtypeStruct):
            return spec
        named = [
            sizes.setdefault(d, 2 + len(sizes)) if isinstance(d, str) else d for d in spec.shape
        ]
        return (4 * rng.random(named) - 2).astype(spec.dtype)

    return [tree_util.tree_map(example, x, is_leaf=_is_spec) for x in inputs]


def _is_spec(node: object) -> bool:
    """Return whether a node of ``inputs`` is one specification; a NamedTuple is never a shape."""
    if isinstance(node, InputSpec | jax.ShapeDtypeStruct | np.ndarray | jax.Array | np.generic):
        return True
    if not isinstance(node, tuple | list) or hasattr(node, "_fields"):
        return False
    return all(map(_is_dim, node))


def _is_dim(dim: object) -> bool:
    return dim is None or isinstance(dim, int | np.integer | str)


def check_inputs(inputs: object) -> None:
    """Check that ``inputs`` is a list of specifications, and not a lone shape.

    Raises:
        InputError: it is not.
    """
    if isinstance(inputs, str | Mapping) or not isinstance(inputs, Sequence):
        raise InputError(f"inputs must be a list with one entry per argument, got {inputs!r}")
    if all(map(_is_dim, inputs)) and any(d is not None for d in inputs):
        raise InputError(
            f"inputs must be a list with one entry per argument; for one of shape {inputs!r}, "
            f"give [{inputs!r}]"
        )


def chosen_names(option: str, names: Sequence[object], derived: Sequence[str]) -> list[str]:
    """Return the names that the user chose.

    Args:
        option: the argument that they were given by, for errors.
        names: the chosen names.
        derived: the default names.

    Raises:
        InputError: a wrong number of names, an empty name, or one name twice.
    """
    if isinstance(names, str) or not all(isinstance(n, str) and n for n in names):
        raise InputError(f"{option}={names!r}: give a list of names, none of them empty")
    if len(names) != len(derived):
        kind = option.replace("_names", "s")
        raise InputError(
            f"{option} has {len(names)} names for {len(derived)} {kind} ({', '.join(derived)})"
        )
    if len(set(names)) != len(names):
        raise InputError(f"{option}: names must differ from one another: {list(names)}")
    return list(map(str, names))


def flatten_inputs(
    fn: Callable[..., Any],
    inputs: Sequence[Any],
    names: Sequence[str] | None,
    parse: ShapeParser,
    double: bool,
) -> tuple[list[Input], tree_util.PyTreeDef]:
    """Flatten ``inputs``.

    Args:
        fn: the callable, whose arguments name the inputs.
        inputs: one specification, or a pytree of them, for each positional argument.
        names: names of the leaves that the user chose.
        parse: turns a shape with named dimensions into one that JAX can trace.
        double: whether a bare shape is float64.

    Returns:
        The leaves, and the structure of the pytree.

    Raises:
        InputError: a leaf that is no input specification, or a wrong number of names.
    """
    arguments = argument_names(fn, len(inputs))
    root = list(inputs)
    flat, tree = flatten_with_path(root, is_leaf=lambda node: node is not root and _is_spec(node))
    paths, leaves = [path for path, _ in flat], [leaf for _, leaf in flat]
    derived = [path_name((tree_util.GetAttrKey(arguments[p[0].idx]), *p[1:])) for p in paths]
    chosen = derived if names is None else chosen_names("input_names", names, derived)
    return [_input(n, leaf, parse, double) for n, leaf in zip(chosen, leaves, strict=True)], tree


def _input(
    name: str,
    spec: Any,
    parse: ShapeParser,
    double: bool,
) -> Input:
    if isinstance(spec, tuple | list):
        spec = InputSpec(tuple(spec), np.float64 if double else np.float32)
    if not isinstance(spec, InputSpec) and not hasattr(spec, "shape"):
        raise InputError(
            f"input {name!r}: {spec!r} is no input specification. Give a shape such as "
            '("B", 30), a jax2onnx.InputSpec(shape, dtype), a jax.ShapeDtypeStruct or an array.'
        )
    for dim in spec.shape:
        if dim is None or (isinstance(dim, int | np.integer) and dim < 0):
            raise InputError(
                f"input {name!r}: {dim} in the shape {tuple(spec.shape)} is no dimension. Leave "
                'one open by a name, as in ("B", 30).'
            )
    named = isinstance(spec, InputSpec) or any(isinstance(d, str) for d in spec.shape)
    shape = parse(spec.shape) if named else tuple(spec.shape)
    if jnp.issubdtype(spec.dtype, dtypes.extended):
        return Input(name, spec.dtype, abstract(shape, spec.dtype))
    dtype = np.dtype(spec.dtype)
    if dtype.kind in "OSUMm":
        raise InputError(f"input {name!r}: ONNX has no tensors of {dtype}")
    traced = dtypes.canonicalize_dtype(dtype)
    if dtype != traced and dtype.kind not in "iu":
        if isinstance(spec, InputSpec):
            raise InputError(
                f"input {name!r} is {dtype}: pass enable_double_precision=True to compute with it"
            )
        dtype = traced
    return Input(name, dtype, abstract(shape, traced, getattr(spec, "sharding", None)))
