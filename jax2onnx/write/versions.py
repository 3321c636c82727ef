"""Operator sets and the IR version that goes with them."""

from __future__ import annotations

import onnx_ir as ir

from jax2onnx.graph.walk import bodies, nested_nodes

# The IR version of the onnx release that brought each operator set, as `onnx.helper.VERSION_TABLE`
# has it (a test compares the two); reading it from there would import all of onnx's schemas.
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
    """The IR version that the onnx release of operator set `opset` writes."""
    return max(
        (version for since, version in _IR_VERSION_SINCE.items() if since <= opset), default=3
    )


def set_versions(model: ir.Model) -> None:
    """Import just the operator sets in use, sorted by domain, and suit the IR version to them.

    1. Each function imports what its own nodes use.
    2. The model imports what its nodes and those of all its functions use (runtimes inline them).
    3. A domain that nobody imported has version 1: the domains of functions are of this kind.
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
    model.ir_version = ir_version(opset)
