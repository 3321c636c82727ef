"""The last pass over a model before it is written."""

from __future__ import annotations

import onnx_ir as ir

from jax2onnx.graph.constants import merge_constants
from jax2onnx.graph.order import order
from jax2onnx.graph.prune import prune
from jax2onnx.write.metadata import clean_metadata
from jax2onnx.write.names import name
from jax2onnx.write.outputs import separate_outputs
from jax2onnx.write.versions import set_versions


def finalise(model: ir.Model) -> None:
    """Fix everything about the artifact that is not computation, in place.

    Two models that lowering built in the same way come out the same, on any machine: 1. nodes in
    topological order; 2. no constant twice; 3. nothing that the outputs do not depend on;
    4. outputs that are made by nodes; 5. no stray metadata; 6. unique names; 7. sorted imports and
    a matching IR version.
    """
    order(model)
    merge_constants(model)
    prune(model)
    separate_outputs(model)
    clean_metadata(model)
    name(model)
    set_versions(model)
