"""Checkpoints out of a config and a seed, in a published layout, of any size.

The bytes are the same on every machine: each tensor is a stream of SplitMix64 words (Steele, Lea
and Flood, "Fast splittable pseudorandom number generators", 2014), which counts in 64-bit integers,
and the words become values by operations that IEEE 754 rounds in one way only: a conversion, one
multiplication, one addition. No math library, no library's random generator, no order of summation
is involved.

Tensors are written as they are made: memory does not grow with the checkpoint.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ml_dtypes
import numpy as np

from weights.errors import WeightsError
from weights.files.atomic import atomic_file, atomic_folder, check_room
from weights.files.dtypes import BITS, NUMPY
from weights.progress import Advance, silent
from weights.store.pins import Pin, Pins

Array = np.ndarray[Any, np.dtype[Any]]

SHARD_SIZE: Final = 5_000_000_000
"""Bytes of tensors above which the hub's tools begin another shard."""

_CHUNK_WORDS: Final = 1 << 16  # stays in a core's cache, and is enough to hide numpy's overhead
_GAMMA: Final = 0x9E3779B97F4A7C15
_MASK: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Uniform:
    """Floats around ``mean`` with standard deviation ``std``: uniform within ``std * sqrt(3)``."""

    std: float
    mean: float = 0.0


@dataclass(frozen=True, slots=True)
class Integers:
    """Integers ``low <= i < high``, at most 2**32 of them; packed codes are such bytes too."""

    low: int
    high: int


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """These very values, cast to the tensor's type and broadcast to its shape.

    They must not come from ``exp``, ``sin`` and the like, whose last bit depends on the machine.
    """

    values: Array | float | int


Init = Uniform | Integers | Values


@dataclass(frozen=True, slots=True)
class SyntheticTensor:
    """What makes one tensor: its type as safetensors spells it, its shape, its values."""

    dtype: str
    shape: tuple[int, ...]
    init: Init

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return math.prod(self.shape) * BITS[self.dtype] // 8


def plausible(name: str, dtype: str, shape: tuple[int, ...]) -> SyntheticTensor:
    """A float tensor such that activations keep their scale from layer to layer.

    Vectors whose name says that they scale a normalised value are near 1, other vectors near 0, and
    matrices have a standard deviation of ``1/sqrt(inputs)``, all axes but the first being inputs.
    """
    if len(shape) > 1:
        init = Uniform(1 / math.sqrt(math.prod(shape[1:])))
    elif name.rpartition(".")[2] in ("weight", "scale", "gamma"):
        init = Uniform(0.1, mean=1.0)
    else:
        init = Uniform(0.02)
    return SyntheticTensor(dtype, shape, init)


def write_checkpoint(
    folder: Path,
    config: Mapping[str, Any],
    tensors: Mapping[str, SyntheticTensor],
    seed: int,
    *,
    shard_size: int = SHARD_SIZE,
    progress: Advance = silent,
) -> Pins:
    """Write ``config.json`` and safetensors, sharded with an index above ``shard_size`` bytes.

    The bytes depend on ``config``, ``tensors``, ``seed`` and ``shard_size``, and on nothing else:
    the order of ``tensors`` does not matter. ``folder`` appears complete or not at all.

    Returns:
        The pins of all files written, taken while they were written.

    Raises:
        WeightsError: a tensor cannot be made so, ``folder`` is not empty, or the disk is full.
    """
    for name, tensor in tensors.items():
        _check(name, tensor)
    shards = _shards(tensors, shard_size)
    with atomic_folder(folder) as partial:
        check_room(partial, sum(tensor.nbytes for tensor in tensors.values()))
        pins = [_write_json(partial / "config.json", config)]
        for file, names in shards.items():
            chosen = {name: tensors[name] for name in names}
            pins.append(write_safetensors(partial / file, chosen, seed, progress=progress))
        if len(shards) > 1:
            placed = {name: file for file, names in shards.items() for name in names}
            total = sum(tensor.nbytes for tensor in tensors.values())
            index = {"metadata": {"total_size": total}, "weight_map": placed}
            pins.append(_write_json(partial / "model.safetensors.index.json", index))
    return Pins(tuple(pins))


def write_safetensors(
    file: Path,
    tensors: Mapping[str, SyntheticTensor],
    seed: int,
    *,
    chunk_words: int = _CHUNK_WORDS,
    progress: Advance = silent,
) -> Pin:
    """Write one safetensors file, laid out as the reference library does, and return its pin."""
    # The reference puts wide types first, so that every tensor is aligned to its element.
    ranks = {dtype: rank for rank, dtype in enumerate(BITS)}
    order = sorted(tensors, key=lambda name: (-ranks[tensors[name].dtype], name))
    header = _header({name: tensors[name] for name in order})
    size = len(header) + sum(tensor.nbytes for tensor in tensors.values())
    digest = hashlib.sha256(header)
    with atomic_file(file, size) as stream:
        stream.write(header)
        for name in order:
            for chunk in _chunks(name, tensors[name], seed, chunk_words):
                raw = chunk.reshape(-1).view(np.uint8).data
                digest.update(raw)
                stream.write(raw)
                progress(len(raw))
    return Pin(file.name, digest.hexdigest(), size)


def _check(name: str, tensor: SyntheticTensor) -> None:
    """Refuse what could not be made, before anything is written."""

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


def _shards(tensors: Mapping[str, SyntheticTensor], shard_size: int) -> dict[str, list[str]]:
    """Deal the tensors, in the order of their names, to files of at most ``shard_size`` bytes."""
    groups: list[list[str]] = [[]]
    filled = 0
    for name in sorted(tensors):
        if groups[-1] and filled + tensors[name].nbytes > shard_size:
            groups.append([])
            filled = 0
        groups[-1].append(name)
        filled += tensors[name].nbytes
    if len(groups) == 1:
        return {"model.safetensors": groups[0]}
    return {
        f"model-{number:05d}-of-{len(groups):05d}.safetensors": group
        for number, group in enumerate(groups, 1)
    }


def _header(tensors: Mapping[str, SyntheticTensor]) -> bytes:
    members: dict[str, Any] = {"__metadata__": {"format": "pt"}}  # loaders insist on it
    position = 0
    for name, tensor in tensors.items():
        end = position + tensor.nbytes
        members[name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [position, end],
        }
        position = end
    text = json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _write_json(file: Path, value: Mapping[str, Any]) -> Pin:
    raw = (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()
    with atomic_file(file) as stream:
        stream.write(raw)
    return Pin(file.name, hashlib.sha256(raw).hexdigest(), len(raw))


def _chunks(name: str, tensor: SyntheticTensor, seed: int, words: int) -> Iterator[Array]:
    """The tensor's elements in order, a chunk at a time."""
    dtype, init, count = NUMPY[tensor.dtype], tensor.init, math.prod(tensor.shape)
    if isinstance(init, Values):
        yield np.ascontiguousarray(np.broadcast_to(np.asarray(init.values, dtype), tensor.shape))
        return
    lane, convert = _integers(init, dtype) if isinstance(init, Integers) else _floats(init, dtype)
    per_word = 8 // lane.itemsize
    begin = 0
    state = int.from_bytes(hashlib.sha256(f"{seed}\0{name}".encode()).digest()[:8], "little")
    for raw in _splitmix(state, -(-count // per_word), words):
        yield convert(raw.view(lane)[: count - begin])
        begin += raw.size * per_word


def _floats(init: Uniform, dtype: np.dtype[Any]) -> tuple[np.dtype[Any], Callable[[Array], Array]]:
    """The integer type that words are cut into, and its map to floats of ``dtype``."""
    lane = np.dtype(f"<i{dtype.itemsize}")
    # As many bits as the arithmetic holds exactly: 53 of 64, 24 of 32, all of the narrower ones.
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
    """The same for integers."""
    count = init.high - init.low
    if dtype.kind in "iu" and count == 1 << (8 * dtype.itemsize):
        return np.dtype(dtype), lambda lanes: lanes
    return np.dtype("<u4"), lambda lanes: (
        ((lanes.astype(np.uint64) * np.uint64(count)) >> np.uint64(32)).astype(np.int64) + init.low
    ).astype(dtype)


def _splitmix(state: int, count: int, chunk: int) -> Iterator[Array]:
    """``count`` SplitMix64 words: the i-th is a mix of ``state + (i + 1) * gamma``."""
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
