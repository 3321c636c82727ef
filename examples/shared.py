"""Write a model, run it, and compare it with JAX. All examples use this module."""

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
    """Write ``folder/name.onnx``, compare it with JAX, and print its operators.

    Args:
        folder: The folder to write to.
        name: The name of the file and of the graph.
        fn: The model.
        inputs: The specifications of its arguments, as for ``jax2onnx.to_onnx``.
        arrays: Example arguments, on which JAX and ONNX Runtime have to agree.
        atol: The absolute tolerance of the comparison.
        **options: Further options of ``jax2onnx.to_onnx``.

    Returns:
        The model that was written.
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
    """Run an example in the folder that the command line names, or in a temporary one."""
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder))
