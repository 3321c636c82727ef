"""The last room: everything that decides the bytes of an artifact.

``finalise`` fixes the order of nodes, the names, the metadata and the versions. ``to_proto`` and
``save`` serialise the result. Equal models give equal bytes: these depend on no time, no path of
the build machine, no object's id and no hash order.
"""

from jax2onnx.write.finalising import finalise
from jax2onnx.write.saving import save, to_proto

__all__ = ["finalise", "save", "to_proto"]
