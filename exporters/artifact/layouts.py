"""Layouts: where the artifact, the weights and the side files lie in the folder of a model.

A checkpoint's files are named by their paths below its folder. The weights among them are the
``.safetensors`` files and their index; all others are side files. A layout is a row of a table:

- the folder of the artifact, in which its weights lie too, because ONNX Runtime loads external data
  only from there;
- the name of the artifact, if clients look for a certain one;
- what becomes of the weights: they keep their names, they are named after the artifact (the bytes
  stay those of the checkpoint), or they are inside the artifact.

Side files always keep their paths. The build reads this module in the Python of Pants, which has it
as ``onnx_export/layouts.py``, a symbolic link. So it imports the standard library alone and keeps
to Python 3.9.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

_SHARD = ".safetensors"
_INDEX = ".safetensors.index.json"

_FOR_INPUTS: Mapping[str, tuple[str, ...]] = {
    "input_ids": ("tokenizer.json", "tokenizer_config.json"),
    "pixel_values": ("preprocessor_config.json",),
}
"""The side files that clients need, by the name of an input of the model."""

_MODULES = "modules.json"
_OF_MODULES = ("sentence_bert_config.json", "1_Pooling/config.json")
"""The side files that sentence-transformers needs where there is a modules.json."""


@dataclass(frozen=True)
class Layout:
    """A layout of the folder of a model.

    Attributes:
        name: its name in targets and on the command line.
        folder: the folder of the artifact below the folder of the model, or "".
        stem: the name of the artifact without its suffix; None for the name of the model.
        inside: whether the weights are inside the artifact.
        renamed: whether the files of the weights are named after the artifact.
        for_clients: whether programs load the folder as it lies, and so need certain side files.
    """

    name: str
    folder: str = ""
    stem: str | None = None
    inside: bool = False
    renamed: bool = False
    for_clients: bool = False

    def artifact(self, model: str) -> str:
        """Return the path of the artifact of a model of this name, below the model's folder."""
        return str(PurePosixPath(self.folder, f"{self.stem or model}.onnx"))

    def places(self, artifact: str, files: Iterable[str]) -> dict[str, str]:
        """Return the path of each file of a checkpoint below the folder of the model.

        Args:
            artifact: the file name of the artifact.
            files: the names of the files. Those that have no place in this layout are left out.
        """
        names = sorted(files)
        shards = [name for name in names if name.endswith(_SHARD)]
        places = {name: name for name in names if not is_weights(name)}
        if self.inside:
            return places
        if self.renamed:  # an index of shards would name files that are not there
            own = [f"{artifact}_data{f'_{n}' if n else ''}" for n in range(len(shards))]
        else:
            shards += [name for name in names if name.endswith(_INDEX)]
            own = shards
        placed = (str(PurePosixPath(self.folder, name)) for name in own)
        return {**places, **dict(zip(shards, placed))}

    def missing(self, files: Collection[str], inputs: Iterable[str]) -> list[str]:
        """Return the side files that clients of this layout need and a checkpoint does not have.

        Args:
            files: the names of the checkpoint's files.
            inputs: the names of the model's inputs.
        """
        if not self.for_clients:
            return []
        needed = ["config.json"]
        needed += [file for name in inputs for file in _FOR_INPUTS.get(name, ())]
        if _MODULES in files:
            needed += _OF_MODULES
        return [file for file in dict.fromkeys(needed) if file not in files]


def is_weights(file: str) -> bool:
    """Return whether a file of a checkpoint holds tensors, or is the index of such files."""
    return file.endswith((_SHARD, _INDEX))


_HUB = "onnx"
LAYOUTS: Mapping[str, Layout] = {
    layout.name: layout
    for layout in (
        Layout("flat"),
        Layout("hub", _HUB, "model", for_clients=True),
        Layout("hub-onnx-data", _HUB, "model", renamed=True, for_clients=True),
        Layout("hub-single-file", _HUB, "model", inside=True, for_clients=True),
        Layout("single-file", inside=True),
    )
}
"""The layouts by name."""

FLAT = "flat"
"""The layout of targets and commands that name none."""
