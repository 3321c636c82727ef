"""Generate ``jax2onnx/legalise/ort_cpu.json`` by probing the installed ONNX Runtime.

Run it after an update of the runtime: ``python -m tools.kernels.generate``.

The runtime's registry of kernels is not enough. It does not show the casts that the runtime inserts
around float16, the operators that it runs by expanding their definition, the inputs that a kernel
refuses when it is called, or the kernels that compute integers in floating point. Therefore:

1. Every operator of ``probes.py`` is probed in each of its versions and with every combination of
   element types that its schema admits, by building and running a model. A version is probed in the
   first and the last opset that it covers. Where these differ, it is probed in all opsets between:
   the expansion of an operator may need operators that a newer opset changes. The probes are
   written in the newest form of each operator, and put into the form that the opset has.
2. An integer type in which an operator does not wrap on overflow counts as a type that it cannot
   run. For 64-bit integers the test is exactness beyond 32 bits instead.
3. All other operators, in the standard domain and others, are of no use to JAX. Their kernels are
   taken from the registry, for reports on models that other converters made.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as state

from jax2onnx.graph.constants import Constant
from jax2onnx.legalise import kernels as _kernels
from jax2onnx.legalise.element_types import SHORT_NAMES
from jax2onnx.legalise.kernels import variables
from jax2onnx.legalise.older_forms import older_forms
from tools.kernels.probes import PROBES, Body, Probe, TypeOf

TABLE = Path(_kernels.__file__).with_name("ort_cpu.json")
OPSETS = (13, 28)

_PROVIDER = "CPUExecutionProvider"
_NAMES = {dtype: short for short, dtype in SHORT_NAMES.items()}
_ONNX_NAMES = {f"tensor({str(dtype).lower()})": dtype for dtype in SHORT_NAMES.values()}
# A kernel whose range of versions ends here serves only the version at which the range begins.
_OPEN_END = 2**31 - 1

_REFUSALS = (
    RuntimeError,
    state.Fail,
    state.InvalidArgument,
    state.InvalidGraph,
    state.NotImplemented,
    state.RuntimeException,
)

Row = tuple[frozenset[ir.DataType], ...]


def main() -> None:
    """Write the table of the installed runtime in place of the checked-in one."""
    TABLE.write_text(render(), "utf-8")


def render() -> str:
    """Return the table as JSON, sorted, with one line for each version of an operator."""
    lines = []
    for domain in ("", "ai.onnx.ml", "com.microsoft"):
        operators = _registered(domain) | (_probed() if domain == "" else {})
        rows = ",\n".join(
            f"{json.dumps(name)}:{{"
            + ",\n ".join(f'"{since}":{_dump(entry)}' for since, entry in versions.items())
            + "}"
            for name, versions in sorted(operators.items())
        )
        lines.append(f"{json.dumps(domain)}:{{\n{rows}\n}}")
    runtime = json.dumps(f"onnxruntime {ort.__version__} {_PROVIDER}")
    body = ",\n".join(lines)
    return f'{{"runtime":{runtime},\n"opsets":{_dump(OPSETS)},\n"operators":{{\n{body}\n}}}}\n'


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


Entry = list[Any]


def _probed() -> dict[str, dict[int, Entry]]:
    ort.set_default_logger_severity(4)
    operators: dict[str, dict[int, Entry]] = {}
    for name, probe in PROBES.items():
        versions = operators.setdefault(name, {})
        last: Entry | None = None
        for schema, opsets in _versions("", operator_of(name)):
            ends = {opset: _answer(name, probe, schema, opset) for opset in (opsets[0], opsets[-1])}
            if ends[opsets[0]] != ends[opsets[-1]]:
                ends = {opset: _answer(name, probe, schema, opset) for opset in opsets}
            for opset, entry in ends.items():
                if entry != last:
                    since = schema.since_version if opset == opsets[0] else opset
                    versions[since] = last = entry
    return operators


def _answer(name: str, probe: Probe, schema: Any, opset: int) -> Entry:
    """Return the kernels of an operator in one opset."""
    inputs, outputs = _formals(schema)
    names = variables(inputs, outputs)
    admitted = [_admitted(schema, variable) for variable in names]
    answers = [
        types
        for types in itertools.product(*admitted)
        if _is_right(name, probe, opset, inputs, dict(zip(names, types, strict=True)))
    ]
    return _entry(inputs, outputs, _pack(answers))


def _registered(domain: str) -> dict[str, dict[int, Entry]]:
    operators: dict[str, dict[int, Entry]] = {}
    kernels: dict[str, list[Any]] = {}
    for kernel in state.get_all_opkernel_def():
        if kernel.domain == domain:
            kernels.setdefault(kernel.op_name, []).append(kernel)
    for name, registered in kernels.items():
        for schema, _ in _versions(domain, name):
            inputs, outputs = _formals(schema)
            rows = {
                _registered_row(schema, kernel, variables(inputs, outputs))
                for kernel in registered
                if _serves(kernel.version_range, schema.since_version)
            }
            entry = _entry(inputs, outputs, _merge(rows))
            operators.setdefault(name, {})[schema.since_version] = entry
    return operators


def _serves(versions: tuple[int, int], since: int) -> bool:
    first, last = versions
    return first == since or (first < since <= last and last != _OPEN_END)


@functools.cache
def _schemas() -> dict[tuple[str, str], list[Any]]:
    schemas: dict[tuple[str, str], list[Any]] = {}
    for schema in sorted(state.get_all_operator_schema(), key=lambda s: s.since_version):
        schemas.setdefault((schema.domain, schema.name), []).append(schema)
    return schemas


def _versions(domain: str, name: str) -> Iterator[tuple[Any, range]]:
    """Yield each schema that is in effect within ``OPSETS``, with the opsets that it covers."""
    schemas = _schemas().get((domain, name), [])
    first, last = OPSETS
    for schema, following in itertools.zip_longest(schemas, schemas[1:]):
        end = following.since_version if following is not None and domain == "" else last + 1
        opsets = range(max(schema.since_version, first), end)
        if opsets and not schema.deprecated:
            yield schema, opsets


def _formals(schema: Any) -> tuple[list[str], list[str]]:
    return [_formal(f.typeStr) for f in schema.inputs], [_formal(f.typeStr) for f in schema.outputs]


def _formal(type_string: str) -> str:
    """Return a type variable (``T``) unchanged, the short name of a type, or ``-`` for others."""
    if "(" not in type_string:
        return type_string[0].upper() + type_string[1:]
    dtype = _ONNX_NAMES.get(type_string)
    return _NAMES[dtype] if dtype is not None else "-"


def _admitted(schema: Any, variable: str) -> list[ir.DataType]:
    for constraint in schema.type_constraints:
        if _formal(constraint.type_param_str) == variable:
            allowed = {_ONNX_NAMES.get(name) for name in constraint.allowed_type_strs}
            return [dtype for dtype in SHORT_NAMES.values() if dtype in allowed]
    raise ValueError(f"{schema.name} has no type variable {variable}")


def _registered_row(schema: Any, kernel: Any, names: Sequence[str]) -> Row:
    """Return the types that a registered kernel accepts for each variable.

    The kernel's constraints are keyed by the name of a variable or of a parameter. A variable
    without a constraint takes every type of the schema.
    """
    parameters = {f.name: _formal(f.typeStr) for f in (*schema.inputs, *schema.outputs)}
    taken = {name: frozenset(_admitted(schema, name)) for name in names}
    for constraint, types in kernel.type_constraints.items():
        variable = (
            _formal(constraint) if _formal(constraint) in taken else parameters.get(constraint)
        )
        if variable in taken:
            allowed = {_ONNX_NAMES.get(name) for name in types}
            taken[variable] &= {dtype for dtype in allowed if dtype is not None}
    return tuple(taken.values())


def _entry(inputs: Sequence[str], outputs: Sequence[str], rows: Iterable[Row]) -> Entry:
    order = list(SHORT_NAMES.values())
    listed = [
        [" ".join(_NAMES[dtype] for dtype in order if dtype in types) for types in row]
        for row in rows
    ]
    return [" ".join(inputs), " ".join(outputs), *sorted(listed)]


def _pack(answers: Iterable[tuple[ir.DataType, ...]]) -> list[Row]:
    """Return ``answers`` as few products of sets, by grouping first types with equal rests."""
    combinations = set(answers)
    if combinations <= {()}:
        return [() for _ in combinations]
    by_rest: dict[tuple[ir.DataType, ...], set[ir.DataType]] = {}
    for first, *rest in combinations:
        by_rest.setdefault(tuple(rest), set()).add(first)
    by_first: dict[frozenset[ir.DataType], list[tuple[ir.DataType, ...]]] = {}
    for remaining, firsts in by_rest.items():
        by_first.setdefault(frozenset(firsts), []).append(remaining)
    return [(firsts, *row) for firsts, rests in by_first.items() for row in _pack(rests)]


def _merge(rows: Iterable[Row]) -> list[Row]:
    """Unite rows that differ in only one variable, until no such rows are left."""
    merged = sorted(set(rows), key=lambda row: [sorted(types) for types in row])
    for one, other in itertools.combinations(merged, 2):
        different = [i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
        if len(different) == 1:
            [at] = different
            united = (*one[:at], one[at] | other[at], *one[at + 1 :])
            return _merge([row for row in merged if row not in (one, other)] + [united])
    return merged


def _is_right(
    name: str, probe: Probe, opset: int, formals: Sequence[str], bound: dict[str, ir.DataType]
) -> bool:
    """Return whether the runtime runs an operator in these types, with exact integers."""
    model = probe_model(name, probe, opset, formals, bound)
    dtype = bound.get(formals[0]) if formals else None
    if probe.integers is None or dtype is None or not dtype.is_integer():
        return runs(model)
    # The results of these values overflow the type, or 32 bits where the type has 64.
    last = 1 << 10 if dtype.bitwidth == 64 else np.iinfo(dtype.numpy()).max
    values = np.array([[last, last, 1], [3, last, last - 1]]).astype(dtype.numpy())
    model.graph.initializers["x0"].const_value = ir.tensor(values, name="x0")
    results = _run(model)
    return results is not None and np.array_equal(results[0].numpy(), probe.integers(values))


def runs(model: ir.Model) -> bool:
    """Return whether the runtime loads and runs a model without inputs."""
    return _run(model) is not None


def _run(model: ir.Model) -> Sequence[Any] | None:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    data = ir.to_proto(model).SerializeToString()
    try:
        session = ort.InferenceSession(data, options, providers=[_PROVIDER])
        results: Sequence[Any] = session.run_with_ort_values(None, {})
    except _REFUSALS:
        return None
    return results


def probe_model(
    name: str,
    probe: Probe,
    opset: int,
    formals: Sequence[str],
    bound: dict[str, ir.DataType],
) -> ir.Model:
    """Return a model of one node, with initializers of the types in ``bound`` as its inputs."""
    inputs: list[ir.Value | None] = []
    for position, given in enumerate(probe.inputs):
        formal = formals[min(position, len(formals) - 1)]
        dtype = bound.get(formal) or SHORT_NAMES[formal]
        inputs.append(None if given is None else _constant(f"x{position}", given, dtype))
    attributes = {key: _attribute(key, value, bound) for key, value in probe.attributes.items()}
    node = ir.node(operator_of(name), inputs, attributes, num_outputs=probe.outputs)
    graph = ir.Graph(
        [],
        node.outputs,
        nodes=[node],
        initializers=[value for value in inputs if value is not None],
        opset_imports={"": opset},
        name="probe",
    )
    model = ir.Model(graph, ir_version=10)
    older_forms(model, opset)
    return model


def operator_of(name: str) -> str:
    """Return the operator of a probe, without the value of an attribute."""
    return name.partition("[")[0]


def _array(dtype: ir.DataType, given: tuple[int, ...] | list[Any] | int) -> np.ndarray[Any, Any]:
    array = np.ones(given) if isinstance(given, tuple) else np.asarray(given)
    return array.astype(np.float32).astype(dtype.numpy())


def _constant(name: str, given: Any, dtype: ir.DataType) -> ir.Value:
    return ir.val(name, const_value=Constant(_array(dtype, given), dtype=dtype, name=name))


def _attribute(key: str, value: Any, bound: dict[str, ir.DataType]) -> Any:
    """Return an attribute's value, with its element type taken from ``bound`` where it has one."""
    if isinstance(value, TypeOf):
        dtype = bound[value.variable]
        return ir.tensor(_array(dtype, (1,)), dtype=dtype) if key == "value" else int(dtype)
    if isinstance(value, Body):
        return _body(value, bound["V"])
    return value


def _body(body: Body, dtype: ir.DataType) -> ir.Graph:
    """Return a graph that returns some of its inputs, or a constant where it has none."""
    inputs = [ir.val(f"in{i}", SHORT_NAMES.get(t, dtype), ()) for i, t in enumerate(body.inputs)]
    copies = [ir.node("Identity", [inputs[i]]) for i in body.passed]
    if not copies:
        tensor = ir.tensor(_array(dtype, ()), dtype=dtype)
        copies = [ir.node("Constant", [], {"value": tensor})]
    outputs = [copy.outputs[0] for copy in copies]
    for output, index in zip(outputs, body.passed, strict=False):
        output.type, output.shape = inputs[index].type, inputs[index].shape
    return ir.Graph(inputs, outputs, nodes=copies, name="body")


if __name__ == "__main__":
    main()
