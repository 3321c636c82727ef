"""The manifest: a JSON file beside an artifact that describes it and all that it was made from.

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

from weights.files.hashing import hash_file
from weights.files.pins import Pin

FORMAT = 1
"""Version of the layout of the manifest."""

# A line break is never inside a string, where JSON writes it as an escape.
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
"""The libraries that can influence the bytes of an artifact: module -> distribution."""


@dataclass(frozen=True)
class Weights:
    """The weights of a model, as the manifest describes them.

    Attributes:
        target: the address of the weights' target, or a name.
        licence: the terms under which the weights may be used.
        source: where the weights come from.
        files: the files of the checkpoint.
        folder: the folder that holds them, relative to the store of weights; None if they are not
            in a store.
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
    layout: str,
    files: Mapping[str, str],
    derived_from: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the manifest of an artifact.

    Args:
        artifact: the file of the artifact.
        model: the model that the file was written from.
        weights: the weights that the model refers to.
        target: the address of the model's target.
        exporter: the function that built the model, as ``package.module:function``.
        options: the keyword arguments of that function.
        layout: the name of the layout.
        files: for each file of the weights its path in the folder of the model, and its name.
        derived_from: the function and the files that the weights were derived from, if they were.
    """
    provenance = {} if derived_from is None else {"derived_from": dict(derived_from)}
    return {
        "manifest": FORMAT,
        "target": target,
        "artifact": asdict(_pin(artifact)),
        **describe(model),
        "weights": [asdict(each) for each in weights],
        "layout": {"name": layout, "files": dict(files)},
        **provenance,
        "exporter": exporter,
        "options": dict(sorted(options.items())),
        "versions": {str(model.producer_name): model.producer_version, **versions()},
    }


def describe(model: ir.Model) -> dict[str, Any]:
    """Return what any model tells of itself: signature, operators, opset, parameters, metadata."""
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
    """Return the number of nodes of each operator, the most frequent operator first.

    The body of a function counts once, however often the function is called. Calls of functions
    do not count.
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
    """Return the version of each library in this process that can influence an artifact."""
    return {
        name: metadata.version(name)
        for module, name in sorted(_DISTRIBUTIONS.items())
        if module in sys.modules
    }


def to_json(document: Mapping[str, Any]) -> str:
    """Return a document as JSON, with each list of plain values on one line."""
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
    """Return number, size and dtypes of the weights that lie in files of their own."""
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
