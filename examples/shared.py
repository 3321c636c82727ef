"""What every example does with its model: write it, run it, compare it with JAX."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import onnx

from jax2onnx import allclose, to_onnx


def export(
    folder: Path,
    name: str,
    fn: Callable[..., Any] | tuple[Any, Any],
    inputs: Sequence[Any],
    arrays: Sequence[Any],
    *,
    atol: float = 1e-5,
    **options: Any,
) -> onnx.ModelProto:
    """Writes ``folder/name.onnx`` and says what is in it.

    Args:
        folder: where to write.
        name: of the file and the graph.
        fn: the model.
        inputs: what it takes, as for `jax2onnx.to_onnx`.
        arrays: an example of it, on which JAX and ONNX Runtime have to agree.
        atol: how far their results may lie apart.
        options: passed to `jax2onnx.to_onnx`.
    """
    path = to_onnx(
        fn,
        inputs,
        model_name=name,
        return_mode="file",
        output_path=folder / f"{name}.onnx",
        **options,
    )
    known = ("input_params", "inputs_as_nchw", "outputs_as_nchw")
    given = {name: options[name] for name in known if name in options}
    comparison = allclose(fn, path, arrays, atol=atol, **given)
    assert comparison, comparison
    model = onnx.load(path)
    operators = ", ".join(node.op_type for node in model.graph.node)
    print(f"{name}.onnx agrees with JAX: {operators}")
    return model


def run(main: Callable[[Path], None]) -> None:
    """Runs an example in the folder that the command line names, or in one that is removed."""
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder))
