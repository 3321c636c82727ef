"""``report``: the contents of an ONNX model, and the kernels that a runtime lacks for it."""

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
from jax2onnx.graph.walk import bodies, nested_graphs, nested_nodes, operator_name
from jax2onnx.legalise import MissingKernel, missing_kernels
from jax2onnx.write.encode import replaced, without_data
from jax2onnx.write.references import file_of

if TYPE_CHECKING:
    import onnx

_WIDTH = 100
_SMALL = 1024


@dataclass(frozen=True)
class Report:
    """The contents of a model, and the kernels that a runtime lacks for it.

    ``str(report)`` shows all of it.

    Attributes:
        producer: the program that made the model.
        ir_version: the version of the file format.
        opsets: the version of each operator set, by domain; the default domain is ``""``.
        inputs: the type and shape of each input, such as ``FLOAT[B,30]``.
        outputs: the type and shape of each output.
        operators: the number of nodes of each operator, most frequent first. The nodes of a
            function count once, however often it is called.
        functions: the number of calls of each function.
        elements: the number of elements of all initializers.
        weights: the bytes of the initializers of each element type.
        files: the bytes that the model refers to in each other file, by its location.
        missing_files: the locations at which there is no file, or one that is too short.
        runtime: the name and version of the runtime.
        missing_kernels: the operators that the runtime has no kernel for, each with its types once.
        unknown: the operators, and versions of operator sets, that the kernel table does not have.
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
    missing_files: tuple[str, ...]
    runtime: str
    missing_kernels: tuple[MissingKernel, ...]
    unknown: tuple[str, ...]

    @property
    def runs(self) -> bool:
        """Whether no kernel and no file is known to be missing."""
        return not (self.missing_kernels or self.missing_files)

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
                f"{name} {_bytes(size)}{' (not there)' if name in self.missing_files else ''}"
                for name, size in self.files.items()
            ]
            yield from _listed("other files", refers)
        count = sum(self.operators.values())
        found = (f"{name} {number}" for name, number in self.operators.items())
        yield from _listed(f"operators: {count:,} nodes", found)
        if self.functions:
            calls = (f"{name} {number}" for name, number in self.functions.items())
            yield from _listed("functions, by calls", calls)
        if not self.missing_kernels:
            yield f"{self.runtime} has a kernel for each node"
        else:
            yield f"{self.runtime} has no kernel for"
            yield from (f"  {missing}" for missing in self.missing_kernels)
        if self.unknown:
            yield f"the kernel table does not have {', '.join(self.unknown)}"


def report(
    model: str | os.PathLike[str] | onnx.ModelProto | ir.Model, target: str = "cpu"
) -> Report:
    """Return the contents of a model and the kernels that a runtime lacks for it.

    The model is not run, and tensors in other files are neither read nor needed.

    Args:
        model: the path of an ONNX file of any origin, or a model as ``to_onnx`` returns it.
        target: the runtime; ``"cpu"`` is ONNX Runtime's CPU execution provider.

    Returns:
        The report; ``str`` formats it for people.

    Raises:
        InputError: the file cannot be read or is no ONNX model, or there is no such target.
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
    calls, others = Counter[str](), Counter[str]()
    for node in nodes:
        (calls if node.op_identifier() in loaded.functions else others)[operator_name(node)] += 1
    support = missing_kernels(_typed(loaded), target)
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
        missing_files=tuple(absent),
        runtime=support.runtime,
        missing_kernels=support.missing,
        unknown=support.unknown,
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
    if loaded is None or not loaded.ir_version:  # An empty file is a valid message too.
        raise InputError(f"{os.fspath(model)} is no ONNX model. Give the path of an .onnx file.")
    return loaded


def _typed(model: ir.Model) -> ir.Model:
    """Return the model; if values lack types, a copy without functions, with inferred types."""
    values = (v for body in bodies(model) for node in nested_nodes(body) for v in node.outputs)
    if all(value.type is not None for value in values):
        return model
    from onnx.shape_inference import infer_shapes
    from onnx_ir.passes.common import InlinePass

    copy = model.clone()
    InlinePass()(copy)
    held = (v for g in nested_graphs(copy.graph) for v in g.initializers.values())
    large = [value for value in held if value.const_value and value.const_value.size > _SMALL]
    with replaced({value: without_data(value) for value in large}):
        return ir.from_proto(infer_shapes(ir.to_proto(copy)))


def _is_there(tensor: ir.ExternalTensor) -> bool:
    path = file_of(tensor, Path())
    return path.is_file() and path.stat().st_size >= (tensor.offset or 0) + tensor.nbytes


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
    """Yield a title, and the items in wrapped lines below it."""
    import textwrap

    yield title
    text = ", ".join(items)
    yield from textwrap.wrap(
        text, _WIDTH, initial_indent="  ", subsequent_indent="  ", break_long_words=False
    )
