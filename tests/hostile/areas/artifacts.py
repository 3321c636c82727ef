"""Artifacts and manifests: damaged protobuf, malformed graphs, and manifests that are not true."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from tests.hostile.areas.arrays import artifact
from tests.hostile.entry import FIXTURES, Entry, Prepare, any_of, holds

AREA = "ONNX"
WEIGHTS = str(FIXTURES / "minilm_tiny")


def entries() -> Iterator[Entry]:
    """Yield the entries of this area."""
    for name, raw, expected in (*_bytes(), *_graphs()):
        status = 1 if expected.startswith("is not") else None  # a strange model may also be shown
        prepare, file = holds({"m.onnx": raw}), "{here}/w/m.onnx"
        yield Entry(AREA, f"inspect {name}", prepare, ("inspect", file), expected, status=status)
    for name, change, expected in (*_manifests(), *_others(), *_lies()):
        for command, *more in (("verify",), ("materialize", "{here}/out/w")):
            arguments = (command, "{here}/w/m.onnx", WEIGHTS, *more)
            yield Entry(AREA, f"{command} with {name}", _manifest(change), arguments, expected)
    yield from _stamps()


def _bytes() -> Iterator[tuple[str, bytes, str]]:
    raw = artifact().read_bytes()
    for size in any_of(1, 2, 3, 5, 9, 100, 1000, len(raw) // 2, len(raw) - 1000, len(raw) - 2):
        yield f"{size} bytes of an artifact", raw[:size], "is not a"
    yield "an empty file", b"", "is not a"
    for name, content in (
        ("zeros", bytes(1000)),
        ("ones", b"\xff" * 1000),
        ("text", b"hello, world\n" * 50),
        ("JSON", b'{"graph": {}}'),
        ("a pickle", b"\x80\x04\x95abc"),
        ("a page", b"<html>"),
        ("a zip archive", b"PK\x03\x04" + bytes(99)),
        ("safetensors", b"\x02\0\0\0\0\0\0\0{}"),
        ("a length of 2**63", b"\x3a" + b"\xff" * 8 + b"\x7f"),
        ("an endless number", b"\x08" + b"\xff" * 50),
        ("groups without end", b"\x0b" * 10_000),
        ("a wrong wire type", b"\x3d\0\0\0\0"),
        ("field 0", b"\x02\x01a"),
        ("half a field", b"\x3a\x10abc"),
        ("graphs nested 5,000 deep", _nested(5_000)),
    ):
        yield name, content, "is not a"


def _nested(depth: int) -> bytes:
    """Return a model whose node has a graph whose node has a graph ..."""

    def field(number: int, content: bytes) -> bytes:
        size, length = len(content), b""
        while size > 127:
            length += bytes([size & 127 | 128])
            size >>= 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + content

    graph = b""
    for _ in range(depth):
        graph = field(1, field(5, field(6, graph)))  # node, attribute, graph
    return field(7, graph)


def _model(**changes: Any) -> onnx.ModelProto:
    a = helper.make_tensor_value_info("a", TensorProto.FLOAT, [1])
    b = helper.make_tensor_value_info("b", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["a"], ["b"])], "g", [a], [b])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], **changes)


def _made(change: Callable[[onnx.ModelProto], object]) -> bytes:
    model = _model()
    change(model)
    return bytes(model.SerializeToString())


def _tensor(**fields: Any) -> Callable[[onnx.ModelProto], object]:
    def change(model: onnx.ModelProto) -> None:
        added = model.graph.initializer.add(name="w", data_type=1, dims=[2], raw_data=bytes(8))
        for name, value in fields.items():
            if isinstance(value, list):
                del getattr(added, name)[:]
                getattr(added, name).extend(value)
            else:
                setattr(added, name, value)

    return change


def _external(*pairs: tuple[str, str]) -> Callable[[onnx.ModelProto], object]:
    def change(model: onnx.ModelProto) -> None:
        added = model.graph.initializer.add(name="w", data_type=1, dims=[2], data_location=1)
        for key, value in pairs:
            added.external_data.add(key=key, value=value)

    return change


def _graphs() -> Iterator[tuple[str, bytes, str]]:
    bad = "is not a valid ONNX model"
    for name, change in (
        (
            "an input of the type 99",
            lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", 99),
        ),
        (
            "an output of the type -1",
            lambda m: setattr(m.graph.output[0].type.tensor_type, "elem_type", -1),
        ),
        ("an initializer of the type 1000", _tensor(data_type=1000)),
        ("an external offset that is no number", _external(("location", "w.bin"), ("offset", "x"))),
        (
            "an external offset of 5,000 digits",
            _external(("location", "w.bin"), ("offset", "9" * 5000)),
        ),
        (
            "an external length that is no number",
            _external(("location", "w.bin"), ("length", "1.5")),
        ),
    ):
        yield name, _made(change), bad
    yield "no graph", _made(lambda model: model.ClearField("graph")), "is not an ONNX model"
    # These are read, and what they say is shown without harm.
    for name, change, expected in (
        ("two outputs of one name", lambda m: m.graph.node.extend([m.graph.node[0]]), "m.onnx"),
        ("two initializers of one name", lambda m: (_tensor()(m), _tensor()(m)), "m.onnx"),
        (
            "a control character in an input's name",
            lambda m: setattr(m.graph.input[0], "name", "\x1b[31m"),
            "\\x1b[31m",
        ),
        (
            "an input's name of 100,000 characters",
            lambda m: setattr(m.graph.input[0], "name", "a" * 100_000),
            "characters left out",
        ),
        (
            "a control character in the licence",
            lambda m: m.metadata_props.add(key="model_license", value="\x1b[2J\u202e"),
            "\\x1b[2J\\u202e",
        ),
        (
            "a control character in an operator",
            lambda m: setattr(m.graph.node[0], "op_type", "\x9b31m"),
            "\\x9b31m",
        ),
        (
            "a control character in a dimension",
            lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[0], "dim_param", "\x07"),
            "\\x07",
        ),
        ("an input without a type", lambda m: m.graph.input[0].ClearField("type"), "m.onnx"),
        (
            "a negative dimension",
            lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[0], "dim_value", -5),
            "m.onnx",
        ),
        ("external data outside the folder", _external(("location", "../../etc/passwd")), "m.onnx"),
        ("external data without a location", _external(("offset", "0")), "m.onnx"),
        (
            "10,000 inputs",
            lambda m: m.graph.input.extend(
                [helper.make_tensor_value_info(f"i{i}", 1, [1]) for i in range(10_000)]
            ),
            "m.onnx",
        ),
        ("a cycle", lambda m: m.graph.node[0].input.__setitem__(0, "b"), "m.onnx"),
        (
            "an operator of no domain",
            lambda m: setattr(m.graph.node[0], "domain", "\n\n\x1b"),
            "m.onnx",
        ),
        ("operator set -5", lambda m: setattr(m.opset_import[0], "version", -5), "m.onnx"),
        ("IR version 1000", lambda m: setattr(m, "ir_version", 1000), "m.onnx"),
    ):
        yield name, _made(change), expected


def _manifest(change: Callable[[dict[str, Any]], object] | bytes) -> Prepare:
    def prepare(here: Path) -> None:
        (here / "w").mkdir()
        shutil.copy(artifact(), here / "w" / "m.onnx")
        file = here / "w" / "m.manifest.json"
        if isinstance(change, bytes):
            file.write_bytes(change)
            return
        made = json.loads(artifact().with_suffix(".manifest.json").read_text())
        change(made)
        file.write_text(json.dumps(made))

    return prepare


def _manifests() -> Iterator[tuple[str, Any, str]]:
    for name, raw in (
        ("an empty manifest", b""),
        ("half a manifest", b'{"artifact": {'),
        ("a manifest of no UTF-8", b'{"\xff":1}'),
        ("a deep manifest", b"[" * 100_000),
        ("a manifest with 5,000 digits", b'{"a":' + b"9" * 5000 + b"}"),
    ):
        yield name, raw, "is not valid JSON"
    for name, raw in (("a list as the manifest", b"[]"), ("a null manifest", b"null")):
        yield name, raw, "must hold a JSON object"
    for key, values in (
        ("exporter", (None, 1, [], {})),
        ("options", (None, 1, [], "a")),
        ("artifact", (None, 1, [], "m.onnx")),
        ("weights", (None, 1, {}, "a")),
    ):
        for value in any_of(*values):
            yield (
                f"{key} {json.dumps(value)}",
                _set(key, value),
                "is not the manifest of an artifact",
            )
        yield f"no {key}", lambda made, key=key: made.pop(key), "is not the manifest of an artifact"


def _others() -> Iterator[tuple[str, Any, str]]:
    for name, value in (
        ("another digest", {"sha256": "0" * 64, "size": 1}),
        ("no digest", {}),
        ("a digest that is a number", {"sha256": 1, "size": 2}),
        ("a nested digest", {"sha256": {"a": 1}}),
    ):
        yield name, _set("artifact", value), "belongs to another artifact"
    for key in ("inputs", "outputs", "opset", "operators", "functions", "parameters", "metadata"):
        for value in any_of(None, [], {}, 0, "\x1b[31m", True):
            if (key, value) != ("functions", 0):
                yield f"{key} {json.dumps(value)}", _set(key, value), f"{key} differ"
        yield f"no {key}", lambda made, key=key: made.pop(key), f"{key} differ"


def _lies() -> Iterator[tuple[str, Any, str]]:
    yield (
        "one operator more",
        lambda made: made["operators"]["by_type"].update(Relu=99),
        "operators differ",
    )
    yield (
        "an input of another type",
        lambda made: made["inputs"][0].update(dtype="float32"),
        "inputs differ",
    )
    yield (
        "an output of another name",
        lambda made: made["outputs"][0].update(name="x"),
        "outputs differ",
    )
    for name, value in (
        ("an empty list of weights", []),
        ("weights that are no object", [1]),
        ("weights twice", None),
        ("another licence", "licence"),
        ("another source", "source"),
        ("no files", "files"),
    ):

        def change(made: dict[str, Any], value: Any = value) -> None:
            if value is None:
                made["weights"] *= 2
            elif isinstance(value, str):
                made["weights"][0][value] = "another" if value != "files" else []
            else:
                made["weights"] = value

        yield name, change, "weights differ"
    for digest in any_of("0" * 64, None, 1, {}):
        yield (
            f"the digest {json.dumps(digest)[:6]} of a file of weights",
            lambda made, digest=digest: made["weights"][0]["files"][0].update(sha256=digest),
            "weights differ",
        )


def _set(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda made: made.update({key: value})


def _stamps() -> Iterator[Entry]:
    """Yield artifacts that may not be run, or that belong to other weights."""
    for exporter in (
        "os:system",
        "tests.user_models:good",
        "",
        ":",
        "exporters.families.gone.export:export",
        "\x1b[31m:a",
        "x" * 100_000,
    ):
        yield Entry(
            AREA,
            f"verify with the exporter {ascii(exporter)[1:-1][:30]}",
            _manifest(_set("exporter", exporter)),
            ("verify", "{here}/w/m.onnx", WEIGHTS),
            "is not a model family",
        )
    for name, options, expected in (
        ("an unknown option", {"gone": 1}, "has no option 'gone'"),
        ("an option of another type", {"batch": True}, "batch is True: give a whole number"),
        ("an option of 10**30", {"batch": 10**30}, "give at most 16,777,216"),
        ("a nested option", {"batch": [[1]]}, "batch is [[1]]: give a whole number or a text"),
        ("a control character", {"\x1b[31m": 1}, "has no option"),
    ):
        yield Entry(
            AREA,
            f"verify with {name}",
            _manifest(_set("options", options)),
            ("verify", "{here}/w/m.onnx", WEIGHTS),
            expected,
        )
    for layout in any_of("gone", None, 1, [], {"name": "gone"}, {"name": ["a"]}, {"name": None}):
        for command, *more in (("verify",), ("materialize", "{here}/out/w")):
            arguments = (command, "{here}/w/m.onnx", WEIGHTS, *more)
            prepare = _manifest(_set("layout", layout))
            name = f"{command} with the layout {json.dumps(layout)}"
            yield Entry(AREA, name, prepare, arguments, "names an unknown layout")
    for fixture in ("gpt_oss_dense", "dinov3_vit", "minilm"):
        for command, *more in (("verify",), ("materialize", "{here}/out/w")):
            arguments = (command, "{here}/w/m.onnx", str(FIXTURES / fixture), *more)
            expected = (
                "was made from other weights" if fixture != "minilm" else "holds no *.safetensors"
            )
            yield Entry(
                AREA,
                f"{command} with the weights of {fixture}",
                _manifest(lambda made: None),
                arguments,
                expected,
            )
