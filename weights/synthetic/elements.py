"""The elements of a synthetic tensor: the same bytes on every machine.

Each tensor is a stream of SplitMix64 words (Steele, Lea and Flood, "Fast splittable pseudorandom
number generators", 2014), which is arithmetic on 64-bit integers. The words become values by
operations that IEEE 754 rounds in one way only: a conversion, one multiplication, one addition. No
math library, no library's random generator and no order of summation is involved.
"""

import hashlib
import math
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from weights.files.dtypes import NUMPY, Array
from weights.synthetic.tensors import Integers, SyntheticTensor, Uniform, Values

_GAMMA: Final = 0x9E3779B97F4A7C15
_MASK: Final = (1 << 64) - 1


def chunks(name: str, tensor: SyntheticTensor, seed: int, words: int) -> Iterator[Array]:
    """Yield the elements of a tensor in order, one chunk after the other.

    Args:
        name: the name of the tensor, which is part of its seed.
        tensor: the tensor.
        seed: the seed of the checkpoint.
        words: the number of random words to a chunk; the elements do not depend on it.
    """
    dtype, init, count = NUMPY[tensor.dtype], tensor.init, math.prod(tensor.shape)
    if isinstance(init, Values):
        yield np.ascontiguousarray(np.broadcast_to(np.asarray(init.values, dtype), tensor.shape))
        return
    lane, convert = _integers(init, dtype) if isinstance(init, Integers) else _floats(init, dtype)
    per_word = 8 // lane.itemsize
    begin = 0
    state = int.from_bytes(hashlib.sha256(f"{seed}\0{name}".encode()).digest()[:8], "little")
    for raw in splitmix(state, -(-count // per_word), words):
        yield convert(raw.view(lane)[: count - begin])
        begin += raw.size * per_word


def _floats(init: Uniform, dtype: np.dtype[Any]) -> tuple[np.dtype[Any], Callable[[Array], Array]]:
    """Return the integer type that words are cut into, and its map to floats of ``dtype``."""
    lane = np.dtype(f"<i{dtype.itemsize}")
    # Use as many bits as the arithmetic holds exactly: 53 of 64, 24 of 32, and all of 16 or 8.
    work = np.float64 if dtype.itemsize == 8 else np.float32
    spare = {8: 64 - 53, 4: 32 - 24}.get(dtype.itemsize, 0)
    half_range = 2.0 ** (8 * dtype.itemsize - 1 - spare)
    scale, mean = work(init.std * math.sqrt(3.0) / half_range), work(init.mean)

    def convert(lanes: Array) -> Array:
        values = np.multiply(
            lanes >> spare if spare else lanes, scale, dtype=work, casting="unsafe"
        )
        if mean:
            np.add(values, mean, out=values)
        return values.astype(dtype, copy=False)

    return lane, convert


def _integers(
    init: Integers, dtype: np.dtype[Any]
) -> tuple[np.dtype[Any], Callable[[Array], Array]]:
    """Return the integer type that words are cut into, and its map to integers of ``dtype``."""
    count = init.high - init.low
    if dtype.kind in "iu" and count == 1 << (8 * dtype.itemsize):
        return np.dtype(dtype), lambda lanes: lanes
    return np.dtype("<u4"), lambda lanes: (
        ((lanes.astype(np.uint64) * np.uint64(count)) >> np.uint64(32)).astype(np.int64) + init.low
    ).astype(dtype)


def splitmix(state: int, count: int, chunk: int) -> Iterator[Array]:
    """Yield ``count`` SplitMix64 words; word i is a mix of ``state + (i + 1) * gamma``."""
    steps = np.arange(1, min(chunk, count) + 1, dtype=np.uint64) * np.uint64(_GAMMA)
    scratch = np.empty_like(steps)
    for begin in range(0, count, chunk):
        size = min(chunk, count - begin)
        z, t = steps[:size] + np.uint64((state + begin * _GAMMA) & _MASK), scratch[:size]
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            np.right_shift(z, np.uint64(shift), out=t)
            np.bitwise_xor(z, t, out=z)
            np.multiply(z, np.uint64(factor), out=z)
        np.right_shift(z, np.uint64(31), out=t)
        yield np.bitwise_xor(z, t, out=z)
