"""The description of a synthetic checkpoint's tensors: type, shape and values of each."""

import math
from dataclasses import dataclass

import ml_dtypes
import numpy as np

from weights.errors import WeightsError
from weights.files.dtypes import BITS, NUMPY, Array


@dataclass(frozen=True, slots=True)
class Uniform:
    """Floats that are uniform within ``std * sqrt(3)`` of ``mean``.

    Attributes:
        std: the standard deviation.
        mean: the mean.
    """

    std: float
    mean: float = 0.0


@dataclass(frozen=True, slots=True)
class Integers:
    """Integers ``low <= i < high``, at most 2**32 of them. Packed codes are integers too.

    Attributes:
        low: the least value.
        high: the greatest value, plus one.
    """

    low: int
    high: int


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """Given values, which are cast to the tensor's type and broadcast to its shape.

    They must not come from ``exp``, ``sin`` and the like, whose last bit depends on the machine.

    Attributes:
        values: a number, or an array that broadcasts to the tensor's shape.
    """

    values: Array | float | int


Init = Uniform | Integers | Values


@dataclass(frozen=True, slots=True)
class SyntheticTensor:
    """One tensor of a synthetic checkpoint.

    Attributes:
        dtype: the element type as safetensors spells it.
        shape: the extents in elements.
        init: the values.
    """

    dtype: str
    shape: tuple[int, ...]
    init: Init

    @property
    def nbytes(self) -> int:
        """Return the size in bytes."""
        return math.prod(self.shape) * BITS[self.dtype] // 8


def plausible(name: str, dtype: str, shape: tuple[int, ...]) -> SyntheticTensor:
    """Return a float tensor whose values keep activations at one scale from layer to layer.

    A matrix has a standard deviation of ``1/sqrt(inputs)``, where the inputs are all axes but the
    first. A vector is near 1 if its name says that it scales a normalised value, and else near 0.

    Args:
        name: the name of the tensor.
        dtype: the element type as safetensors spells it.
        shape: the extents in elements.
    """
    if len(shape) > 1:
        init = Uniform(1 / math.sqrt(math.prod(shape[1:])))
    elif name.rpartition(".")[2] in ("weight", "scale", "gamma"):
        init = Uniform(0.1, mean=1.0)
    else:
        init = Uniform(0.02)
    return SyntheticTensor(dtype, shape, init)


def check(name: str, tensor: SyntheticTensor) -> None:
    """Check that a tensor can be made.

    Raises:
        WeightsError: its type is unknown, or its values do not fit its type or shape.
    """

    def wrong(what: str) -> WeightsError:
        return WeightsError(f"synthetic tensor {name!r}: {what}.")

    if tensor.dtype not in NUMPY:
        raise wrong(f"dtype {tensor.dtype!r} is none of {', '.join(NUMPY)}")
    dtype, init = NUMPY[tensor.dtype], tensor.init
    if isinstance(init, Values):
        try:
            np.broadcast_to(init.values, tensor.shape)
        except ValueError:
            raise wrong(
                f"values of shape {np.shape(init.values)} do not fit {tensor.shape}"
            ) from None
    elif isinstance(init, Integers):
        if dtype.kind not in "iub" or not 0 < init.high - init.low <= 1 << 32:
            raise wrong(f"{init} needs an integer type and a range of 1 to 2**32 values")
        least, most = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        if init.low < least or init.high - 1 > most:
            raise wrong(f"{init} does not fit {tensor.dtype}")
    elif dtype.kind in "iubc" or tensor.dtype == "F8_E8M0":
        raise wrong(f"{init} needs a floating type, not {tensor.dtype}")
    elif not abs(init.mean) + 2 * abs(init.std) <= float(ml_dtypes.finfo(dtype).max):  # type: ignore[no-untyped-call]
        raise wrong(f"{init} does not fit {tensor.dtype}")
