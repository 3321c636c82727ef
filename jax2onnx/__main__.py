"""``python -m jax2onnx MODEL``: what an ONNX model consists of, and what a runtime lacks for it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from jax2onnx.checks.report import report
from jax2onnx.errors import Jax2OnnxError


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the report; 0 if nothing is known that keeps the model from running, else 1."""
    parser = argparse.ArgumentParser(prog="python -m jax2onnx")
    parser.description = "Tells what an ONNX model consists of, and what a runtime lacks for it."
    parser.add_argument("model", help="an .onnx file")
    parser.add_argument("--target", default="cpu", help="the runtime: cpu is ONNX Runtime's CPU")
    options = parser.parse_args(arguments)
    try:
        found = report(options.model, options.target)
    except Jax2OnnxError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    print(found)
    return 0 if found.runs else 1


if __name__ == "__main__":
    sys.exit(main())
