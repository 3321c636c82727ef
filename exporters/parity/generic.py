"""References that work for any exporter, so that a model of one's own needs no code for parity.

Both take ``exported``, which ``exporters.parity.verify`` passes to a reference that asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from exporters.artifact.bind import load
from exporters.errors import ExportError
from exporters.model.exportable import Exportable, ParityCase
from exporters.parity.references import stored_cases
from jax2onnx import InputSpec
from jax2onnx.models import evaluate
from weights import Checkpoint

Shape = tuple[int, ...]


def against_jax(
    checkpoint: Checkpoint, data: Path | None = None, *, exported: Exportable
) -> Iterator[ParityCase]:
    """Yield cases that the JAX model computes on random inputs, in two sizes where they are open.

    Floating-point inputs are normally distributed. Integers are 0 or 1, which is valid for tokens,
    masks and positions alike. A model whose inputs depend on one another needs a reference of its
    own.

    Args:
        checkpoint: the weights.
        data: not used.
        exported: the exporter's model.

    Raises:
        ExportError: a dimension is neither a number, a name, nor a multiple of a name.
    """
    model = load(exported.model, exported.parameters, checkpoint)
    random = np.random.default_rng(0)
    specs = exported.inputs
    training = bool(exported.conversion.get("training", False))
    swaps = _positions(exported.conversion.get("inputs_as_nchw"), exported.input_names)
    turns = _positions(exported.conversion.get("outputs_as_nchw"), exported.output_names)
    for shapes in dict.fromkeys(concrete([s.shape for s in specs], size) for size in (1, 3)):
        inputs = [_draw(random, shape, spec) for shape, spec in zip(shapes, specs, strict=True)]
        outputs = evaluate(model, inputs, training=training)
        yield ParityCase(
            ", ".join(" x ".join(map(str, shape)) for shape in shapes),
            dict(zip(exported.input_names, _channels_first(inputs, swaps), strict=True)),
            dict(zip(exported.output_names, _channels_first(outputs, turns), strict=True)),
        )


def stored(
    checkpoint: Checkpoint, data: Path | None, *, exported: Exportable
) -> Iterator[ParityCase]:
    """Yield the cases of an .npz file whose arrays are named ``<case>/<input or output>``.

    Args:
        checkpoint: not used; the artifact reads the weights itself.
        data: the file.
        exported: the exporter's model, which has the names of inputs and outputs.

    Raises:
        ExportError: the file cannot be read, or a case lacks an input or all outputs.
    """
    return stored_cases(data, exported.input_names, exported.output_names)


def concrete(shapes: Iterable[Sequence[int | str]], size: int) -> tuple[Shape, ...]:
    """Return shapes with ``size``, ``size`` + 1, ... in place of their names.

    Args:
        shapes: numbers, names, and multiples of names, ``"16*h"``.
        size: the number that the first name stands for.

    Raises:
        ExportError: a dimension is something else.
    """
    sizes: dict[str, int] = {}

    def extent(one: int | str) -> int:
        if isinstance(one, int):
            return one
        factor, _, name = one.replace(" ", "").rpartition("*")
        if not name.isidentifier() or not (factor or "1").isdigit():
            raise ExportError(
                f"the dimension {one!r} is neither a name nor a multiple of one, so this reference "
                "cannot choose a size. Write a reference that yields cases of this model."
            )
        return int(factor or 1) * sizes.setdefault(name, size + len(sizes))

    return tuple(tuple(map(extent, shape)) for shape in shapes)


def _draw(random: np.random.Generator, shape: Shape, spec: InputSpec) -> np.ndarray:
    """Return random values of the dtype of an input."""
    dtype = np.dtype(spec.dtype)
    if dtype.kind in "biu":
        return random.integers(2, size=shape).astype(dtype)
    return random.standard_normal(shape, np.float32).astype(dtype)


def _positions(given: Sequence[int | str] | None, names: Sequence[str]) -> set[int]:
    """Return the positions of the inputs or outputs that ``to_onnx`` turns to NCHW."""
    return {names.index(one) if isinstance(one, str) else one for one in given or ()}


def _channels_first(arrays: Sequence[np.ndarray], positions: set[int]) -> list[np.ndarray]:
    """Return the arrays as the artifact has them: those at ``positions`` with channels first."""
    return [
        np.moveaxis(array, -1, 1) if number in positions else array
        for number, array in enumerate(arrays)
    ]
