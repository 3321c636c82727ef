"""The manifest: what an artifact is, what it was made of, and by what. Written beside it as JSON.

It holds no time and no path of the machine, so that equal builds give equal manifests.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import onnx_ir as ir

from weights.store.pins import Pin, hash_file

FORMAT = 1
"""Version of the manifest's own layout."""

WEIGHTS_DIGEST = "sha256:"
"""With a file name behind it, the key in an artifact's metadata for the digest of that file."""

# Line breaks are structure here: within a string JSON writes them as an escape.
_PLAIN_LIST = re.compile(r"\[\n\s+([^\[\]{}]*?)\n\s*\]")
_BREAK = re.compile(r"\n\s*")

_DISTRIBUTIONS = {
    "equinox": "equinox",
    "flax": "flax",
    "jax": "jax",
    "jaxlib": "jaxlib",
    "ml_dtypes": "ml-dtypes",
    "numpy": "numpy",
    "onnx": "onnx",
    "onnx_ir": "onnx-ir",
    "onnxscript": "onnxscript",
}
"""Module -> distribution, of all that may have a hand in an artifact's bytes."""


@dataclass(frozen=True)
class Weights:
    """A weights target: its files, where they come from, on what terms they may be used.

    `folder` is where they lie in the store of weights, relative to it; None when they are no part
    of the store.
    """

    target: str
    licence: str
    source: str
    files: Sequence[Pin]
    folder: str | None = None


def manifest(
    artifact: Path,
    model: ir.Model,
    weights: Iterable[Weights],
    *,
    target: str,
    exporter: str,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """The manifest of `artifact`, which was written from `model`."""
    return {
        "manifest": FORMAT,
        "target": target,
        "artifact": asdict(_pin(artifact)),
        **describe(model),
        "weights": [asdict(each) for each in weights],
        "exporter": exporter,
        "options": dict(sorted(options.items())),
        "versions": {str(model.producer_name): model.producer_version, **versions()},
    }


def describe(model: ir.Model) -> dict[str, Any]:
    """What can be read off any model: signature, operators, opset, parameters, metadata."""
    counts = operators(model)
    return {
        "inputs": [_signature(value) for value in model.graph.inputs],
        "outputs": [_signature(value) for value in model.graph.outputs],
        "opset": dict(sorted(model.graph.opset_imports.items())),
        "operators": {"total": sum(counts.values()), "by_type": counts},
        "functions": len(model.functions),
        "parameters": _parameters(model),
        "metadata": dict(sorted(model.metadata_props.items())),
    }


def operators(model: ir.Model) -> dict[str, int]:
    """How often each operator occurs, most frequent first.

    A function's body counts once, however often it is called, and calls are no operators.
    """
    bodies = [model.graph, *(function.graph for function in model.functions.values())]
    counts = Counter(
        f"{node.domain}.{node.op_type}" if node.domain else node.op_type
        for body in bodies
        for node in body.all_nodes()
        if node.op_identifier() not in model.functions
    )
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def versions() -> dict[str, str]:
    """The release of every library in this process that may have a hand in the artifact."""
    return {
        name: metadata.version(name)
        for module, name in sorted(_DISTRIBUTIONS.items())
        if module in sys.modules
    }


def to_json(document: Mapping[str, Any]) -> str:
    """The text of a manifest: JSON, with lists of plain values on one line."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return _PLAIN_LIST.sub(lambda found: "[" + _BREAK.sub(" ", found[1]) + "]", text) + "\n"


def _pin(path: Path) -> Pin:
    sha256, size = hash_file(path)
    return Pin(path.name, sha256, size)


def _signature(value: ir.Value) -> dict[str, Any]:
    shape = None if value.shape is None else [_dimension(d) for d in value.shape]
    dtype = None if value.dtype is None else _dtype(value.dtype)
    return {"name": value.name, "dtype": dtype, "shape": shape}


def _dimension(dimension: int | ir.SymbolicDim) -> int | str | None:
    return dimension if isinstance(dimension, int) else dimension.value


def _dtype(dtype: ir.DataType) -> str:
    return "string" if dtype.is_string() else dtype.numpy().name


def _parameters(model: ir.Model) -> dict[str, Any]:
    """Of the weights that lie in files of their own: how many, and which types they have."""
    tensors = [
        value.const_value
        for value in model.graph.initializers.values()
        if isinstance(value.const_value, ir.ExternalTensor)
    ]
    return {
        "tensors": len(tensors),
        "elements": sum(tensor.size for tensor in tensors),
        "bytes": sum(tensor.nbytes for tensor in tensors),
        "dtypes": sorted({_dtype(tensor.dtype) for tensor in tensors}),
        "files": sorted({str(tensor.location) for tensor in tensors}),
    }
