"""The model families: those of this package, and those that other distributions add.

A family is a package with the modules ``export`` and, for ``verify``, ``parity``. This package has
one for each folder of ``families`` that has an ``export.py``. A distribution adds one by an entry
point of the group ``onnx_exporters.families``: its name is the family, its value is the package.
"""

from __future__ import annotations

import contextlib
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from exporters.errors import ExportError
from exporters.functions import did_you_mean

GROUP = "onnx_exporters.families"
"""The group of the entry points of families."""


def families() -> dict[str, str]:
    """Return the packages of the families by name, sorted."""
    own = (Path(__file__).parents[1] / "families").glob("*/export.py")
    found = {file.parent.name: f"exporters.families.{file.parent.name}" for file in own}
    added = {point.name: point.value for point in entry_points(group=GROUP)}
    return dict(sorted({**added, **found}.items()))


def exporter(name: str) -> str:
    """Return the exporter of a family, or ``name`` itself if it is ``package.module:function``.

    Raises:
        ExportError: there is no such family.
    """
    if ":" in name:
        return name
    known = families()
    if name not in known:
        raise ExportError(
            f"there is no model family {name!r}{did_you_mean(name, known)}. Known are "
            f"{', '.join(known)}; name another exporter as package.module:function."
        )
    return f"{known[name]}.export:export"


def is_family(exporter: str) -> bool:
    """Return whether ``package.module:function`` is the exporter of a family."""
    return exporter in {f"{package}.export:export" for package in families().values()}


def reference(name: str, exporter: str) -> str:
    """Return a reference as ``package.module:function``.

    Args:
        name: the name of a function in the ``parity`` module beside the exporter, such as
            ``against_jax``, or any ``package.module:function``. If there is no such module, the
            function of ``exporters.parity`` is meant, which works for any exporter.
        exporter: the exporter.
    """
    if ":" in name:
        return name
    package = exporter.partition(":")[0].rpartition(".")[0]
    with contextlib.suppress(ModuleNotFoundError):  # the package; the export reports that
        if package and find_spec(f"{package}.parity") is not None:
            return f"{package}.parity:{name}"
    return f"exporters.parity:{name}"
