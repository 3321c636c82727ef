"""The last room: everything that decides the artifact's bytes is here.

`finalise` settles order, names, metadata and versions; `to_proto` and `save` serialise what it
left. No time, no path of the build machine, no object's id and no hash order gets in: equal models
give equal bytes.
"""

from jax2onnx.write.finalising import finalise
from jax2onnx.write.saving import save, to_proto

__all__ = ["finalise", "save", "to_proto"]
