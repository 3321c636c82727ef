"""The last pass over a model before it is written.

The steps are our own, and not the passes of ``onnx_ir.passes.common``: ``NameFixPass`` replaces the
names that other passes gave by numbers, ``OutputFixPass`` leaves initializers as outputs,
``ClearMetadataAndDocStringPass`` clears the metadata that callers add, and
``RemoveUnusedOpsetsPass`` neither sorts operator sets nor adds those of inlined functions.
"""

from collections.abc import Mapping
from types import MappingProxyType

import onnx_ir as ir

from jax2onnx.graph.constants import merge_constants
from jax2onnx.graph.order import order
from jax2onnx.graph.prune import prune
from jax2onnx.write.implicit_casts import copy_implicit_casts
from jax2onnx.write.metadata import clean_metadata
from jax2onnx.write.names import name, name_sizes
from jax2onnx.write.outputs import separate_outputs
from jax2onnx.write.versions import set_versions


def finalise(model: ir.Model, size_names: Mapping[str, str] = MappingProxyType({})) -> None:
    """Fix, in place, all that the bytes of the artifact depend on and that is not computation.

    1. Nodes are sorted topologically.
    2. Equal constants become one.
    3. Casts of numbers that a body reads in both types are copied into the body.
    4. Dead nodes, functions and initializers are removed.
    5. Every output becomes the output of a node.
    6. Stray metadata is removed.
    7. Everything gets a unique name.
    8. Sizes of axes get the names that the user gave them.
    9. The imports of operator sets are sorted, and the IR version suits them.

    Args:
        model: the model.
        size_names: names of expressions of dimensions, by the expression's text.
    """
    order(model)
    merge_constants(model)
    copy_implicit_casts(model)
    prune(model)
    separate_outputs(model)
    clean_metadata(model)
    name(model)
    name_sizes(model, size_names)
    set_versions(model)
