"""Tensors of every type and size are written without a change, up to the limits of protobuf."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest

from jax2onnx.api import to_onnx
from jax2onnx.checks.runtime import run
from jax2onnx.errors import InputError, WriteError
from jax2onnx.legalise.element_types import SHORT_NAMES
from jax2onnx.write import finalise, save

SHAPES = [(), (0,), (3, 0, 2), (1,), (7, 3), (301, 333)]


def numbers(dtype: np.dtype[Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Return an array of random bits in a type."""
    raw = np.random.default_rng(0).integers(0, 256, (*shape, dtype.itemsize), np.uint8)
    if dtype.kind == "b":
        return np.asarray(raw[..., 0] % 2 == 1)
    bits = ir.DataType.from_numpy(dtype).bitwidth
    if bits < 8:
        raw &= (1 << bits) - 1
        return raw[..., 0].astype(np.int8).astype(dtype)
    return raw.view(dtype)[..., 0]


@pytest.mark.parametrize("external", [None, True])
@pytest.mark.parametrize("kind", SHORT_NAMES.values(), ids=SHORT_NAMES)
def test_every_type_and_size(tmp_path: Path, kind: ir.DataType, external: bool | None) -> None:
    arrays = {f"t{i}": numbers(kind.numpy(), shape) for i, shape in enumerate(SHAPES)}
    values = [
        ir.val(name, const_value=ir.tensor(array, dtype=kind, name=name))
        for name, array in arrays.items()
    ]
    outputs = []
    for value in values:
        identity = ir.node("Identity", [value]).outputs[0]
        identity.type, identity.shape = ir.TensorType(kind), value.shape
        outputs.append(identity)
    nodes = [node for output in outputs if (node := output.producer())]
    graph = ir.Graph([], outputs, nodes=nodes, initializers=values, opset_imports={"": 26})
    model = ir.Model(graph, ir_version=13)
    finalise(model)
    save(model, tmp_path / "m.onnx", external_data=external)
    proto = onnx.load(tmp_path / "m.onnx")
    onnx.checker.check_model(proto)
    for tensor in proto.graph.initializer:
        stored = onnx.numpy_helper.to_array(tensor)
        assert stored.dtype == arrays[tensor.name].dtype
        assert stored.shape == arrays[tensor.name].shape
        assert stored.tobytes() == arrays[tensor.name].tobytes()


@pytest.mark.parametrize(
    "dtype", ["bfloat16", "float8_e4m3fn", "int4", "bool", "complex64", "uint8"]
)
def test_parameters_of_any_type_run(tmp_path: Path, dtype: str) -> None:
    table = jnp.arange(1500).reshape(500, 3).astype(dtype)
    empty = jnp.zeros((0, 3), dtype)

    def rows(index: jax.Array) -> Any:
        found = jnp.concatenate([table[index], empty])
        return found.real.astype(jnp.float32), jnp.imag(found.astype(jnp.complex64))

    index = np.array([7, 0, 499], np.int32)
    for external in (False, True):
        path = to_onnx(
            rows,
            [index],
            return_mode="file",
            output_path=tmp_path / "m.onnx",
            external_data=external,
        )
        onnx.checker.check_model(path, full_check=True)
        found = run(onnxruntime.InferenceSession(path), {"index": index})
        for result, wanted in zip(found.values(), rows(jnp.asarray(index)), strict=True):
            np.testing.assert_array_equal(result, wanted)


def sparse(path: Path, size: int) -> None:
    """Make a sparse file."""
    with path.open("wb") as file:
        file.truncate(size)


def too_large(folder: Path) -> ir.Model:
    """Return a model that refers to 3 GiB of external data."""
    sparse(folder / "w.bin", 3 << 30)
    shape = ir.Shape((3 << 20, 256))
    tensor = ir.ExternalTensor(
        "w.bin", 0, 3 << 30, ir.DataType.FLOAT, shape=shape, name="w", base_dir=str(folder)
    )
    weight, index = ir.val("w", const_value=tensor), ir.val("i", ir.DataType.INT64, (2,))
    rows = ir.node("Gather", [weight, index])
    rows.outputs[0].type, rows.outputs[0].shape = weight.type, ir.Shape((2, 256))
    graph = ir.Graph(
        [index], rows.outputs, nodes=[rows], initializers=[weight], opset_imports={"": 23}
    )
    model = ir.Model(graph, ir_version=11)
    finalise(model)
    return model


def test_a_reference_to_more_than_two_gibibytes_stays_a_reference_and_runs(tmp_path: Path) -> None:
    save(too_large(tmp_path), tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").stat().st_size < 1000
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    [rows] = session.run(None, {"i": np.array([0, (3 << 20) - 1])})
    assert rows.shape == (2, 256)


def test_a_single_file_beyond_the_limit_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    model = too_large(tmp_path)
    with pytest.raises(WriteError, match=r"m\.onnx would take 3221\d+ bytes.* ends at 2 GiB"):
        save(model, tmp_path / "m.onnx", external_data=False)
    assert [path.name for path in tmp_path.iterdir()] == ["w.bin"]


def test_a_single_file_holds_weights_of_any_origin(tmp_path: Path) -> None:
    weight = np.arange(40_000, dtype=np.float32)
    path = to_onnx(
        lambda x: x + weight,
        [(40_000,)],
        return_mode="file",
        output_path=tmp_path / "m.onnx",
        external_data=False,
    )
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]
    session = onnxruntime.InferenceSession(Path(path).read_bytes())
    np.testing.assert_array_equal(session.run(None, {"x": weight})[0], weight * 2)


@pytest.mark.parametrize("mode", ["proto", "ir"])
def test_external_data_needs_a_file(mode: Any) -> None:
    with pytest.raises(InputError, match="external_data= is about files"):
        to_onnx(jnp.sin, [(2,)], return_mode=mode, external_data=False)
