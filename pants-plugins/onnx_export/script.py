"""The files of ``run/place.py``, the script that checks files, lays them out and describes them."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Mapping
from typing import Any

SCRIPT = "place.py"
_SUMMARY = "summary.py"  # which the script imports


def script(request: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the script and its request by file name; ``place.py`` describes the request."""
    files = {"__request.json": json.dumps(request).encode()}
    for name in (SCRIPT, _SUMMARY):
        source = pkgutil.get_data("onnx_export.run", name)
        assert source is not None
        files[name] = source
    return files
