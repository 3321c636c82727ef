"""A checkpoint folder: safetensors files, sharded or not, and the JSON files beside them."""

import mmap
import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from weights.errors import WeightsError
from weights.files.dtypes import NUMPY
from weights.files.header import TensorInfo, read_header
from weights.files.strict_json import read_object
from weights.rendering import quoted

INDEX_SUFFIX = ".safetensors.index.json"
_MOST_BYTES = 255  # of a file name, on all common file systems
_PICKLES = (".bin", ".pth", ".pt", ".ckpt", ".pkl")
_NUMBERED = re.compile(r"-\d{5}-of-\d{5}\.safetensors$")


class Checkpoint:
    """The tensors of a checkpoint folder. A tensor is read when it is first requested.

    Attributes:
        folder: the folder, as it was given to ``open``.
        files: the safetensors files, sorted by name.
        tensors: the tensors by name, sorted.
    """

    folder: Path
    files: tuple[Path, ...]
    tensors: Mapping[str, TensorInfo]

    def __init__(self, folder: Path, files: tuple[Path, ...], tensors: dict[str, TensorInfo]):
        self.folder = folder
        self.files = files
        self.tensors = MappingProxyType(dict(sorted(tensors.items())))
        self._maps = _Maps()

    def __repr__(self) -> str:
        return f"<Checkpoint {self.folder}: {len(self.tensors)} tensors, {len(self.files)} files>"

    @classmethod
    def open(cls, folder: Path) -> "Checkpoint":
        """Open a folder that holds ``*.safetensors`` and, when there are several, their index.

        The index (``model.safetensors.index.json``) and the shards must agree: every tensor that
        the index names lies in the shard that it states, and no shard holds another tensor. Files
        must lie in the folder itself. A symbolic link out of the folder is refused, because ONNX
        Runtime refuses to follow it too.

        Raises:
            WeightsError: anything is missing, malformed, or out of place.
        """
        folder = Path(folder)
        if not folder.is_dir():
            state = "is not a folder" if folder.exists() else "does not exist"
            raise WeightsError(
                f"{folder} {state}. Give the folder that holds config.json and *.safetensors."
            )
        index = _find_index(folder)
        if index is None:
            names, placed = [_find_single(folder)], None
        else:
            placed = _read_index(index)
            names = sorted(set(placed.values()))
            _check_shards_exist(index, names)
        tensors: dict[str, TensorInfo] = {}
        for name in names:
            for tensor in read_header(check_inside(folder, name))[0]:
                other = tensors.setdefault(tensor.name, tensor)
                if other is not tensor:
                    raise WeightsError(
                        f"{folder}: tensor {tensor.name!r} lies in both {other.file.name} and "
                        f"{name}. Remove one of them, and write the index again."
                    )
        if index is not None and placed is not None:
            _check_index(index, placed, tensors)
        return cls(folder, tuple(folder / name for name in names), tensors)

    def json(self, name: str = "config.json") -> dict[str, Any]:
        """Return the JSON object in the file ``name`` of the folder.

        Raises:
            WeightsError: the file is missing or does not hold one JSON object.
        """
        if not (self.folder / name).exists():
            raise WeightsError(
                f"{self.folder / name} does not exist. Put the checkpoint's own {name} beside its "
                "safetensors files."
            )
        file = check_inside(self.folder, name)
        return read_object(file, "Fetch it again from the checkpoint's source.")

    def read(self, name: str) -> np.ndarray[Any, Any]:
        """Return the tensor ``name`` as a read-only array over the memory-mapped file.

        Nothing is copied; pages are read when they are touched. BF16 and F8 come as ml_dtypes.

        Raises:
            WeightsError: there is no such tensor, or its type is packed (F4, F6) and has no view.
        """
        tensor = self.tensors.get(name)
        if tensor is None:
            raise WeightsError(
                f"{self.folder} has no tensor {name!r}. It holds {len(self.tensors)} tensors; "
                "check that the checkpoint is of the layout you expect."
            )
        if tensor.dtype not in NUMPY:
            raise WeightsError(
                f"{tensor.file}: tensor {name!r} is packed {tensor.dtype}, which has no array "
                f"view. Its {tensor.nbytes} bytes begin at {tensor.offset}."
            )
        dtype = NUMPY[tensor.dtype]
        if not tensor.nbytes:
            return np.empty(tensor.shape, dtype)
        return np.ndarray(tensor.shape, dtype, self._maps[tensor.file], tensor.offset)


class _Maps(dict[Path, mmap.mmap]):
    """Files that are mapped on first use. An array keeps its map open."""

    def __missing__(self, file: Path) -> mmap.mmap:
        with file.open("rb") as stream:
            self[file] = mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        return mapped


def check_inside(folder: Path, name: str) -> Path:
    """Return ``folder / name``, after checking that it is a file of that folder.

    Args:
        folder: the folder of a checkpoint.
        name: the name of a file, or the path of a side file such as ``1_Pooling/config.json``.

    Raises:
        WeightsError: ``name`` leads out of the folder, by itself or through a symbolic link.
    """
    if not is_inner_path(name):
        raise WeightsError(
            f"{folder}: {quoted(name)} is not a plain file name, nor a path of plain names below "
            "the folder. A checkpoint's files lie in its folder: correct the name."
        )
    file = folder / name
    real = Path(os.path.realpath(file))
    # What lies below the folder is never a link to a folder elsewhere.
    if real.parent != Path(os.path.realpath(folder), name).parent:
        raise WeightsError(
            f"{file} is a symbolic link out of its folder, which ONNX Runtime refuses to follow. "
            f"Make a folder of hard links, which takes no space: cp -RLl {folder} NEW_FOLDER"
        )
    return file


def is_plain_name(name: str) -> bool:
    """Return whether a name means a file directly inside a folder, on every platform."""
    plain = name.isprintable() and name not in ("", ".", "..") and not set(name) & set("/\\")
    return plain and len(name.encode()) <= _MOST_BYTES


def is_inner_path(name: str) -> bool:
    """Return whether a name means a file below a folder, on every platform: ``a`` or ``a/b``."""
    return all(is_plain_name(part) for part in name.split("/"))


def _find_index(folder: Path) -> Path | None:
    found = sorted(folder.glob("*" + INDEX_SUFFIX))
    if not found:
        return None
    standard = folder / f"model{INDEX_SUFFIX}"
    index = standard if standard in found else found[0]
    if len(found) > 1 and index is not standard:
        names = ", ".join(file.name for file in found)
        raise WeightsError(f"{folder} holds several indices: {names}. Keep one of them.")
    return index


def _find_single(folder: Path) -> str:
    """Return the name of the only safetensors file of a folder without an index."""
    names = sorted(file.name for file in folder.glob("*.safetensors"))
    if "model.safetensors" in names:
        return "model.safetensors"
    if len(names) == 1 and not _NUMBERED.search(names[0]):
        return names[0]
    if names:
        raise WeightsError(
            f"{folder} holds {_some(names)} and no index. Put the checkpoint's "
            f"model{INDEX_SUFFIX} beside its shards, or keep one file."
        )
    pickles = sorted(file.name for file in folder.iterdir() if file.suffix in _PICKLES)
    if pickles:
        raise WeightsError(
            f"{folder} holds {_some(pickles)} and no safetensors. Pickles can run code when they "
            "are loaded, so they are never read. Convert once, where you trust the file: python -c "
            "\"import torch, safetensors.torch as s; s.save_file(torch.load('"
            f"{pickles[0]}', weights_only=True), 'model.safetensors')\""
        )
    raise WeightsError(
        f"{folder} holds no *.safetensors file. Give the folder that holds the checkpoint."
    )


def _read_index(index: Path) -> dict[str, str]:
    """Return the index's map from tensor names to checked shard names."""
    remedy = "Fetch the index again from the checkpoint's source."
    placed = read_object(check_inside(index.parent, index.name), remedy).get("weight_map")
    if not isinstance(placed, dict) or not placed:
        raise WeightsError(f"{index}: weight_map is missing or empty. {remedy}")
    for tensor, name in placed.items():
        if not isinstance(name, str) or not is_plain_name(name):
            raise WeightsError(
                f"{index}: tensor {quoted(tensor)} is placed in {quoted(name)}. A shard must be a "
                "plain file name in the index's own folder, without '..', '/' or '\\'. "
                f"{remedy}"
            )
        if not name.endswith(".safetensors"):
            raise WeightsError(
                f"{index}: tensor {quoted(tensor)} is placed in {quoted(name)}. Only safetensors "
                "are read: convert the shards with safetensors.torch.save_file, and write the "
                "index again."
            )
    return placed


def _check_shards_exist(index: Path, names: list[str]) -> None:
    missing = [name for name in names if not (index.parent / name).exists()]
    if missing:
        raise WeightsError(
            f"{index} names {_some(missing)}, which {index.parent} does not hold. Fetch the "
            "missing shards from the checkpoint's source."
        )
    single = index.parent / "model.safetensors"
    if single.name not in names and single.exists():
        raise WeightsError(
            f"{index.parent} holds both model.safetensors and an index that does not name it. "
            "Remove the one that you do not mean."
        )


def _check_index(index: Path, placed: dict[str, str], tensors: dict[str, TensorInfo]) -> None:
    wrong = [
        f"{name!r} is said to lie in {shard} and "
        + (f"lies in {tensors[name].file.name}" if name in tensors else "lies in no shard")
        for name, shard in sorted(placed.items())
        if name not in tensors or tensors[name].file.name != shard
    ]
    wrong += [
        f"{name!r} lies in {tensors[name].file.name} and is not in the index"
        for name in sorted(tensors.keys() - placed.keys())
    ]
    if wrong:
        raise WeightsError(
            f"{index} does not agree with its shards: {_some(wrong, '; ')}. Index and shards come "
            "from different revisions: fetch all of them again from one."
        )


def _some(items: list[str], separator: str = ", ", limit: int = 5) -> str:
    more = f"{separator}and {len(items) - limit} more" if len(items) > limit else ""
    return separator.join(items[:limit]) + more
