"""The artifact agrees with torch on ONNX Runtime, which reads the weights in place."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest
from onnx_ir.traversal import RecursiveGraphIterator

from exporters.artifact.convert import Request, convert
from exporters.artifact.manifest import Weights
from exporters.errors import ExportError
from exporters.families.gpt_oss.export import export
from exporters.parity.references import stored_cases
from jax2onnx import save
from weights import Checkpoint

FIXTURES = Path(__file__).parents[3] / "weights" / "fixtures"
REFERENCE = FIXTURES / "gpt_oss_reference.npz"
LAYOUTS = ("dense", "mxfp4", "original")
PARTS = ("key", "value")

Array = np.ndarray[Any, Any]


def converted(layout: str, **options: Any) -> ir.Model:
    checkpoint = Checkpoint.open(FIXTURES / f"gpt_oss_{layout}")
    exporter = "exporters.families.gpt_oss.export:export"
    weights = Weights("weights:w", "Apache-2.0", "made up", [])
    return convert(Request("gpt_oss", exporter, options, 23, checkpoint, weights), "gpt_oss")


def session(model: ir.Model, layout: str, file: Path) -> ort.InferenceSession:
    save(model, file)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", str(FIXTURES / f"gpt_oss_{layout}")
    )
    return ort.InferenceSession(str(file), options)


def whole(ids: Array) -> dict[str, Array]:
    """Return the inputs for sequences without padding."""
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}


def operators(graph: ir.Graph) -> Iterator[str]:
    return (node.op_type for node in RecursiveGraphIterator(graph))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_agrees_with_torch(layout: str, tmp_path: Path) -> None:
    model = session(converted(layout), layout, tmp_path / "model.onnx")
    assert [(each.name, each.type, each.shape) for each in model.get_inputs()] == [
        ("input_ids", "tensor(int64)", ["batch_size", "sequence_length"]),
        ("attention_mask", "tensor(int64)", ["batch_size", "sequence_length"]),
    ]
    assert [(each.name, each.type, each.shape) for each in model.get_outputs()] == [
        ("logits", "tensor(float)", ["batch_size", "sequence_length", 101])
    ]
    for case in stored_cases(REFERENCE, ["input_ids"], ["logits"]):
        (logits,) = model.run(None, whole(case.inputs["input_ids"]))
        np.testing.assert_allclose(logits, case.outputs["logits"], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 0.05), ("bfloat16", 0.3)])
def test_computes_in_narrower_types(dtype: str, tolerance: float, tmp_path: Path) -> None:
    model = session(converted("mxfp4", dtype=dtype), "mxfp4", tmp_path / "model.onnx")
    for case in stored_cases(REFERENCE, ["input_ids"], ["logits"]):
        (logits,) = model.run(None, whole(case.inputs["input_ids"]))
        np.testing.assert_allclose(logits, case.outputs["logits"], rtol=0, atol=tolerance)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_parameter_points_into_the_checkpoint(layout: str) -> None:
    """Each parameter has its path in the model as name, and the stored dtype and values."""
    model = converted(layout)
    exported = export(Checkpoint.open(FIXTURES / f"gpt_oss_{layout}"))
    weights = {
        name: value.const_value
        for name, value in model.graph.initializers.items()
        if isinstance(value.const_value, ir.ExternalTensor)
    }
    assert weights.keys() == exported.parameters.keys()
    assert len(jax.tree.leaves(exported.model)) == len(weights)
    checkpoint = Checkpoint.open(FIXTURES / f"gpt_oss_{layout}")
    for path, source in exported.parameters.items():
        stored = checkpoint.read(source.tensor)
        expected = stored if source.rows is None else stored[slice(*source.rows)]
        tensor = weights[path]
        assert tensor is not None
        assert (tensor.dtype, tuple(tensor.shape)) == (
            ir.DataType.from_numpy(expected.dtype),
            expected.shape,
        )
        with (checkpoint.folder / tensor.location).open("rb") as file:
            file.seek(tensor.offset or 0)
            assert file.read(tensor.length) == expected.tobytes()


def test_each_layer_has_one_loop_over_experts() -> None:
    """The size of the artifact depends on the number of layers, not on that of experts."""
    found = list(operators(converted("mxfp4").graph))
    assert found.count("Loop") == 2
    assert len(found) < 500


def test_a_cache_continues_sequences(tmp_path: Path) -> None:
    """Single tokens from an empty cache give the logits that torch has for the whole sequence."""
    model = session(converted("mxfp4", cache=True), "mxfp4", tmp_path / "model.onnx")
    assert [(each.name, each.shape) for each in model.get_inputs()] == [
        ("input_ids", ["batch_size", "sequence_length"]),
        ("attention_mask", ["batch_size", "total_sequence_length"]),
        *(
            (f"past_key_values.{n}.{part}", ["batch_size", 2, "past_sequence_length", 8])
            for n in (0, 1)
            for part in PARTS
        ),
    ]
    assert [(each.name, each.shape) for each in model.get_outputs()] == [
        ("logits", ["batch_size", "sequence_length", 101]),
        *(
            (f"present.{n}.{part}", ["batch_size", 2, "total_sequence_length", 8])
            for n in (0, 1)
            for part in PARTS
        ),
    ]
    for case in stored_cases(REFERENCE, ["input_ids"], ["logits"]):
        ids = case.inputs["input_ids"]
        past = [np.zeros((len(ids), 2, 0, 8), np.float32)] * 4
        for at in range(ids.shape[1]):
            mask = np.ones((len(ids), at + 1), np.int64)
            logits, *past = call(model, ids[:, at : at + 1], mask, *past)
            np.testing.assert_allclose(
                logits[:, 0], case.outputs["logits"][:, at], rtol=0, atol=1e-5
            )


def call(model: ort.InferenceSession, *inputs: Array) -> list[Array]:
    names = [each.name for each in model.get_inputs()]
    found: list[Array] = model.run(None, dict(zip(names, inputs, strict=True)))
    return found


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("logits", ["all", "last"])
def test_padded_sequences_continue_as_each_does_alone(
    side: str, logits: str, tmp_path: Path
) -> None:
    """A prompt of 4 tokens beside one of 7, padded on either side, and then single tokens."""
    of = converted("mxfp4", cache=True, logits=logits)
    model = session(of, "mxfp4", tmp_path / "model.onnx")
    *_, case = stored_cases(REFERENCE, ["input_ids"], ["logits"])
    tokens, expected = case.inputs["input_ids"][0], case.outputs["logits"][0]
    lengths = (4, 7)
    ids, mask = np.full((2, 7), 99), np.zeros((2, 7), np.int64)
    for row, length in enumerate(lengths):
        taken = slice(7 - length, None) if side == "left" else slice(length)
        ids[row, taken], mask[row, taken] = tokens[:length], 1
    found, *past = call(model, ids, mask, *[np.zeros((2, 2, 0, 8), np.float32)] * 4)
    for row, length in enumerate(lengths):
        valid = found[row][-1:] if logits == "last" else found[row][mask[row] != 0]
        wanted = expected[:length][-len(valid) :]
        np.testing.assert_allclose(valid, wanted, rtol=0, atol=1e-5)
    for step in range(5):
        ids = np.array([[tokens[length + step]] for length in lengths])
        mask = np.concatenate([mask, np.ones((2, 1), np.int64)], axis=1)
        found, *past = call(model, ids, mask, *past)
        for row, length in enumerate(lengths):
            np.testing.assert_allclose(found[row, 0], expected[length + step], rtol=0, atol=1e-5)


def test_positions_can_be_given(tmp_path: Path) -> None:
    """The caller's positions take part in the rotary embeddings: only their distances matter."""
    of = converted("mxfp4", position_ids=True)
    model = session(of, "mxfp4", tmp_path / "model.onnx")
    assert [each.name for each in model.get_inputs()][2:] == ["position_ids"]
    for case in stored_cases(REFERENCE, ["input_ids"], ["logits"]):
        ids = case.inputs["input_ids"]
        counted = np.broadcast_to(np.arange(ids.shape[1]), ids.shape)
        for positions in (counted, counted + 3):
            (logits,) = call(model, ids, np.ones_like(ids), positions)
            np.testing.assert_allclose(logits, case.outputs["logits"], rtol=0, atol=1e-5)
        (logits,) = call(model, ids, np.ones_like(ids), 2 * counted)
        assert np.abs(logits - case.outputs["logits"]).max() > 1e-3


def test_sizes_can_be_fixed(tmp_path: Path) -> None:
    model = session(converted("mxfp4", batch=3, sequence=4), "mxfp4", tmp_path / "model.onnx")
    (case, *_) = stored_cases(REFERENCE, ["input_ids"], ["logits"])
    assert model.get_inputs()[0].shape == [3, 4]
    (logits,) = model.run(None, whole(case.inputs["input_ids"]))
    np.testing.assert_allclose(logits, case.outputs["logits"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("option", ["batch", "sequence"])
@pytest.mark.parametrize("extent", [0, -1, 1.0, True, "two words"])
def test_an_invalid_size_is_refused(option: str, extent: Any) -> None:
    wanted = "a positive number" if type(extent) in (int, str) else "a whole number or a text"
    with pytest.raises(ExportError, match=f"{option} is {extent!r}: give {wanted}"):
        converted("dense", **{option: extent})


@pytest.mark.parametrize(
    "options",
    [
        {"batch": "past_sequence_length"},
        {"sequence": "total_sequence_length"},
        {"sequence": "batch_size"},
    ],
)
def test_the_name_of_another_dimension_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(ExportError, match="is the name of another dimension"):
        converted("dense", **options)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("dtype", "'float32', 'float16' or 'bfloat16'"),
        ("logits", "'all' or 'last'"),
        ("stack", "'equinox' or 'nnx'"),
        ("cache", "true or false"),
    ],
)
def test_other_values_of_an_option_are_refused(option: str, words: str) -> None:
    with pytest.raises(ExportError, match=f"{option} is 'other': give {words}"):
        converted("dense", **{option: "other"})


@pytest.mark.parametrize("options", [{}, {"cache": True, "position_ids": True}])
def test_both_stacks_give_one_graph(options: dict[str, Any]) -> None:
    ours, theirs = (converted("mxfp4", stack=stack, **options) for stack in ("equinox", "nnx"))
    nodes = [
        [(n.op_type, [v and v.name for v in n.inputs], [v.name for v in n.outputs]) for n in graph]
        for graph in (RecursiveGraphIterator(ours.graph), RecursiveGraphIterator(theirs.graph))
    ]
    assert nodes[0] == nodes[1]
    assert ours.graph.initializers.keys() == theirs.graph.initializers.keys()
