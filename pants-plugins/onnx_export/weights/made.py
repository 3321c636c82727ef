"""Weights that a process makes. Small ones are its result; large ones lie in the named cache."""

from __future__ import annotations

from pants.engine.fs import PathGlobs

from onnx_export import compat
from onnx_export.compat import Get
from onnx_export.request import LISTING, files_from_json
from onnx_export.runtime import OUTPUT, Action, ActionResult
from onnx_export.weights.base import Weights, WeightsFieldSet


async def made_by(action: Action, field_set: WeightsFieldSet) -> Weights:
    """Return the weights that an action makes.

    Args:
        action: a ``Synthesise`` or ``Derive``, which writes a listing of the files.
        field_set: the target.
    """
    result = await Get(ActionResult, Action, action)
    output = await compat.stripped(result.output_or_raise(action), OUTPUT)
    listing = await compat.subset(output, PathGlobs([LISTING]))
    files = files_from_json((await compat.contents_of(listing.digest))[LISTING].decode())
    made = await compat.subset(output, PathGlobs(["*", f"!{LISTING}"]))
    if made.files:
        return field_set.weights(files, digest=made.digest)
    return field_set.weights(files, supply=action)
