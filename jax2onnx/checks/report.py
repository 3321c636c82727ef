"""``report``: what a model consists of, and what the runtime that is to run it lacks."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import onnx_ir as ir
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from jax2onnx.errors import InputError
from jax2onnx.graph.walk import bodies, nested_graphs, nested_nodes
from jax2onnx.legalise import Lack, lacking
from jax2onnx.write.encode import replaced, stand_in
from jax2onnx.write.references import file_of

if TYPE_CHECKING:
    import onnx

_WIDTH = 100
_SMALL = 1024


@dataclass(frozen=True)
class Report:
    """What there is to know of a model before it is deployed; ``str`` shows all of it.

    Attributes:
        producer: the program that made the model.
        ir_version: version of the file format.
        opsets: versions of operator sets by domain; the default domain is ``""``.
        inputs: type and shape of each input, such as ``FLOAT[B,30]``.
        outputs: the same of each output.
        operators: nodes by operator, most frequent first; those of functions count once.
        functions: number of calls by function.
        elements: number of elements of all initializers.
        weights: bytes of initializers by element type.
        files: bytes that the model refers to in other files, by their locations.
        absent: locations where there is no such file, or where it is too short.
        runtime: the runtime that was asked about.
        lacks: what it cannot run, each operator with its types once.
        unknown: operators, and versions of operator sets, of which nothing is known.
    """

    producer: str
    ir_version: int
    opsets: Mapping[str, int]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    operators: Mapping[str, int]
    functions: Mapping[str, int]
    elements: int
    weights: Mapping[str, int]
    files: Mapping[str, int]
    absent: tuple[str, ...]
    runtime: str
    lacks: tuple[Lack, ...]
    unknown: tuple[str, ...]

    @property
    def runs(self) -> bool:
        """Whether nothing is known that keeps the model from running."""
        return not (self.lacks or self.absent)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        versions = [f"{domain or 'ai.onnx'} {v}" for domain, v in self.opsets.items()]
        yield f"made by {self.producer}, IR version {self.ir_version}, {', '.join(versions)}"
        yield from _listed("inputs", (f"{name} {kind}" for name, kind in self.inputs.items()))
        yield from _listed("outputs", (f"{name} {kind}" for name, kind in self.outputs.items()))
        sizes = (f"{kind} {_bytes(size)}" for kind, size in self.weights.items())
        yield from _listed(f"weights: {self.elements:,} elements", sizes)
        if self.files:
            refers = [
                f"{name} {_bytes(size)}{' (not there)' if name in self.absent else ''}"
                for name, size in self.files.items()
            ]
            yield from _listed("other files", refers)
        count = sum(self.operators.values())
        found = (f"{name} {number}" for name, number in self.operators.items())
        yield from _listed(f"operators: {count:,} nodes", found)
        if self.functions:
            calls = (f"{name} {number}" for name, number in self.functions.items())
            yield from _listed("functions, by calls", calls)
        if not self.lacks:
            yield f"{self.runtime} has a kernel for each node"
        else:
            yield f"{self.runtime} lacks"
            yield from (f"  {lack}" for lack in self.lacks)
        if self.unknown:
            yield f"nothing is known of {', '.join(self.unknown)}"


def report(
    model: str | os.PathLike[str] | onnx.ModelProto | ir.Model, target: str = "cpu"
) -> Report:
    """Tells what a model consists of and what a runtime lacks to run it; runs and loads nothing.

    Args:
        model: any ONNX model, of whatever origin: the path of a file, or what `to_onnx` returned.
            Tensors in other files are neither loaded nor needed.
        target: the runtime; ``"cpu"`` is ONNX Runtime's CPU execution provider.

    Raises:
        InputError: the file is no ONNX model, or there is no such target.
    """
    loaded = _loaded(model)
    graphs = [graph for body in bodies(loaded) for graph in nested_graphs(body)]
    tensors = [v.const_value for graph in graphs for v in graph.initializers.values()]
    weights: Counter[str] = Counter()
    files: Counter[str] = Counter()
    absent: dict[str, None] = {}
    elements = 0
    for tensor in tensors:
        if tensor is None:
            continue
        elements += tensor.size
        weights[tensor.dtype.name] += tensor.nbytes
        if isinstance(tensor, ir.ExternalTensor):
            files[str(tensor.location)] += tensor.nbytes
            if not _is_there(tensor):
                absent[str(tensor.location)] = None
    nodes = [node for body in bodies(loaded) for node in nested_nodes(body)]
    calls = Counter(_name(node) for node in nodes if node.op_identifier() in loaded.functions)
    others = Counter(_name(node) for node in nodes if node.op_identifier() not in loaded.functions)
    runtime, lacks, unknown = lacking(_typed(loaded), target)
    return Report(
        producer=f"{loaded.producer_name or 'unknown'} {loaded.producer_version or ''}".strip(),
        ir_version=loaded.ir_version,
        opsets=dict(sorted(loaded.opset_imports.items())),
        inputs=_types(loaded.graph.inputs),
        outputs=_types(loaded.graph.outputs),
        operators=_by_count(others),
        functions=_by_count(calls),
        elements=elements,
        weights=_by_count(weights),
        files=dict(sorted(files.items())),
        absent=tuple(absent),
        runtime=runtime,
        lacks=tuple(lacks),
        unknown=tuple(unknown),
    )


def _loaded(model: str | os.PathLike[str] | onnx.ModelProto | ir.Model) -> ir.Model:
    if isinstance(model, ir.Model):
        return model
    if not isinstance(model, str | os.PathLike):
        return ir.from_proto(model)
    try:
        loaded = ir.load(model)
    except OSError as error:
        raise InputError(f"cannot read {error.filename or model}: {error.strerror}") from error
    except DecodeError:
        loaded = None
    if loaded is None or not loaded.ir_version:  # an empty file is a message too
        raise InputError(f"{os.fspath(model)} is no ONNX model; give the path of one")
    return loaded


def _typed(model: ir.Model) -> ir.Model:
    """The model, or a copy without functions in which types were inferred, if it lacks some."""
    values = (v for body in bodies(model) for node in nested_nodes(body) for v in node.outputs)
    if all(value.type is not None for value in values):
        return model
    from onnx.shape_inference import infer_shapes
    from onnx_ir.passes.common import InlinePass

    copy = model.clone()
    InlinePass()(copy)
    held = (v for g in nested_graphs(copy.graph) for v in g.initializers.values())
    with replaced({v: stand_in(v) for v in held if v.const_value and v.const_value.size > _SMALL}):
        return ir.from_proto(infer_shapes(ir.to_proto(copy)))


def _is_there(tensor: ir.ExternalTensor) -> bool:
    path = file_of(tensor, Path())
    return path.is_file() and path.stat().st_size >= (tensor.offset or 0) + tensor.nbytes


def _name(node: ir.Node) -> str:
    return f"{node.domain}.{node.op_type}" if node.domain else node.op_type


def _types(values: Iterable[ir.Value]) -> dict[str, str]:
    return {str(value.name): _type(value) for value in values}


def _type(value: ir.Value) -> str:
    if not isinstance(value.type, ir.TensorType):
        return str(value.type)
    shape = "[...]" if value.shape is None else f"[{','.join(str(d) for d in value.shape)}]"
    return value.type.dtype.name + shape


def _by_count(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))


def _bytes(size: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} B"


def _listed(title: str, items: Iterable[str]) -> Iterator[str]:
    """A title, and the items behind it in lines of some width."""
    import textwrap

    yield title
    text = ", ".join(items)
    yield from textwrap.wrap(
        text, _WIDTH, initial_indent="  ", subsequent_indent="  ", break_long_words=False
    )
