"""Running ``place.py``, the script that lays files out and describes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pants.core.goals.run import RunRequest
from pants.engine.fs import Digest

from onnx_export import compat
from onnx_export.compat import ScriptsPython
from onnx_export.runtime import WEIGHTS_CACHE, WEIGHTS_STORE
from onnx_export.script import SCRIPT, script


async def placing(
    python: ScriptsPython, request: Mapping[str, Any], *digests: Digest
) -> RunRequest:
    """Return a run of the script.

    Args:
        python: the interpreter.
        request: the request, which ``place.py`` describes.
        digests: the files in the script's sandbox.
    """
    own = await compat.digest_of(script(request))
    return RunRequest(
        digest=await compat.merged((own, *digests)),
        args=(python.path, "-IB", f"{{chroot}}/{SCRIPT}", "{chroot}"),
        append_only_caches={WEIGHTS_CACHE: WEIGHTS_STORE},
    )
