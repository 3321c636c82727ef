"""Imports of operator sets, and the IR version that suits them."""

import onnx_ir as ir

from jax2onnx.graph.walk import bodies, nested_nodes

# The IR version of the onnx release that introduced an operator set. A test compares it with
# `onnx.helper.VERSION_TABLE`. Reading that table would import all of onnx's schemas.
_IR_VERSION_SINCE = {
    1: 3,
    9: 4,
    10: 5,
    11: 6,
    12: 7,
    15: 8,
    19: 9,
    21: 10,
    23: 11,
    24: 12,
    25: 13,
    28: 14,
}


def ir_version(opset: int) -> int:
    """Return the IR version that the onnx release of operator set ``opset`` writes."""
    return max(
        (version for since, version in _IR_VERSION_SINCE.items() if since <= opset), default=3
    )


def set_versions(model: ir.Model) -> None:
    """Import the operator sets in use, sorted by domain, and set the IR version, in place.

    1. Each function imports the operator sets that its own nodes use.
    2. The model imports those that its nodes and the nodes of its functions use, since runtimes
       inline functions.
    3. A domain that no graph imports, such as that of a function, gets version 1.
    4. A model with functions has IR version 8 at least, which introduced them.
    """
    imports = dict(model.graph.opset_imports)
    for function in model.functions.values():
        for domain, version in function.opset_imports.items():
            imports.setdefault(domain, version)
    opset = imports.setdefault("", 1)
    everywhere = {""}
    for body in reversed(list(bodies(model))):
        used = {"", *(node.domain for node in nested_nodes(body))}
        everywhere |= used
        domains = everywhere if body is model.graph else used
        body.opset_imports.clear()
        body.opset_imports.update({domain: imports.get(domain, 1) for domain in sorted(domains)})
    since_functions = 8
    model.ir_version = max(ir_version(opset), since_functions if model.functions else 0)
